/**
 * Four validators of which one lies, under virtual time: whatever it says, the three commit the same chain, none of
 * their cells restarts, and none of them is blamed. Rules CS-3, CS-4, CS-7, CS-13, CS-14, TP-6, RT-16, SM-4.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { ADDRESSES } from '../../src/actors/addresses.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { wallTime } from '../../src/base/units.ts';
import { createKeyedHashEngine } from '../../src/crypto/bls/keyed-hash.ts';
import { treeOf, viewOf } from '../../src/node/views.ts';
import { encodeBatch } from '../../src/protocol/chain/batch.ts';
import { digestOf, merkleRootOf } from '../../src/protocol/chain/canonical.ts';
import { parseHeight, parseRound } from '../../src/protocol/chain/parse.ts';
import type {
  BatchDigest,
  BlockId,
  Header,
  Height,
  QuorumCertificate,
  Round,
  TimeoutCertificate,
} from '../../src/protocol/chain/types.ts';
import { addVote, EMPTY_VOTE_BOOK } from '../../src/protocol/consensus/vote-book.ts';
import { HONEST, LIAR, Liar, type Lie } from './support/liar.ts';

const SECOND = 1_000;
/** Ahead of every round that these runs reach. @unit rounds */
const FAR = 1_000_000;

const round = (value: number): Round => {
  const parsed = parseRound(value);
  if (parsed === 'malformed') throw new Error(`no round: ${value}`);
  return parsed;
};
const height = (value: number): Height => {
  const parsed = parseHeight(value);
  if (parsed === 'malformed') throw new Error(`no height: ${value}`);
  return parsed;
};
const anId = (seed: number): BlockId => digestOf(utf8(`nothing ${seed}`)) as string as BlockId;
const farStatement = (liar: Liar, ahead: number) => ({
  epoch: liar.run.epoch.epoch,
  round: round(FAR + ahead),
  height: height(FAR),
  blockId: anId(ahead),
  parentId: anId(0),
  parentRound: round(FAR + ahead - 1),
});

/** The claims that no attack may break; `heights` more were committed by each honest validator. */
function expectUnharmed(liar: Liar, before: readonly number[], heights: number): void {
  const { run } = liar;
  for (const index of HONEST) {
    expect(run.height(index)).toBeGreaterThanOrEqual((before[index] ?? 0) + heights);
    const system = run.node(index).process?.system;
    expect(system?.cells().filter(({ restarts }) => restarts > 0)).toEqual([]);
    expect(system?.deadLetters.counts().get('poison')).toBeUndefined();
  }
  expect(run.checker.violations).toEqual([]);
  expect(liar.slandered).toEqual([]);
}

/** Runs the attack for a while after an honest start; the three must commit on. */
function under(lie: Lie, seed: string, seconds = 12): Liar {
  const liar = new Liar(seed);
  liar.run.advance(2 * SECOND);
  const before = HONEST.map((index) => liar.run.height(index));
  liar.lies(lie);
  for (let second = 0; second < seconds; second += 1) {
    liar.run.submit(second % 3, `key${second}=${seed}`);
    liar.run.advance(SECOND);
  }
  expectUnharmed(liar, before, seconds / 4);
  return liar;
}

const onlyProposals =
  (lie: (...args: Parameters<Lie>) => 'pass' | 'drop'): Lie =>
  (message, to, liar) =>
    message.kind === 'Proposal' && message.vote.validator === liar.run.signerOf(LIAR).address
      ? lie(message, to, liar)
      : 'pass';

