import { afterAll, describe, expect, it } from 'vitest';
import { millis, monotonic, wallTime } from '../../../src/base/units.ts';
import type { RoundInput } from '../../../src/machines/consensus/round.live.ts';
import { roundMachine } from '../../../src/machines/consensus/round.machine.ts';
import { vrfInputOf } from '../../../src/protocol/chain/canonical.ts';
import type { BatchReference, Block } from '../../../src/protocol/chain/types.ts';
import { leaderAt } from '../../../src/protocol/consensus/epoch.ts';
import { offenceOf } from '../../../src/protocol/consensus/evidence.ts';
import { buildBlock } from '../../../src/protocol/consensus/proposal.ts';
import type { EvidenceRefusal } from '../../../src/protocol/consensus/refusals.ts';
import { TIMELINESS_DEFAULTS } from '../../../src/protocol/consensus/timeliness.ts';
import { NONE_VERIFIED } from '../../../src/protocol/consensus/verified.ts';
import type { ChainFacts } from '../../../src/protocol/ports/consensus.ts';
import {
  blockOn,
  chainOf,
  GENESIS_EXECUTED,
  GENESIS_TIME,
  height,
  idOf,
  present,
  proposalOf,
  qcOf,
  round,
  tcOf,
  voteFor,
  world,
} from '../../protocol/consensus/fixture.ts';
import { twoVotes } from '../../protocol/consensus/offences.ts';
import { ofKind, reachOf, toldTo } from '../reach.ts';

const place = world();
const { epoch, addressAt, indexOf } = place;
const root = epoch.rootQC;
const reach = reachOf(roundMachine, 'rm/round');
const LEADER = indexOf(leaderAt(epoch, round(1)));
const FOLLOWER = (LEADER + 2) % 4;
const now = monotonic(0);
const wall = wallTime(GENESIS_TIME + 1_000);
const batch: BatchReference = { digest: GENESIS_EXECUTED.appHash as never, count: 1, bytes: 10 };

const facts = (change: Partial<ChainFacts> = {}): ChainFacts => ({
  parentId: root.blockId,
  parent: { time: GENESIS_TIME, height: height(0) },
  executed: GENESIS_EXECUTED,
  nextHash: epoch.hash,
  namedBatches: [],
  namedOffences: [],
  evidenceWaits: false,
  hasWork: true,
  mayPropose: true,
  sync: { status: { kind: 'InSync' }, forkProved: false },
  committedRound: round(0),
  ...change,
});
const unknown: ChainFacts = {
  parentId: root.blockId,
  namedBatches: [],
  namedOffences: [],
  evidenceWaits: false,
  hasWork: true,
  mayPropose: true,
  sync: { status: { kind: 'InSync' }, forkProved: false },
  committedRound: round(0),
};

function start(self: number, change: Partial<RoundInput> = {}) {
  const input: RoundInput = {
    setting: {
      epoch,
      self: addressAt(self),
      bls: place.bls,
      vrf: place.vrf,
      limits: { batchesMax: 4, bytesMax: 1_000 },
      timeliness: TIMELINESS_DEFAULTS,
      router: 'router',
      safety: 'safety',
      viewChange: 'view-change',
      mempool: 'mempool',
      evidencePool: 'evidence-pool',
    },
    roundManager: 'rm',
    entered: {
      type: 'round.entered',
      epoch: epoch.epoch,
      round: round(1),
      leader: leaderAt(epoch, round(1)),
      entry: { by: 'qc', qc: root },
      highQC: root,
      idleUntil: monotonic(500),
      deadlines: {
        timeout: millis(1_000),
        propose: monotonic(1_000),
        vote: monotonic(1_500),
        resendEvery: millis(500),
      },
    },
    lockedRound: round(0),
    facts: facts(),
    verified: NONE_VERIFIED,
    ...change,
  };
  return reach.start(input, { now, wall });
}

