import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { SNAPSHOTS_TRIED_MAX } from '../../../src/machines/sync/chain-sync.live.ts';
import type { RestoreRequest } from '../../../src/protocol/ports/snapshots.ts';
import { height, present } from '../../protocol/consensus/fixture.ts';
import {
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
  restoring,
  type SnapshotModel,
  snapshotOf,
  stateAfter,
  WINDOW,
} from './chain-sync.rig.ts';

const place = newWorld();
const reach = newReach();
const LENGTH = 160;
const AT = 100;
const ROOT = AT - WINDOW;
const chain = madeChain(place, LENGTH, { batchBytes: (at) => (at % 5 === 0 ? 500 : 0) });
const good = snapshotOf(stateAfter(AT));

const offering = (snapshot: SnapshotModel, answers = honest(chain)): PeerModel => ({
  ...peerOf(chain, answers),
  consistentFor: 0,
  snapshot,
});
const honestly = honest(chain);
const rigOf = (options: Partial<RigOptions> = {}): Rig =>
  new Rig(reach, place, { own: chain, peers: [offering(good), offering(good), offering(good)], ...options });
const joined = (options: Partial<RigOptions> = {}): Rig => {
  const rig = rigOf(options);
  rig.join();
  return rig.run();
};

const stepTo = (rig: Rig, state: string): void => {
  while (rig.state !== state)
    if (!rig.step()) throw new Error(`it is ${rig.state}, and nothing is left to do`);
};
const READY = { type: 'resync.ended', tag: 99, outcome: { status: 'ready', height: LENGTH } };
const failedWith = (code: string, detail: RegExp) => ({
  type: 'resync.ended',
  tag: 99,
  outcome: { status: 'failed', error: { code, detail: expect.stringMatching(detail) } },
});

/** The sealed chain stands on the block below the window, and is executed up to the snapshot. */
function expectJoined(rig: Rig, made = chain, at = AT): void {
  expect([rig.state, rig.outcome]).toEqual([
    'ready',
    { ...READY, outcome: { status: 'ready', height: made.blocks.length } },
  ]);
  const sealed = present(rig.disk.sealed(), 'a sealed chain');
  sealed.disk.crash();
  const store = sealed.disk.open();
  const tip = store.tip();
  if (tip.status === 'failed') throw new Error(tip.detail);
  const base = Math.max(1, at - WINDOW + 1);
  expect(tip.value).toMatchObject({ base, height: made.blocks.length, executed: stateAfter(at) });
  const range = store.blocksFrom(height(base), 1_000, 1e9);
  if (range.status === 'failed') throw new Error(range.detail);
  expect(range.value.blocks.map(({ id }) => id)).toEqual(
    made.blocks.slice(base - 1).map((_, index) => idAt(place, made, base + index)),
  );
  store.close();
  expect(rig.timers, 'no timer goes on').toEqual([]);
}

const blamed = (rig: Rig, code: string) =>
  [...new Set(rig.judged.filter(({ verdict }) => verdict === code).map(({ peer }) => peer))].sort();

/** Its chain is found grown when it was looked at so many times. */
function growingAfter(looks: number, newest: SnapshotModel, grown: typeof chain, before = chain): PeerModel {
  let looked = 0;
  return {
    ...offering(newest, honest(grown)),
    get chain() {
      looked += 1;
      return looked <= looks ? before : grown;
    },
  };
}

