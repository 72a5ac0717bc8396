/**
 * What SQLite and the file system say, as the words of the port: IO, FULL, CORRUPT. Pure.
 * Anything else that is thrown is a bug of ours and stays thrown. Source: sqlite.org/rescode.html, errno(3).
 */
import { DamagedData } from './checksum.ts';
import type { DeviceFailure } from './store.ts';

/** Primary result codes: the low byte of `errcode`. @source sqlite.org/rescode.html */
export const SQLITE = {
  perm: 3,
  busy: 5,
  locked: 6,
  nomem: 7,
  readonly: 8,
  ioerr: 10,
  corrupt: 11,
  full: 13,
  cantopen: 14,
  protocol: 15,
  auth: 23,
  notadb: 26,
} as const;

const BY_SQLITE_CODE: ReadonlyMap<number, DeviceFailure['code']> = new Map([
  [SQLITE.full, 'FULL'],
  [SQLITE.corrupt, 'CORRUPT'],
  [SQLITE.notadb, 'CORRUPT'],
  [SQLITE.ioerr, 'IO'],
  [SQLITE.perm, 'IO'],
  [SQLITE.busy, 'IO'],
  [SQLITE.locked, 'IO'],
  [SQLITE.nomem, 'IO'],
  [SQLITE.readonly, 'IO'],
  [SQLITE.cantopen, 'IO'],
  [SQLITE.protocol, 'IO'],
]);

const FULL_ERRNOS: readonly string[] = ['ENOSPC', 'EDQUOT'];

/** `undefined`: not a device's fault. `where` opens the detail. */
export function deviceFailure(error: unknown, where: string): DeviceFailure | undefined {
  if (isDamage(error)) {
    return { status: 'failed', code: 'CORRUPT', detail: `${where}: ${error.message}` };
  }
  if (!(error instanceof Error)) return undefined;
  const sqlite = sqliteCode(error);
  if (sqlite !== undefined) {
    const code = BY_SQLITE_CODE.get(sqlite);
    if (code === undefined) return undefined;
    return { status: 'failed', code, detail: `${where}: ${error.message} (SQLite result ${sqlite})` };
  }
  const errno = errnoOf(error);
  if (errno === undefined) return undefined;
  const code = FULL_ERRNOS.includes(errno) ? 'FULL' : 'IO';
  return { status: 'failed', code, detail: `${where}: ${error.message}` };
}

/** Stored bytes are not what was written: found by our checks, or a number that no program of ours writes. */
export function isDamage(error: unknown): error is Error {
  if (error instanceof DamagedData) return true;
  const isOutOfRange = error instanceof RangeError && 'code' in error && error.code === 'ERR_OUT_OF_RANGE';
  // node:sqlite gives integers up to 2^53 only; fs uses the same code for other things.
  return isOutOfRange && error.message.includes('represented as a JavaScript number');
}

/** Primary result code of an error that node:sqlite threw. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') {
    return undefined;
  }
  return error.errcode & 0xff;
}

/** `ENOENT` and so on, of an error that node:fs threw. */
export function errnoOf(error: unknown): string | undefined {
  const isSystem = error instanceof Error && 'code' in error && 'syscall' in error;
  return isSystem && typeof error.code === 'string' ? error.code : undefined;
}