const received = (block: Block, tc?: Parameters<typeof proposalOf>[2]) =>
  ({
    type: 'proposal.received',
    proposal: proposalOf(place, block, tc),
    from: block.header.proposer,
    receivedAt: wall,
  }) as const;
const told = (change?: Partial<ChainFacts>) => ({ type: 'facts.changed', facts: facts(change) }) as const;
const block1 = blockOn(place, root, 1);
const inRound = (at: number, highQC = root) => ({
  type: 'round.entered' as const,
  epoch: epoch.epoch,
  round: round(at),
  leader: leaderAt(epoch, round(at)),
  highQC,
  idleUntil: monotonic(0),
  deadlines: {
    timeout: millis(1_000),
    propose: monotonic(500),
    vote: monotonic(1_000),
    resendEvery: millis(500),
  },
});

afterAll(() => expect(reach.missing()).toEqual([]));

describe('round chart: voting (CS-3)', () => {
  it('asks safety for the vote once the block is authentic and its parent and execution are known', () => {
    const chart = start(FOLLOWER);
    const examined = chart.send(received(block1));
    expect(toldTo(examined, 'rm')).toMatchObject([{ type: 'proposal.authenticated', round: 1 }]);
    expect(toldTo(examined, 'safety')).toEqual([]);
    const asked = toldTo(chart.send(told()), 'safety');
    expect(asked).toMatchObject([
      { type: 'vote.requested', sendTo: [leaderAt(epoch, round(2)), addressAt(LEADER)] },
    ]);
    expect(chart.send(told())).toEqual([]);
    chart.send({ type: 'vote.cast', vote: voteFor(place, block1, FOLLOWER) });
    expect(chart.snapshot.value).toBe('prevote');
  });

  it('parks while the parent, the execution or a batch is missing, in whatever order they come', () => {
    const block = blockOn(place, root, 1, { batches: [batch] });
    for (const order of [
      ['facts', 'batches'],
      ['batches', 'facts'],
    ]) {
      const chart = start(FOLLOWER, { facts: unknown });
      expect(toldTo(chart.send(received(block)), 'mempool')).toMatchObject([{ type: 'batches.wanted' }]);
      const last = order.map((one) =>
        one === 'facts' ? chart.send(told()) : chart.send({ type: 'batches.held', tag: 1 }),
      );
      expect(last.map((effects) => toldTo(effects, 'safety').length)).toEqual([0, 1]);
    }
  });

  it('judges a block by no facts about another parent (CS-3, "Blocks")', () => {
    const { qcs } = chainOf(place, [1]);
    const qc1 = qcs[0];
    if (qc1 === undefined) throw new Error('a chain has a QC');
    const tc = tcOf(place, 2, [root, root, root]);
    const self = (indexOf(leaderAt(epoch, round(3))) + 1) % 4;
    const chart = start(self, { entered: { ...inRound(3), entry: { by: 'tc', tc } }, facts: facts() });
    // Its leader extends the QC of round 1; this node only knew genesis, and hears of genesis once more.
    const block = blockOn(place, qc1, 3, {
      executed: { height: height(0), appHash: idOf(place, block1) as never },
    });
    chart.send(received(block, tc));
    const stale = chart.send(told());
    expect(toldTo(stale, 'view-change')).toEqual([]);
    expect(toldTo(stale, 'safety')).toEqual([]);
    const right = told({ parentId: qc1.blockId, executed: block.header.executed });
    expect(toldTo(chart.send(right), 'safety')).toMatchObject([{ type: 'vote.requested' }]);
  });

  it('looks again at a block from the near future (TM-8)', () => {
    const early = blockOn(place, root, 1, { time: wall + 2_000 });
    const chart = start(FOLLOWER);
    chart.send(received(early));
    const parked = chart.send(told());
    expect(ofKind(parked, 'startTimer')).toMatchObject([
      { key: 'again', message: { type: 'candidate.lookAgain' } },
    ]);
    const later = chart.send({ type: 'candidate.lookAgain' }, { wall: wallTime(wall + 2_000) });
    expect(toldTo(later, 'safety')).toMatchObject([{ type: 'vote.requested' }]);
  });

  it('condemns what its author signed and cannot be: wrong execution, false batch references', () => {
    const chart = start(FOLLOWER);
    chart.send(received(block1));
    const wrong = chart.send(
      told({ executed: { height: height(0), appHash: idOf(place, block1) as never } }),
    );
    expect(toldTo(wrong, 'view-change')).toMatchObject([
      { type: 'proposal.condemned', reason: 'InvalidProposal' },
    ]);
    for (const [code, messages] of [
      ['REFERENCE_MISMATCH', 1],
      ['TOO_MANY_WANTED', 0],
    ] as const) {
      const other = start(FOLLOWER);
      other.send(received(blockOn(place, root, 1, { batches: [batch] })));
      const refused = other.send({
        type: 'batches.refused',
        tag: 1,
        code,
        digest: batch.digest,
        detail: 'x',
      });
      expect(toldTo(refused, 'view-change')).toHaveLength(messages);
      expect(toldTo(other.send(told()), 'safety')).toEqual([]);
    }
  });

  it('refuses a swapped certificate without condemning a leader that it did not come from', () => {
    const chart = start(FOLLOWER);
    const other = blockOn(place, root, 1, { time: GENESIS_TIME + 50 });
    const forged = { ...block1, qc: { ...qcOf(place, other), round: root.round } };
    const effects = chart.send({ ...received(forged), from: addressAt(FOLLOWER) });
    expect(toldTo(effects, 'view-change')).toEqual([]);
    expect(toldTo(effects, 'router')).toHaveLength(1);
    expect(toldTo(chart.send(received(block1)), 'rm')).toHaveLength(1);
  });

  it('leaves a second block of the leader to the votes (CS-4)', () => {
    const chart = start(FOLLOWER);
    chart.send(received(block1));
    expect(chart.send(received(blockOn(place, root, 1, { time: GENESIS_TIME + 77 })))).toEqual([]);
  });

  it('shows why it did not vote', () => {
    const chart = start(FOLLOWER);
    chart.send({ type: 'vote.refused', round: round(1), code: 'ROUND_ALREADY_VOTED', detail: 'x' });
    expect(chart.snapshot.context.refusal?.code).toBe('ROUND_ALREADY_VOTED');
  });
});