describe('a join by a snapshot (SY-10)', () => {
  it('restores the newest snapshot, downloads from the window below it, compares with the certified hash, seals', () => {
    const rig = joined();
    expectJoined(rig);
    expect(rig.alarmed).toEqual([{ type: 'resync.ready', height: LENGTH }]);
    expect(rig.chunksAsked).toHaveLength(12);
    expect(new Set(rig.chunksAsked.map(({ peer }) => peer)).size, 'of every holder').toBe(3);
    expect(Math.min(...rig.asked.flatMap(({ query }) => (query.by === 'height' ? [query.from] : [])))).toBe(
      ROOT,
    );
    expect(rig.sideAsked.filter((type) => type !== 'side.appendRequested')).toEqual([
      'side.openRequested',
      'side.plantRequested',
      'side.restoredRequested',
      'side.sealRequested',
    ]);
    expect(rig.judged.every(({ verdict }) => verdict === 'good')).toBe(true);
  });

  it('needs no trusted peers, while a full resync does (SY-9)', () => {
    const rig = rigOf();
    rig.order();
    expect(rig.run().outcome).toEqual(failedWith('CriticalSyncRequired', /no peer has been consistent/));
    rig.join();
    expectJoined(rig.run());
  });

  it('is begun by nobody but network-sync', () => {
    const rig = rigOf();
    rig.send({ type: 'resync.requested', replyTo: 'node/network/router', tag: 99, mode: 'snapshot' });
    expect([rig.run().state, rig.sideAsked, rig.chunksAsked]).toEqual(['idle', [], []]);
  });

  it('writes of the certificate below its lowest block what that one states, whoever sent it (SY-8)', () => {
    const lying: typeof honestly = (question) => ({
      batches: [],
      // The lowest alone, so that a lie about it is the first of an answer.
      blocks: (honestly(question)?.blocks.slice(0, question.from === ROOT ? 1 : 99) ?? []).map(
        ({ block, qc }, index) => ({
          qc,
          block:
            index === 0
              ? { ...block, qc: { ...block.qc, parentId: block.qc.blockId, parentRound: qc.round } }
              : block,
        }),
      ),
    });
    const rig = joined({ peers: [offering(good, lying)] });
    expectJoined(rig);
    const store = present(rig.disk.sealed(), 'a sealed chain').disk.open();
    const range = store.blocksFrom(height(ROOT + 1), 1, 1e9);
    const lowest = range.status === 'found' ? range.value.blocks[0]?.block : undefined;
    expect(lowest?.qc).toEqual(chain.blocks[ROOT - 1]?.qc);
    store.close();
  });

  it('needs no planting where the window reaches down to genesis', () => {
    const early = snapshotOf(stateAfter(WINDOW));
    const rig = joined({ peers: [offering(early), offering(early)] });
    expect(rig.sideAsked).not.toContain('side.plantRequested');
    expectJoined(rig, chain, WINDOW);
  });

  it('takes blocks of peers that begin above genesis, where they have enough of them', () => {
    const upper: PeerModel = { ...offering(good), base: ROOT };
    const late: PeerModel = { ...offering(good), base: ROOT + 1 };
    const rig = joined({ peers: [upper, late, late] });
    expectJoined(rig);
    expect(new Set(rig.asked.flatMap(({ holders = [] }) => holders))).toEqual(new Set([rig.peer(0)]));
    expect(joined({ peers: [late, late] }).outcome).toEqual(
      failedWith('BlockNotFound', /no peer offers a snapshot/),
    );
  });

  it('tells each chunk that is written, and then blocks (SY-11)', () => {
    const rig = rigOf();
    rig.join();
    stepTo(rig, 'downloading');
    const restored = rig.progress.flatMap((progress) => progress?.snapshot ?? []);
    expect(restored.map((snapshot) => snapshot.written)).toEqual(Array.from({ length: 13 }, (_, at) => at));
    expect(new Set(restored.map((snapshot) => snapshot.chunks))).toEqual(new Set([12]));
    expectJoined(rig.run());
    expect(rig.progress.slice(13).flatMap((progress) => progress?.snapshot ?? [])).toEqual([]);
  });
});

