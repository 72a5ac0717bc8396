/** How round-manager passes from one epoch to the next, and what stops it on the way. Rules CS-5, CS-12, CS-16. */
import { describe, expect, it } from 'vitest';
import { millis, monotonic, wallTime } from '../../../src/base/units.ts';
import { roundManagerMachine } from '../../../src/machines/consensus/round-manager.machine.ts';
import { digestOf, NO_NEXT_EPOCH, u64 } from '../../../src/protocol/chain/canonical.ts';
import type {
  Block,
  EpochChange,
  ExecutedState,
  QuorumCertificate,
} from '../../../src/protocol/chain/types.ts';
import { leaderAt } from '../../../src/protocol/consensus/epoch.ts';
import { emptyRecord } from '../../../src/protocol/consensus/safety.ts';
import { TIMELINESS_DEFAULTS } from '../../../src/protocol/consensus/timeliness.ts';
import type { ValidatorUpdate } from '../../../src/protocol/ports/application.ts';
import type { RoundEntered } from '../../../src/protocol/ports/consensus.ts';
import type { Recovered } from '../../../src/protocol/ports/storage.ts';
import { type Ending, endingIn, updateOf, worldIn } from '../../protocol/consensus/epoch-fixture.ts';
import {
  blockOn,
  GENESIS_EXECUTED,
  GENESIS_TIME,
  height,
  idOf,
  present,
  proposalOf,
  qcOf,
  round,
  voteFor,
  type World,
  world,
} from '../../protocol/consensus/fixture.ts';
import { ofKind, reachOf, toldTo } from '../reach.ts';

const place = world();
const root = place.epoch.rootQC;
const reach = reachOf(roundManagerMachine, 'rm');
const input = {
  setting: {
    epoch: place.epoch,
    self: place.addressAt(0),
    bls: place.bls,
    vrf: place.vrf,
    limits: { batchesMax: 4, bytesMax: 1_000 },
    timeliness: TIMELINESS_DEFAULTS,
    ...{ router: 'router', safety: 'safety', viewChange: 'view-change', mempool: 'mempool' },
    evidencePool: 'evidence-pool',
  },
  genesisTime: GENESIS_TIME,
  storage: 'storage',
  blockSync: 'block-sync',
  commitListeners: ['executor'],
  alarm: 'alarm',
  timeCoordinator: 'time',
  networkSync: 'network-sync',
  evidencePool: 'evidence-pool',
  epochListeners: ['safety', 'view-change', 'epoch-keeper'],
  epochKeeper: 'epoch-keeper',
};

const executedAt = (at: number): ExecutedState => ({ height: height(at), appHash: digestOf(u64(at)) });
/** Height 1 asks for another power of the first validator; the block at height 3 states height 1, and ends the epoch. */
const UPDATE = updateOf(place, 0, 2n);
const ASKED = [{ height: height(1), updates: [UPDATE] }];
const endingOfRounds = (...rounds: readonly number[]): Ending =>
  endingIn(place, rounds, { end: 2, executed: executedAt(1), updates: ASKED });
const short = endingOfRounds(1, 2, 3, 4);
/** Rounds failed between all blocks above the end, but for the newest two. */
const long = endingOfRounds(1, 2, 3, 5, 7, 8);
const second = worldIn(place, short.change);

const at = <T>(list: readonly T[], index: number): T => present(list[index], `entry ${index}`);
const NOTHING: Recovered = {
  record: emptyRecord(root),
  recordVersion: 0,
  blocks: [],
  executed: GENESIS_EXECUTED,
  updates: [],
};
const found = (change: Partial<Recovered> = {}, tag = 1) =>
  ({ type: 'recovery.found', tag, recovered: { ...NOTHING, ...change } }) as const;
/** What is durable where the last block is committed, and its epoch not ended. */
const committedLast = ({ blocks, qcs }: Ending): Partial<Recovered> => {
  const block = at(blocks, 2);
  const commitProof = present(qcs.at(-1), 'proof');
  return {
    committed: { id: idOf(place, block), block, qc: at(qcs, 2), commitProof },
    blocks: blocks.slice(3),
  };
};
const endedBy = ({ change }: Ending): Partial<Recovered> => ({
  record: emptyRecord(worldIn(place, change).epoch.rootQC),
  recordVersion: 1,
  change,
});
const entered = ({ epoch }: World, inRound: number, qc: QuorumCertificate): RoundEntered => ({
  type: 'round.entered',
  epoch: epoch.epoch,
  round: round(inRound),
  leader: leaderAt(epoch, round(inRound)),
  entry: { by: 'qc', qc },
  highQC: qc,
  idleUntil: monotonic(0),
  deadlines: {
    ...{ timeout: millis(1_000), propose: monotonic(500), vote: monotonic(1_000) },
    resendEvery: millis(500),
  },
});
const candidate = (where: World, block: Block) =>
  ({
    type: 'proposal.authenticated',
    round: block.header.round,
    blockId: idOf(where, block),
    block,
  }) as const;
