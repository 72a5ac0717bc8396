/** New nodes that join by a snapshot in whole networks: liars with snapshots, crashes in each phase. The checkers judge along. SY-10, SY-12. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/actors/runtime/index.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { millis } from '../../src/base/units.ts';
import { blockSyncOf, networkSyncOf } from '../../src/node/views.ts';
import { digestOf } from '../../src/protocol/chain/canonical.ts';
import { heightPlus } from '../../src/protocol/chain/ordinals.ts';
import type { SnapshotChunkMessage, SnapshotMessage } from '../../src/protocol/sync/messages.ts';
import { play } from '../../src/simulation/acts.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import type { ClusterOptions } from '../../src/simulation/cluster-options.ts';
import { isJoined, isLevel, lowest, phaseOf, QUICK_SYNC, SECOND, syncOf, until } from './support/joining.ts';

const LIAR = 1;
const NEW = 3;
/** Blocks before the newcomer starts, and of them those that tell duplicates (EX-2): its chain begins above genesis. */
const BLOCKS = 150;
const WINDOW = 40;

const network = (options: Partial<ClusterOptions> = {}): Cluster =>
  new Cluster({
    seed: 'join',
    timeouts: { emptyBlockIntervalMs: millis(25) },
    batchTtlHeights: WINDOW,
    leaders: [0, 1, 2],
    absent: [NEW],
    joining: [NEW],
    snapshotIntervalHeights: 20,
    sync: QUICK_SYNC,
    ...options,
  });

/** Whether the cells of this life began as those of a home that may join. */
function mayJoin(run: Cluster): readonly unknown[] {
  const system = run.node(NEW).process?.system;
  return system === undefined ? [] : [networkSyncOf(system)?.context.joins, blockSyncOf(system)?.joins];
}
async function grown(run: Cluster): Promise<void> {
  run.submit(0, 'key=value');
  run.advance(500);
  run.submit(2, 'other=value');
  expect(await until(run, () => run.height(0) >= BLOCKS, 200, 100)).toBe(true);
}

/** A liar's answers about snapshots; it is honest otherwise. */
type Lie = (
  message: SnapshotMessage | SnapshotChunkMessage,
) => SnapshotMessage | SnapshotChunkMessage | undefined;

const INVENTED = utf8('a snapshot of nothing');
const chunksOf: Lie = (message) =>
  message.kind === 'SnapshotChunk' ? { ...message, bytes: INVENTED } : message;
/** In chunks that hash to what it says. */
const invented =
  (by: number): Lie =>
  (message) => {
    if (message.kind === 'SnapshotChunk' || message.manifest === undefined) return chunksOf(message);
    const { manifest } = message;
    const height = heightPlus(manifest.height, by);
    return {
      ...message,
      manifest: { ...manifest, height, bytes: INVENTED.byteLength, chunks: [digestOf(INVENTED)] },
    };
  };
const LIES: readonly (readonly [string, Lie])[] = [
  ['chunks that are others', chunksOf],
  ['a snapshot of nothing, at a true height', invented(0)],
  ['a snapshot of nothing, above all others', invented(15)],
  ['a snapshot far above the tip', invented(1_000_000)],
  ['a manifest, and no chunk', (message) => (message.kind === 'Snapshot' ? message : undefined)],
  [
    'a manifest, and that it keeps its chunks no more',
    (message) =>
      message.kind === 'Snapshot' ? message : { kind: message.kind, requestId: message.requestId },
  ],
  [
    'a manifest that says another length',
    (message) =>
      message.kind === 'Snapshot' && message.manifest !== undefined
        ? { ...message, manifest: { ...message.manifest, bytes: message.manifest.bytes + 1 } }
        : message,
  ],
];

function lying(lie: Lie) {
  let told = 0;
  const options: Partial<ClusterOptions> = {
    liars: [LIAR],
    voiceOf: () => ({
      heard: () => {},
      outgoing: (sent) => {
        const { message } = sent;
        if (message.kind !== 'Snapshot' && message.kind !== 'SnapshotChunk') return [sent];
        told += 1;
        const said = lie(message);
        return said === undefined ? [] : [{ ...sent, message: said }];
      },
    }),
  };
  return { options, told: () => told };
}

