/** Finds damage: CRC-32 (IEEE) over a row's key and body. Pure. Source: zlib's crc32; rule ST-6, docs/storage.md. */
import { crc32 as zlibCrc32 } from 'node:zlib';

/** Raised where stored bytes are read and are not what was written; the store turns it into `CORRUPT`. Never leaves this folder. */
export class DamagedData extends Error {
  override readonly name = 'DamagedData';
}

/** CRC-32 of `bytes`, continued from `seed`; 0..2^32-1. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  return zlibCrc32(bytes, seed);
}

/** CRC-32 over a row's key, then its body: a body under another row's key is found too. */
export function rowChecksum(key: string, body: Uint8Array): number {
  return crc32(body, crc32(Buffer.from(key, 'latin1')));
}

/** Throws `DamagedData` that names `where` when the body is not the one that was written under `key`. */
export function verifyRow(where: string, key: string, body: Uint8Array, stated: number): void {
  compare(where, body, rowChecksum(key, body), stated);
}

/** Throws `DamagedData` that names `where` when these are not the bytes that were written. */
export function verifyBytes(where: string, bytes: Uint8Array, stated: number): void {
  compare(where, bytes, crc32(bytes), stated);
}

function compare(where: string, { byteLength }: Uint8Array, found: number, stated: number): void {
  if (found === stated) return;
  throw new DamagedData(
    `${where}: CRC-32 is ${hex32(found)}, written was ${hex32(stated)} (${byteLength} bytes)`,
  );
}

export const hex32 = (value: number): string => value.toString(16).padStart(8, '0');

/** Names of rows, which their checksums cover. */
export const recordKey = (version: number): string => `record/${version}`;
export const executionKey = (height: number, idHex: string): string => `execution/${height}/${idHex}`;
