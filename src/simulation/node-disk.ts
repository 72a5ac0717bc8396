/** The disk of a simulated node, whose chain may be replaced between two processes, as folders change their places. Deterministic. Rules SM-1, SY-9. */
import type { MemoryDisk } from '../storage/memory-store.ts';

export interface NodeDisk extends MemoryDisk {
  /** The safety record of the old chain is carried over. Both are closed. */
  replace(next: MemoryDisk): void;
}

export function nodeDisk(first: MemoryDisk): NodeDisk {
  let disk = first;
  return {
    open: () => disk.open(),
    crash: () => disk.crash(),
    durable: () => disk.durable(),
    staged: () => disk.staged(),
    block: (id) => disk.block(id),
    batch: (digest) => disk.batch(digest),
    replace(next) {
      const { record, recordVersion } = disk.durable();
      const store = next.open();
      for (let expectedVersion = 0; expectedVersion < recordVersion; expectedVersion += 1) {
        store.stage([{ kind: 'record', record, expectedVersion }]);
        store.sync();
      }
      store.close();
      disk = next;
    },
  };
}