describe('round chart: proposing (CS-9, CS-10)', () => {
  it('proposes once, at once with work', () => {
    const chart = start(LEADER);
    expect(toldTo(chart.effects, 'mempool')).toMatchObject([{ type: 'payload.requested', height: 1 }]);
    const selected = { type: 'payload.selected', tag: 1, batches: [batch] } as const;
    expect(toldTo(chart.send(selected), 'safety')).toMatchObject([{ type: 'proposal.requested' }]);
    expect(chart.send(selected)).toEqual([]);
    chart.send({ type: 'proposal.sent', proposal: proposalOf(place, block1) });
    expect(chart.snapshot.value).toBe('prevote');
    expect(toldTo(chart.send({ type: 'peer.connected', peer: addressAt(FOLLOWER) }), 'router')).toHaveLength(
      1,
    );
  });

  it('waits for the interval without work, and no longer than work needs to appear', () => {
    const chart = start(LEADER, { facts: facts({ hasWork: false }) });
    expect(ofKind(chart.effects, 'startTimer')).toMatchObject([{ key: 'due', delayMs: 500 }]);
    expect(toldTo(chart.send(told()), 'mempool')).toHaveLength(1);
    const idle = start(LEADER, { facts: facts({ hasWork: false }) });
    expect(toldTo(idle.send({ type: 'proposal.dueNow' }, { now: monotonic(500) }), 'mempool')).toHaveLength(
      1,
    );
  });

  it('proposes when the parent or its execution comes late, and tells its QC meanwhile (CS-4b)', () => {
    const qc1 = qcOf(place, block1);
    const self = indexOf(leaderAt(epoch, round(2)));
    const entered = { ...inRound(2, qc1), entry: { by: 'qc' as const, qc: qc1 } };
    const chart = start(self, { entered, facts: { ...unknown, parentId: qc1.blockId } });
    expect(toldTo(chart.effects, 'router')).toMatchObject([
      { outgoing: [{ to: 'all', message: { kind: 'QC' } }] },
    ]);
    expect(toldTo(chart.send(told({ parentId: qc1.blockId })), 'mempool')).toHaveLength(1);
  });

  it('keeps the refusal of its own block', () => {
    const chart = start(LEADER);
    chart.send({ type: 'proposal.refused', round: round(1), code: 'ROUND_ALREADY_VOTED', detail: 'x' });
    expect(chart.snapshot.context.refusal?.code).toBe('ROUND_ALREADY_VOTED');
  });

  it('leader(r) tells its QC when leader(r+1) is silent (CS-4b)', () => {
    const qc1 = qcOf(place, block1);
    const chart = start(LEADER, { entered: { ...inRound(2, qc1), entry: { by: 'qc', qc: qc1 } } });
    expect(ofKind(chart.effects, 'startTimer')).toMatchObject([{ key: 'missed', delayMs: 500 }]);
    expect(toldTo(chart.send({ type: 'proposal.missed' }), 'router')).toMatchObject([
      { outgoing: [{ to: 'all', message: { kind: 'QC', qc: { round: 1 } } }] },
    ]);
  });
});

