/** Every claim is broken by a forged history and reported by its name, and is silent on the true one. Rules SM-4, SM-5. */
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { ECVRF } from '../../../src/crypto/vrf.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { NO_ORPHAN, ONE_CHAIN } from '../../../src/simulation/checkers/agreement.ts';
import { Blocks, LINKED, PROVED, TIME_BOUND, TIME_GROWS } from '../../../src/simulation/checkers/blocks.ts';
import { CONSERVED, checkLinks } from '../../../src/simulation/checkers/conservation.ts';
import {
  DUPLICATE,
  EQUAL_STATES,
  EXPIRED_NEVER,
  IN_ORDER,
  ONCE,
  STATED_STATE,
} from '../../../src/simulation/checkers/execution.ts';
import { SafetyChecker } from '../../../src/simulation/checkers/index.ts';
import { NO_LIVELOCK, ROUNDS_WITHOUT_COMMIT_MAX } from '../../../src/simulation/checkers/livelock.ts';
import { CONSECUTIVE, PROVEN } from '../../../src/simulation/checkers/proofs.ts';
import {
  LOCK_KEPT,
  ONE_PROPOSAL,
  ONE_TIMEOUT,
  ONE_VOTE,
  TIMEOUTS_GROW,
  VOTES_GROW,
} from '../../../src/simulation/checkers/statements.ts';
import {
  A,
  B,
  blockOn,
  bls,
  C,
  chain,
  committedOf,
  D,
  epoch,
  executedOf,
  proposalOf,
  qcOf,
  statement,
  tcOf,
  timeoutOf,
  voteOf,
} from './forged.ts';
import { heightOf } from './heights.ts';

const newChecker = (faulty = new Set<typeof A>()) => new SafetyChecker(faulty, { epoch, bls });
const claimsOf = (checker: SafetyChecker): readonly string[] => [
  ...new Set(checker.violations.map(({ claim }) => claim)),
];

/** Three blocks in consecutive rounds; the first two are committed by what follows them. */
const [one, two, three] = chain(3) as [
  ReturnType<typeof chain>[number],
  ReturnType<typeof chain>[number],
  ReturnType<typeof chain>[number],
];
/** Another first block, for which nobody was asked. */
const rival = blockOn(epoch.rootQC, 1, { time: three.block.header.time });

describe('the true history', () => {
  it('breaks no claim', () => {
    const checker = newChecker();
    checker.sent(A, proposalOf(two.block), B);
    for (const to of [B, C]) checker.sent(A, { kind: 'Vote', vote: voteOf(A, statement(one.block)) }, to);
    checker.sent(D, timeoutOf(D, 2, one.qc), A);
    checker.sent(D, { kind: 'Vote', vote: voteOf(D, statement(three.block)) }, A);
    checker.sent(C, { kind: 'QC', qc: one.qc }, A);
    for (const by of [A, B]) {
      checker.committed(by, [committedOf(one.block, two.qc), committedOf(two.block, three.qc)]);
      checker.executed(by, executedOf(one.block, ['x']));
      checker.executed(by, executedOf(two.block, ['y', 'x!']));
    }
    checker.finish();
    expect(checker.violations).toEqual([]);
    expect(checker.committedHeight).toBe(2);
  });
});

describe('one chain', () => {
  it('two commits differ at a height', () => {
    const checker = newChecker();
    checker.committed(A, [committedOf(one.block, two.qc)]);
    checker.committed(B, [committedOf(rival, two.qc)]);
    expect(claimsOf(checker)).toEqual([ONE_CHAIN]);
  });

  it('a proof commits another block than the one that it came with', () => {
    const checker = newChecker();
    checker.committed(A, [committedOf(rival, two.qc)]);
    expect(claimsOf(checker)).toEqual([ONE_CHAIN]);
  });

  it('a committed block names another parent than the committed one', () => {
    const checker = newChecker();
    checker.committed(A, [committedOf(one.block, two.qc)]);
    const other = blockOn(qcOf(rival), 2);
    checker.committed(B, [committedOf(other, qcOf(blockOn(qcOf(other), 3)))]);
    expect(claimsOf(checker)).toEqual([ONE_CHAIN]);
  });

  it('an orphan is executed', () => {
    const checker = newChecker();
    checker.committed(A, [committedOf(one.block, two.qc)]);
    checker.executed(B, executedOf(rival, []));
    expect(claimsOf(checker)).toEqual([NO_ORPHAN]);
  });
});

