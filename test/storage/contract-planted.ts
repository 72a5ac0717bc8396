/** What every store does with a chain that begins above genesis: after a snapshot. Run with the rest of the contract. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store, StoreWrite } from '../../src/storage/store.ts';
import {
  batch,
  chain,
  codes,
  committed,
  digest,
  execution,
  found,
  GENESIS_ID,
  height,
  type MadeBlock,
  type TestDisk,
  write,
} from './fixtures.ts';

function raise(): never {
  throw new Error('a block');
}

export function describePlantedStore(name: string, makeDisk: () => TestDisk): void {
  let disk: TestDisk;
  let store: Store;
  beforeEach(() => {
    disk = makeDisk();
    store = disk.open();
  });
  afterEach(() => disk.remove());
  const crash = (): void => {
    disk.crash();
    store = disk.open();
  };
  const judged = (...writes: readonly StoreWrite[]): readonly string[] => codes(write(store, ...writes));
  const commit = (...blocks: readonly MadeBlock[]): StoreWrite => ({
    kind: 'commit',
    blocks: blocks.map(committed),
  });

  describe(`${name}: a chain that begins above genesis (ST-11)`, () => {
    const made = chain(12);
    const root = made[4] ?? raise();
    const plant: StoreWrite = { kind: 'plant', height: height(5), id: root.id };
    const restoredAt = (at: number, name = 'state'): StoreWrite => ({
      kind: 'restored',
      blockId: made[at - 1]?.id ?? raise(),
      executed: { height: height(at), appHash: digest(name) },
    });

    it('stands on a block that it does not hold, and goes on from there over a crash', () => {
      expect(judged(plant, commit(...made.slice(5, 9)))).toEqual(['staged', 'staged']);
      crash();
      expect(found(store.tip())).toMatchObject({ base: 6, height: 9, id: made[8]?.id });
      expect(found(store.latest())).toMatchObject({ earliest: 6, committed: 9, executed: 0 });
      expect(judged(commit(...made.slice(9)))).toEqual(['staged']);
      expect(found(store.blocksFrom(height(6), 20, 1e9)).blocks).toHaveLength(7);
    });

    it('gives nothing from below its base, rather than blocks that were not asked for', () => {
      judged(plant, commit(...made.slice(5)));
      for (const from of [1, 5]) expect(found(store.blocksFrom(height(from), 20, 1e9)).blocks).toEqual([]);
      expect(found(store.blockAt(height(5)))).toBeUndefined();
      expect(found(store.committedBlock(root.id))).toBeUndefined();
      expect(found(store.blockIds([height(5), height(6)]))).toEqual([{ height: 6, id: made[5]?.id }]);
      expect(judged(commit(...made.slice(0, 6)))).toEqual(['staged']);
      expect(found(store.tip()).base).toBe(6);
    });

    it('is planted in an empty store only, and takes no block that does not stand on its root', () => {
      const rival = chain(6, () => [batch('rival')]);
      expect(judged({ ...plant, height: height(0) })).toEqual(['VERSION_CONFLICT']);
      expect(judged(plant, commit(...rival.slice(5)))).toEqual(['staged', 'FORK']);
      expect(judged(commit(...made.slice(6)))).toEqual(['VERSION_CONFLICT']);
      expect(judged(commit(...made.slice(5)), plant)).toEqual(['staged', 'VERSION_CONFLICT']);
    });

    it('is forgotten with a crash before the first block', () => {
      write(store, plant);
      crash();
      expect(found(store.tip())).toMatchObject({ base: 0, height: 0, id: GENESIS_ID });
      expect(judged(commit(...made.slice(0, 2)))).toEqual(['staged']);
    });

    it('is executed up to where a snapshot was, and onwards', () => {
      judged(plant, commit(...made.slice(5)));
      expect(judged(restoredAt(9))).toEqual(['staged']);
      crash();
      expect(found(store.recover()).executed).toEqual({ height: 9, appHash: digest('state') });
      expect(found(store.execution(height(9)))).toMatchObject({ transactions: [], events: [] });
      expect(found(store.execution(height(8)))).toBeUndefined();
      const next = made[9] ?? raise();
      expect(judged(execution(next, ['transaction']))).toEqual(['staged']);
      expect(found(store.latest()).executed).toBe(10);
    });

    it('takes the state of a snapshot once, and of a committed block only', () => {
      judged(plant, commit(...made.slice(5, 9)));
      expect(judged(restoredAt(10))).toEqual(['VERSION_CONFLICT']);
      expect(judged(restoredAt(5))).toEqual(['VERSION_CONFLICT']);
      const wrong = { ...restoredAt(9), executed: { height: height(8), appHash: digest('state') } };
      expect(judged(wrong)).toEqual(['VERSION_CONFLICT']);
      expect(judged(restoredAt(8), restoredAt(9))).toEqual(['staged', 'VERSION_CONFLICT']);
      expect(found(store.recover()).executed.height).toBe(8);
    });
  });
}