describe('a new node joins by a snapshot (SY-10)', () => {
  it('begins above genesis, executes and signs as the others, and no checker finds anything', async () => {
    const run = network();
    await grown(run);
    run.start(NEW);
    expect(await until(run, () => isJoined(run, NEW), 1_000)).toBe(true);
    run.submit(NEW, 'of the newcomer=1');
    expect(await until(run, () => run.node(NEW).admitted.length > 0, 40)).toBe(true);
    expect(await until(run, () => run.lostTransactions().length === 0, 40)).toBe(true);
    run.finish();
    expect(run.checker.violations).toEqual([]);
  }, 60_000);

  it.each(LIES)(
    'one of three tells of %s: it joins all the same, no honest node is blamed',
    async (_, lie) => {
      const { options, told } = lying(lie);
      const run = network(options);
      await grown(run);
      run.start(NEW);
      expect(await until(run, () => isJoined(run, NEW), 2_000)).toBe(true);
      expect(told()).toBeGreaterThan(0);
      run.finish();
      expect(run.checker.violations).toEqual([]);
    },
    60_000,
  );

  it('one does not describe its chain: a newer snapshot than the chain that was waited for ends nothing', async () => {
    const run = network({
      liars: [LIAR],
      voiceOf: () => ({
        heard: () => {},
        outgoing: (sent) => (sent.message.kind === 'Chain' ? [] : [sent]),
      }),
    });
    await grown(run);
    run.start(NEW);
    expect(await until(run, () => isJoined(run, NEW), 1_000)).toBe(true);
    expect(syncOf(run, NEW)?.joining).toBe('none');
    run.finish();
    expect(run.checker.violations).toEqual([]);
  }, 60_000);

  it('nobody keeps one: it fetches the blocks, from the first', async () => {
    const run = network({ snapshotIntervalHeights: 0 });
    await grown(run);
    run.start(NEW);
    expect(await until(run, () => isLevel(run, NEW), 2_000)).toBe(true);
    expect([syncOf(run, NEW)?.joining, lowest(run, NEW)]).toEqual(['failed', 1]);
    run.finish();
    expect(run.checker.violations).toEqual([]);
  }, 60_000);

  it.each(['choosingSnapshot', 'restoring', 'downloading'])(
    'is killed while chain-sync is %s, three times, and joins in the end (SY-12)',
    async (phase) => {
      const run = network({ seed: `killed ${phase}` });
      await grown(run);
      for (let kills = 0; kills < 3; kills += 1) {
        run.start(NEW);
        expect(await until(run, () => phaseOf(run, NEW) === phase, 5_000, 1)).toBe(true);
        run.crash(NEW);
        run.advance(100);
      }
      run.start(NEW);
      expect(await until(run, () => isJoined(run, NEW), 600)).toBe(true);
      run.finish();
      expect(run.checker.violations).toEqual([]);
    },
    60_000,
  );

  it.each([1, 2, 3])(
    'is killed at drawn moments, and joins in the end (SY-12, seed %i)',
    async (seed) => {
      const draws = seededRandom(`kills ${seed}`).stream('kills');
      const run = network({ seed: `killed ${seed}` });
      await grown(run);
      run.start(NEW);
      for (let kills = 0; kills < 5; kills += 1) {
        await until(run, () => false, 1 + draws.below(24));
        run.advance(draws.below(50));
        run.crash(NEW);
        run.advance(draws.below(200));
        run.start(NEW);
      }
      expect(await until(run, () => isJoined(run, NEW), 600)).toBe(true);
      run.finish();
      expect(run.checker.violations).toEqual([]);
    },
    60_000,
  );

  it('fetched blocks in this life: a cell that crashes begins no join, however far it is behind (SY-9)', async () => {
    const run = network({ absent: [] });
    expect(await until(run, () => run.height(NEW) > 50, 200)).toBe(true);
    run.partition([0, 1, 2], [NEW]);
    await until(run, () => false, 60);
    expect(mayJoin(run)).toEqual([true, true]);
    play(run, { kind: 'kill-cell', node: NEW, cell: 'chain-server' }, 0);
    await until(run, () => false, 4);
    expect(mayJoin(run)).toEqual([false, false]);
    expect(run.height(0) - run.height(NEW)).toBeGreaterThan(40);
    run.heal();
    expect(await until(run, () => isLevel(run, NEW), 400)).toBe(true);
    expect([lowest(run, NEW), syncOf(run, NEW)?.counts.joins, run.node(NEW).process?.life]).toEqual([
      1, 0, 1,
    ]);
    run.finish();
    expect(run.checker.violations).toEqual([]);
  }, 60_000);

  it('has blocks of its own already: its configuration begins no join', async () => {
    const run = network({ absent: [] });
    await grown(run);
    run.crash(NEW);
    run.advance(5 * SECOND);
    run.start(NEW);
    expect(await until(run, () => isLevel(run, NEW), 400)).toBe(true);
    expect([lowest(run, NEW), syncOf(run, NEW)?.counts.joins]).toEqual([1, 0]);
    expect(run.checker.violations).toEqual([]);
  }, 60_000);
});