describe('nobody has one', () => {
  it.each([
    [
      'none is offered',
      [peerOf(chain), peerOf(chain)],
      ['BlockNotFound', /no peer offers a snapshot that can be used$/, 0],
    ],
    ...[LENGTH, LENGTH + 9].map(
      (at) =>
        [
          `it is of height ${at}, which no header certifies of a chain that does not grow`,
          [offering(snapshotOf(stateAfter(at)))],
          ['NoConsensusReached', /^8 snapshots .* in vain; the last one: no block .* is above it$/, 7_000],
        ] as const,
    ),
  ] as const)('%s: it fails before anything is prepared', (_, peers, [code, detail, pauses]) => {
    const rig = joined({ peers });
    expect(rig.outcome).toEqual(failedWith(code, detail));
    expect([rig.state, rig.sideAsked, rig.timers]).toEqual(['idle', [], []]);
    expect(rig.now - (rig.now % 1_000), 'a second before each try').toBe(pauses);
  });

  it('it is of the tip that was described: the chain is asked for anew, of those who described theirs', () => {
    const grown = madeChain(place, LENGTH + 40, { base: chain });
    const newest = snapshotOf(stateAfter(LENGTH));
    const growing = growingAfter(2, newest, grown);
    const rig = rigOf({ peers: [growing, { ...offering(newest), describes: false }] });
    rig.join();
    rig.run(20_000);
    expectJoined(rig, grown, LENGTH);
    expect(rig.chainsAsked).toEqual([[rig.peer(0), rig.peer(1)].sort(), [rig.peer(0)]]);
    expect(rig.context.counts.snapshotsRefused).toBe(0);
    expect(rig.judged.every(({ verdict }) => verdict === 'good')).toBe(true);
  });

  it('no header can state that height yet: nothing is restored before the chain has grown', () => {
    const newest = snapshotOf(stateAfter(LENGTH - 1));
    const grown = madeChain(place, LENGTH + 40, { base: chain });
    const rig = rigOf({ peers: [growingAfter(3, newest, grown)] });
    rig.join();
    rig.run(20_000);
    expectJoined(rig, grown, LENGTH - 1);
    expect(rig.restorerAsked.filter((type) => type === 'restore.beginRequested')).toHaveLength(1);
  });

  it('no header states that height yet: the chain grows meanwhile, and the same one is tried again', () => {
    const at = LENGTH - 2;
    const stated = (by: number): number => (by === LENGTH || by === LENGTH + 1 ? by - 3 : by - 2);
    const late = madeChain(place, LENGTH, { stated });
    const grown = madeChain(place, LENGTH + 40, { base: late, stated });
    const rig = rigOf({ peers: [growingAfter(3, snapshotOf(stateAfter(at)), grown, late)] });
    rig.join();
    rig.run(20_000);
    expectJoined(rig, grown, at);
    expect(rig.context.counts.snapshotsRefused).toBe(1);
  });

  it('no header states that height: nobody is blamed, the next one is tried', () => {
    const skipped = madeChain(place, LENGTH, { stated: (at) => (at === AT + 2 ? AT - 1 : at - 2) });
    const peers = [offering(good), offering(good), offering(snapshotOf(stateAfter(AT - 10)))].map((one) => ({
      ...one,
      chain: skipped,
      answers: honest(skipped),
    }));
    const rig = joined({ peers });
    expectJoined(rig, skipped, AT - 10);
    expect(rig.context.counts.snapshotsRefused).toBe(1);
    expect(rig.judged.every(({ verdict }) => verdict === 'good')).toBe(true);
  });
});

