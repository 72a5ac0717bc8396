/** What is known of peers, from the store of one chain to that of another that takes its place. Boundary: disk. SY-6, SY-9. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DamagedData } from './checksum.ts';
import { sqliteCode } from './device-errors.ts';
import { DATABASE_FILE } from './open.ts';
import { blobOf, integerOf, type Row } from './rows.ts';

/** Both stores are closed. What cannot be read is not copied: then trust in peers begins anew. Throws what the device says of writing. */
export function copyReputations(from: string, to: string): void {
  const rows = rowsIn(join(from, DATABASE_FILE));
  if (rows.length === 0) return;
  const db = new DatabaseSync(join(to, DATABASE_FILE));
  try {
    db.exec('PRAGMA synchronous = FULL; BEGIN IMMEDIATE');
    const put = db.prepare('INSERT OR REPLACE INTO reputations (peer, body, crc) VALUES (?, ?, ?)');
    for (const row of rows) put.run(blobOf(row, 'peer'), blobOf(row, 'body'), integerOf(row, 'crc'));
    db.exec('COMMIT');
  } finally {
    db.close();
  }
}

function rowsIn(path: string): readonly Row[] {
  if (!existsSync(path)) return [];
  const db = new DatabaseSync(path);
  try {
    return db.prepare('SELECT peer, body, crc FROM reputations').all();
  } catch (error) {
    if (sqliteCode(error) === undefined && !(error instanceof DamagedData)) throw error;
    return [];
  } finally {
    db.close();
  }
}