describe('a leader that lies', () => {
  it('with two blocks in its round is blamed for the double vote and loses the round at once (CS-14)', () => {
    const liar = under(
      onlyProposals((message, to, of) => {
        if (message.kind !== 'Proposal') return 'pass';
        of.say(to, of.proposal(message, { time: wallTime(message.block.header.time + 1) }));
        return 'pass';
      }),
      'two blocks',
    );
    expect(liar.blamed('DOUBLE_VOTE')).toBeGreaterThan(0);
  });

  it('with one block for one and another for the others harms nobody (CS-4, CS-5)', () => {
    under(
      onlyProposals((message, to, of) => {
        if (message.kind !== 'Proposal' || to !== 0) return 'pass';
        of.say(to, of.proposal(message, { time: wallTime(message.block.header.time + 1) }));
        return 'drop';
      }),
      'split',
    );
  });

  it.each([0, 1, 2])('that tells its block to %i of the others harms nobody (CS-4b, CS-12)', (told) => {
    under(
      onlyProposals((_, to) => (to < told ? 'pass' : 'drop')),
      `tells ${told}`,
    );
  });

  const wrong: readonly (readonly [string, string | undefined, (header: Header) => Partial<Header>])[] = [
    [
      'executed state',
      'EXECUTED_WRONG',
      ({ executed }) => ({ executed: { ...executed, appHash: digestOf(utf8('lie')) } }),
    ],
    ['parent', 'PARENT_MISMATCH', () => ({ parentId: anId(1) })],
    ['height', 'HEIGHT_WRONG', (header) => ({ height: height(header.height + 1) })],
    ['validators', 'VALIDATORS_HASH_WRONG', () => ({ validatorsHash: digestOf(utf8('others')) })],
    ['root of batches', 'BATCHES_ROOT_WRONG', () => ({ batchesRoot: digestOf(utf8('root')) })],
    ['time, an hour ahead', 'TIME_TOO_EARLY', ({ time }) => ({ time: wallTime(time + 3_600_000) })],
    [
      'time, before its parent',
      'TIME_NOT_AFTER_PARENT',
      ({ time }) => ({ time: wallTime(time - 3_600_000) }),
    ],
    ['author', undefined, () => ({ proposer: anId(3).slice(0, 40) as Header['proposer'] })],
  ];

  it.each(wrong)('with a wrong %s gets no vote and is blamed (CS-3)', (what, code, change) => {
    const liar = under(
      onlyProposals((message, to, of) => {
        if (message.kind !== 'Proposal') return 'pass';
        of.say(to, of.proposal(message, change(message.block.header)));
        return 'drop';
      }),
      what,
    );
    if (code !== undefined) expect(liar.blamed(code)).toBeGreaterThan(0);
  });

  it('that names a batch which nobody has costs its own rounds only (MP-9)', () => {
    under(
      onlyProposals((message, to, of) => {
        if (message.kind !== 'Proposal') return 'pass';
        const digest = anId(1) as string as BatchDigest;
        of.say(
          to,
          of.proposal(message, {
            batches: [{ digest, count: 1, bytes: 100 }],
            batchesRoot: merkleRootOf([digest]),
          }),
        );
        return 'drop';
      }),
      'no batch',
    );
  });
});