const executed = (block: Block, validatorUpdates: readonly ValidatorUpdate[] = []) =>
  ({
    type: 'block.executed',
    blockId: idOf(place, block),
    round: block.header.round,
    proposer: block.header.proposer,
    time: block.header.time,
    executed: executedAt(block.header.height),
    transactions: [],
    validatorUpdates,
  }) as const;
const durable = (tag: number) => ({ type: 'blocks.committed', tag, height: height(1) }) as const;
const proven = (change: EpochChange) => ({ type: 'epoch.proven', change }) as const;
const fetched = ({ blocks, qcs }: Ending, count: number) =>
  ({
    type: 'blocks.fetched',
    blocks: blocks.slice(0, count).map((block, index) => ({ block, qc: at(qcs, index) })),
    verified: [at(qcs, count - 1)],
  }) as const;

type Sent = Parameters<typeof toldTo>[0];
const asked = (effects: Sent, type: string) =>
  toldTo(effects, 'storage').filter((message) => message.type === type);
const ends = (effects: Sent) => asked(effects, 'epoch.endRequested');
const commits = (effects: Sent) => asked(effects, 'blocks.commitRequested');

function started(recovered: Partial<Recovered> = {}) {
  const chart = reach.start(input);
  return { chart, effects: chart.send(found(recovered), { wall: wallTime(GENESIS_TIME) }) };
}

/** In round 5, with all blocks voted for in their rounds and executed as they were committed: the last is on its way to the disk. */
function committingLast() {
  const { chart } = started();
  const { blocks, qcs } = short;
  const facts: unknown[] = [];
  for (const [index, block] of blocks.entries()) {
    const effects = [...chart.send(entered(place, index + 1, index === 0 ? root : at(qcs, index - 1)))];
    if (index >= 2) {
      effects.push(...chart.send(durable(index - 1)));
      effects.push(...chart.send(executed(at(blocks, index - 2), index === 2 ? [UPDATE] : [])));
    }
    facts.push(toldTo(effects, `rm/round/0/${index + 1}`).at(-1));
    chart.send(candidate(place, block));
  }
  return { chart, facts, effects: chart.send(entered(place, 5, at(qcs, 3))) };
}

