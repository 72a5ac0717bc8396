/**
 * Where a side store lies: a folder beside the home's `data`, or memory. Boundary: disk.
 * Rule SY-9, docs/protocol/sync.md; ST-10, docs/storage.md.
 */
import { existsSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deviceFailure } from './device-errors.ts';
import { type MemoryDisk, type MemoryFaults, memoryDisk } from './memory-store.ts';
import { type OpenProblem, openStore } from './open.ts';
import { type Seal, writeSeal } from './resync-seal.ts';
import { SEGMENT_BYTES_DEFAULT, syncDirectory } from './segments.ts';
import type { DeviceFailure, Store, StoreIdentity } from './store.ts';
import { isMounted, MOUNTED_WORDS } from './swap-folders.ts';

/** One store at a time; `detail` of a failure says what to do. */
export interface SideDisk {
  readonly identity: StoreIdentity;
  /** An empty store; what an earlier attempt left is deleted first. @param snapshotBytes of a snapshot that is restored beside it */
  create(snapshotBytes?: number): Store | DeviceFailure;
  /** What was written, opened anew: the one before must be closed. */
  reopen(): Store | DeviceFailure;
  /** Marks the closed store as whole; durable when this returns. */
  seal(height: Seal['height'], id: Seal['id']): DeviceFailure | undefined;
  /** Deletes the closed store. */
  discard(): DeviceFailure | undefined;
}

export interface SideFolderOptions {
  readonly identity: StoreIdentity;
  /** The side store's own; it is made and deleted. */
  readonly dir: string;
  /** The running store: the new chain is expected to take as much room. */
  readonly data: string;
  /** @unit bytes @source config storage.segment_bytes */
  readonly segmentBytes?: number;
  /** Free room for this user at a path; undefined where it cannot be told. Default: statfs. @unit bytes */
  readonly freeBytes?: (path: string) => number | undefined;
  /** As of OpenOptions, for a shared disk. @unit pages of 4 KiB */
  readonly databasePagesMax?: number;
}

/** Room that must be left beside the new chain, for the running one. @unit bytes @source chosen: minutes of a busy chain */
export const FREE_BYTES_LEFT = 64 * 1_048_576;
/** What an application takes of a disk for each byte of its snapshot. @unit ratio @source chosen: its state, and the log of its writing */
const SNAPSHOT_ROOM = 2;

export function sideFolder(options: SideFolderOptions): SideDisk {
  const { identity, dir, data, segmentBytes = SEGMENT_BYTES_DEFAULT, freeBytes = freeAt } = options;
  const parent = dirname(dir);
  const tried = <Value>(run: () => Value): Value | DeviceFailure => {
    try {
      return run();
    } catch (error) {
      const failure = deviceFailure(error, dir);
      if (failure === undefined) throw error;
      return failure;
    }
  };
  const open = (): Store | DeviceFailure => {
    const { databasePagesMax } = options;
    const bound = databasePagesMax === undefined ? {} : { databasePagesMax };
    const store = openStore(dir, identity, { segmentBytes, ...bound });
    if (!('status' in store)) syncDirectory(parent);
    return 'status' in store ? failed(store) : store;
  };
  const remove = (): undefined => {
    rmSync(dir, { recursive: true, force: true });
    syncDirectory(parent);
  };
  return {
    identity,
    create: (snapshotBytes = 0) =>
      tried(() => {
        remove();
        const needed = bytesUnder(data) + SNAPSHOT_ROOM * snapshotBytes + FREE_BYTES_LEFT;
        return mountProblem(data) ?? roomProblem(parent, needed, freeBytes) ?? open();
      }),
    reopen: () => tried(open),
    seal: (height, id) =>
      tried(() => {
        const { genesisHash, chainId } = identity;
        writeSeal(dir, { genesisHash, chainId, height, id });
        syncDirectory(parent);
        return undefined;
      }),
    discard: () => tried(remove),
  };
}

/** A disk in memory beside a node's own. For the deterministic cluster. */
export interface MemorySideDisk extends SideDisk {
  /** The chain that takes the old one's place at a restart; undefined while none is whole. */
  sealed():
    | { readonly disk: MemoryDisk; readonly height: Seal['height']; readonly id: Seal['id'] }
    | undefined;
  /** The power fails: what is not sealed is gone. */
  crash(): void;
}

export function memorySide(identity: StoreIdentity, faults: MemoryFaults = {}): MemorySideDisk {
  let disk: MemoryDisk | undefined;
  let seal: Pick<Seal, 'height' | 'id'> | undefined;
  const drop = (): undefined => {
    disk?.crash();
    [disk, seal] = [undefined, undefined];
  };
  return {
    identity,
    create() {
      drop();
      disk = memoryDisk(identity, faults);
      return disk.open();
    },
    reopen: () => disk?.open() ?? { status: 'failed', code: 'IO', detail: 'there is no side store' },
    seal(height, id) {
      seal = { height, id };
      return undefined;
    },
    discard: drop,
    sealed: () => (disk === undefined || seal === undefined ? undefined : { disk, ...seal }),
    crash() {
      disk?.crash();
      if (seal === undefined) disk = undefined;
    },
  };
}

const failed = ({ code, path, detail }: OpenProblem): DeviceFailure => ({
  status: 'failed',
  code: code === 'FULL' ? 'FULL' : code === 'IO' ? 'IO' : 'CORRUPT',
  detail: `${path}: ${detail}`,
});

/** Found before the download, and not at the start after it. */
const mountProblem = (data: string): DeviceFailure | undefined =>
  isMounted(data) ? { status: 'failed', code: 'IO', detail: `${data}: ${MOUNTED_WORDS}` } : undefined;

function roomProblem(
  parent: string,
  needed: number,
  freeBytes: (path: string) => number | undefined,
): DeviceFailure | undefined {
  const free = freeBytes(parent);
  if (free === undefined) return undefined;
  if (free >= needed) return undefined;
  const [has, needs] = [free, needed].map((bytes) => Math.ceil(bytes / 1_048_576));
  return {
    status: 'failed',
    code: 'FULL',
    detail: `${parent}: ${has} MiB are free, and a second chain beside the running one needs about ${needs} MiB: make room, then ask again`,
  };
}

/** Folders of `data` that a side store does not have. */
const NOT_THE_CHAIN: ReadonlySet<string> = new Set(['application', 'snapshots']);

/** What the files of a folder take on the disk, segments that are allocated ahead not counted. @unit bytes */
function bytesUnder(dir: string): number {
  if (!existsSync(dir)) return 0;
  return readdirSync(dir, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return NOT_THE_CHAIN.has(entry.name) ? sum : sum + bytesUnder(path);
    const { blocks, size } = statSync(path);
    return sum + Math.min(size, blocks * STAT_BLOCK_BYTES);
  }, 0);
}

/** @unit bytes @source stat(2): st_blocks */
const STAT_BLOCK_BYTES = 512;

function freeAt(path: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
