/** A new home that joins by a snapshot, as processes: with kill -9 on the way, and where nobody gives one. Rule SY-10, docs/protocol/sync.md. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { homePaths } from '../../src/node/config/home.ts';
import { eventually } from './support/local-network.ts';
import { HOLDERS, JOINER, SyncNetwork } from './support/sync-network.ts';

/** More than the window of deduplication: the chain that joins begins above genesis. */
const BLOCKS = 1_500;
const JOINS = { ALTHING_SYNC__JOIN: 'snapshot', ALTHING_SYNC__SNAPSHOT_INTERVAL_HEIGHTS: '8' };

let network: SyncNetwork;

beforeAll(async () => {
  network = await SyncNetwork.create({ blocks: BLOCKS, starts: [] });
}, 120_000);
afterAll(() => network?.remove());
afterEach(() => network.end());

const paths = () => homePaths(network.homeOf(JOINER));
const earliest = async (): Promise<number | undefined> => {
  const answer = await network.validators.network.call(JOINER, 'status');
  const height = answer?.sync_info?.earliest_block_height;
  return height === undefined ? undefined : Number(height);
};
const keepsSnapshot = (index: number): boolean =>
  network.validators.wordsOf(index).includes('snapshot of the application is kept');
/** Every holder keeps a snapshot. */
async function snapshotsAreThere(): Promise<void> {
  try {
    await eventually('snapshots are kept', 60_000, () => HOLDERS.every(keepsSnapshot) || undefined);
  } catch (failure) {
    const others = HOLDERS.filter((index) => !keepsSnapshot(index));
    const words = others.map((index) => `${index}: ${network.validators.wordsOf(index).slice(-2_000)}`);
    throw new Error(words.join('\n'), { cause: failure });
  }
}

/** What is there at the moment of the kill. */
const MOMENTS = ['joining', 'restoring', 'sealed'] as const;
const thereAt = (moment: (typeof MOMENTS)[number]): boolean => {
  const { resyncData, resyncApplicationData } = paths();
  const file = {
    joining: resyncData,
    restoring: resyncApplicationData,
    sealed: join(resyncData, 'sealed.json'),
  };
  return existsSync(file[moment]);
};

it('joins by a snapshot after kill -9 at three moments, begins above genesis, executes as the others do (SY-10, SY-12)', {
  timeout: 240_000,
}, async () => {
  network.begin(0);
  network.env = JOINS;
  network.start(...HOLDERS);
  await snapshotsAreThere();
  for (const moment of MOMENTS) {
    network.start(JOINER);
    await eventually(`it is ${moment}`, 60_000, () => thereAt(moment) || undefined);
    await network.stop(JOINER);
    expect(existsSync(paths().resyncData)).toBe(true);
  }

  network.start(JOINER);
  const base = await eventually('it runs on the new chain', 120_000, async () => {
    const lowest = await earliest();
    return lowest !== undefined && lowest > 1 ? lowest : undefined;
  });
  expect(base).toBeGreaterThan(BLOCKS - 1_000);
  const { height } = await network.seen('in sync', JOINER, ({ status }) => status.kind === 'InSync');
  expect(await network.appHashes([0, JOINER], Number(height) + 3)).toHaveLength(1);
  expect(network.folders()).not.toContain('data-resync');
});

it('falls back to blocks where nobody keeps a snapshot, and says so (SY-10)', {
  timeout: 180_000,
}, async () => {
  network.begin(0);
  network.env = { ...JOINS, ALTHING_SYNC__SNAPSHOT_INTERVAL_HEIGHTS: '0' };
  network.start(...HOLDERS, JOINER);
  const { height } = await network.seen('in sync', JOINER, ({ status }) => status.kind === 'InSync', 120_000);
  expect(await network.appHashes([0, JOINER], Number(height) + 3)).toHaveLength(1);
  expect(await earliest()).toBe(1);
  expect(network.validators.wordsOf(JOINER)).toMatch(
    /the join by a snapshot failed, the blocks are fetched instead/,
  );
});