describe('what proves a commit or is passed on', () => {
  it('a commit without consecutive rounds', () => {
    const checker = newChecker();
    const skipping = blockOn(one.qc, 3);
    checker.committed(A, [committedOf(one.block, qcOf(skipping))]);
    expect(claimsOf(checker)).toEqual([CONSECUTIVE]);
  });

  it('a commit by its own QC', () => {
    const checker = newChecker();
    checker.committed(A, [committedOf(two.block, two.qc)]);
    expect(claimsOf(checker)).toContain(PROVEN);
  });

  it('a QC of too few, of a wrong signature, or of an invented genesis', () => {
    const few = qcOf(one.block, [A, B]);
    const wrong = { ...two.qc, signature: one.qc.signature };
    const genesis = { ...epoch.rootQC, blockId: one.qc.blockId };
    for (const qc of [few, wrong, genesis]) {
      const checker = newChecker();
      checker.sent(A, { kind: 'QC', qc }, B);
      expect(claimsOf(checker)).toEqual([PROVEN]);
    }
  });

  it('a TC whose high QC is not the best reported, of too few, or of one in two groups', () => {
    const best = tcOf(4, one.qc, [
      [2, [A]],
      [1, [B, C]],
    ]);
    const few = tcOf(4, two.qc, [[2, [A, B]]]);
    const twice = tcOf(4, two.qc, [
      [2, [A, B]],
      [1, [B]],
    ]);
    const signature = { ...tcOf(4, two.qc, [[2, [A, B, C]]]), signature: one.qc.signature };
    for (const tc of [best, few, twice, signature]) {
      const checker = newChecker();
      checker.sent(A, timeoutOf(A, 5, two.qc, { lastTC: tc }), B);
      expect(claimsOf(checker)).toContain(PROVEN);
    }
  });
});

