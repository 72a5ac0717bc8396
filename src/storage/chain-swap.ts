/**
 * A sealed side store takes the place of the running chain, at a start; and back again. Boundary: disk.
 * The safety record is carried over before anything moves, and moves are renames: cut off anywhere, the next start goes on
 * or goes back. Rule SY-9, docs/protocol/sync.md; ST-7, ST-9, ST-10, docs/storage.md.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Millis, WallTime } from '../base/units.ts';
import type { ChainDomain, Height } from '../protocol/chain/types.ts';
import { DamagedData } from './checksum.ts';
import { deviceFailure, errnoOf, SQLITE, sqliteCode } from './device-errors.ts';
import { lockFolder } from './folder-lock.ts';
import { type KeptRecord, readKeptRecord } from './kept-record.ts';
import { DATABASE_FILE, explain, type OpenProblem, problem } from './open.ts';
import { lockDatabase, newerRecord, storedRecord } from './record-copies.ts';
import {
  type Backup,
  backupName,
  discardFolder,
  foldersOf,
  isSwapped,
  MOUNTED_WORDS,
  REAL_STEPS,
  type SwapFolders,
  type SwapPaths,
  type SwapSteps,
} from './swap-folders.ts';
import { readWitness } from './witness.ts';

export type { SwapPaths, SwapSteps } from './swap-folders.ts';

export interface SwapOptions {
  /** The chain of the home's genesis. */
  readonly chain: ChainDomain;
  readonly now: WallTime;
  /** Older backups are deleted. */
  readonly backupRetention: Millis;
  readonly steps?: SwapSteps;
}

export type SwapOutcome =
  | {
      readonly status: 'done';
      readonly what: 'nothing' | SwapDone;
      /** Folders that were deleted: backups that are too old, a side store that was not whole. For the log. */
      readonly deleted: readonly string[];
    }
  | OpenProblem;

export type SwapDone =
  /** `backup`: where the old chain is now. */
  | { readonly did: 'swapped'; readonly height: Height; readonly backup: string | undefined }
  /** A swap or a rollback that was cut off has been taken back, or on. */
  | { readonly did: 'recovered'; readonly from: string };

/**
 * Call before the store is opened, at every start. Nothing to do costs one look at the folder. A problem leaves the old
 * chain, and what was signed, as they were.
 */
export function completeSwap(paths: SwapPaths, options: SwapOptions): SwapOutcome {
  if (!isSwapped(paths)) return { status: 'done', what: 'nothing', deleted: [] };
  return alone(
    paths,
    (steps) => {
      const held = requireStopped(paths);
      if (held !== undefined) return held;
      const deleted: string[] = [];
      for (const dir of foldersOf(paths).discarded) steps.remove(dir);
      const what = settle(paths, options, steps, deleted);
      if (typeof what === 'object' && 'status' in what) return what;
      for (const { dir, name, at } of foldersOf(paths).backups) {
        if (options.now - at <= options.backupRetention) continue;
        discardFolder(steps, paths.home, dir);
        deleted.push(name);
      }
      return { status: 'done', what, deleted };
    },
    options.steps,
  );
}

function settle(
  paths: SwapPaths,
  options: SwapOptions,
  steps: SwapSteps,
  deleted: string[],
): 'nothing' | SwapDone | OpenProblem {
  const folders = foldersOf(paths);
  if (!folders.hasData) return recover(paths, options, steps, folders);
  if (folders.seal !== undefined) return swap(paths, options, steps, folders);
  if (folders.hasResync) {
    discardFolder(steps, paths.home, paths.resyncData);
    deleted.push('data-resync');
  }
  return 'nothing';
}

function swap(
  paths: SwapPaths,
  options: SwapOptions,
  steps: SwapSteps,
  folders: SwapFolders,
): SwapDone | OpenProblem {
  const { home, data, resyncData } = paths;
  const carried = carryRecord(paths, options, steps, folders, resyncData);
  if (carried !== undefined) return carried;
  steps.copyReputations(data, resyncData);
  const backup = backupName(home, options.now);
  move(steps, home, data, backup);
  move(steps, home, resyncData, data);
  return { did: 'swapped', height: heightOf(folders), backup };
}

