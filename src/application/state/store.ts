/**
 * Where an application keeps its state over restarts: one SQLite file of its own, with a log of what changed. Its rows in their order
 * are the state; a flush is one transaction, so height, hash and state always belong together. When the log has outgrown the state, the
 * state is written behind it anew, a piece with each flush, and the rows before that go: no flush waits for all of the state.
 * A crash loses the blocks since the last flush, and the node replays those. Touches the disk. docs/applications.md.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Malformed, parseDigest, parseHeight } from '../../protocol/chain/parse.ts';
import type { ExecutedState } from '../../protocol/chain/types.ts';
import type { Pair, StateRules } from './rules.ts';

export interface SavedState {
  readonly executed: ExecutedState;
  /** Those that were written longest ago come first: a fold that the last life did not end goes on with them. */
  readonly pairs: readonly Pair[];
  readonly validators: readonly Uint8Array[];
}

/** Pairs that changed; undefined: the key is gone. Latin1 texts, one letter a byte. */
export type Changes = ReadonlyMap<string, string | undefined>;

/** What a flush writes. */
export interface Flush {
  readonly executed: ExecutedState;
  readonly changed: Changes;
  /** The state with these changes; read over many flushes: each pair once at least, as it is when it is read. */
  readonly all: Iterable<Pair>;
  readonly validators: readonly Uint8Array[];
}

