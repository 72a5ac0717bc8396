/**
 * A folder that one process at a time may use. Boundary: disk.
 * The lock is SQLite's on an empty database: the operating system releases it at kill -9 too, and no process id decides.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { deviceFailure, SQLITE, sqliteCode } from './device-errors.ts';

export type FolderLock =
  | { readonly status: 'held'; release(): void }
  /** `by` in words: the process that holds it. */
  | { readonly status: 'taken'; readonly by: string };

/** Takes the lock of a folder that is there, `<name>.lock`. Throws what the device says. */
export function lockFolder(dir: string, name = 'network'): FolderLock {
  const db = new DatabaseSync(join(dir, `${name}.lock`));
  const owner = join(dir, `${name}.pid`);
  try {
    // Nothing is ever written: a journal in memory makes no second file.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (sqliteCode(error) === SQLITE.busy) return { status: 'taken', by: ownerIn(owner) };
    throw error;
  }
  noteOwner(owner);
  return {
    status: 'held',
    release() {
      rmSync(owner, { force: true });
      db.close();
    },
  };
}

/** For error messages only: a disk that is full must not keep from its folder who would make room there. */
function noteOwner(path: string): void {
  try {
    writeFileSync(path, `${process.pid}\n`);
  } catch (error) {
    if (deviceFailure(error, path) === undefined) throw error;
  }
}

function ownerIn(path: string): string {
  try {
    return `process ${readFileSync(path, 'latin1').trim()}`;
  } catch {
    return 'another process';
  }
}