describe('liars', () => {
  const false1 = snapshotOf(stateAfter(AT, ' of a liar'));

  it('a false manifest, from start to end: its holders are blamed, and the next one is taken', () => {
    const peers = [offering(false1), offering(false1), offering(good)];
    const rig = joined({ peers });
    expectJoined(rig);
    expect(blamed(rig, 'SNAPSHOT_FALSE')).toEqual([rig.peer(0), rig.peer(1)].sort());
    expect(rig.sideAsked.filter((type) => type === 'side.openRequested')).toHaveLength(2);
    expect(rig.restorerAsked).toContain('restore.abandonRequested');
  });

  it('the application says another height than the certified one', () => {
    const rig = joined({
      restoring: (request, taken) => {
        const reply = restoring(request, taken);
        const isEnd = reply.type === 'restore.ended';
        return isEnd ? { ...reply, executed: { ...stateAfter(AT), height: height(AT - 1) } } : reply;
      },
    });
    expect(rig.outcome).toEqual(failedWith('BlockNotFound', /beside 1 that were refused/));
  });

  it('a wrong chunk: its sender is blamed, and the others give it', () => {
    const wrong: SnapshotModel = { ...good, gives: () => utf8('something else') };
    const rig = joined({ peers: [offering(wrong), offering(good), offering(good)] });
    expectJoined(rig);
    expect(blamed(rig, 'SNAPSHOT_CHUNK_DIFFERS')).toEqual([rig.peer(0)]);
  });

  it('chunks that are not so long as the manifest says: all who offered it are blamed', () => {
    const longer = { ...good, manifest: { ...good.manifest, bytes: good.manifest.bytes + 1 } };
    const rig = joined({ peers: [offering(longer), offering(longer), offering(good)] });
    expectJoined(rig);
    expect(blamed(rig, 'SNAPSHOT_FALSE')).toEqual([rig.peer(0), rig.peer(1)].sort());
  });

  it('keep it no more, all of them: the next one is tried', () => {
    const gone: SnapshotModel = { ...false1, gives: () => undefined };
    const rig = joined({ peers: [offering(gone), offering(gone), offering(good)] });
    expectJoined(rig);
    expect(rig.context.counts.piecesRetried, 'each is asked once').toBe(2);
  });

  it('keep some chunk waiting: it costs seconds (SY-8)', () => {
    const tired: SnapshotModel = { ...good, gives: () => 'silent' };
    for (const seed of [1, 2, 3, 4]) {
      const rig = joined({ peers: [offering(tired), offering(good), offering(tired)], seed });
      expectJoined(rig);
      expect(rig.now).toBeLessThan(15_000);
      expect(rig.context.counts).toMatchObject({ snapshotsRefused: 0 });
    }
  });

  it('are not blamed, nor dropped, where this node had no place for a question (SY-6)', () => {
    const refused = new Map<number, number>();
    const busy: SnapshotModel = {
      ...good,
      gives: (chunk) => {
        const times = (refused.get(chunk) ?? 0) + 1;
        refused.set(chunk, times);
        return times <= 4 ? 'unasked' : good.gives(chunk);
      },
    };
    const rig = joined({ peers: [offering(busy)] });
    expectJoined(rig);
    expect(rig.context.counts.snapshotsRefused).toBe(0);
    expect(rig.judged.every(({ verdict }) => verdict === 'good')).toBe(true);
  });

  it('are silent: after ten minutes the next one is tried', () => {
    const silent: SnapshotModel = { ...false1, gives: () => 'silent' };
    const rig = joined({ peers: [offering(silent), offering(silent), offering(good)] });
    expectJoined(rig);
  });

  /** Peers of which one offers another snapshot at each try. */
  function trying(made: (round: number) => SnapshotModel, peersOf: (each: PeerModel) => PeerModel[]): Rig {
    const known = new Map<number, SnapshotModel>();
    let round = 0;
    const each: PeerModel = {
      ...offering(good),
      get snapshot() {
        const snapshot = known.get(round) ?? made(round);
        known.set(round, snapshot);
        return snapshot;
      },
    };
    const rig = rigOf({
      peers: peersOf(each),
      restoring: (request, taken) => {
        if (request.type === 'restore.abandonRequested') round += 1;
        return restoring(request, taken);
      },
    });
    rig.join();
    return rig.run(20_000);
  }

  it.each([
    ['that it keeps no more', AT + 20, (of: SnapshotModel) => ({ ...of, gives: () => undefined })],
    ['of a false state', AT + 20, (of: SnapshotModel) => of],
    ['far above the tip', 1_000_000, (of: SnapshotModel) => of],
  ] as const)('a new one each time %s, and no two who offer the same: the next is another’s', (_, at, as) => {
    const older = snapshotOf(stateAfter(AT - 20));
    const rig = trying(
      (round) => as(snapshotOf(stateAfter(at, ` ${round}`), 2)),
      (liar) => [liar, offering(good), offering(older)],
    );
    expectJoined(rig);
    expect(rig.context.counts.snapshotsRefused).toBe(at > LENGTH ? 0 : 1);
  });

  it('a new false manifest each time: it ends after so many, and nothing is left', () => {
    const rig = trying(
      (round) => snapshotOf(stateAfter(AT, ` ${round}`), 2),
      (each) => [each, each],
    );
    expect(rig.outcome).toEqual(
      failedWith(
        'NoConsensusReached',
        new RegExp(
          `^${SNAPSHOTS_TRIED_MAX} snapshots were tried in vain; the last one: it is the state after`,
        ),
      ),
    );
    expect([rig.state, rig.sideAsked.at(-1), rig.disk.sealed()]).toEqual([
      'idle',
      'side.discardRequested',
      undefined,
    ]);
  });

  it('whatever the order of answers: with one honest holder the node joins', () => {
    const ways: readonly SnapshotModel[] = [
      false1,
      { ...good, gives: () => utf8('something else') },
      { ...good, gives: () => undefined },
      { ...good, gives: (chunk) => (chunk % 2 === 0 ? good.gives(chunk) : undefined) },
      { ...false1, gives: () => 'silent' },
    ];
    fc.assert(
      fc.property(fc.nat(1e6), fc.array(fc.constantFrom(...ways), { maxLength: 3 }), (seed, others) => {
        const rig = rigOf({
          seed,
          peers: [offering(good, honest(chain, { cuts: true })), ...others.map((one) => offering(one))],
        });
        rig.join();
        rig.run(20_000);
        expectJoined(rig);
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});

describe('the application or the disk fails', () => {
  const refusing =
    (type: RestoreRequest['type']) => (request: RestoreRequest, taken: readonly Uint8Array[]) =>
      request.type === type
        ? ({ type: 'restore.failed', tag: request.tag, detail: 'format 1 is not read' } as const)
        : restoring(request, taken);

  it.each(['restore.chunkRequested', 'restore.endRequested'] as const)(
    'at %s: nobody is blamed, it is said',
    (type) => {
      const rig = joined({ restoring: refusing(type) });
      expect(rig.outcome).toEqual(
        failedWith(
          'BlockNotFound',
          /no peer offers .* beside 1 that were refused; the last one: the application does not take it: format 1 is not read$/,
        ),
      );
      expect(rig.judged.every(({ verdict }) => verdict === 'good')).toBe(true);
      expect([rig.state, rig.sideAsked.at(-1), rig.timers]).toEqual(['idle', 'side.discardRequested', []]);
      expect(rig.restorerAsked.at(-1), 'its folder is free before it is deleted').toBe(
        'restore.abandonRequested',
      );
    },
  );

  it('the side store cannot be opened: the restorer is left before the discard', () => {
    const rig = joined({ faults: { onSync: () => 'FULL' } });
    expect(rig.outcome).toEqual(failedWith('CriticalSyncRequired', /side store failed \(FULL\)/));
    expect([rig.state, rig.sideAsked.at(-1)]).toEqual(['idle', 'side.discardRequested']);
  });

  it('there is no room for what a liar says it needs: nobody is blamed, the next one is tried', () => {
    const [hash] = good.manifest.chunks;
    const huge: SnapshotModel = {
      manifest: {
        ...good.manifest,
        height: height(AT + 50),
        bytes: 4_096 * 1_048_576,
        chunks: Array.from({ length: 4_096 }, () => present(hash, 'hash')),
      },
      gives: () => undefined,
    };
    const older = snapshotOf(stateAfter(AT - 20));
    const rig = rigOf({ peers: [offering(huge), offering(good), offering(older)] });
    rig.join();
    stepTo(rig, 'preparing');
    expect(rig.context.joining?.candidate?.manifest.bytes).toBe(huge.manifest.bytes);
    const { awaited: tag } = rig.context;
    rig.send({ type: 'side.failed', tag, code: 'FULL', detail: '1 MiB is free, and 8256 MiB are needed' });
    rig.run(20_000);
    expectJoined(rig);
    expect(rig.context.counts.snapshotsRefused).toBe(1);
    expect(rig.judged.every(({ verdict }) => verdict === 'good')).toBe(true);
  });

  it('there is no room for any: it says so', () => {
    const rig = rigOf();
    rig.join();
    stepTo(rig, 'preparing');
    const { awaited: tag } = rig.context;
    rig.send({ type: 'side.failed', tag, code: 'FULL', detail: 'the disk is full' });
    expect(rig.run().outcome).toEqual(
      failedWith(
        'BlockNotFound',
        /beside 1 that were refused; the last one: there is no room for it: the disk/,
      ),
    );
  });

  it('at the note of the restored state', () => {
    const rig = rigOf({ silent: ['side.restoredRequested'] });
    rig.join();
    stepTo(rig, 'certifying');
    rig.fire();
    expect(rig.progress.at(-1)?.at, 'it goes on telling').toBe(LENGTH);
    rig.send({ type: 'side.failed', tag: rig.context.awaited, code: 'IO', detail: 'gone' });
    expect(rig.run().outcome).toEqual(failedWith('CriticalSyncRequired', /\(IO\): gone/));
  });

  it.each([
    ['snapshots.requested', 'choosingSnapshot', 35_000, /no answer from state-sync/],
    ['side.restoredRequested', 'certifying', 300_000, /no answer from the side store/],
  ] as const)('%s that is not answered ends it', (type, state, silence, detail) => {
    const rig = rigOf({ silent: [type] });
    rig.join();
    while (rig.step());
    expect(rig.state).toBe(state);
    rig.elapse(silence);
    rig.run();
    expect(rig.outcome).toEqual(failedWith('Timeout', detail));
  });

  it('a restorer that is silent at the end, and when it is left', () => {
    const rig = rigOf({ silent: ['restore.beginRequested', 'restore.abandonRequested'] });
    rig.join();
    while (rig.step());
    expect([rig.state, rig.timers]).toEqual(['restoring', ['watch']]);
    rig.fire();
    expect(rig.state).toBe('leaving');
    rig.elapse(300_000);
    expect(rig.state).toBe('failing');
    rig.elapse(300_000);
    expect(rig.run().outcome).toEqual(failedWith('Timeout', /no answer from the snapshot-restorer/));
  });
});

it('passes over answers to nothing, in every state, and counts them', () => {
  const events = [
    { type: 'snapshots.answered', tag: 7_777, snapshots: [] },
    { type: 'snapshotChunk.answered', tag: 7_777, bytes: utf8('late') },
    { type: 'fetch.failed', tag: 7_777, error: { code: 'Timeout', detail: '' }, tried: [] },
    { type: 'restore.begun', tag: 7_777 },
    { type: 'restore.took', tag: 7_777 },
    { type: 'restore.ended', tag: 7_777, executed: stateAfter(1) },
    { type: 'restore.abandoned', tag: 7_777 },
    { type: 'restore.failed', tag: 7_777, detail: '' },
    { type: 'side.planted', tag: 7_777 },
    { type: 'side.restored', tag: 7_777 },
    { type: 'side.opened', tag: 7_777 },
    { type: 'side.failed', tag: 7_777, code: 'IO', detail: '' },
  ] as const;
  const states = new Set<string>();
  const liar = offering(snapshotOf(stateAfter(AT, ' of a liar')));
  for (const options of [{ peers: [liar, liar, offering(good)] }, { peers: [liar] }]) {
    const rig = rigOf(options);
    const disturb = (): void => {
      states.add(rig.state);
      const before = rig.context.counts.late;
      for (const event of events) rig.send(event);
      expect(rig.context.counts.late).toBe(before + events.length);
    };
    disturb();
    rig.join();
    do disturb();
    while (rig.step());
  }
  for (const state of ['choosingSnapshot', 'restoring', 'certifying', 'leaving', 'failing', 'ready', 'idle'])
    expect(states).toContain(state);
});

afterAll(() => {
  expect(reach.missing().filter((name) => isOfJoin(name) && !isOfEpochs(name))).toEqual([]);
});