describe('round-manager chart: an epoch ends (CS-16)', () => {
  it('from the request for other validators to the first block of the next epoch', () => {
    const { chart, facts, effects } = committingLast();
    // Whoever leads round 3 is told what the last block must name, and who leads round 4 that none follows it.
    expect(facts[2]).toMatchObject({ facts: { nextHash: second.epoch.hash, executed: executedAt(1) } });
    expect(facts[3]).toMatchObject({ facts: { nextHash: NO_NEXT_EPOCH } });
    expect(commits(effects)).toMatchObject([{ tag: 3, blocks: [{ id: short.change.qc.blockId }] }]);
    expect(ends(effects)).toEqual([]);
    const done = chart.send(durable(3));
    expect(toldTo(done, 'executor')).toMatchObject([{ type: 'blocks.committed' }]);
    expect(ends(done)).toEqual([{ type: 'epoch.endRequested', replyTo: 'rm', tag: 4, change: short.change }]);

    const ended = chart.send({ type: 'epoch.ended', tag: 4, epoch: place.epoch.epoch });
    expect(chart.snapshot.value).toBe('recovering');
    expect(ofKind(ended, 'stop').map(({ id }) => id)).toEqual([1, 2, 3, 4, 5].map((one) => `round/0/${one}`));
    expect(ofKind(ended, 'tell').map(({ to }) => to)).toEqual(['storage']);
    const begun = chart.send(
      found({ ...committedLast(short), blocks: [], ...endedBy(short), executed: executedAt(2) }, 2),
    );
    for (const listener of input.epochListeners) {
      expect(toldTo(begun, listener)[0]).toEqual({ type: 'epoch.began', epoch: second.epoch });
    }

    const [one, two] = chainIn(second);
    expect(ofKind(chart.send(entered(second, 1, second.epoch.rootQC)), 'spawn')).toMatchObject([
      { id: 'round/1/1' },
    ]);
    // Only the chain's first blocks are wanted at once: short epochs rest too (CS-10).
    expect(chart.snapshot.context.live?.told).toMatchObject({
      nextHash: second.epoch.hash,
      executed: executedAt(1),
      hasWork: false,
    });
    chart.send(candidate(second, one));
    chart.send(entered(second, 2, qcOf(second, one)));
    chart.send(candidate(second, two));
    const first = commits(chart.send(entered(second, 3, qcOf(second, two))));
    expect(first).toMatchObject([{ blocks: [{ id: idOf(second, one), block: { header: { height: 4 } } }] }]);
  });

  it('asks storage once, and again when it failed, and takes no answer to the earlier request', () => {
    const { chart } = committingLast();
    chart.send(durable(3));
    expect(ends(chart.send(executed(at(short.blocks, 2))))).toEqual([]);
    const failed = {
      type: 'storage.failed',
      tag: 4,
      request: 'epoch.endRequested',
      code: 'IO',
      detail: 'x',
    } as const;
    expect(ofKind(chart.send(failed), 'startTimer')).toMatchObject([{ key: 'commit' }]);
    expect(ends(chart.send({ type: 'commit.retryDue' }))).toMatchObject([{ tag: 5 }]);
    expect(chart.send({ type: 'epoch.ended', tag: 4, epoch: place.epoch.epoch })).toEqual([]);
    chart.send({ type: 'epoch.ended', tag: 5, epoch: place.epoch.epoch });
    expect(chart.snapshot.value).toBe('recovering');
  });

  it('commits nothing above the last block, fetches nothing, and has no work any more', () => {
    const { chart } = committingLast();
    chart.send(durable(3));
    const above = blockOn(place, at(short.qcs, 3), 5, { nextHash: NO_NEXT_EPOCH });
    const effects = [
      ...chart.send(candidate(place, above)),
      ...chart.send(entered(place, 6, qcOf(place, above))),
      ...chart.send(entered(place, 8, qcOf(place, blockOn(place, qcOf(place, above), 7)))),
    ];
    expect([...commits(effects), ...toldTo(effects, 'block-sync')]).toEqual([]);
  });

  it('answers who asks for the epoch, and passes over what is of another one', () => {
    const { chart } = started({ ...committedLast(short), blocks: [], ...endedBy(short) });
    expect(toldTo(chart.send({ type: 'epoch.requested', replyTo: 'bridge' }), 'bridge')).toEqual([
      { type: 'epoch.began', epoch: second.epoch },
    ]);
    const stale = [
      entered(place, 9, at(short.qcs, 3)),
      { type: 'highQc.adopted', qc: at(short.qcs, 3) } as const,
      candidate(place, at(short.blocks, 3)),
      { type: 'round.timedOut', epoch: place.epoch.epoch, round: round(1), reason: 'LeaderTimeout' } as const,
      // It was on its way while this node came to the same end by itself.
      proven(short.change),
    ];
    for (const event of stale) expect(chart.send(event)).toEqual([]);
    expect(chart.snapshot.context.live?.proven).toBeUndefined();
  });

  it('halts where validators are asked for that cannot be: every node does, at the same block', () => {
    const { chart } = started();
    const none = place.validators.map((_, index) => updateOf(place, index, 0n));
    const effects = chart.send(executed(at(short.blocks, 0), none));
    for (const to of ['alarm', 'safety']) {
      expect(toldTo(effects, to)).toMatchObject([
        { type: 'safety.violated', detail: expect.stringContaining('VALIDATORS_EMPTY') },
      ]);
    }
  });
});

describe('round-manager chart: a crash between the commit of the last block and the end of its epoch (CS-16)', () => {
  it('goes on where it was, with the same proof', () => {
    for (const ending of [short, long]) {
      const { effects } = started({ ...committedLast(ending), executed: executedAt(2), updates: ASKED });
      expect(ends(effects)).toMatchObject([{ change: ending.change }]);
    }
  });

  it('waits for its own execution where that lags behind what the last block states', () => {
    const { chart, effects } = started(committedLast(short));
    expect(ends(effects)).toEqual([]);
    expect(ends(chart.send(executed(at(short.blocks, 0), [UPDATE])))).toMatchObject([
      { change: short.change },
    ]);
  });

  it('ends no epoch with other validators than the last block names', () => {
    const { effects } = started({ ...committedLast(short), executed: executedAt(2), updates: [] });
    expect(ends(effects)).toEqual([]);
  });

  it('tells nobody a certificate of the last block that does not hold: a child brought it, and others would blame this node', () => {
    const { committed, ...rest } = committedLast(short);
    const spoilt = {
      ...present(committed, 'the last'),
      qc: { ...at(short.qcs, 2), signature: at(short.qcs, 1).signature },
    };
    const { chart, effects } = started({
      ...{ ...rest, committed: spoilt },
      ...{ executed: executedAt(2), updates: ASKED },
    });
    expect(ends(effects)).toEqual([]);
    expect(ends(chart.send(proven(short.change)))).toMatchObject([{ change: short.change }]);
  });

  it('ends it by the proof of another node where the headers up to its own are lost', () => {
    const { chart, effects } = started({
      ...{ ...committedLast(long), blocks: [] },
      ...{ executed: executedAt(2), updates: ASKED },
    });
    expect(ends(effects)).toEqual([]);
    expect(ends(chart.send(proven(long.change)))).toMatchObject([{ change: long.change }]);
  });
});

