import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { SyncFault } from '../../../src/storage/memory-store.ts';
import { height, present } from '../../protocol/consensus/fixture.ts';
import {
  type Answering,
  honest,
  idAt,
  isOfEpochs,
  isOfJoin,
  madeChain,
  newReach,
  newWorld,
  type PeerModel,
  peerOf,
  Rig,
  type RigOptions,
} from './chain-sync.rig.ts';

const place = newWorld();
const reach = newReach();
const LENGTH = 300;
/** Batches here and there, and rounds that are skipped, one of them at a border. */
const chain = madeChain(place, LENGTH, {
  batchBytes: (at) => (at % 5 === 0 ? 1_000 : 0),
  skipped: (at) => (at % 37 === 0 || at === 128 ? 2 : 0),
});
/** Parts from `chain` after height 200, and is as well proved: somebody has signed twice. */
const fork = madeChain(place, LENGTH + 20, { base: chain, upTo: 200, salt: 5 });
const tipId = idAt(place, chain, LENGTH);

const rigOf = (options: Partial<RigOptions> = {}): Rig =>
  new Rig(reach, place, { own: chain, peers: [peerOf(chain), peerOf(chain), peerOf(chain)], ...options });

const failedWith = (code: string, detail: RegExp) => ({
  type: 'resync.ended',
  tag: 99,
  outcome: { status: 'failed', error: { code, detail: expect.stringMatching(detail) } },
});
const READY = { type: 'resync.ended', tag: 99, outcome: { status: 'ready', height: LENGTH } };

/** All of the chain is in the side store, and it is sealed. */
function expectWhole(rig: Rig, made = chain): void {
  const sealed = present(rig.disk.sealed(), 'a sealed chain');
  expect([sealed.height, sealed.id]).toEqual([made.blocks.length, idAt(place, made, made.blocks.length)]);
  sealed.disk.crash();
  const store = sealed.disk.open();
  const range = store.blocksFrom(height(1), made.blocks.length, 1e9);
  if (range.status === 'failed') throw new Error(range.detail);
  expect(range.value.blocks.map(({ id }) => id)).toEqual(
    made.blocks.map((_, index) => idAt(place, made, index + 1)),
  );
  for (const { block, commitProof } of range.value.blocks) {
    expect(commitProof.round).toBe(commitProof.parentRound + 1);
    expect(commitProof.height).toBeGreaterThan(block.header.height);
  }
  const digests = made.blocks.flatMap(({ block }) => block.header.batches.map(({ digest }) => digest));
  const batches = store.batches(digests);
  if (batches.status === 'failed') throw new Error(batches.detail);
  expect(batches.value.missing).toEqual([]);
  store.close();
}

describe('a full re-sync by the operator (SY-9)', () => {
  it('downloads all from trusted peers into the side store, seals it, and tells the alarm and who ordered it', () => {
    const rig = rigOf();
    rig.order();
    rig.run();
    expect(rig.state).toBe('ready');
    expectWhole(rig);
    expect(rig.alarmed).toEqual([{ type: 'resync.ready', height: LENGTH }]);
    expect(rig.outcome).toEqual(READY);
    expect(rig.sideAsked[0]).toBe('side.openRequested');
    expect(rig.judged.every(({ verdict }) => verdict === 'good')).toBe(true);
    expect(new Set(rig.asked.flatMap(({ holders = [] }) => holders))).toEqual(new Set(rig.peers.slice(0, 3)));
    expect(rig.timers, 'no timer goes on').toEqual([]);
    expect(rig.context.ownParting).toEqual({ agreesTo: LENGTH });
  });

  it('asks by the borders that everybody has stored by', () => {
    const rig = rigOf();
    rig.order();
    rig.run();
    const first = rig.asked.map(({ query }) => (query.by === 'height' ? [query.from, query.limit] : []));
    expect(first).toEqual(
      expect.arrayContaining([
        [1, 128],
        [129, 128],
        [257, 44],
      ]),
    );
  });

  it('is begun by nobody but the operator: no trigger of a peer exists', () => {
    const rig = rigOf();
    for (const stranger of ['node/surface/rpc', 'block-sync', 'node/network/router']) {
      rig.order(undefined, stranger);
      expect(rig.run().state).toBe('idle');
    }
    expect(rig.context.counts).toMatchObject({ refused: 3, resyncs: 0 });
    expect([rig.asked, rig.sideAsked, rig.told]).toEqual([[], [], []]);
  });

  it('answers a second order while one is carried out, and after it, with words', () => {
    const rig = rigOf();
    rig.order();
    rig.order();
    expect(rig.outcome).toEqual(failedWith('CriticalSyncRequired', /under way/));
    rig.run();
    rig.order();
    expect(rig.outcome).toEqual(failedWith('CriticalSyncRequired', /restart the node/));
    expect(rig.state).toBe('ready');
  });

  it('shows progress of tier 3 that only rises, never above the target, and ends', () => {
    const rig = rigOf();
    rig.order();
    rig.run();
    const shown = rig.progress.flatMap((progress) => (progress === undefined ? [] : [progress]));
    expect(shown.length).toBeGreaterThan(1);
    for (const [index, { tier, from, at, to }] of shown.entries()) {
      expect([tier, from, to]).toEqual([3, 0, LENGTH]);
      expect(at).toBeGreaterThanOrEqual(shown[index - 1]?.at ?? 0);
      expect(at).toBeLessThanOrEqual(to);
    }
    expect(shown.at(-1)?.at).toBe(LENGTH);
    expect(rig.progress.at(-1), 'and ends').toBeUndefined();
  });
});