describe('what a validator signs', () => {
  const vote = (of: Parameters<typeof statement>[0]) =>
    ({ kind: 'Vote', vote: voteOf(A, statement(of)) }) as const;

  it('two votes in a round, to one or to two', () => {
    const checker = newChecker();
    checker.sent(A, vote(one.block), B);
    checker.sent(A, vote(rival), C);
    expect(claimsOf(checker)).toEqual([ONE_VOTE]);
  });

  it('two votes in a round, one of them inside a certificate or a timeout', () => {
    const inside = newChecker(new Set([B, C, D]));
    inside.sent(A, vote(rival), B);
    inside.sent(A, { kind: 'QC', qc: one.qc }, B);
    expect(claimsOf(inside)).toEqual([ONE_VOTE]);
    const beside = newChecker();
    beside.sent(A, vote(one.block), B);
    beside.sent(A, timeoutOf(A, 1, epoch.rootQC, { lastVote: voteOf(A, statement(rival)) }), B);
    expect(claimsOf(beside)).toEqual([ONE_VOTE]);
  });

  it('two proposals in a round', () => {
    const checker = newChecker();
    const leader = one.block.header.proposer;
    checker.sent(leader, proposalOf(one.block), A);
    checker.sent(leader, proposalOf(rival), C);
    expect(claimsOf(checker)).toContain(ONE_PROPOSAL);
  });

  it('two timeouts in a round, one of them perhaps in a TC', () => {
    const checker = newChecker();
    checker.sent(A, timeoutOf(A, 3, one.qc, { lastTC: tcOf(2, one.qc, [[1, [B, C, D]]]) }), B);
    checker.sent(A, timeoutOf(A, 3, two.qc), B);
    expect(claimsOf(checker)).toEqual([ONE_TIMEOUT]);
    const inside = newChecker();
    inside.sent(A, timeoutOf(A, 3, two.qc), B);
    inside.sent(
      B,
      {
        kind: 'NewView',
        epoch: epoch.epoch,
        height: heightOf(2),
        round: three.block.header.round,
        leader: C,
        tc: tcOf(3, two.qc, [
          [2, [B, C]],
          [1, [A]],
        ]),
      },
      C,
    );
    expect(claimsOf(inside)).toEqual([ONE_TIMEOUT]);
  });

  it('a vote in a round that it gave up, or below an earlier one, to the same receiver', () => {
    const checker = newChecker();
    checker.sent(A, timeoutOf(A, 2, one.qc), B);
    checker.sent(A, vote(two.block), B);
    expect(claimsOf(checker)).toEqual([VOTES_GROW]);
  });

  it('a broadcast may overtake a vote on its way to another: the order is judged on one link', () => {
    const checker = newChecker();
    checker.sent(A, vote(two.block), C);
    checker.sent(A, vote(one.block), B);
    expect(checker.violations).toEqual([]);
  });

  it('a timeout below an earlier one', () => {
    const checker = newChecker();
    checker.sent(A, timeoutOf(A, 3, two.qc), B);
    checker.sent(A, timeoutOf(A, 2, one.qc), B);
    expect(claimsOf(checker)).toEqual([TIMEOUTS_GROW]);
  });

  it('a timeout that hides what a vote was built on', () => {
    const checker = newChecker();
    checker.sent(A, vote(three.block), B);
    checker.sent(A, timeoutOf(A, 4, one.qc, { lastTC: tcOf(3, one.qc, [[1, [B, C, D]]]) }), B);
    expect(claimsOf(checker)).toEqual([LOCK_KEPT]);
  });

  it('a liar may do all of it', () => {
    const checker = newChecker(new Set([A]));
    checker.sent(A, vote(one.block), B);
    checker.sent(A, vote(rival), B);
    expect(checker.violations).toEqual([]);
  });
});

describe('execution', () => {
  it('another state at an equal height, by a node or by a committed header', () => {
    const checker = newChecker();
    checker.executed(A, executedOf(one.block, []));
    checker.executed(B, executedOf(one.block, [], 'another'));
    expect(claimsOf(checker)).toEqual([EQUAL_STATES]);
    const stated = newChecker();
    stated.executed(A, executedOf(one.block, []));
    const liar = blockOn(two.qc, 3, { executed: { height: heightOf(1), appHash: digestOf(utf8('a lie')) } });
    stated.committed(B, [committedOf(liar, qcOf(blockOn(qcOf(liar), 4)))]);
    expect(claimsOf(stated)).toEqual([STATED_STATE]);
  });

  it('a transaction executed twice, in one block or two', () => {
    const checker = newChecker();
    checker.executed(A, executedOf(one.block, ['x', 'x']));
    expect(claimsOf(checker)).toEqual([ONCE]);
    const later = newChecker();
    later.executed(A, executedOf(one.block, ['x']));
    later.executed(A, executedOf(two.block, ['x']));
    expect(claimsOf(later)).toEqual([ONCE]);
  });

  it('a duplicate of nothing', () => {
    const checker = newChecker();
    checker.executed(A, executedOf(one.block, ['x!']));
    checker.finish();
    expect(claimsOf(checker)).toEqual([DUPLICATE]);
  });

  it('expired, and executed all the same, before or after', () => {
    for (const first of ['told', 'executed']) {
      const checker = newChecker();
      const hashes = [digestOf(utf8('x'))];
      if (first === 'told') checker.expired(A, hashes, 9);
      checker.executed(B, executedOf(one.block, ['x']));
      if (first === 'executed') checker.expired(A, hashes, 9);
      expect(claimsOf(checker)).toEqual([EXPIRED_NEVER]);
    }
  });

  it('a block told twice or out of order', () => {
    const checker = newChecker();
    checker.executed(A, executedOf(two.block, []));
    checker.executed(A, executedOf(one.block, []));
    expect(claimsOf(checker)).toEqual([IN_ORDER]);
    checker.started(A);
    checker.executed(A, executedOf(two.block, []));
    expect(checker.violations).toHaveLength(1);
  });

  it('what was admitted is unsettled until it is executed or expired', () => {
    const checker = newChecker();
    const [x, y] = ['x', 'y'].map((name) => ({ status: 'admitted', hash: digestOf(utf8(name)) }) as const);
    if (x === undefined || y === undefined) throw new Error('two admissions');
    checker.admitted(A, [x, y]);
    checker.executed(B, executedOf(one.block, ['x']));
    expect(checker.unsettled()).toEqual([{ hash: y.hash, by: A }]);
    checker.expired(A, [y.hash], 9);
    expect(checker.unsettled()).toEqual([]);
  });
});

