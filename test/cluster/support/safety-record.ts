/** The safety record of a validator that does not run, read from a copy of its database. Boundary: disk. Rule ST-2. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { homePaths } from '../../../src/node/config/home.ts';
import type { SafetyRecord } from '../../../src/protocol/consensus/types.ts';
import { recordKey, verifyRow } from '../../../src/storage/checksum.ts';
import { decodeRecord } from '../../../src/storage/codec.ts';
import { readKeptRecord } from '../../../src/storage/kept-record.ts';
import { DATABASE_FILE } from '../../../src/storage/open.ts';
import { blobOf, integerOf } from '../../../src/storage/rows.ts';

interface Recorded {
  readonly version: number;
  readonly record: SafetyRecord;
}

/** With what the next start takes into the database: a reset, a swap or a rollback has put it beside. */
export function newestSafetyRecord(home: string): Recorded | undefined {
  const stored = readSafetyRecord(home);
  const kept = readKeptRecord(homePaths(home).data);
  if (kept === undefined || kept.version <= (stored?.version ?? 0)) return stored;
  return { version: kept.version, record: decodeRecord(kept.body, 'safety_record') };
}

/** Undefined while it has signed nothing. The copy keeps the home as the kill left it, write-ahead log and all. */
export function readSafetyRecord(home: string): Recorded | undefined {
  const { data } = homePaths(home);
  const copy = mkdtempSync(join(tmpdir(), 'althing-record-'));
  try {
    for (const name of [DATABASE_FILE, `${DATABASE_FILE}-wal`]) {
      if (existsSync(join(data, name))) copyFileSync(join(data, name), join(copy, name));
    }
    const db = new DatabaseSync(join(copy, DATABASE_FILE));
    try {
      const row = db.prepare('SELECT version, body, crc FROM safety_record WHERE id = 1').get();
      if (row === undefined) return undefined;
      const version = integerOf(row, 'version');
      const body = blobOf(row, 'body');
      verifyRow('safety_record', recordKey(version), body, integerOf(row, 'crc'));
      return { version, record: decodeRecord(body, 'safety_record') };
    } finally {
      db.close();
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