describe('whose chain is taken (SY-3, SY-9)', () => {
  it('nobody is connected', () => {
    const rig = rigOf({ peers: [] });
    rig.order();
    expect(rig.run().outcome).toEqual(failedWith('NoPeersAvailable', /no validator is connected/));
    expect([rig.state, rig.sideAsked]).toEqual(['idle', []]);
  });

  it('nobody has been consistent for so long: it is said who has how much', () => {
    const young: PeerModel = { ...peerOf(chain), consistentFor: 3 * 3_600_000 + 720_000 };
    const rig = rigOf({ peers: [young, { ...young, removed: true }] });
    rig.order();
    const words = new RegExp(`for 5 h 0 min: ${rig.peer(0)} 3 h 12 min, ${rig.peer(1)} was caught; wait`);
    expect(rig.run().outcome).toEqual(failedWith('CriticalSyncRequired', words));
  });

  it('bug "re-sync from the peer that caused the fork": it is neither asked for its chain nor for blocks', () => {
    const culprit: PeerModel = { ...peerOf(fork), removed: true, consistentFor: 1e9 };
    const rig = rigOf({ peers: [culprit, peerOf(chain), { ...peerOf(fork), consistentFor: 60_000 }] });
    rig.order();
    rig.run();
    expectWhole(rig);
    for (const { holders } of rig.asked) expect(holders).toEqual([rig.peer(1)]);
  });

  it('the chain for which most power stands is taken; the others are named, and asked for nothing', () => {
    const rig = rigOf({ peers: [peerOf(fork), peerOf(chain), peerOf(chain)] });
    rig.order();
    rig.run();
    expectWhole(rig);
    expect(rig.context.parted).toEqual([{ peer: rig.peer(0), at: 224 }]);
    for (const { holders } of rig.asked) expect(holders).not.toContain(rig.peer(0));
  });

  it('between two chains of equal power nothing is chosen but by a checkpoint of the operator', () => {
    const peers = [peerOf(fork), peerOf(chain)];
    const rig = rigOf({ peers });
    rig.order();
    expect(rig.run().outcome).toEqual(failedWith('CriticalSyncRequired', /part by height 224.*--checkpoint/));
    expect(rig.sideAsked).toEqual([]);
    rig.order({ height: height(256), id: idAt(place, chain, 256) });
    rig.run();
    expectWhole(rig);
    expect(rig.context.parted).toEqual([{ peer: rig.peer(0), at: 224 }]);
  });

  it('tells where it parts from the running chain', () => {
    const rig = rigOf({ own: fork });
    rig.order();
    rig.run();
    expect(rig.context.ownParting).toEqual({ agreesTo: 192, partsBy: 224 });
  });

  it('does without the running chain where it cannot be read', () => {
    const options: RigOptions = { peers: [peerOf(chain)] };
    const rig = new Rig(reach, place, options);
    rig.order();
    rig.run();
    expectWhole(rig);
    expect(rig.context.ownParting).toBeUndefined();
  });

  it('who cannot give all of it, or proves nothing, is not asked', () => {
    const liar = { ...peerOf({ ...chain, proof: fork.proof }) };
    const forged = { ...peerOf({ ...chain, proof: { ...chain.proof, signature: new Uint8Array(96) } }) };
    for (const [peers, words] of [
      [[{ ...peerOf(chain), base: 2 }], /from its first block to a proved tip/],
      [[{ ...peerOf(chain), describes: false }], /from its first block to a proved tip/],
      [[liar], /from its first block to a proved tip/],
    ] as const) {
      const rig = rigOf({ peers });
      rig.order();
      expect(rig.run().outcome).toEqual(failedWith('NoPeersAvailable', words));
    }
    const rig = rigOf({ peers: [forged] });
    rig.order();
    expect(rig.run().outcome).toEqual(failedWith('NoPeersAvailable', /from its first block to a proved tip/));
    expect(rig.judged).toEqual([{ peer: rig.peer(0), verdict: 'CLAIM_FALSE' }]);
  });

  it('a checkpoint that is not on the chain, or above it, is refused; what was written is discarded', () => {
    const named = { height: height(256), id: idAt(place, fork, 256) };
    const above = { height: height(LENGTH + 1), id: tipId };
    for (const checkpoint of [named, above]) {
      const rig = rigOf();
      rig.order(checkpoint);
      expect(rig.run().outcome).toEqual(
        failedWith('CriticalSyncRequired', /no trusted peer's chain has block/),
      );
    }
    const rig = rigOf();
    // Between two of the described checkpoints: it is seen when the block comes.
    rig.order({ height: height(250), id: idAt(place, fork, 250) });
    expect(rig.run().outcome).toEqual(failedWith('CriticalSyncRequired', /at height 250, the checkpoint is/));
    expect(rig.sideAsked.at(-1)).toBe('side.discardRequested');
    expect(rig.disk.sealed()).toBeUndefined();
  });
});

/** Valid certificates over a block at the border that was never committed. */
const orphaned = madeChain(place, 128, { base: chain, upTo: 127, salt: 3, skipped: () => 7 });
const orphans: Answering = ({ from, limit, draw }) =>
  from + limit - 1 === 128 ? honest(orphaned)({ from, limit, draw }) : honest(chain)({ from, limit, draw });
const silent: Answering = () => undefined;
const forgedSignature: Answering = (question) => {
  const answer = honest(chain)(question);
  const blocks = answer?.blocks ?? [];
  const newest = blocks.at(-1);
  if (newest === undefined || newest.block.header.height === LENGTH) return answer;
  const qc = { ...newest.qc, signature: new Uint8Array(96) };
  return { blocks: [...blocks.slice(0, -1), { ...newest, qc }], batches: answer?.batches ?? [] };
};
const skipping: Answering = (question) => {
  const answer = honest(chain)(question);
  return { blocks: answer?.blocks.filter((_, index) => index !== 3) ?? [], batches: [] };
};
const greedy: Answering = ({ from, limit, draw }) => honest(chain)({ from, limit: limit + 1, draw });
const falseBatches: Answering = (question) => ({
  blocks: honest(chain)(question)?.blocks ?? [],
  batches: [new Uint8Array([1, 2, 3])],
});

describe('peers that lie, or are silent (SY-8)', () => {
  it.each([
    ['a signature that does not hold', forgedSignature, 'BLOCKS_NOT_CERTIFIED'],
    ['a block left out', skipping, 'BLOCKS_NOT_GAPLESS'],
    ['more than was asked for', greedy, 'BAD_BLOCKS'],
    ['batches that nobody named', falseBatches, 'BATCH_NOT_NAMED'],
  ])('%s: the sender is blamed, another is asked, and the chain comes whole', (_, answers, code) => {
    let rejected = 0;
    for (const seed of [1, 2, 3, 4, 5]) {
      const rig = rigOf({ peers: [peerOf(chain, answers), peerOf(chain)], seed });
      rig.order();
      rig.run();
      expectWhole(rig);
      const blamed = rig.judged.filter(({ verdict }) => verdict !== 'good');
      for (const one of blamed) expect(one).toEqual({ peer: rig.peer(0), verdict: code });
      expect(rig.context.counts.blocksRejected > 0).toBe(blamed.length > 0);
      rejected += blamed.length;
    }
    expect(rejected).toBeGreaterThan(0);
  });

  it('a certified block at a border that was never committed does not get it stuck, and blames nobody', () => {
    for (const seed of [1, 2, 3, 4]) {
      const rig = rigOf({ peers: [peerOf(chain, orphans), peerOf(chain)], seed });
      rig.order();
      rig.run();
      expectWhole(rig);
      expect(rig.judged.every(({ verdict }) => verdict === 'good')).toBe(true);
    }
  });

  it('who answers nothing is passed over; when nobody does, it fails after some tries, and discards', () => {
    const rig = rigOf({ peers: [peerOf(chain, silent), peerOf(chain)] });
    rig.order();
    rig.run();
    expectWhole(rig);
    const alone = rigOf({ peers: [peerOf(chain, silent)] });
    alone.order();
    expect(alone.run().outcome).toEqual(failedWith('Timeout', /nobody answered/));
    expect(alone.state).toBe('idle');
    expect(alone.now, 'with pauses in between').toBeGreaterThan(10_000);
    expect(alone.disk.sealed()).toBeUndefined();
    expect(alone.timers).toEqual([]);
  });

  it('who only ever lies makes it fail, not run for ever', () => {
    for (const answers of [forgedSignature, skipping]) {
      const rig = rigOf({ peers: [peerOf(chain, answers)] });
      rig.order();
      expect(rig.run().outcome).toEqual(failedWith('BlockNotFound', /could not be had/));
      expect(rig.sideAsked.at(-1)).toBe('side.discardRequested');
    }
    const rig = rigOf({ peers: [peerOf(chain, orphans)] });
    rig.order();
    expect(rig.run().outcome).toEqual(failedWith('NoConsensusReached', /do not hang together/));
  });

  it('blocks below which the piece does not hang together are asked for anew', () => {
    const crossed: Answering = ({ from, limit, draw }) => {
      const answer = honest(chain)({ from, limit, draw });
      return from % 128 === 1
        ? { blocks: answer?.blocks.slice(0, 100) ?? [], batches: answer?.batches.slice(0, 20) ?? [] }
        : answer;
    };
    const other: Answering = ({ from, limit, draw }) =>
      from > 200 && from < 257 ? honest(fork)({ from, limit, draw }) : crossed({ from, limit, draw });
    let partings = 0;
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const rig = rigOf({ peers: [peerOf(chain, other), peerOf(chain, crossed)], seed });
      rig.order();
      rig.run();
      expectWhole(rig);
      partings += rig.context.counts.partings;
    }
    expect(partings).toBeGreaterThan(0);
  });
});

