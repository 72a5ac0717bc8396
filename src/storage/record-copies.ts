/** Copies of a validator's safety record, wherever they lie: the newest one counts. Boundary: disk. Rules ST-7, ST-9, docs/storage.md. */
import { DatabaseSync } from 'node:sqlite';
import { parseAddress, parseDigest } from '../protocol/chain/parse.ts';
import { DamagedData, recordKey, verifyRow } from './checksum.ts';
import { decodeRecord } from './codec.ts';
import { SQLITE, sqliteCode } from './device-errors.ts';
import type { KeptRecord } from './kept-record.ts';
import { isOurs, type OpenProblem, problem } from './open.ts';
import { blobOf, integerOf, textOf } from './rows.ts';

/**
 * The database of a store that no node has open, locked until it is closed. An unreadable file is opened all the same; a
 * running node or a foreign database is refused. Throws what the device says.
 */
export function lockDatabase(path: string): DatabaseSync | OpenProblem {
  const db = new DatabaseSync(path);
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT');
    if (isOurs(db)) return db;
  } catch (error) {
    const code = sqliteCode(error);
    if (code === SQLITE.notadb || code === SQLITE.corrupt) return db;
    db.close();
    throw error;
  }
  db.close();
  return problem('FOREIGN_DATABASE', path, 'a SQLite database of another program; nothing was changed');
}

/** Undefined where nothing was ever signed. @throws DamagedData, or what SQLite says */
export function storedRecord(db: DatabaseSync): KeptRecord | undefined {
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE name = 'safety_record'").get();
  if (tables === undefined) return undefined;
  const row = db.prepare('SELECT version, body, crc FROM safety_record WHERE id = 1').get();
  if (row === undefined) return undefined;
  const version = integerOf(row, 'version');
  const body = blobOf(row, 'body');
  verifyRow('safety_record', recordKey(version), body, integerOf(row, 'crc'));
  decodeRecord(body, 'safety_record');
  const meta = db.prepare('SELECT value FROM meta WHERE key = ?');
  const genesisHash = parseDigest(textOf(meta.get('genesis_hash') ?? {}, 'value'));
  if (genesisHash === 'malformed') throw new DamagedData('meta.genesis_hash is malformed');
  const owner = meta.get('validator');
  const validator = owner === undefined ? undefined : parseAddress(textOf(owner, 'value'));
  if (validator === 'malformed') throw new DamagedData('meta.validator is malformed');
  return {
    genesisHash,
    chainId: textOf(meta.get('chain_id') ?? {}, 'value'),
    version,
    body,
    ...(validator === undefined ? {} : { validator }),
  };
}

export function newerRecord(
  left: KeptRecord | undefined,
  right: KeptRecord | undefined,
): KeptRecord | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return left.version >= right.version ? left : right;
}