describe('round chart: the proof of the leader’s VRF (CS-17)', () => {
  const drawn = world([1n, 1n, 1n, 1n], 'drawn', undefined, {
    leaderSchedule: 'stake_weighted',
    leaderReputation: false,
    vrf: true,
  });
  const leaderOf = (at: number) => drawn.indexOf(leaderAt(drawn.epoch, round(at)));
  const at = present(
    [1, 2, 3, 4, 5, 6, 7, 8].find((one) => leaderOf(one) !== leaderOf(one + 1)),
    'two leaders in a row',
  );
  const rootOf = drawn.epoch.rootQC;
  const known = facts({ parentId: rootOf.blockId });
  const startDrawn = (self: number) => {
    const { context } = start(self).snapshot;
    const { setting, entered } = context;
    return start(self, {
      setting: {
        ...setting,
        ...{ epoch: drawn.epoch, bls: drawn.bls, vrf: drawn.vrf, self: drawn.addressAt(self) },
      },
      entered: {
        ...{ ...entered, round: round(at), leader: drawn.addressAt(leaderOf(at)) },
        ...{ entry: { by: 'qc', qc: rootOf }, highQC: rootOf },
      },
      facts: known,
    });
  };
  const made = {
    type: 'proof.made',
    round: round(at),
    proof: present(
      drawn.signer(leaderOf(at)).prove(vrfInputOf(drawn.epoch.domain, drawn.epoch.epoch, round(at))),
      'proof',
    ),
  } as const;
  const selected = { type: 'payload.selected', tag: at, batches: [] } as const;

  it('is asked for as the round opens, and stands in the block, whichever comes first', () => {
    for (const order of [
      [made, selected],
      [selected, made],
    ]) {
      const chart = startDrawn(leaderOf(at));
      expect(toldTo(chart.effects, 'safety')).toEqual([
        { type: 'proof.requested', replyTo: expect.any(String), epoch: 0, round: at },
      ]);
      expect(toldTo(chart.effects, 'mempool')).toMatchObject([{ type: 'payload.requested' }]);
      const [first, second] = order.map((event) => toldTo(chart.send(event), 'safety'));
      expect(first).toEqual([]);
      expect(second).toMatchObject([
        { type: 'proposal.requested', block: { header: { vrfProof: made.proof } } },
      ]);
    }
  });

  it('of another round makes no block, and a refused one leaves its reason', () => {
    const chart = startDrawn(leaderOf(at));
    chart.send(selected);
    expect(chart.send({ ...made, round: round(at + 1) })).toEqual([]);
    chart.send({ type: 'proof.refused', round: round(at), code: 'SIGNER_UNAVAILABLE', detail: 'x' });
    expect(chart.snapshot.context.refusal?.code).toBe('SIGNER_UNAVAILABLE');
    chart.send({ type: 'round.gaveUp' });
    expect(chart.send(made)).toEqual([]);
  });

  it('is asked for ahead by whoever leads the next round, once it has voted', () => {
    const chart = startDrawn(leaderOf(at + 1));
    expect(toldTo(chart.effects, 'safety')).toEqual([]);
    const block = blockOn(drawn, rootOf, at);
    const cast = chart.send({ type: 'vote.cast', vote: voteFor(drawn, block, leaderOf(at + 1)) });
    expect(toldTo(cast, 'safety')).toEqual([{ type: 'proof.requested', epoch: 0, round: at + 1 }]);
  });

  it('is asked for by nobody where the genesis chose no VRF', () => {
    expect(toldTo(start(LEADER).effects, 'safety')).toEqual([]);
    const next = start(indexOf(leaderAt(epoch, round(2))));
    const cast = next.send({ type: 'vote.cast', vote: voteFor(place, block1, FOLLOWER) });
    expect(toldTo(cast, 'safety')).toEqual([]);
  });
});