describe('batches that did not come with their blocks', () => {
  it('are asked for in smaller questions', () => {
    const rig = rigOf({ peers: [peerOf(chain, honest(chain, { fit: 2_500 }))] });
    rig.order();
    rig.run();
    expectWhole(rig);
    const limits = rig.asked.map(({ query }) => (query.by === 'height' ? query.limit : 0));
    expect(limits.filter((limit) => limit <= 16).length).toBeGreaterThan(10);
    expect(rig.context.counts.piecesRetried).toBe(0);
  });

  it('and fit no answer are left to the executor, and counted; all others are there', () => {
    const heavy = madeChain(place, 40, { batchBytes: (at) => (at === 7 ? 50_000 : at % 4 === 0 ? 500 : 0) });
    const rig = rigOf({ peers: [peerOf(heavy, honest(heavy, { fit: 10_000 }))] });
    rig.order();
    while (rig.state !== 'sealing' && rig.state !== 'ready') rig.step();
    expect(rig.context.download?.batchesLeft).toBe(1);
    rig.run();
    expect(rig.outcome).toMatchObject({ outcome: { status: 'ready', height: 40 } });
    const store = present(rig.disk.sealed(), 'sealed').disk;
    store.crash();
    const digests = heavy.blocks.flatMap(({ block }) => block.header.batches.map(({ digest }) => digest));
    const found = store.open().batches(digests);
    expect(found).toMatchObject({ value: { missing: [heavy.blocks[6]?.block.header.batches[0]?.digest] } });
  });

  it('of a silent peer too: the blocks are written without them in the end', () => {
    const answers: Answering = (question) =>
      question.limit <= 16 ? undefined : { blocks: honest(chain)(question)?.blocks ?? [], batches: [] };
    const short = madeChain(place, 20, { batchBytes: (at) => (at === 9 ? 100 : 0) });
    const rig = rigOf({
      peers: [
        peerOf(short, ({ from, limit, draw }) =>
          from === 1
            ? { blocks: honest(short)({ from, limit, draw })?.blocks ?? [], batches: [] }
            : answers({ from, limit: 1, draw }),
        ),
      ],
    });
    rig.order();
    rig.run();
    expect(rig.outcome).toMatchObject({ outcome: { status: 'ready', height: 20 } });
  });
});