describe('round-manager chart: a node that was told how its epoch ended (CS-12, CS-16)', () => {
  it('asks again for the last block when it is told again, and when block-sync begins anew: no round will', () => {
    const { chart } = started();
    const asked = [{ type: 'blocks.wanted', target: short.change.qc }];
    expect(toldTo(chart.send(proven(short.change)), 'block-sync')).toMatchObject(asked);
    expect(toldTo(chart.send(proven(short.change)), 'block-sync')).toMatchObject(asked);
    const began = { type: 'epoch.began' };
    const again = chart.send({ type: 'epoch.requested', replyTo: 'block-sync' });
    expect(toldTo(again, 'block-sync')).toMatchObject([began, ...asked]);
    expect(toldTo(chart.send({ type: 'epoch.requested', replyTo: 'other' }), 'block-sync')).toEqual([]);
  });

  it.each([
    ['right above it', short],
    ['after rounds that failed', long],
  ])(
    'fetches the last block, commits it by what is proven %s, and goes on without having executed',
    (_, ending) => {
      const { chart } = started();
      const wanted = toldTo(chart.send(proven(ending.change)), 'block-sync');
      expect(wanted).toMatchObject([{ type: 'blocks.wanted', target: ending.change.qc, committedHeight: 0 }]);
      const effects = chart.send(fetched(ending, 3));
      expect(commits(effects)).toMatchObject([
        { tag: 1, blocks: ending.blocks.slice(0, 3).map((block) => ({ id: idOf(place, block) })) },
      ]);
      expect(ends(chart.send(durable(1)))).toMatchObject([{ change: ending.change }]);
    },
  );

  it('keeps on wanting the last block, whatever higher certificates it hears of', () => {
    const { chart } = started();
    chart.send(proven(short.change));
    const higher = qcOf(place, blockOn(place, at(short.qcs, 3), 5, { nextHash: NO_NEXT_EPOCH }));
    const wanted = toldTo(chart.send(entered(place, 6, higher)), 'block-sync');
    expect(wanted).toMatchObject([{ target: short.change.qc }]);
  });

  it('takes what it executes only then for what has taken effect, and what came later for the next epoch', () => {
    const { chart } = started({ ...committedLast(short), blocks: [], ...endedBy(short) });
    chart.send(executed(at(short.blocks, 0), [UPDATE]));
    expect(chart.snapshot.context.live?.tree.updates).toEqual([]);
    chart.send(executed(at(short.blocks, 1), [updateOf(place, 1, 5n)]));
    expect(chart.snapshot.context.live?.tree.updates).toMatchObject([{ height: 2 }]);
  });
});

describe('round-manager chart: messages of other epochs (CS-16)', () => {
  const [one] = chainIn(second);
  const early = (block: Block, where: World) => [
    { from: block.header.proposer, message: proposalOf(where, block) },
    { from: where.addressAt(1), message: { kind: 'Vote', vote: voteFor(where, block, 1) } as const },
  ];

  it('are counted for nothing and blamed on nobody: the epoch-keeper hears who sent them', () => {
    const { chart } = started();
    for (const { from, message } of early(one, second)) {
      const effects = chart.send({ type: 'message.received', from, message });
      expect(ofKind(effects, 'tell')).toMatchObject([
        { to: 'epoch-keeper', message: { type: 'epoch.met', from, epoch: 1 } },
      ]);
    }
    const there = started({ ...committedLast(short), blocks: [], ...endedBy(short) }).chart;
    for (const { from, message } of early(at(short.blocks, 3), place)) {
      const effects = there.send({ type: 'message.received', from, message });
      expect(ofKind(effects, 'tell')).toMatchObject([
        { to: 'epoch-keeper', message: { type: 'epoch.met', from, epoch: 0 } },
      ]);
    }
  });
});

/** The first two blocks of an epoch. */
function chainIn(where: World): readonly [Block, Block] {
  const one = blockOn(where, where.epoch.rootQC, 1, { executed: executedAt(1) });
  return [one, blockOn(where, qcOf(where, one), 2, { executed: executedAt(1) })];
}