describe('blocks', () => {
  const judged = (clock: number, of = epoch) => {
    const checker = newChecker();
    return {
      checker,
      blocks: new Blocks(
        () => of,
        ECVRF,
        () => clock,
        checker.report,
      ),
    };
  };
  const { time } = one.block.header;

  it('of a wrong height, or not later than its parent', () => {
    const { checker, blocks } = judged(time);
    blocks.committed(A, committedOf(one.block, two.qc));
    expect(claimsOf(checker)).toEqual([]);
    blocks.committed(A, committedOf(blockOn(one.qc, 2, { time }), three.qc));
    expect(claimsOf(checker)).toEqual([TIME_GROWS]);
    blocks.committed(A, committedOf(blockOn(two.qc, 3, { height: heightOf(7) }), three.qc));
    expect(claimsOf(checker)).toEqual([TIME_GROWS, LINKED]);
  });

  it('with a VRF proof where the genesis chose none, and without one where it chose VRF (CS-17)', () => {
    const without = judged(time);
    const header = { ...one.block.header, vrfProof: new Uint8Array(80) };
    without.blocks.committed(A, committedOf({ ...one.block, header }, two.qc));
    expect(claimsOf(without.checker)).toEqual([PROVED]);
    const drawn = judged(time, { ...epoch, leadership: { ...epoch.leadership, vrf: true } });
    drawn.blocks.committed(A, committedOf(one.block, two.qc));
    expect(claimsOf(drawn.checker)).toEqual([PROVED]);
  });

  it('ahead of every honest clock by more than the precision', () => {
    const { checker, blocks } = judged(time - 506);
    blocks.committed(A, committedOf(one.block, two.qc));
    expect(claimsOf(checker)).toEqual([TIME_BOUND]);
  });
});

describe('the rest', () => {
  it('rounds that go by without commits are a livelock, once (SM-5)', () => {
    const checker = newChecker();
    checker.committed(A, [committedOf(one.block, two.qc)]);
    checker.roundFailed(A, ROUNDS_WITHOUT_COMMIT_MAX + 1);
    expect(checker.violations).toEqual([]);
    for (const extra of [2, 3]) checker.roundFailed(A, ROUNDS_WITHOUT_COMMIT_MAX + extra);
    expect(claimsOf(checker)).toEqual([NO_LIVELOCK]);
    expect(checker.violations).toHaveLength(1);
  });

  it('a message that a link lost without a trace (RT-8)', () => {
    const counts = {
      sent: 5,
      delivered: 2,
      dropped: 1,
      duplicated: 1,
      cut: 0,
      unreachable: 1,
      refused: 0,
      garbled: 1,
      inFlight: 1,
      bytes: 0,
    };
    const { checker } = { checker: newChecker() };
    checkLinks(counts, checker.report);
    expect(checker.violations).toEqual([]);
    checkLinks({ ...counts, inFlight: 0 }, checker.report);
    expect(claimsOf(checker)).toEqual([CONSERVED]);
  });

  it('tells a claim that breaks a thousand times a few times', () => {
    const checker = newChecker();
    for (let time = 0; time < 1_000; time += 1) checker.alarmed(A, 'safety');
    expect(checker.violations.length).toBeLessThan(10);
  });
});