/** The state is written anew once the log is larger than this many times the state. @source chosen: a quarter more is written, five times as much kept */
const LOG_PER_STATE = 5;
/** … and larger than this. @unit bytes */
const FOLD_BYTES = 64 * 1_048_576;
/** A flush writes this part of it at the least, 1 MiB … */
const FOLD_PIECES = 64;
/** … and so many times what it changes, so that the fold ends however much is added. */
const PIECE_PER_CHANGES = 2;
/** Rows that go with a flush have so many times the bytes of such a part, or are a row more … */
const TRIM_PER_PIECE = 4;
/** … and are so many at most. @unit rows @source chosen: a few milliseconds */
const TRIM_ROWS_MAX = 1_024;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS standing (id INTEGER PRIMARY KEY CHECK (id = 1), height INTEGER NOT NULL,
    app_hash TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS log (position INTEGER PRIMARY KEY AUTOINCREMENT, pairs BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS validators (position INTEGER PRIMARY KEY, validator BLOB NOT NULL) STRICT;
`;

/** The state is being written anew. */
interface Fold {
  readonly pairs: Iterator<Pair>;
  /** The first position of it: when it has ended, nothing before is needed. */
  readonly from: number;
  bytes: number;
}

/** In place of the length of a value: the key is gone. No text is so long. */
const GONE = 0xffff_ffff;
/** Of a pair, beside key and value. @unit bytes */
const PAIR_BYTES = 8;

export class StateStore {
  readonly #name: string;
  /** Of the rules. Each has other hashes, which the chain's headers state: none can be carried over. */
  readonly #version: number;
  readonly #database: DatabaseSync;
  readonly #foldBytes: number;
  /** @unit bytes */
  readonly #pieceBytes: number;
  /** Of all rows. @unit bytes */
  #logBytes = 0;
  /** Of the state, when it was written anew or opened. @unit bytes */
  #stateBytes = 0;
  #fold: Fold | undefined;
  /** Rows before this position are not needed, and go. */
  #trimTo: number | undefined;

  /** Opens or makes `<dir>/<name>.db`. Throws when the folder cannot be written. */
  constructor({ name, version }: Pick<StateRules, 'name' | 'version'>, dir: string, foldBytes = FOLD_BYTES) {
    this.#name = name;
    this.#version = Number(version);
    this.#foldBytes = foldBytes;
    this.#pieceBytes = foldBytes / FOLD_PIECES;
    mkdirSync(dir, { recursive: true });
    const path = join(dir, `${name}.db`);
    this.#database = new DatabaseSync(path);
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    this.#requireVersion(path);
    this.#database.exec(SCHEMA);
  }

  /** What the last flush wrote; undefined when there was none. Throws when it is not what a flush writes. */
  load(): SavedState | undefined {
    const standing = this.#database.prepare('SELECT height, app_hash FROM standing').get();
    if (standing === undefined) return undefined;
    const height = parseHeight(standing['height']);
    const appHash = parseDigest(standing['app_hash']);
    if (height === 'malformed' || appHash === 'malformed') return this.#corrupt('standing');
    const pairs = this.#readLog();
    for (const [key, value] of pairs) this.#stateBytes += PAIR_BYTES + key.length + value.length;
    const validators = [
      ...this.#blobs('SELECT position, validator AS bytes FROM validators ORDER BY position'),
    ];
    return { executed: { height, appHash }, pairs, validators: validators.map(({ bytes }) => bytes) };
  }

  /** The newest row first: what is before the last one that has a pair of the state is not needed, whatever the last life left undone. */
  #readLog(): readonly Pair[] {
    const newest = new Map<string, string | undefined>();
    for (const { position, bytes } of this.#blobs(
      'SELECT position, pairs AS bytes FROM log ORDER BY position DESC',
    )) {
      const found = unpack(bytes, newest);
      if (found === 'malformed') return this.#corrupt('pairs');
      this.#logBytes += bytes.byteLength;
      // No row at all, where the state is empty.
      this.#trimTo ??= position + 1;
      if (found > 0) this.#trimTo = position;
    }
    return [...newest]
      .flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]))
      .reverse();
  }

  /** One transaction: all of it is there after a crash, or nothing. */
  flush(flush: Flush): void {
    this.#write(flush, () => {
      // No row of nothing: a chain without transactions flushes too.
      const added = flush.changed.size === 0 ? undefined : this.#append(flush.changed);
      if (added !== undefined && this.#isFoldDue)
        this.#fold = { pairs: flush.all[Symbol.iterator](), from: added.position + 1, bytes: 0 };
      const room = Math.max(this.#pieceBytes, PIECE_PER_CHANGES * (added?.bytes ?? 0));
      if (this.#fold !== undefined) this.#foldOn(this.#fold, room);
      else if (this.#trimTo !== undefined) this.#trim(this.#trimTo, TRIM_PER_PIECE * room);
    });
  }

  /** The same, with all of the state written anew. */
  replace(flush: Flush): void {
    this.#write(flush, () => {
      this.#database.exec('DELETE FROM log');
      this.#logBytes = 0;
      this.#trimTo = undefined;
      const fold: Fold = { pairs: flush.all[Symbol.iterator](), from: 0, bytes: 0 };
      this.#fold = fold;
      while (this.#fold === fold) this.#foldOn(fold, this.#pieceBytes);
    });
  }

  #write(flush: Flush, writeRows: () => void): void {
    const { height, appHash } = flush.executed;
    const bytesBefore = this.#logBytes;
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      writeRows();
      this.#database.exec('DELETE FROM validators');
      const insert = this.#database.prepare('INSERT INTO validators (position, validator) VALUES (?, ?)');
      for (const [position, validator] of flush.validators.entries()) insert.run(position, validator);
      this.#database
        .prepare('INSERT OR REPLACE INTO standing (id, height, app_hash) VALUES (1, ?, ?)')
        .run(height, appHash);
      this.#database.exec('COMMIT');
    } catch (error) {
      // After some failures SQLite has rolled back by itself.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      // What was read of the state for it is not in the file.
      this.#logBytes = bytesBefore;
      this.#fold = undefined;
      this.#trimTo = undefined;
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }

  #requireVersion(path: string): void {
    const tables = new Set(
      this.#database
        .prepare('SELECT name FROM sqlite_schema')
        .all()
        .map(({ name }) => name),
    );
    const version = this.#database.prepare('PRAGMA user_version').get()?.['user_version'];
    if (!tables.has('standing')) this.#database.exec(`PRAGMA user_version = ${this.#version}`);
    else if (version !== this.#version) {
      this.#database.close();
      const has = version === 0 ? 1 : version;
      throw new Error(
        `${path}: a file of ${this.#name} version ${has}, this program writes version ${this.#version}, with other hashes of the state: go on with the program that wrote it, or begin a new chain`,
      );
    } else if (!tables.has('log')) {
      this.#database.close();
      throw new Error(
        `${path}: has no log: an older program wrote this file. Go on with that program, or remove the file, and the node replays its blocks`,
      );
    }
  }

  get #isFoldDue(): boolean {
    const limit = Math.max(this.#foldBytes, LOG_PER_STATE * this.#stateBytes);
    return this.#fold === undefined && this.#trimTo === undefined && this.#logBytes > limit;
  }

  /** The next piece of the state, of `room` bytes or a pair more. */
  #foldOn(fold: Fold, room: number): void {
    const piece = new Map<string, string>();
    let step = fold.pairs.next();
    for (let bytes = 0; step.done !== true; step = fold.pairs.next()) {
      const [key, value] = step.value;
      piece.set(key, value);
      bytes += PAIR_BYTES + key.length + value.length;
      if (bytes >= room) break;
    }
    fold.bytes += this.#append(piece).bytes;
    if (step.done !== true) return;
    this.#fold = undefined;
    this.#stateBytes = fold.bytes;
    this.#trimTo = fold.from;
  }

  #append(pairs: Changes): { readonly bytes: number; readonly position: number } {
    const bytes = packed(pairs);
    const { lastInsertRowid } = this.#database.prepare('INSERT INTO log (pairs) VALUES (?)').run(bytes);
    this.#logBytes += bytes.byteLength;
    return { bytes: bytes.byteLength, position: Number(lastInsertRowid) };
  }

  /** The oldest first: what a later row took away does not come back. */
  #trim(to: number, room: number): void {
    const rows = this.#database
      .prepare(
        'SELECT position, length(pairs) AS bytes FROM log WHERE position < ? ORDER BY position LIMIT ?',
      )
      .iterate(to, TRIM_ROWS_MAX);
    let [last, bytes] = [0, 0];
    for (const row of rows) {
      last = Number(row['position']);
      bytes += Number(row['bytes']);
      if (bytes >= room) break;
    }
    if (last === 0) this.#trimTo = undefined;
    else this.#database.prepare('DELETE FROM log WHERE position <= ?').run(last);
    this.#logBytes -= bytes;
  }

  *#blobs(query: string): Generator<{ readonly position: number; readonly bytes: Uint8Array }, void> {
    for (const { position, bytes } of this.#database.prepare(query).iterate())
      yield bytes instanceof Uint8Array ? { position: Number(position), bytes } : this.#corrupt(query);
  }

  #corrupt(what: string): never {
    throw new Error(
      `${this.#name}.db: ${what} cannot be read: remove the file, and the node replays its blocks`,
    );
  }
}