describe('the side store fails (SY-9)', () => {
  it('before the start, in the middle, or at the seal: it is discarded, the reason is told, and it can begin anew', () => {
    for (const good of [0, 1]) {
      const faults: SyncFault[] = [...Array.from({ length: good }, () => 'ok' as const), 'FULL'];
      const rig = rigOf({ faults: { onSync: () => faults.shift() ?? 'ok' } });
      rig.order();
      expect(rig.run().outcome).toEqual(failedWith('CriticalSyncRequired', /side store failed \(FULL\)/));
      expect(rig.sideAsked.at(-1)).toBe('side.discardRequested');
      expect([rig.state, rig.alarmed, rig.timers]).toEqual(['idle', [], []]);
      rig.order();
      rig.run();
      expectWhole(rig);
    }
    let reads = 0;
    const damaged = rigOf({ faults: { onRead: () => ++reads > 3 } });
    damaged.order();
    expect(damaged.run().outcome).toEqual(failedWith('CriticalSyncRequired', /\(CORRUPT\): injected damage/));
    expect(damaged.sideAsked.slice(-2)).toEqual(['side.sealRequested', 'side.discardRequested']);
  });

  it('cannot be opened', () => {
    const rig = rigOf({ silent: ['side.openRequested'] });
    rig.order();
    for (let step = 0; step < 20; step += 1) rig.step();
    expect(rig.state).toBe('preparing');
    rig.send({ type: 'side.failed', tag: rig.context.awaited, code: 'FULL', detail: 'make room' });
    expect(rig.run().outcome).toEqual(failedWith('CriticalSyncRequired', /\(FULL\): make room/));
  });

  it('and cannot even be discarded: the reason of the failure is told all the same', () => {
    const rig = rigOf({ peers: [peerOf(chain, skipping)], silent: ['side.discardRequested'] });
    rig.order();
    for (let step = 0; step < 2_000 && rig.state !== 'failing'; step += 1) if (!rig.step()) rig.fire();
    rig.send({ type: 'side.failed', tag: rig.context.awaited, code: 'IO', detail: 'gone' });
    expect(rig.outcome).toEqual(failedWith('BlockNotFound', /could not be had/));
    expect(rig.state).toBe('idle');
  });
});