describe('a validator that lies', () => {
  it('by silence: no votes, no QC, no timeouts, no proposals (CS-6, CS-7)', () => {
    under(() => 'drop', 'silence');
  });

  it('by hiding the QC that it collected (CS-4b)', () => {
    under((message) => (message.kind === 'Vote' || message.kind === 'ViewChange' ? 'pass' : 'drop'), 'hides');
  });

  it('by withholding its votes (CS-4)', () => {
    under((message) => (message.kind === 'Vote' ? 'drop' : 'pass'), 'withholds');
  });

  it('by signing its votes badly is found out, once (CS-4)', () => {
    const liar = under((message, to, of) => {
      if (message.kind !== 'Vote') return 'pass';
      of.say(to, { kind: 'Vote', vote: { ...message.vote, signature: new Uint8Array(96).fill(7) } });
      return 'drop';
    }, 'bad votes');
    expect(liar.blamed('SIGNATURE_INVALID')).toBeGreaterThan(0);
  });

  it('by repeating all that it ever heard, in reverse (CS-7, CS-13)', () => {
    const liar = new Liar('replay');
    liar.run.advance(10 * SECOND);
    const before = HONEST.map((index) => liar.run.height(index));
    for (let again = 0; again < 3; again += 1) {
      for (const message of [...liar.overheard].reverse()) liar.sayToAll({ ...message });
      liar.run.advance(3 * SECOND);
    }
    expectUnharmed(liar, before, 10);
  });

  it('by repeating another’s timeout with a vote that the other never signed slanders nobody (CS-7, TP-6)', () => {
    const liar = new Liar('slander');
    liar.run.advance(2 * SECOND);
    const before = HONEST.map((index) => liar.run.height(index));
    liar.lies((message) => (message.kind === 'ViewChange' ? 'pass' : 'drop'));
    // What one honest validator tells another arrives late; the liar is quicker.
    const [first, second] = [liar.run.nodes[0]?.address, liar.run.nodes[1]?.address];
    if (first !== undefined && second !== undefined) liar.run.hub.block(first, second);
    for (let step = 0; step < 200; step += 1) {
      liar.run.advance(100);
      const stolen = liar.overheard.findLast((one) => one.kind === 'ViewChange' && one.validator === first);
      if (stolen?.kind !== 'ViewChange') continue;
      const vote = liar.vote({ ...farStatement(liar, 1), round: stolen.round, parentRound: round(0) });
      liar.say(1, { ...stolen, lastVote: { ...vote, validator: stolen.validator } });
      liar.say(1, { ...stolen, lastVote: { ...vote, validator: stolen.validator, blockId: anId(step) } });
    }
    expectUnharmed(liar, before, 3);
    expect(liar.blamed('VIEW_CHANGE_NOT_OF_SENDER')).toBeGreaterThan(0);
  });

  it('by forging certificates is blamed for each, and moves no round (CS-13)', () => {
    const liar = new Liar('forges');
    liar.run.advance(2 * SECOND);
    const before = HONEST.map((index) => liar.run.height(index));
    for (let ahead = 1; ahead <= 200; ahead += 1) {
      const { validator: _, ...vote } = liar.vote(farStatement(liar, ahead));
      const qc: QuorumCertificate = { ...vote, signers: Uint8Array.of(0b0111) };
      const { rootQC, epoch } = liar.run.epoch;
      const tc: TimeoutCertificate = {
        epoch,
        round: round(FAR + ahead),
        highQC: rootQC,
        groups: [{ highQcRound: rootQC.round, signers: Uint8Array.of(0b0111) }],
        signature: vote.signature,
      };
      liar.sayToAll({ kind: 'QC', qc });
      liar.sayToAll({
        kind: 'NewView',
        epoch,
        height: height(1),
        round: round(FAR + ahead + 1),
        leader: liar.run.signerOf(LIAR).address,
        tc,
      });
      liar.sayToAll(
        liar.timeout({
          round: round(FAR + ahead + 1),
          highQC: qc,
          reason: 'LeaderTimeout',
          height: height(1),
          tick: ahead,
        }),
      );
      liar.sayToAll(
        liar.timeout({
          round: round(FAR + ahead + 1),
          highQC: rootQC,
          lastTC: tc,
          reason: 'LeaderTimeout',
          height: height(1),
          tick: ahead,
        }),
      );
      if (ahead % 20 === 0) liar.run.advance(100);
    }
    liar.run.advance(10 * SECOND);
    expectUnharmed(liar, before, 8);
    expect(liar.blamed('SIGNATURE_INVALID')).toBeGreaterThanOrEqual(3 * 3 * 200);
    for (const index of HONEST) {
      const system = liar.run.node(index).process?.system;
      expect(system && viewOf(system)?.pacemaker.round).toBeLessThan(FAR);
      expect(system && viewOf(system)?.book.rounds.size).toBeLessThan(8);
    }
  });

  it('by 50,000 true votes for rounds a million ahead fills four slots of its own (CS-13)', () => {
    const liar = new Liar('votes');
    liar.run.advance(2 * SECOND);
    const before = HONEST.map((index) => liar.run.height(index));
    for (let ahead = 1; ahead <= 50_000; ahead += 1) {
      liar.say(ahead % 3, { kind: 'Vote', vote: liar.vote(farStatement(liar, ahead)) });
      if (ahead % 2_000 === 0) liar.run.advance(500);
    }
    liar.run.advance(2 * SECOND);
    expectUnharmed(liar, before, 10);
    for (const index of HONEST) {
      const system = liar.run.node(index).process?.system;
      const held = [...((system && treeOf(system))?.votes.rounds.keys() ?? [])].filter((one) => one >= FAR);
      expect(held).toHaveLength(4);
    }
  });

  it('by batches of garbage, acknowledgements of nothing and answers to nothing (MP-5, MP-10, TP-6)', () => {
    const liar = new Liar('batches');
    liar.run.advance(SECOND);
    const before = HONEST.map((index) => liar.run.height(index));
    const transactions = Array.from({ length: 4_096 }, (_, index) => Uint8Array.of(index & 255, index >> 8));
    const author = liar.run.signerOf(LIAR).address;
    const bytes = encodeBatch({ author, sequence: 9, expiresAtHeight: height(500), transactions });
    for (let turn = 0; turn < 20; turn += 1) {
      const digests = Array.from(
        { length: 512 },
        (_, index) => anId(turn * 512 + index) as string as BatchDigest,
      );
      liar.sayToAll({ kind: 'Batch', bytes });
      liar.sayToAll({ kind: 'Batch', bytes: new Uint8Array(100_000).fill(turn) });
      liar.sayToAll({ kind: 'BatchAck', digests });
      liar.sayToAll({ kind: 'GetBatch', digests });
      liar.sayToAll({ kind: 'Blocks', requestId: turn, blocks: [], batches: [], height: height(1) });
      liar.sayToAll({ kind: 'GetBlocks', requestId: turn, from: height(1), limit: 256, withBatches: true });
      liar.run.advance(100);
    }
    liar.run.advance(5 * SECOND);
    expectUnharmed(liar, before, 8);
    expect(liar.blamed('BATCH_MALFORMED')).toBeGreaterThan(50);
    expect(liar.blamed('UNREQUESTED')).toBeGreaterThan(50);
  });
});

