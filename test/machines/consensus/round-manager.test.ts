import { afterAll, describe, expect, it } from 'vitest';
import { millis, monotonic, wallTime } from '../../../src/base/units.ts';
import { factsOf } from '../../../src/machines/consensus/round-manager.live.ts';
import { roundManagerMachine } from '../../../src/machines/consensus/round-manager.machine.ts';
import { batchDigestOf } from '../../../src/protocol/chain/batch.ts';
import type { Block, QuorumCertificate } from '../../../src/protocol/chain/types.ts';
import { leaderAt } from '../../../src/protocol/consensus/epoch.ts';
import { doubleVote, timeoutStatementOf } from '../../../src/protocol/consensus/evidence.ts';
import { emptyRecord } from '../../../src/protocol/consensus/safety.ts';
import { TIMELINESS_DEFAULTS } from '../../../src/protocol/consensus/timeliness.ts';
import type { RoundEntered } from '../../../src/protocol/ports/consensus.ts';
import type { StorageReply } from '../../../src/protocol/ports/storage.ts';
import { endingIn } from '../../protocol/consensus/epoch-fixture.ts';
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
  timeoutBy,
  voteFor,
  world,
} from '../../protocol/consensus/fixture.ts';
import { ofKind, reachOf, toldTo } from '../reach.ts';