/** Length of key u32, length of value u32 (or GONE), key, value; one pair after the other. */
export function packed(pairs: Changes): Uint8Array {
  let length = 0;
  for (const [key, value = ''] of pairs) length += PAIR_BYTES + key.length + value.length;
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const [key, value] of pairs) {
    bytes.writeUInt32BE(key.length, at);
    bytes.writeUInt32BE(value?.length ?? GONE, at + 4);
    at += PAIR_BYTES;
    at += bytes.write(key, at, 'latin1');
    if (value !== undefined) at += bytes.write(value, at, 'latin1');
  }
  return bytes;
}

/** The changes that `packed` wrote, of keys that nothing newer changed. Says how many of them are pairs: those of the state. */
export function unpack(blob: Uint8Array, newest: Map<string, string | undefined>): Malformed | number {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  let [at, pairs] = [0, 0];
  while (at < bytes.byteLength) {
    if (at + PAIR_BYTES > bytes.byteLength) return 'malformed';
    const valueAt = at + PAIR_BYTES + bytes.readUInt32BE(at);
    const length = bytes.readUInt32BE(at + 4);
    const end = length === GONE ? valueAt : valueAt + length;
    if (end > bytes.byteLength) return 'malformed';
    const key = bytes.toString('latin1', at + PAIR_BYTES, valueAt);
    at = end;
    if (newest.has(key)) continue;
    newest.set(key, length === GONE ? undefined : bytes.toString('latin1', valueAt, end));
    if (length !== GONE) pairs += 1;
  }
  return pairs;
}