/** There is no `data`: one rename of two was done. A rollback drops a sealed side store before it moves anything. */
function recover(
  paths: SwapPaths,
  options: SwapOptions,
  steps: SwapSteps,
  folders: SwapFolders,
): 'nothing' | SwapDone | OpenProblem {
  const { home, data, resyncData } = paths;
  const [newest] = folders.backups.filter(({ isWhole }) => isWhole);
  const isSwap = folders.seal !== undefined;
  const former = newest?.dir ?? (folders.hasReplaced ? folders.replaced : undefined);
  const from = isSwap ? resyncData : former;
  if (from === undefined) return 'nothing';
  const carried = carryRecord(paths, options, steps, folders, from);
  if (carried !== undefined) return carried;
  move(steps, home, from, data);
  return isSwap
    ? { did: 'swapped', height: heightOf(folders), backup: newest?.dir }
    : { did: 'recovered', from };
}

export interface RollbackOptions {
  readonly chain: ChainDomain;
  readonly steps?: SwapSteps;
}

export type RollbackOutcome =
  | {
      readonly status: 'rolledBack';
      /** `swap`: the backup is the chain again; `resync`: the new chain had not yet taken its place, and is gone. */
      readonly what: 'swap' | 'resync';
      readonly from: string;
    }
  | {
      readonly status: 'problem';
      readonly code: RollbackCode;
      readonly path: string;
      readonly detail: string;
    };

export type RollbackCode = OpenProblem['code'] | 'NO_BACKUP' | 'HALF_BACKUP';

/**
 * The chain before the last swap is the chain again; no node may run. What it replaces is kept until `forgetReplaced`. What
 * was signed since is carried over.
 */
export function rollbackSwap(paths: SwapPaths, options: RollbackOptions): RollbackOutcome {
  const { home, data } = paths;
  const none = (): RollbackOutcome =>
    refused(
      'NO_BACKUP',
      home,
      'there is no backup of a chain that was replaced (they are deleted when they are old)',
    );
  if (!isSwapped(paths)) return none();
  return alone(
    paths,
    (steps) => {
      const held = requireStopped(paths);
      if (held !== undefined) return held;
      const folders = foldersOf(paths);
      if (folders.hasResync && folders.hasData) {
        discardFolder(steps, home, paths.resyncData);
        if (folders.seal !== undefined)
          return { status: 'rolledBack', what: 'resync', from: paths.resyncData };
      }
      const [backup] = folders.backups.filter(({ isWhole }) => isWhole);
      if (backup === undefined) return halfOrNone(folders.backups) ?? none();
      const unusable = checkBackup(backup, options.chain);
      if (unusable !== undefined) return unusable;
      const carried = carryRecord(paths, options, steps, folders, backup.dir);
      if (carried !== undefined) return carried;
      // A swap that was cut off between its two renames: it shall not go on.
      if (folders.hasResync && !folders.hasData) discardFolder(steps, home, paths.resyncData);
      if (folders.hasData) {
        if (folders.hasReplaced) discardFolder(steps, home, folders.replaced);
        move(steps, home, data, folders.replaced);
      }
      move(steps, home, backup.dir, data);
      return { status: 'rolledBack', what: 'swap', from: backup.dir };
    },
    options.steps,
  );
}

/** After a start has succeeded: what a rollback put aside is not needed any more. */
export function forgetReplaced(paths: SwapPaths, steps: SwapSteps = REAL_STEPS): void {
  if (!existsSync(paths.home)) return;
  const { hasReplaced, replaced } = foldersOf(paths);
  if (hasReplaced) discardFolder(steps, paths.home, replaced);
}

const halfOrNone = ([half]: readonly Backup[]): RollbackOutcome | undefined =>
  half === undefined
    ? undefined
    : refused(
        'HALF_BACKUP',
        half.dir,
        `it has no ${DATABASE_FILE}: this is not a whole chain, nothing was changed`,
      );

function checkBackup({ dir }: Backup, chain: ChainDomain): RollbackOutcome | undefined {
  const path = join(dir, DATABASE_FILE);
  const db = lockDatabase(path);
  if ('status' in db) return db;
  try {
    const meta = db.prepare('SELECT value FROM meta WHERE key = ?');
    const [genesis, chainId] = ['genesis_hash', 'chain_id'].map((key) => meta.get(key)?.['value']);
    if (genesis !== chain.genesisHash || chainId !== chain.chainId) {
      return refused(
        'WRONG_CHAIN',
        path,
        `it belongs to chain ${String(chainId)}, genesis ${String(genesis)}`,
      );
    }
    const check = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    return check === 'ok' ? undefined : refused('HALF_BACKUP', path, `${String(check)}; nothing was changed`);
  } catch (error) {
    if (sqliteCode(error) === undefined) throw error;
    const text = error instanceof Error ? error.message : String(error);
    return refused('HALF_BACKUP', path, `${text}; nothing was changed`);
  } finally {
    db.close();
  }
}

