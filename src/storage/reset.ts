/**
 * Deletes a home's chain so that the node syncs it again, and keeps what it has signed. Boundary: disk.
 * A crash at any point leaves the record in the database or in the kept file. Rule ST-9, docs/storage.md.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { DamagedData } from './checksum.ts';
import { SQLITE, sqliteCode } from './device-errors.ts';
import { forgetKeptRecord, keepRecord, readKeptRecord } from './kept-record.ts';
import { DATABASE_FILE, explain, type OpenProblem, problem, SEGMENTS_DIR } from './open.ts';
import { lockDatabase, newerRecord, storedRecord } from './record-copies.ts';
import { syncDirectory } from './segments.ts';
import { readWitness, removeWitness, type WitnessPlace } from './witness.ts';

export interface ResetOptions {
  /** False forgets what was signed: the validator may sign twice in a round. For keys that never sign again only. */
  readonly keepSafetyRecord: boolean;
  /** As at the opening of the store. */
  readonly witnessDir?: string;
}

export type ResetOutcome =
  /** `recordVersion` of the kept record; 0 when there is none. */
  { readonly status: 'reset'; readonly recordVersion: number } | OpenProblem;

/** `dir` is a home's `data` folder; no node may have it open. */
export function resetChainData(dir: string, options: ResetOptions): ResetOutcome {
  const { keepSafetyRecord, witnessDir = dir } = options;
  const path = join(dir, DATABASE_FILE);
  const place: WitnessPlace = { dir: witnessDir, former: dir };
  let db: DatabaseSync | undefined;
  try {
    const found = existsSync(path) ? lockDatabase(path) : undefined;
    if (found !== undefined && 'status' in found) return found;
    db = found;
    if (!keepSafetyRecord) {
      db?.close();
      if (existsSync(dir)) {
        deleteChain(dir);
        forgetKeptRecord(dir);
      }
      removeWitness(place);
      return { status: 'reset', recordVersion: 0 };
    }
    const kept = newerRecord(readKeptRecord(dir), db === undefined ? undefined : storedRecord(db));
    const witnessed = readWitness(place, kept?.genesisHash);
    const version = kept?.version ?? 0;
    if (witnessed === 'torn' ? kept === undefined : witnessed > version) {
      db?.close();
      const found =
        kept === undefined ? 'there is no safety record' : `the safety record is number ${version}`;
      const told = witnessed === 'torn' ? 'one' : `number ${witnessed}`;
      return problem(
        'RECORD_LOST',
        path,
        `${found}, but ${told} was acknowledged; nothing was deleted; ${FORCE_ADVICE}`,
      );
    }
    if (!existsSync(dir)) return { status: 'reset', recordVersion: 0 };
    if (kept !== undefined) keepRecord(dir, kept);
    db?.close();
    deleteChain(dir);
    return { status: 'reset', recordVersion: version };
  } catch (error) {
    if (db?.isOpen === true) db.close();
    const unreadable = error instanceof DamagedData || sqliteCode(error) === SQLITE.corrupt;
    if (!unreadable) return explain(error, dir, path);
    const text = error instanceof Error ? error.message : String(error);
    return problem('CORRUPT', path, `${text}; nothing was deleted; ${FORCE_ADVICE}`);
  }
}

const FORCE_ADVICE =
  'a reset that forgets it (`althing reset --force`) is safe only for a validator whose keys never sign again on this chain';

// The log goes first: without its database it would be applied to the next one.
function deleteChain(dir: string): void {
  for (const suffix of ['-wal', '-shm', '-journal', '']) {
    rmSync(join(dir, `${DATABASE_FILE}${suffix}`), { force: true });
    syncDirectory(dir);
  }
  const segments = join(dir, SEGMENTS_DIR);
  if (!existsSync(segments)) return;
  for (const name of readdirSync(segments)) {
    if (/^\d{8}\.seg$/.test(name)) rmSync(join(segments, name), { force: true });
  }
  syncDirectory(segments);
}