describe('silence and lateness', () => {
  it.each(['peers.pollRequested', 'chains.requested'])('%s that is not answered ends it', (type) => {
    const rig = rigOf({ silent: [type] });
    rig.order();
    while (rig.step());
    rig.elapse(35_000);
    expect(rig.outcome).toEqual(failedWith('Timeout', /no answer from state-sync/));
    expect(rig.state).toBe('idle');
  });

  it('of storage does not hold it up', () => {
    const rig = rigOf({ silent: ['blockIds.requested'] });
    rig.order();
    while (rig.step());
    rig.elapse(35_000);
    rig.run();
    expectWhole(rig);
  });

  it('of the side store ends it, at the opening and at the discard', () => {
    const rig = rigOf({ silent: ['side.openRequested', 'side.discardRequested'] });
    rig.order();
    while (rig.step());
    rig.elapse(300_000);
    expect(rig.state).toBe('failing');
    rig.elapse(300_000);
    expect(rig.outcome).toEqual(failedWith('Timeout', /no answer from the side store/));
    expect(rig.state).toBe('idle');
  });

  it('of everybody for ten minutes ends it, with words about progress meanwhile (SY-11)', () => {
    const rig = rigOf({ silent: ['blocks.fetchRequested'] });
    rig.order();
    expect(rig.run().outcome).toEqual(failedWith('Timeout', /nothing was written above height 0 for 10 min/));
    expect(rig.progress.length, 'every five seconds').toBeGreaterThan(100);
    expect(rig.cancelled, 'every open question is taken back').toEqual(rig.asked.map(({ tag }) => tag));
  });

  it('goes on telling while a long chain is read once more for the seal', () => {
    const rig = rigOf({ silent: ['side.sealRequested'] });
    rig.order();
    while (rig.state !== 'sealing') rig.step();
    const before = rig.progress.length;
    rig.fire();
    rig.fire();
    expect(rig.progress).toHaveLength(before + 2);
    expect(rig.timers).toEqual(['progress']);
  });

  it('passes over answers to nothing, in every state, and counts them', () => {
    const rig = rigOf();
    const events = [
      { type: 'peers.polled', tag: 7_777, peers: [], answered: [] },
      { type: 'chains.answered', tag: 7_777, chains: [] },
      { type: 'fetch.started', tag: 7_777, peer: rig.peer(0) },
      { type: 'blocks.answered', tag: 7_777, peer: rig.peer(0), blocks: [], batches: [], height: height(1) },
      { type: 'fetch.failed', tag: 7_777, error: { code: 'Timeout', detail: '' }, tried: [] },
      { type: 'side.opened', tag: 7_777 },
      { type: 'side.planted', tag: 7_777 },
      { type: 'side.restored', tag: 7_777 },
      { type: 'side.appended', tag: 7_777, height: height(1) },
      { type: 'side.sealed', tag: 7_777, height: height(1) },
      { type: 'side.discarded', tag: 7_777 },
      { type: 'side.failed', tag: 7_777, code: 'IO', detail: '' },
      { type: 'blockIds.found', tag: 7_777, ids: [] },
      { type: 'storage.failed', tag: 7_777, request: 'blockIds.requested', code: 'IO', detail: '' },
    ] as const;
    const states = new Set<string>();
    const disturb = (): void => {
      states.add(rig.state);
      for (const event of events) rig.send(event);
      rig.send({ type: 'retry.due' });
      rig.send({ type: 'hurry.due' });
    };
    disturb();
    rig.send({ type: 'watch.due' });
    rig.send({ type: 'progress.due' });
    rig.order();
    do disturb();
    while (rig.step());
    disturb();
    expect(rig.state).toBe('ready');
    expectWhole(rig);
    expect(states.size).toBe(8);
    const failing = rigOf({ peers: [peerOf(chain, skipping)] });
    failing.order();
    for (let step = 0; step < 2_000 && failing.state !== 'failing'; step += 1)
      if (!failing.step()) failing.fire();
    for (const event of events) failing.send(event);
    expect(failing.state).toBe('failing');
  });

  it('a height other than the one that was written is not believed', () => {
    const rig = rigOf({ silent: ['side.appendRequested'] });
    rig.order();
    while (rig.step());
    const tag = present(rig.context.download?.appending, 'an append').tag;
    rig.send({ type: 'side.appended', tag, height: height(3) });
    expect(rig.run().outcome).toEqual(failedWith('CriticalSyncRequired', /is at height 3/));
  });
});

it('whatever the order of answers, and whoever lies: with one honest trusted peer the chain comes whole (SY-8, SY-9)', () => {
  const ways: readonly Answering[] = [
    honest(chain, { cuts: true, fit: 30_000 }),
    honest(chain, { fit: 1_500 }),
    silent,
    forgedSignature,
    skipping,
    greedy,
    falseBatches,
    orphans,
  ];
  fc.assert(
    fc.property(
      fc.nat(1e6),
      fc.array(fc.constantFrom(...ways), { maxLength: 3 }),
      fc.nat(3),
      (seed, others, position) => {
        const peers = others.map((answers) => peerOf(chain, answers));
        peers.splice(position, 0, peerOf(chain, honest(chain, { cuts: seed % 2 === 0 })));
        const rig = rigOf({ seed, peers });
        rig.order();
        rig.run(20_000);
        expect(rig.outcome).toEqual(READY);
        expectWhole(rig);
      },
    ),
    { numRuns: 60 },
  );
}, 120_000);

afterAll(() => {
  expect(reach.missing().filter((name) => !isOfJoin(name) && !isOfEpochs(name))).toEqual([]);
});