/** The newest of all copies becomes durable in `to`, before anything is renamed (ST-7, ST-9). */
function carryRecord(
  { data, keys, resyncData }: SwapPaths,
  { chain }: RollbackOptions,
  steps: SwapSteps,
  folders: SwapFolders,
  to: string,
): OpenProblem | undefined {
  const path = join(to, DATABASE_FILE);
  const { seal } = folders;
  if (to === resyncData && seal !== undefined && !sameChain(seal, chain)) {
    return wrongChain(resyncData, seal);
  }
  const own = folders.hasData ? recordIn(data) : undefined;
  const others = [resyncData, folders.replaced, ...folders.backups.map(({ dir }) => dir)];
  const record = others.map(recordIfReadable).reduce(newerRecord, own);
  if (record !== undefined && !sameChain(record, chain)) return wrongChain(path, record);
  const version = record?.version ?? 0;
  const witnessed = readWitness({ dir: keys, former: data }, chain.genesisHash);
  if (witnessed === 'torn' ? record === undefined : witnessed > version) {
    const told = witnessed === 'torn' ? 'one' : `number ${witnessed}`;
    const text = `the newest safety record found is number ${version}, but ${told} was acknowledged`;
    return problem('RECORD_LOST', path, `${text}; nothing was changed: put the newest copy of data back`);
  }
  if (record !== undefined) steps.keepRecord(to, record);
  return undefined;
}

const sameChain = (left: ChainDomain, right: ChainDomain): boolean =>
  left.genesisHash === right.genesisHash && left.chainId === right.chainId;

const wrongChain = (path: string, { chainId, genesisHash }: ChainDomain): OpenProblem =>
  problem(
    'WRONG_CHAIN',
    path,
    `it is of chain ${chainId}, genesis ${genesisHash}; move it away, or give its genesis file`,
  );

/** @throws DamagedData, or what SQLite says */
function recordIn(dir: string): KeptRecord | undefined {
  const kept = existsSync(dir) ? readKeptRecord(dir) : undefined;
  const path = join(dir, DATABASE_FILE);
  if (!existsSync(path)) return kept;
  const db = lockDatabase(path);
  if ('status' in db) throw new DamagedData(`${path}: ${db.detail}`);
  try {
    return newerRecord(kept, storedRecord(db));
  } finally {
    db.close();
  }
}

/** A copy beside the running chain that cannot be read is none: the witness tells whether it would have been the newest. */
function recordIfReadable(dir: string): KeptRecord | undefined {
  try {
    return recordIn(dir);
  } catch (error) {
    if (error instanceof DamagedData || sqliteCode(error) !== undefined) return undefined;
    throw error;
  }
}

function move(steps: SwapSteps, home: string, from: string, to: string): void {
  steps.rename(from, to);
  steps.syncDirectory(home);
}

function heightOf({ seal }: SwapFolders): Height {
  if (seal === undefined) throw new DamagedData('the seal is gone');
  return seal.height;
}

/** A running node holds its store's lock. */
function requireStopped({ data }: SwapPaths): OpenProblem | undefined {
  const path = join(data, DATABASE_FILE);
  if (!existsSync(path)) return undefined;
  const db = lockDatabase(path);
  if ('status' in db) return db;
  db.close();
  return undefined;
}

/** Whoever starts comes through here first: one at a time. */
function alone<Outcome>(
  { home, data }: SwapPaths,
  run: (steps: SwapSteps) => Outcome | OpenProblem,
  steps: SwapSteps = REAL_STEPS,
): Outcome | OpenProblem {
  const path = join(data, DATABASE_FILE);
  try {
    accessSync(home, constants.R_OK | constants.W_OK);
    const lock = lockFolder(home, 'swap');
    if (lock.status === 'taken')
      return problem('LOCKED', home, `${lock.by} is changing its chain: wait for it`);
    try {
      return run(steps);
    } finally {
      lock.release();
    }
  } catch (error) {
    if (['EBUSY', 'EXDEV'].includes(errnoOf(error) ?? '')) {
      const text = error instanceof Error ? error.message : String(error);
      return problem(
        'IO',
        data,
        `${text}; ${MOUNTED_WORDS}; \`althing resync --rollback\` drops a new chain`,
      );
    }
    const unreadable = error instanceof DamagedData || sqliteCode(error) === SQLITE.corrupt;
    if (!unreadable) {
      if (deviceFailure(error, path) === undefined) throw error;
      return explain(error, data, path);
    }
    const text = error instanceof Error ? error.message : String(error);
    return problem('CORRUPT', path, `${text}; no chain was moved`);
  }
}

const refused = (code: RollbackCode, path: string, detail: string): RollbackOutcome => ({
  status: 'problem',
  code,
  path,
  detail,
});
