/**
 * Where an application keeps its state over restarts: one SQLite file of its own. A row of changes for each
 * flush, and a snapshot in pieces; a flush is one transaction, so height, hash and state always belong together.
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
  readonly pairs: Map<string, string>;
  readonly validators: readonly Uint8Array[];
}

/** Pairs that changed; undefined: the key is gone. Latin1 texts, one letter a byte. */
export type Changes = ReadonlyMap<string, string | undefined>;

/** What a flush writes: the pairs that changed, and all of the rest. */
export interface Flush {
  readonly executed: ExecutedState;
  readonly changed: Changes;
  readonly all: Iterable<Pair>;
  readonly validators: readonly Uint8Array[];
}

/** The changes are folded into a new snapshot once they are so many times larger than the last one. */
const CHANGES_PER_SNAPSHOT = 4;
/** … and larger than this. @unit bytes */
const FOLD_BYTES = 64 * 1_048_576;
/** One row of a snapshot. @unit bytes */
const PIECE_BYTES = 4 * 1_048_576;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS standing (id INTEGER PRIMARY KEY CHECK (id = 1), height INTEGER NOT NULL,
    app_hash TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS snapshot (piece INTEGER PRIMARY KEY, pairs BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS changes (height INTEGER PRIMARY KEY, pairs BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS validators (position INTEGER PRIMARY KEY, validator BLOB NOT NULL) STRICT;
`;

/** In place of the length of a value: the key is gone. No text is so long. */
const GONE = 0xffff_ffff;

export class StateStore {
  readonly #name: string;
  /** Of the rules. Each has other hashes, which the chain's headers state: none can be carried over. */
  readonly #version: number;
  readonly #database: DatabaseSync;
  readonly #foldBytes: number;
  #snapshotBytes = 0;
  #changesBytes = 0;

  /** Opens or makes `<dir>/<name>.db`. Throws when the folder cannot be written. */
  constructor({ name, version }: Pick<StateRules, 'name' | 'version'>, dir: string, foldBytes = FOLD_BYTES) {
    this.#name = name;
    this.#version = Number(version);
    this.#foldBytes = foldBytes;
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
    const pairs = new Map<string, string>();
    this.#snapshotBytes = this.#read('SELECT pairs AS bytes FROM snapshot ORDER BY piece', pairs);
    this.#changesBytes = this.#read('SELECT pairs AS bytes FROM changes ORDER BY height', pairs);
    const validators = this.#blobs('SELECT validator AS bytes FROM validators ORDER BY position');
    return { executed: { height, appHash }, pairs, validators };
  }

  /** One transaction: all of it is there after a crash, or nothing. */
  flush(flush: Flush): void {
    this.#write(flush, () => {
      const bytes = packed(flush.changed);
      const limit = Math.max(this.#foldBytes, CHANGES_PER_SNAPSHOT * this.#snapshotBytes);
      if (this.#changesBytes + bytes.byteLength > limit) this.#writeSnapshot(flush.all);
      else if (flush.changed.size > 0) {
        const { height } = flush.executed;
        this.#database.prepare('INSERT INTO changes (height, pairs) VALUES (?, ?)').run(height, bytes);
        this.#changesBytes += bytes.byteLength;
      }
    });
  }

  /** The same, with all of the state written anew. */
  replace(flush: Flush): void {
    this.#write(flush, () => this.#writeSnapshot(flush.all));
  }

  #write(flush: Flush, writePairs: () => void): void {
    const { height, appHash } = flush.executed;
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      writePairs();
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
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }

  #requireVersion(path: string): void {
    const tables = this.#database.prepare("SELECT name FROM sqlite_schema WHERE name = 'standing'").get();
    const version = this.#database.prepare('PRAGMA user_version').get()?.['user_version'];
    if (tables === undefined) this.#database.exec(`PRAGMA user_version = ${this.#version}`);
    else if (version !== this.#version) {
      this.#database.close();
      const has = version === 0 ? 1 : version;
      throw new Error(
        `${path}: a file of ${this.#name} version ${has}, this program writes version ${this.#version}, with other hashes of the state: go on with the program that wrote it, or begin a new chain`,
      );
    }
  }

  #writeSnapshot(all: Iterable<Pair>): void {
    this.#database.exec('DELETE FROM snapshot; DELETE FROM changes');
    const insert = this.#database.prepare('INSERT INTO snapshot (pairs) VALUES (?)');
    this.#changesBytes = 0;
    this.#snapshotBytes = 0;
    for (const piece of pieces(all)) {
      const bytes = packed(piece);
      insert.run(bytes);
      this.#snapshotBytes += bytes.byteLength;
    }
  }

  #read(query: string, into: Map<string, string>): number {
    let bytes = 0;
    for (const blob of this.#blobs(query)) {
      if (unpack(blob, into) === 'malformed') this.#corrupt('pairs');
      bytes += blob.byteLength;
    }
    return bytes;
  }

  #blobs(query: string): readonly Uint8Array[] {
    return this.#database
      .prepare(query)
      .all()
      .map(({ bytes }) => (bytes instanceof Uint8Array ? bytes : this.#corrupt(query)));
  }

  #corrupt(what: string): never {
    throw new Error(
      `${this.#name}.db: ${what} cannot be read: remove the file, and the node replays its blocks`,
    );
  }
}

function* pieces(all: Iterable<Pair>): Generator<ReadonlyMap<string, string>> {
  let piece = new Map<string, string>();
  let bytes = 0;
  for (const [key, value] of all) {
    piece.set(key, value);
    bytes += key.length + value.length;
    if (bytes < PIECE_BYTES) continue;
    yield piece;
    piece = new Map();
    bytes = 0;
  }
  if (piece.size > 0) yield piece;
}

/** Length of key u32, length of value u32 (or GONE), key, value; one pair after the other. */
export function packed(pairs: Changes): Uint8Array {
  let length = 0;
  for (const [key, value = ''] of pairs) length += 8 + key.length + value.length;
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const [key, value] of pairs) {
    bytes.writeUInt32BE(key.length, at);
    bytes.writeUInt32BE(value?.length ?? GONE, at + 4);
    at += 8;
    at += bytes.write(key, at, 'latin1');
    if (value !== undefined) at += bytes.write(value, at, 'latin1');
  }
  return bytes;
}

/** Makes the changes that `packed` wrote. */
export function unpack(blob: Uint8Array, into: Map<string, string>): Malformed | undefined {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  let at = 0;
  while (at < bytes.byteLength) {
    if (at + 8 > bytes.byteLength) return 'malformed';
    const valueAt = at + 8 + bytes.readUInt32BE(at);
    const length = bytes.readUInt32BE(at + 4);
    const end = length === GONE ? valueAt : valueAt + length;
    if (end > bytes.byteLength) return 'malformed';
    const key = bytes.toString('latin1', at + 8, valueAt);
    if (length === GONE) into.delete(key);
    else into.set(key, bytes.toString('latin1', valueAt, end));
    at = end;
  }
  return undefined;
}