describe('round chart: syncBeforeProduction (SY-7)', () => {
  const proposing = (sync: ChainFacts['sync']) =>
    toldTo(start(LEADER, { facts: facts({ sync }) }).effects, 'mempool');

  it('composes whatever a poll says: production is not blocked when nobody is ahead', () => {
    for (const status of [
      { kind: 'Unknown', reason: 'nobody has answered' },
      { kind: 'LargeGap', gap: 500 },
      { kind: 'Critical', reason: 'peers say so' },
    ] as const) {
      expect(proposing({ status, forkProved: false })).toMatchObject([{ type: 'payload.requested' }]);
    }
  });

  it('composes nothing once a fork was proved (SY-5)', () => {
    expect(proposing({ status: { kind: 'Critical', reason: 'a fork' }, forkProved: true })).toEqual([]);
  });
});

describe('round chart: without adjusted time (TM-7)', () => {
  const qc1 = qcOf(place, block1);
  const self = indexOf(leaderAt(epoch, round(2)));
  const entered = { ...inRound(2, qc1), entry: { by: 'qc' as const, qc: qc1 } };
  const known = (change: Partial<ChainFacts> = {}) => facts({ parentId: qc1.blockId, ...change });
  const withoutTime = () => start(self, { entered, facts: known({ mayPropose: false }) });

  it('composes nothing as the leader, and tells its QC meanwhile (CS-4b)', () => {
    const chart = withoutTime();
    expect(toldTo(chart.effects, 'mempool')).toEqual([]);
    expect(ofKind(chart.effects, 'startTimer')).toEqual([]);
    expect(toldTo(chart.effects, 'router')).toMatchObject([
      { outgoing: [{ to: 'all', message: { kind: 'QC', qc: { round: 1 } } }] },
    ]);
    expect(chart.send({ type: 'proposal.dueNow' })).toEqual([]);
    expect(chart.send({ type: 'facts.changed', facts: known({ mayPropose: false }) })).toEqual([]);
  });

  it('composes once, as soon as it hears that it may', () => {
    const chart = withoutTime();
    const may = { type: 'facts.changed', facts: known() } as const;
    expect(toldTo(chart.send(may), 'mempool')).toMatchObject([{ type: 'payload.requested', height: 2 }]);
    expect(toldTo(chart.send(may), 'mempool')).toEqual([]);
  });

  it('composes nothing when it is taken back before the proposal is due', () => {
    const chart = start(LEADER, { facts: facts({ hasWork: false }) });
    expect(ofKind(chart.effects, 'startTimer')).toMatchObject([{ key: 'due' }]);
    chart.send(told({ hasWork: false, mayPropose: false }));
    expect(toldTo(chart.send({ type: 'proposal.dueNow' }, { now: monotonic(500) }), 'mempool')).toEqual([]);
    expect(toldTo(chart.send(told(), { now: monotonic(600) }), 'mempool')).toHaveLength(1);
  });

  it('proposes nothing when it is taken back while batches are selected, and composes anew when it may', () => {
    const chart = start(LEADER);
    expect(toldTo(chart.effects, 'mempool')).toMatchObject([{ type: 'payload.requested', height: 1 }]);
    expect(chart.send(told({ mayPropose: false }))).toEqual([]);
    const selected = { type: 'payload.selected', tag: 1, batches: [batch] } as const;
    expect(chart.send(selected)).toEqual([]);
    expect(toldTo(chart.send(told()), 'mempool')).toMatchObject([{ type: 'payload.requested', height: 1 }]);
    expect(toldTo(chart.send(selected), 'safety')).toMatchObject([{ type: 'proposal.requested' }]);
  });

  it('votes all the same (TM-8)', () => {
    const chart = start(FOLLOWER, { facts: facts({ mayPropose: false }) });
    chart.send(received(block1));
    const asked = toldTo(chart.send(told({ mayPropose: false })), 'safety');
    expect(asked).toMatchObject([{ type: 'vote.requested' }]);
  });
});

