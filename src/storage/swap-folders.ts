/**
 * The folders of a home between which a chain is swapped, and the steps that move them. Boundary: disk.
 * Rule SY-9, docs/protocol/sync.md; ST-10, docs/storage.md.
 */
import { existsSync, lstatSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type WallTime, wallTime } from '../base/units.ts';
import { type KeptRecord, keepRecord } from './kept-record.ts';
import { DATABASE_FILE } from './open.ts';
import { copyReputations } from './reputation-copies.ts';
import { readSeal, type Seal } from './resync-seal.ts';
import { syncDirectory } from './segments.ts';

/** Where the system says EBUSY or EXDEV of a rename. */
export const MOUNTED_WORDS =
  'a folder that is mounted by itself gives its place to no other: mount the home instead of its data folder';

/** A file system of its own: it cannot be renamed. A link can. */
export const isMounted = (dir: string): boolean =>
  existsSync(dir) && lstatSync(dir).dev !== lstatSync(dirname(dir)).dev;

/** Of a home; `HomePaths` is one. */
export interface SwapPaths {
  readonly home: string;
  /** The chain that a node runs on, its application's state included. */
  readonly data: string;
  readonly resyncData: string;
  /** Where the witness is (ST-7). */
  readonly keys: string;
}

/** What changes the disk: a crash comes before or after each of them. */
export interface SwapSteps {
  rename(from: string, to: string): void;
  syncDirectory(dir: string): void;
  /** A folder that nobody reads any more. */
  remove(dir: string): void;
  keepRecord(dir: string, record: KeptRecord): void;
  copyReputations(from: string, to: string): void;
}

export const REAL_STEPS: SwapSteps = {
  rename: renameSync,
  syncDirectory,
  remove: (dir) => rmSync(dir, { recursive: true, force: true }),
  keepRecord,
  copyReputations,
};

const BACKUP = /^data-backup-(\d{4}-\d{2}-\d{2})T(\d{2})-(\d{2})-(\d{2}\.\d{3}Z)$/;
const DISCARDED = 'data-discarded-';
const REPLACED = 'data-replaced';
/** A home that a chain was ever swapped in, or is being. */
const SWAP_NAME = /^data-(resync|backup-|replaced|discarded-)/;

export interface Backup {
  readonly dir: string;
  readonly name: string;
  readonly at: WallTime;
  /** It holds a chain: half of one is no backup. */
  readonly isWhole: boolean;
}

export interface SwapFolders {
  readonly hasData: boolean;
  /** Of the side store, where it is whole. */
  readonly seal: Seal | undefined;
  readonly hasResync: boolean;
  readonly replaced: string;
  readonly hasReplaced: boolean;
  /** Newest first. */
  readonly backups: readonly Backup[];
  /** On their way out. */
  readonly discarded: readonly string[];
}

export const isSwapped = ({ home }: SwapPaths): boolean =>
  existsSync(home) && readdirSync(home).some((name) => SWAP_NAME.test(name));

export function foldersOf({ home, data, resyncData }: SwapPaths): SwapFolders {
  const names = readdirSync(home).sort();
  const replaced = join(home, REPLACED);
  return {
    hasData: existsSync(data),
    hasResync: existsSync(resyncData),
    seal: readSeal(resyncData),
    replaced,
    hasReplaced: existsSync(replaced),
    backups: names.flatMap((name) => backupOf(home, name)).reverse(),
    discarded: names.filter((name) => name.startsWith(DISCARDED)).map((name) => join(home, name)),
  };
}

function backupOf(home: string, name: string): readonly Backup[] {
  const [, day, hours, minutes, seconds] = BACKUP.exec(name) ?? [];
  const at = Date.parse(`${day}T${hours}:${minutes}:${seconds}`);
  if (Number.isNaN(at)) return [];
  const dir = join(home, name);
  return [{ dir, name, at: wallTime(at), isWhole: existsSync(join(dir, DATABASE_FILE)) }];
}

/** A name that is not taken, of this moment or the next free millisecond. */
export function backupName(home: string, now: WallTime): string {
  for (let at = Math.floor(now); ; at += 1) {
    const dir = join(home, `data-backup-${new Date(at).toISOString().replaceAll(':', '-')}`);
    if (!existsSync(dir)) return dir;
  }
}

/** Renamed first: a folder that is half deleted is never taken for a chain. */
export function discardFolder(steps: SwapSteps, home: string, dir: string): void {
  let number = 1;
  while (existsSync(join(home, `${DISCARDED}${number}`))) number += 1;
  const out = join(home, `${DISCARDED}${number}`);
  steps.rename(dir, out);
  steps.syncDirectory(home);
  steps.remove(out);
}