const place = world();
const { epoch, addressAt } = place;
const root = epoch.rootQC;
const reach = reachOf(roundManagerMachine, 'rm');
const input = {
  setting: {
    epoch,
    self: addressAt(0),
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
  genesisTime: GENESIS_TIME,
  storage: 'storage',
  blockSync: 'block-sync',
  commitListeners: ['executor', 'mempool'],
  alarm: 'alarm',
  timeCoordinator: 'time',
  networkSync: 'network-sync',
  epochListeners: ['safety', 'view-change'],
  epochKeeper: 'epoch-keeper',
  evidencePool: 'evidence-pool',
};
const { blocks, qcs } = chainOf(
  place,
  Array.from({ length: 140 }, (_, index) => index + 1),
);
const blockAt = (at: number): Block => {
  const block = blocks[at - 1];
  if (block === undefined) throw new Error(`no block ${at}`);
  return block;
};
const qcAt = (at: number): QuorumCertificate => {
  const qc = qcs[at - 1];
  if (qc === undefined) throw new Error(`no QC ${at}`);
  return qc;
};
const found = (tag = 1): Extract<StorageReply, { type: 'recovery.found' }> => ({
  type: 'recovery.found',
  tag,
  recovered: {
    record: emptyRecord(root),
    recordVersion: 0,
    blocks: [],
    executed: GENESIS_EXECUTED,
    updates: [],
  },
});
const failed = (tag: number, request: 'recovery.requested' | 'blocks.commitRequested') =>
  ({ type: 'storage.failed', tag, request, code: 'IO', detail: 'x' }) as const;
const entered = (at: number, qc: QuorumCertificate = at === 1 ? root : qcAt(at - 1)): RoundEntered => ({
  type: 'round.entered',
  epoch: epoch.epoch,
  round: round(at),
  leader: leaderAt(epoch, round(at)),
  entry: { by: 'qc', qc },
  highQC: qc,
  idleUntil: monotonic(0),
  deadlines: {
    timeout: millis(1_000),
    propose: monotonic(500),
    vote: monotonic(1_000),
    resendEvery: millis(500),
  },
});
const proposed = (block: Block) =>
  ({ type: 'message.received', from: block.header.proposer, message: proposalOf(place, block) }) as const;
const voted = (block: Block, index: number) =>
  ({
    type: 'message.received',
    from: addressAt(index),
    message: { kind: 'Vote', vote: voteFor(place, block, index) },
  }) as const;
const candidate = (block: Block) =>
  ({
    type: 'proposal.authenticated',
    round: block.header.round,
    blockId: idOf(place, block),
    block,
  }) as const;
const fetched = (from: number, to: number, verified: readonly QuorumCertificate[] = [qcAt(to)]) =>
  ({
    type: 'blocks.fetched',
    blocks: blocks.slice(from - 1, to).map((block, index) => ({ block, qc: qcAt(from + index) })),
    verified,
  }) as const;
/** As a liar may send it: every signature but the newest is worth nothing. */
const unsigned = (from: number, to: number) => {
  const worthless = (qc: QuorumCertificate) => ({ ...qc, signature: new Uint8Array(96) });
  return {
    ...fetched(from, to),
    blocks: blocks.slice(from - 1, to).map((block, index) => ({
      block: { ...block, qc: worthless(block.qc) },
      qc: worthless(qcAt(from + index)),
    })),
  };
};
const durable = (tag: number) => ({ type: 'blocks.committed', tag, height: height(1) }) as const;
type Sent = Parameters<typeof toldTo>[0];
const commits = (effects: Sent) =>
  toldTo(effects, 'storage').filter(({ type }) => type === 'blocks.commitRequested');

const postponed = [{ kind: 'postpone' }];

function running() {
  const chart = reach.start(input);
  chart.send(found(), { wall: wallTime(GENESIS_TIME) });
  return chart;
}
const liveOf = (chart: ReturnType<typeof running>) => {
  const { live } = chart.snapshot.context;
  if (live === undefined) throw new Error('not recovered');
  return live;
};
/** In round 3, with blocks 1 and 2 held, QC(2) seen: block 1 is on its way to the disk. */
function committing() {
  const chart = running();
  for (const at of [1, 2]) {
    chart.send(entered(at));
    chart.send(candidate(blockAt(at)));
  }
  return { chart, effects: chart.send(entered(3)) };
}

afterAll(() => expect(reach.missing()).toEqual([]));

describe('round-manager chart: recovery', () => {
  it('keeps what is told once until its tree is read, and asks again when the store fails', () => {
    const chart = reach.start(input);
    const once = [
      entered(1),
      { type: 'highQc.adopted', qc: qcAt(1) },
      { type: 'work.changed', hasWork: true },
      {
        type: 'block.executed',
        blockId: root.blockId,
        round: round(0),
        proposer: addressAt(0),
        time: GENESIS_TIME,
        executed: GENESIS_EXECUTED,
        transactions: [],
        validatorUpdates: [],
      },
    ] as const;
    for (const one of once) expect(ofKind(chart.send(one), 'postpone')).toHaveLength(1);
    chart.send(failed(1, 'blocks.commitRequested'));
    expect(chart.snapshot.value).toBe('recovering');
    chart.send(failed(1, 'recovery.requested'));
    expect(chart.snapshot.value).toBe('waiting');
    for (const one of once) expect(ofKind(chart.send(one), 'postpone')).toHaveLength(1);
    expect(toldTo(chart.elapse(500), 'storage')).toMatchObject([{ type: 'recovery.requested', tag: 2 }]);
  });

  it('keeps blocks and time-outs for after the recovery; what is repeated or of an earlier life it ignores (RT-8)', () => {
    const chart = reach.start(input);
    expect(
      chart.send({ type: 'round.timedOut', epoch: epoch.epoch, round: round(1), reason: 'LeaderTimeout' }),
    ).toEqual(postponed);
    expect(chart.send(fetched(1, 2))).toEqual(postponed);
    const ignored = [
      proposed(blockAt(1)),
      { type: 'vote.found', vote: voteFor(place, blockAt(1), 1) } as const,
      { type: 'peer.connected', peer: addressAt(1) } as const,
      { type: 'peer.disconnected', peer: addressAt(1) } as const,
      candidate(blockAt(1)),
      { type: 'time.changed', mayPropose: true } as const,
      { type: 'execution.failed', tag: 0, code: 'APPLICATION_FAILED', detail: 'it threw' } as const,
      { type: 'sync.statusChanged', status: { kind: 'InSync' }, forkProved: false } as const,
      durable(1),
      found(77),
      failed(77, 'recovery.requested'),
    ];
    const before = chart.snapshot;
    for (const event of ignored) expect(chart.send(event)).toEqual([]);
    expect(chart.snapshot).toBe(before);
  });

  it('tells view-change whether there is work, which may remember an earlier life of this cell', () => {
    const chart = reach.start(input);
    const told = toldTo(chart.send(found()), 'view-change');
    const { hasWork } = liveOf(chart);
    expect(told.at(-1)).toEqual({ type: 'work.changed', hasWork });
  });
});

describe('round-manager chart: epochs (CS-16)', () => {
  const change = { qc: qcAt(1), proof: endingIn(place, [1, 2], { end: 0 }).change.proof };

  it('passes over what others say of epochs until its tree is read: every listener is told then', () => {
    const chart = reach.start(input);
    const before = chart.snapshot;
    const ignored = [
      { type: 'epoch.proven', change } as const,
      { type: 'epoch.requested', replyTo: 'bridge' } as const,
      { type: 'epoch.ended', tag: 1, epoch: epoch.epoch } as const,
    ];
    for (const event of ignored) expect(chart.send(event)).toEqual([]);
    expect(chart.snapshot).toBe(before);
    const begun = chart.send(found());
    for (const to of input.epochListeners)
      expect(toldTo(begun, to)[0]).toEqual({ type: 'epoch.began', epoch });
  });

  it('says its epoch to who asks, and reads anew when one has ended (round-manager.epochs.test.ts)', () => {
    const chart = running();
    expect(toldTo(chart.send({ type: 'epoch.requested', replyTo: 'bridge' }), 'bridge')).toHaveLength(1);
    expect(chart.send({ type: 'epoch.ended', tag: 1, epoch: epoch.epoch })).toEqual([]);
    const ending = endingIn(place, [1, 2], { end: 0 });
    chart.send({ type: 'epoch.proven', change: ending.change });
    const blocks = ending.blocks.slice(0, 1).map((block) => ({ block, qc: ending.change.qc }));
    chart.send({ type: 'blocks.fetched', blocks, verified: [ending.change.qc] });
    chart.send(durable(1));
    chart.send({ type: 'epoch.ended', tag: 2, epoch: epoch.epoch });
    expect(chart.snapshot.value).toBe('recovering');
  });
});

describe('round-manager chart: time (TM-7)', () => {
  it('asks whether it may propose once it runs, and tells the round what it hears', () => {
    const chart = reach.start(input);
    const asked = toldTo(chart.send(found()), 'time');
    expect(asked).toEqual([{ type: 'time.statusRequested', replyTo: 'rm' }]);
    chart.send(entered(1));
    const told = toldTo(chart.send({ type: 'time.changed', mayPropose: true }), 'rm/round/0/1');
    expect(told).toMatchObject([{ type: 'facts.changed', facts: { mayPropose: true } }]);
    expect(toldTo(chart.send({ type: 'time.changed', mayPropose: true }), 'rm/round/0/1')).toEqual([]);
    const taken = toldTo(chart.send({ type: 'time.changed', mayPropose: false }), 'rm/round/0/1');
    expect(taken).toMatchObject([{ type: 'facts.changed', facts: { mayPropose: false } }]);
  });

  it('asks how sync stands when it starts, and tells the round what it hears (SY-7)', () => {
    const chart = reach.start(input);
    const asked = toldTo(chart.send(found()), 'network-sync');
    expect(asked).toEqual([{ type: 'sync.statusRequested', replyTo: 'rm' }]);
    chart.send(entered(1));
    const heard = { status: { kind: 'Critical', reason: 'a fork' }, forkProved: true } as const;
    const told = toldTo(chart.send({ type: 'sync.statusChanged', ...heard }), 'rm/round/0/1');
    expect(told).toMatchObject([{ type: 'facts.changed', facts: { sync: heard } }]);
  });
});

describe('round-manager chart: commit (CS-5)', () => {
  it('tells what is durable as committed when it starts: an earlier life may have died before it could', () => {
    const block = { id: idOf(place, blockAt(1)), block: blockAt(1), qc: qcAt(1), commitProof: qcAt(2) };
    const chart = reach.start(input);
    const { recovered, ...rest } = found();
    const effects = chart.send({ ...rest, recovered: { ...recovered, committed: block } });
    expect(toldTo(effects, 'executor')).toEqual([{ type: 'blocks.committed', blocks: [block] }]);
  });

  it('commits a block on the QC of its child of the next round, and tells all once it is durable', () => {
    const { chart, effects } = committing();
    expect(commits(effects)).toMatchObject([{ tag: 1, blocks: [{ id: idOf(place, blockAt(1)) }] }]);
    expect(toldTo(effects, 'rm/round/0/1')).toContainEqual({ type: 'round.committed' });
    const done = chart.send(durable(1));
    expect(toldTo(done, 'executor')).toMatchObject([{ type: 'blocks.committed' }]);
    expect(toldTo(done, 'view-change')).toMatchObject([{ type: 'commit.advanced', height: 1, round: 1 }]);
    expect(chart.send(durable(1))).toEqual([]);
  });

  it('keeps what a commit on its way to the disk names out of the next block: the mempool is not told of it yet (CS-9)', () => {
    const { chart } = committing();
    const batch = { digest: batchDigestOf(new Uint8Array(1)), count: 1, bytes: 9 };
    const block = blockOn(place, root, 1, { batches: [batch] });
    const live = liveOf(chart);
    expect(factsOf(epoch, live, live.highQC).namedBatches).toEqual([]);
    const blocks = [{ id: idOf(place, block), block, qc: qcAt(1), commitProof: qcAt(2) }];
    const onTheWay = { ...live, committing: [{ tag: 1, blocks }] };
    expect(factsOf(epoch, onTheWay, live.highQC).namedBatches).toEqual([batch.digest]);
  });

  it('takes no answer to an earlier commit for a later one: it would execute what is not durable', () => {
    const { chart } = committing();
    chart.send(durable(1));
    chart.send(candidate(blockAt(3)));
    expect(commits(chart.send(entered(4)))).toMatchObject([{ tag: 2 }]);
    expect(chart.send(durable(1))).toEqual([]);
  });

  it('writes a refused commit again, the same, later', () => {
    const { chart } = committing();
    expect(ofKind(chart.send(failed(1, 'blocks.commitRequested')), 'startTimer')).toMatchObject([
      { key: 'commit', delayMs: 500 },
    ]);
    expect(commits(chart.send({ type: 'commit.retryDue' }))).toMatchObject([{ tag: 1 }]);
    expect(chart.send(failed(1, 'recovery.requested'))).toEqual([]);
  });

  it('decides no more commits than wait for the disk, and goes on when they are durable', () => {
    const chart = running();
    for (let at = 1; at < 100; at += 1) {
      chart.send(entered(at));
      chart.send(candidate(blockAt(at)));
    }
    expect(liveOf(chart).committing).toHaveLength(64);
    expect(commits(chart.send(durable(64)))).toMatchObject([{ tag: 65, blocks: { length: 33 } }]);
  });

  it('commits nothing on a parent link without consecutive rounds', () => {
    const chart = running();
    const skipping = blockOn(place, qcAt(1), 5);
    chart.send(entered(1));
    chart.send(candidate(blockAt(1)));
    chart.send(entered(5, qcAt(1)));
    chart.send(candidate(skipping));
    expect(commits(chart.send({ type: 'highQc.adopted', qc: qcOf(place, skipping) }))).toEqual([]);
  });

  it('tells safety and the alarm of a proof for another block at the committed height (SY-5)', () => {
    const { chart } = committing();
    const rival = blockOn(place, root, 1, { time: GENESIS_TIME + 99 });
    const proof = qcOf(place, blockOn(place, qcOf(place, rival), 2));
    const violated = chart.send({
      type: 'highQc.adopted',
      qc: { ...proof, round: round(9), parentRound: round(8) },
    });
    const first = { id: idOf(place, blockAt(1)), proof: qcAt(2) };
    const evidence = { kind: 'CommitProofs', height: 1, first, second: { id: proof.parentId } };
    expect(toldTo(violated, 'safety')).toMatchObject([{ type: 'safety.violated', evidence }]);
    expect(toldTo(violated, 'alarm')).toEqual(toldTo(violated, 'safety'));
  });

  it('tells of two QCs of one round, both as evidence, and commits no more (SY-5)', () => {
    const { chart } = committing();
    const rival = blockOn(place, qcAt(1), 2, { time: GENESIS_TIME + 99 });
    const violated = chart.send({ ...fetched(3, 4), verified: [qcOf(place, rival), qcAt(4)] });
    const evidence = { kind: 'RoundCertificates', first: qcAt(2), second: qcOf(place, rival) };
    expect(toldTo(violated, 'safety')).toMatchObject([{ type: 'safety.violated', evidence }]);
    expect(toldTo(violated, 'alarm')).toEqual(toldTo(violated, 'safety'));
    expect(commits(violated)).toEqual([]);
  });

  it('two QCs at one height in different rounds are normal (SY-5)', () => {
    const { chart } = committing();
    const rival = blockOn(place, qcAt(1), 9, { time: GENESIS_TIME + 99 });
    const got = chart.send({ ...fetched(3, 4), verified: [qcAt(4), qcOf(place, rival)] });
    expect(toldTo(got, 'alarm')).toEqual([]);
    expect(commits(got)).toMatchObject([{ blocks: { length: 2 } }]);
  });
});

describe('round-manager chart: fetching (CS-12)', () => {
  it('asks block-sync for the block of a certificate once, and again in the next round: the request may be lost', () => {
    const chart = running();
    expect(toldTo(chart.send(entered(5)), 'block-sync')).toMatchObject([
      { type: 'blocks.wanted', target: { round: 4 } },
    ]);
    expect(toldTo(chart.send({ type: 'work.changed', hasWork: true }), 'block-sync')).toEqual([]);
    expect(toldTo(chart.send({ ...entered(6), highQC: qcAt(4) }), 'block-sync')).toMatchObject([
      { target: { round: 4 } },
    ]);
  });

  it('commits what was fetched, and stores no orphan', () => {
    const chart = running();
    chart.send(entered(5));
    const got = chart.send(fetched(1, 4));
    expect(commits(got)).toMatchObject([{ blocks: { length: 3 } }]);
    const orphan = chart.send(fetched(20, 21));
    expect(toldTo(orphan, 'storage')).toEqual([]);
    expect(toldTo(orphan, 'view-change')).toMatchObject([
      { type: 'certificates.received', qc: { round: 21 } },
    ]);
  });

  it('a whole batch is one commit, and only what is still uncommitted is stored as certified', () => {
    const chart = running();
    const got = toldTo(chart.send(fetched(1, 128)), 'storage');
    expect(got.map(({ type }) => type)).toEqual(['blocks.commitRequested', 'blocks.certified']);
    expect(got).toMatchObject([
      { blocks: { length: 127 } },
      { blocks: [{ block: { header: { height: 128 } } }] },
    ]);
    expect(liveOf(chart).tree.blocks.size).toBe(1);
  });

  it('of fetched blocks only the verified QCs are certificates, proofs, or told to view-change (SY-8)', () => {
    const chart = running();
    const got = chart.send(unsigned(1, 100));
    expect([...liveOf(chart).tree.certificates.values()]).toEqual([qcAt(100)]);
    expect(toldTo(got, 'view-change').filter(({ type }) => type === 'certificates.received')).toEqual([
      { type: 'certificates.received', from: addressAt(0), qc: qcAt(100) },
    ]);
    const asked = blocks.slice(0, 99).map((block) => {
      const id = idOf(place, block);
      return { id, qc: { blockId: id }, commitProof: qcAt(100) };
    });
    expect(commits(got)).toMatchObject([{ blocks: asked }]);
  });

  it('fetched blocks without a verified proof of a commit are held, and committed by the next one', () => {
    const chart = running();
    const skipping = blockOn(place, qcAt(3), 9);
    const gap = qcOf(place, skipping);
    const got = chart.send({
      type: 'blocks.fetched',
      blocks: [...unsigned(1, 3).blocks, { block: skipping, qc: gap }],
      verified: [gap],
    });
    expect(commits(got)).toEqual([]);
    expect(toldTo(got, 'storage')).toMatchObject([{ type: 'blocks.certified', blocks: { length: 4 } }]);
    const next = blockOn(place, gap, 10);
    const blocksOfNext = [{ block: next, qc: qcOf(place, next) }];
    expect(
      commits(chart.send({ type: 'blocks.fetched', blocks: blocksOfNext, verified: [qcOf(place, next)] })),
    ).toMatchObject([{ blocks: { length: 4 } }]);
  });

  it('after a restart the QCs inside stored blocks prove nothing: only the record and the commit proof do', () => {
    const chart = reach.start(input);
    const [tip, ...above] = unsigned(1, 4).blocks;
    if (tip === undefined) throw new Error('no tip');
    const { recovered, ...rest } = found();
    const committed = { id: tip.qc.blockId, ...tip, commitProof: qcAt(2) };
    const stored = { ...recovered, committed, blocks: above.map(({ block }) => block) };
    const begun = chart.send({ ...rest, recovered: stored });
    expect(commits(begun)).toEqual([]);
    expect([...liveOf(chart).tree.certificates.values()]).toEqual([qcAt(2)]);
    expect(commits(chart.send({ type: 'highQc.adopted', qc: qcAt(4) }))).toMatchObject([
      { blocks: { length: 2 } },
    ]);
  });

  it('stores fetched blocks, and reads outcomes after a restart, as the parents have them, whatever a sender wrote (SY-8)', () => {
    const lied = (from: number, to: number) =>
      fetched(from, to).blocks.map(({ block, qc }) => ({
        block: { ...block, qc: { ...block.qc, parentId: idOf(place, blockAt(5)), parentRound: round(0) } },
        qc,
      }));
    const skipping = blockOn(place, qcAt(3), 9);
    const gap = qcOf(place, skipping);
    const got = running().send({
      type: 'blocks.fetched',
      blocks: [...lied(1, 3), { block: skipping, qc: gap }],
      verified: [gap],
    });
    const stored = toldTo(got, 'storage');
    expect(stored).toMatchObject([{ type: 'blocks.certified' }]);
    expect(stored).toEqual([
      {
        type: 'blocks.certified',
        // Nobody has verified the certificates below: a good one that comes later must find its place empty.
        blocks: [...fetched(1, 3).blocks.map(({ block }) => ({ block })), { block: skipping, qc: gap }],
      },
    ]);
    const { recovered, ...rest } = found();
    const [tip, ...above] = fetched(1, 4).blocks;
    if (tip === undefined) throw new Error('no tip');
    const committed = { id: tip.qc.blockId, ...tip, commitProof: qcAt(2) };
    const begunWith = (blocks: typeof recovered.blocks) => {
      const chart = reach.start(input);
      chart.send({ ...rest, recovered: { ...recovered, committed, blocks } });
      return liveOf(chart).tree.executed;
    };
    expect(begunWith(lied(2, 4).map(({ block }) => block))).toEqual(
      begunWith(above.map(({ block }) => block)),
    );
  });

  it('takes a block that came after its QC, also one that waited for a round gone by', () => {
    const chart = running();
    chart.send(entered(1));
    chart.send(proposed(blockAt(2)));
    chart.send(candidate(blockAt(1)));
    const leapt = chart.send(entered(3));
    expect(liveOf(chart).waiting.size).toBe(0);
    expect(commits(leapt)).toMatchObject([{ blocks: { length: 1 } }]);
    const late = running();
    late.send(entered(2));
    expect(toldTo(late.send(proposed(blockAt(1))), 'storage')).toMatchObject([{ type: 'blocks.certified' }]);
  });

  it('stores a certified candidate whose QC came first', () => {
    const chart = running();
    chart.send(entered(1));
    chart.send({ type: 'highQc.adopted', qc: qcAt(1) });
    expect(toldTo(chart.send(candidate(blockAt(1))), 'storage')).toMatchObject([
      { type: 'blocks.certified' },
    ]);
  });
});

describe('round-manager chart: messages (CS-4, CS-13)', () => {
  it('gives certificates to view-change before it looks at the proposal, and delivers it when its round is entered', () => {
    const chart = running();
    const early = chart.send(proposed(blockAt(3)));
    expect(toldTo(early, 'view-change')).toMatchObject([{ type: 'certificates.received', qc: { round: 2 } }]);
    expect(toldTo(chart.send(entered(3)), 'rm/round/0/3')).toMatchObject([{ type: 'proposal.received' }]);
  });

  it('forms the QC of votes, and blames a leader that signs two blocks of a round (CS-14)', () => {
    const chart = running();
    chart.send(entered(1));
    const rival = blockOn(place, root, 1, { time: GENESIS_TIME + 5 });
    chart.send(proposed(blockAt(1)));
    const twice = chart.send(proposed(rival));
    expect(toldTo(twice, 'view-change')).toContainEqual({
      type: 'proposal.condemned',
      epoch: 0,
      round: 1,
      reason: 'ConflictingProposals',
    });
    const leader = place.indexOf(leaderAt(epoch, round(1)));
    const voters = [0, 1, 2, 3].filter((one) => one !== leader).slice(0, 2);
    const effects = voters.flatMap((one) => chart.send(voted(blockAt(1), one)));
    expect(toldTo(effects, 'view-change')).toMatchObject([{ type: 'qc.formed', qc: { round: 1 } }]);
    const [told] = toldTo(twice, 'evidence-pool');
    const leaders = [blockAt(1), rival].map((block) => voteFor(place, block, leader));
    expect(told).toEqual({
      type: 'evidence.found',
      evidence: doubleVote(present(leaders[0], 'a vote'), present(leaders[1], 'a vote')),
    });
  });

  it('takes proposals from their leader and votes from their voter only; found ones count too (CS-7)', () => {
    const chart = running();
    const stranger = addressAt((place.indexOf(leaderAt(epoch, round(1))) + 1) % 4);
    expect(toldTo(chart.send({ ...proposed(blockAt(1)), from: stranger }), 'view-change')).toEqual([]);
    const other = { ...voted(blockAt(1), 2), from: addressAt(3) };
    expect(toldTo(chart.send(other), 'router')).toMatchObject([{ code: 'VOTE_NOT_OF_SENDER' }]);
    const votes = [1, 2, 3].flatMap((one) =>
      chart.send({ type: 'vote.found', vote: voteFor(place, blockAt(1), one) }),
    );
    expect(toldTo(votes, 'view-change')).toMatchObject([{ type: 'qc.formed' }]);
  });

  it('holds no more after a flood for far rounds than after a few messages', () => {
    const chart = running();
    chart.send(entered(1));
    const block = blockAt(1);
    for (let far = 0; far < 2_000; far += 1) {
      const vote = { ...voteFor(place, block, 1), round: round(100_000 + far) };
      chart.send({ type: 'message.received', from: addressAt(1), message: { kind: 'Vote', vote } });
      const at = round(4 * (1_000 + far) + 1);
      const header = { ...block.header, round: at, proposer: leaderAt(epoch, at) };
      const message = {
        kind: 'Proposal',
        block: { ...block, header },
        vote: { ...vote, round: at, validator: header.proposer },
      } as const;
      chart.send({ type: 'message.received', from: header.proposer, message });
    }
    const live = liveOf(chart);
    expect(live.votes.rounds.size).toBeLessThanOrEqual(8);
    expect([...live.waiting.values()].flat()).toHaveLength(2);
    expect(live.tree.blocks.size).toBe(0);
  });
});

describe('round-manager chart: rounds', () => {
  it('opens a cell for each round and stops the oldest', () => {
    const chart = running();
    for (let at = 1; at <= 17; at += 1) chart.send(entered(at));
    expect(ofKind(chart.effects, 'spawn')).toMatchObject([{ id: 'round/0/17' }]);
    expect(ofKind(chart.effects, 'stop')).toMatchObject([{ id: 'round/0/1' }]);
    expect(liveOf(chart).rounds).toHaveLength(16);
  });

  it('tells the round of execution, work and its own timeout, when they change what it knows', () => {
    const chart = running();
    chart.send(entered(1));
    // The first block is wanted at once: that batches wait is nothing new.
    expect(toldTo(chart.send({ type: 'work.changed', hasWork: true }), 'rm/round/0/1')).toEqual([]);
    chart.send({ type: 'work.changed', hasWork: false });
    for (const at of [1, 2]) {
      chart.send(candidate(blockAt(at)));
      chart.send({ type: 'highQc.adopted', qc: qcAt(at) });
      chart.send(entered(at + 1));
    }
    const executed = { height: height(1), appHash: GENESIS_EXECUTED.appHash };
    const outcome = {
      type: 'block.executed',
      blockId: idOf(place, blockAt(1)),
      round: round(1),
      proposer: addressAt(0),
      time: GENESIS_TIME,
      executed,
      transactions: [],
      validatorUpdates: [],
    } as const;
    const told = toldTo(chart.send(outcome), 'rm/round/0/3');
    expect(told).toMatchObject([{ type: 'facts.changed', facts: { executed, hasWork: false } }]);
    expect(toldTo(chart.send(outcome), 'rm/round/0/3')).toEqual([]);
    expect(toldTo(chart.send({ type: 'work.changed', hasWork: true }), 'rm/round/0/3')).toMatchObject([
      { type: 'facts.changed', facts: { executed, hasWork: true } },
    ]);
    expect(
      toldTo(
        chart.send({ type: 'round.timedOut', epoch: epoch.epoch, round: round(1), reason: 'LeaderTimeout' }),
        'rm/round/0/1',
      ),
    ).toEqual([{ type: 'round.gaveUp' }]);
    chart.send({ type: 'peer.connected', peer: addressAt(1) });
  });

  it('crashes with a round that crashed, and not with one that was stopped', () => {
    const chart = running();
    expect(chart.send({ type: 'cell.down', address: 'rm/round/0/1', reason: { kind: 'shutdown' } })).toEqual(
      [],
    );
    const down = chart.send({ type: 'cell.down', address: 'rm/round/0/1', reason: { kind: 'killed' } });
    expect(ofKind(down, 'exit')).toHaveLength(1);
  });
});

describe("round-manager chart: a state that is not the chain's (BR-4)", () => {
  const diverged = {
    type: 'state.diverged',
    divergence: {
      height: height(1),
      ours: GENESIS_EXECUTED.appHash,
      theirs: blockAt(1).header.batchesRoot,
      by: 'x',
    },
  } as const;

  it('proposes nothing on it from then on, whatever the clock says', () => {
    const chart = running();
    chart.send({ type: 'time.changed', mayPropose: true });
    chart.send(entered(1));
    expect(liveOf(chart).told?.mayPropose).toBe(true);
    chart.send(diverged);
    expect(liveOf(chart).told?.mayPropose).toBe(false);
    chart.send({ type: 'time.changed', mayPropose: true });
    expect(liveOf(chart).told?.mayPropose).toBe(false);
  });

  it('keeps the word until it has recovered', () => {
    const chart = reach.start(input);
    expect(chart.send(diverged)).toEqual(postponed);
  });
});

describe('round-manager chart: where two halves of an offence meet (CS-14)', () => {
  const lastTC = tcOf(place, 3, [root, root, root]);
  const timeout = timeoutStatementOf(timeoutBy(place, 3, { round: 4, highQC: root, lastTC }));
  const vote = voteFor(place, blockAt(3), 3);
  const hidden = { type: 'evidence.found', evidence: { kind: 'QcHiding', vote, timeout } };
  const found = (effects: Sent) => toldTo(effects, 'evidence-pool');

  it('holds a timeout against the votes of its sender: beside it, in the book, and those before', () => {
    const beside = running();
    beside.send(entered(1));
    expect(found(beside.send({ type: 'timeout.seen', timeout, lastVote: vote }))).toEqual([hidden]);
    const inBook = running();
    inBook.send(entered(1));
    inBook.send(voted(blockAt(3), 3));
    expect(found(inBook.send({ type: 'timeout.seen', timeout }))).toEqual([hidden]);
    const later = running();
    later.send(entered(1));
    later.send(voted(blockAt(3), 3));
    later.send(entered(8));
    expect(found(later.send({ type: 'timeout.seen', timeout }))).toEqual([hidden]);
  });

  it('holds a vote against the timeout that came before it', () => {
    const chart = running();
    chart.send(entered(1));
    expect(found(chart.send({ type: 'timeout.seen', timeout }))).toEqual([]);
    expect(found(chart.send(voted(blockAt(3), 3)))).toEqual([hidden]);
  });

  it('accuses nobody whose timeout is sent again over a newer QC, or reports what its vote extended', () => {
    const chart = running();
    chart.send(entered(1));
    chart.send(voted(blockAt(3), 3));
    for (const highQC of [qcAt(2), qcAt(3)]) {
      const honest = timeoutStatementOf(timeoutBy(place, 3, { round: 4, highQC, lastTC }));
      expect(found(chart.send({ type: 'timeout.seen', timeout: honest, lastVote: vote }))).toEqual([]);
    }
  });

  it('shows all the vote that a certificate contradicts, and whoever holds the other half proves the offence', () => {
    const rival = blockOn(place, root, 1, { time: GENESIS_TIME + 5 });
    const backup = running();
    backup.send(entered(1));
    backup.send(voted(rival, 2));
    const shown = toldTo(
      backup.send({ type: 'highQc.adopted', qc: qcOf(place, blockAt(1), [1, 2, 3]) }),
      'router',
    );
    const message = { kind: 'VoteShown', vote: voteFor(place, rival, 2) } as const;
    expect(shown).toContainEqual({ type: 'network.sendRequested', outgoing: [{ to: 'all', message }] });
    // Else it could have each of its votes shown by all, in every round.
    const blame = { type: 'peer.misbehaved', peer: addressAt(2), code: 'DOUBLE_VOTE' };
    expect(shown).toContainEqual(blame);
    const collector = running();
    collector.send(entered(1));
    collector.send(voted(blockAt(1), 2));
    const told = { type: 'message.received', from: addressAt(1), message } as const;
    const evidence = doubleVote(voteFor(place, blockAt(1), 2), voteFor(place, rival, 2));
    expect(found(collector.send(told))).toEqual([{ type: 'evidence.found', evidence }]);
    // Whoever holds no other vote of it has no use for one.
    expect(running().send(told)).toEqual([]);
  });

  it('tells rounds of evidence that waits, which is no work: who votes twice in every round speeds nothing up (CS-10)', () => {
    const { chart } = committing();
    expect(liveOf(chart).hasWork).toBe(false);
    const effects = chart.send({ type: 'evidence.waits', waits: true });
    expect(liveOf(chart).told).toMatchObject({ evidenceWaits: true, hasWork: false });
    expect(toldTo(effects, 'view-change')).toEqual([]);
    const early = reach.start(input);
    expect(early.send({ type: 'evidence.waits', waits: true })).toEqual(postponed);
    expect(early.send({ type: 'timeout.seen', timeout })).toEqual([]);
    early.send(failed(1, 'recovery.requested'));
    expect(early.send({ type: 'evidence.waits', waits: true })).toEqual(postponed);
  });
});