describe('round chart: steps', () => {
  const certified = { type: 'round.certified', qc: qcOf(place, block1) } as const;
  const fates = { 'round.committed': 'commit', 'round.abandoned': 'abandoned' } as const;

  it('follows the QC, the commit and the timeout from every step', () => {
    for (const [type, end] of [
      ['round.committed', 'commit'],
      ['round.abandoned', 'abandoned'],
    ] as const) {
      for (const path of [
        [],
        ['vote'],
        ['vote', 'qc'],
        ['qc'],
        ['gaveUp'],
        ['gaveUp', 'qc'],
        ['vote', 'gaveUp'],
      ]) {
        const chart = start(FOLLOWER);
        chart.send({ type: 'vote.seen', vote: voteFor(place, block1, LEADER) });
        for (const one of path) {
          if (one === 'vote') chart.send({ type: 'vote.cast', vote: voteFor(place, block1, FOLLOWER) });
          else chart.send(one === 'qc' ? certified : { type: 'round.gaveUp' });
        }
        chart.send({ type });
        expect(chart.snapshot.value).toBe(end);
        chart.send(certified);
        expect(chart.snapshot.value).toBe(fates[type]);
      }
    }
  });

  it('keeps a block that comes after it timed out, for its chain, and does not vote for it (CS-6, CS-12)', () => {
    const chart = start(FOLLOWER);
    chart.send({ type: 'round.gaveUp' });
    const effects = chart.send(received(blockOn(place, root, 1, { batches: [batch] })));
    expect(toldTo(effects, 'rm')).toMatchObject([{ type: 'proposal.authenticated', round: 1 }]);
    expect(toldTo(effects, 'mempool')).toEqual([]);
    expect(toldTo([...effects, ...chart.send(told())], 'safety')).toEqual([]);
    expect(chart.snapshot.value).toBe('timedOut');
  });

  it('ignores on purpose what comes after its vote or its end (RT-8)', () => {
    const chart = start(FOLLOWER);
    const cast = { type: 'vote.cast', vote: voteFor(place, block1, FOLLOWER) } as const;
    for (const event of [received(block1), told(), cast]) chart.send(event);
    expect(chart.snapshot.value).toBe('prevote');
    const before = chart.snapshot;
    const late = [
      received(block1),
      told(),
      { type: 'batches.held', tag: 1 },
      { type: 'batches.refused', tag: 1, digest: batch.digest, code: 'BATCH_EXPIRED', detail: 'x' },
      { type: 'candidate.lookAgain' },
      { type: 'proposal.dueNow' },
      { type: 'proposal.missed' },
      { type: 'payload.selected', tag: 1, batches: [] },
      { type: 'evidence.selected', tag: 1, evidence: [] },
      { type: 'evidence.judged', tag: 1, verdict: 'valid' },
    ] as const;
    for (const event of late) expect(chart.send(event)).toEqual([]);
    expect(chart.snapshot).toBe(before);
  });

  it('wants no batches any more once the round was given up', () => {
    const chart = start(FOLLOWER);
    chart.send(received(blockOn(place, root, 1, { batches: [batch] })));
    expect(toldTo(chart.send({ type: 'round.gaveUp' }), 'mempool')).toMatchObject([
      { type: 'batches.unwanted', tag: 1 },
    ]);
  });
});

