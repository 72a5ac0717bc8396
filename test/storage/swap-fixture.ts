/** Homes with a chain that was signed for, and a sealed side store beside it. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Millis, millis, type WallTime, wallTime } from '../../src/base/units.ts';
import type { SwapOptions, SwapPaths } from '../../src/storage/chain-swap.ts';
import { type OpenProblem, openStore } from '../../src/storage/open.ts';
import { sideFolder } from '../../src/storage/side-disk.ts';
import type { Store } from '../../src/storage/store.ts';
import {
  address,
  batch,
  chain,
  child,
  committed,
  execution,
  IDENTITY,
  type MadeBlock,
  record,
  reputation,
  votedFor,
  write,
} from './fixtures.ts';

/** The running chain, which parts from the new one after the third block. */
export const OLD_CHAIN: readonly MadeBlock[] = chain(5);
export const NEW_CHAIN: readonly MadeBlock[] = grown(OLD_CHAIN.slice(0, 3), 7);
export const RECORD_VERSION = 5;
export const NOW: WallTime = wallTime(1_700_000_000_000);
export const RETENTION: Millis = millis(24 * 3_600_000);

function grown(base: readonly MadeBlock[], length: number): readonly MadeBlock[] {
  const blocks = [...base];
  while (blocks.length < length) blocks.push(child(blocks.at(-1), { salt: `new ${blocks.length}` }));
  return blocks;
}

export function swapPaths(home: string): SwapPaths {
  const [data, resyncData, keys] = ['data', 'data-resync', 'keys'].map((name) => join(home, name));
  if (data === undefined || resyncData === undefined || keys === undefined) throw new Error('three paths');
  return { home, data, resyncData, keys };
}

export const swapOptions = (now: WallTime = NOW): SwapOptions => ({
  chain: IDENTITY,
  now,
  backupRetention: RETENTION,
});

/** As a node opens it. */
export const nodeStore = ({ data, keys }: SwapPaths): Store | OpenProblem =>
  openStore(data, IDENTITY, { validator: address(1), witnessDir: keys, segmentBytes: 65_536 });

export function openedNode(paths: SwapPaths): Store {
  const store = nodeStore(paths);
  if ('status' in store) throw new Error(`${store.code}: ${store.detail}`);
  return store;
}

/** Signs once more on whatever chain is there. */
export function sign(store: Store, made: MadeBlock, version: number): void {
  write(store, record(votedFor(made), version, made.block));
}

export function newHome(parent = mkdtempSync(join(tmpdir(), 'althing-swap-'))): SwapPaths {
  const paths = swapPaths(join(parent, 'home'));
  mkdirSync(paths.keys, { recursive: true });
  mkdirSync(join(paths.data, 'application'), { recursive: true });
  const store = openedNode(paths);
  write(store, { kind: 'commit', blocks: OLD_CHAIN.map(committed) });
  for (const made of OLD_CHAIN) write(store, execution(made, [`old ${made.block.header.height}`]));
  write(store, { kind: 'reputations', reputations: [reputation(2), reputation(3)] });
  OLD_CHAIN.forEach((made, version) => {
    sign(store, made, version);
  });
  store.close();
  return paths;
}

/** Whole and sealed, as the actor of the side store leaves it. */
export function sealSide(
  { resyncData, data }: SwapPaths,
  identity = IDENTITY,
  disk = sideFolder({ identity, dir: resyncData, data, segmentBytes: 65_536 }),
): void {
  const store = disk.create();
  if ('status' in store) throw new Error(store.detail);
  const bytes = batch('new', 10_000);
  write(store, { kind: 'batches', batches: [bytes] }, { kind: 'commit', blocks: NEW_CHAIN.map(committed) });
  store.close();
  const tip = NEW_CHAIN.at(-1);
  if (tip === undefined) throw new Error('a tip');
  disk.seal(tip.block.header.height, tip.id);
}
