/**
 * The safety record outside the database, between a reset and the next open. Boundary: disk.
 * It is durable before anything is deleted, and deleted only after the new database holds it. Rule ST-9, docs/storage.md.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Malformed, parseAddress, parseCount, parseDigest } from '../protocol/chain/parse.ts';
import type { Address, ChainDomain } from '../protocol/chain/types.ts';
import { crc32, DamagedData, recordKey, rowChecksum } from './checksum.ts';
import { decodeRecord } from './codec.ts';
import { errnoOf } from './device-errors.ts';
import { pack, unpack } from './packed.ts';
import { integerOf } from './rows.ts';
import { syncDirectory } from './segments.ts';
import type { Statements } from './statements.ts';

const KEPT_FILE = 'safety-record.kept';
/** Checksum in front of the body. @unit bytes */
const CRC_BYTES = 4;

/** `body` is the record as `encodeRecord` wrote it. */
export interface KeptRecord extends ChainDomain {
  readonly version: number;
  /** Whose it is, where the store knew. */
  readonly validator?: Address;
  readonly body: Uint8Array;
}

/** Durable when this returns. */
export function keepRecord(dir: string, kept: KeptRecord): void {
  const body = pack([kept.genesisHash, kept.chainId, kept.version, kept.body, kept.validator ?? '']);
  const bytes = Buffer.alloc(CRC_BYTES + body.byteLength);
  bytes.writeUInt32BE(crc32(body));
  bytes.set(body, CRC_BYTES);
  const path = join(dir, KEPT_FILE);
  const file = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeFileSync(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
  syncDirectory(dir);
}

/** Undefined when none is kept. @throws DamagedData */
export function readKeptRecord(dir: string): KeptRecord | undefined {
  const path = join(dir, KEPT_FILE);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const body = bytes.subarray(CRC_BYTES);
  if (bytes.byteLength < CRC_BYTES || bytes.readUInt32BE() !== crc32(body)) {
    throw new DamagedData(`${path}: CRC-32 does not match`);
  }
  const fields = unpack(body, path);
  const kept = {
    genesisHash: fields.take(parseDigest),
    chainId: fields.text(),
    version: fields.take(parseCount),
    body: fields.bytes(),
  };
  const validator = fields.take(parseOwner);
  decodeRecord(kept.body, path);
  return { ...kept, ...(validator === undefined ? {} : { validator }) };
}

/** A file of a program before this one has four fields only. */
const parseOwner = (raw: unknown): Address | Malformed | undefined =>
  raw === undefined || raw === '' ? undefined : parseAddress(raw);

/** Puts a kept record into the database, if it is the newer one, and then forgets the file. */
export function importKeptRecord(dir: string, kept: KeptRecord, statements: Statements): void {
  const row = statements.record.get();
  if (row === undefined || integerOf(row, 'version') < kept.version) {
    // Outside a transaction SQLite commits, and syncs, each statement by itself.
    statements.putRecord.run(kept.version, kept.body, rowChecksum(recordKey(kept.version), kept.body));
  }
  forgetKeptRecord(dir);
}

export function forgetKeptRecord(dir: string): void {
  rmSync(join(dir, KEPT_FILE), { force: true });
  syncDirectory(dir);
}