describe('forged runtime events', () => {
  it('from outside reach no cell, whatever they are called (RT-16)', () => {
    const liar = new Liar('events');
    liar.run.advance(SECOND);
    const before = HONEST.map((index) => liar.run.height(index));
    const types = [
      'xstate.stop',
      'xstate.init',
      'xstate.error.actor.0',
      'xstate.done.state.x',
      'xstate.after.1',
      'cell.stop',
      'cell.down',
      '*',
    ];
    for (const index of HONEST) {
      const system = liar.run.node(index).process?.system;
      for (const address of Object.values(ADDRESSES)) {
        for (const type of types) expect(system?.ref(address).tell({ type })).not.toBe('accepted');
      }
    }
    const vote = { ...liar.vote(farStatement(liar, 1)), type: 'xstate.stop' };
    const message = { kind: 'Vote', vote, type: 'xstate.error' } as const;
    liar.sayToAll(message);
    liar.run.advance(5 * SECOND);
    expectUnharmed(liar, before, 5);
  });
});

describe('a vote book', () => {
  it('under a million votes for rounds a million ahead leaves the heap flat (CS-13)', () => {
    const { run } = new Liar('book');
    const { address } = run.signerOf(LIAR);
    const { epoch } = run.epoch;
    const [parentId, blockId, signature] = [anId(0), anId(1), new Uint8Array(96)];
    let book = EMPTY_VOTE_BOOK;
    const votes = (from: number, count: number): void => {
      for (let ahead = from; ahead < from + count; ahead += 1) {
        const [at, parentRound] = [round(FAR + ahead), round(FAR + ahead - 1)];
        const vote = {
          epoch,
          round: at,
          height: height(1),
          blockId,
          parentId,
          parentRound,
          validator: address,
          signature,
        };
        book = addVote(book, run.epoch, NEVER_ASKED, vote).book;
      }
    };
    votes(1, 10_000);
    const before = heapAfterCollection();
    votes(10_001, 1_000_000);
    expect(heapAfterCollection() - before).toBeLessThan(1_000_000);
    expect(book.rounds.size).toBe(4);
  });
});

const never = (): never => {
  throw new Error('no pairing is worth a vote for a far round');
};
const NEVER_ASKED = {
  ...createKeyedHashEngine(),
  verify: never,
  fastAggregateVerify: never,
  aggregateSignatures: never,
};

/** @unit bytes */
function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}