describe('round chart: evidence (CS-14)', () => {
  const evidence = twoVotes(place, 3);
  const carrying: Block = buildBlock(epoch, {
    ...{ round: round(1), proposer: addressAt(LEADER), qc: root, time: block1.header.time },
    ...{ executed: GENESIS_EXECUTED, nextHash: epoch.hash, batches: [], evidence: [evidence] },
  });
  const judged = (verdict: EvidenceRefusal | 'valid') =>
    ({ type: 'evidence.judged', tag: 1, verdict }) as const;

  it('asks about what a block carries once its parent is known, and votes when it is told that it may', () => {
    const chart = start(FOLLOWER);
    expect(toldTo(chart.send(received(carrying)), 'evidence-pool')).toEqual([]);
    const named = [offenceOf(twoVotes(place, 2))];
    const asked = chart.send(told({ namedOffences: named }));
    expect(toldTo(asked, 'safety')).toEqual([]);
    const { height: at, time } = carrying.header;
    expect(toldTo(asked, 'evidence-pool')).toEqual([
      {
        ...{ type: 'evidence.judgeRequested', replyTo: 'rm/round', tag: 1, evidence: [evidence], named },
        at: { height: at, time },
      },
    ]);
    expect(chart.snapshot.context.candidate?.waits).toEqual(['evidence']);
    expect(toldTo(chart.send(told({ namedOffences: named, hasWork: false })), 'evidence-pool')).toEqual([]);
    expect(toldTo(chart.send(judged('valid')), 'safety')).toMatchObject([{ type: 'vote.requested' }]);
  });

  it('does not vote for a block whose evidence does not belong there, and condemns its author', () => {
    const chart = start(FOLLOWER);
    for (const event of [received(carrying), told()]) chart.send(event);
    const effects = chart.send(judged({ code: 'EVIDENCE_REPEATED', offence: offenceOf(evidence) }));
    expect(toldTo(effects, 'view-change')).toMatchObject([{ type: 'proposal.condemned', round: 1 }]);
    expect(toldTo([...effects, ...chart.send(told())], 'safety')).toEqual([]);
    expect(chart.snapshot.context.refusal?.code).toBe('EVIDENCE_REPEATED');
  });

  it('lets a leader ask for evidence before its payload, and only where some waits', () => {
    const chart = start(LEADER, { facts: facts({ evidenceWaits: true }) });
    const opening = chart.effects;
    expect(toldTo(opening, 'evidence-pool')).toMatchObject([
      { type: 'evidence.requested', tag: 1, at: { height: 1 }, named: [] },
    ]);
    expect(toldTo(opening, 'mempool')).toEqual([]);
    const gathered = chart.send({ type: 'evidence.selected', tag: 1, evidence: [evidence] });
    expect(toldTo(gathered, 'mempool')).toMatchObject([{ type: 'payload.requested' }]);
    const composed = chart.send({ type: 'payload.selected', tag: 1, batches: [] });
    expect(toldTo(composed, 'safety')).toMatchObject([
      { type: 'proposal.requested', block: { evidence: [evidence] } },
    ]);
  });
});
