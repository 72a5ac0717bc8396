/**
 * Opens a home's store, or says in a sentence why not and what to do. Boundary: disk.
 * The order: lock, is it ours, is it whole, schema, whose chain is it, has anything been lost. Rules ST-1, ST-6, ST-7.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseHeight } from '../protocol/chain/parse.ts';
import type { Address } from '../protocol/chain/types.ts';
import { deviceFailure, errnoOf, isDamage, SQLITE, sqliteCode } from './device-errors.ts';
import { importKeptRecord, readKeptRecord } from './kept-record.ts';
import { migrate, SCHEMA_VERSION, schemaVersion } from './migrations.ts';
import { FIRST_TAIL, SEGMENT_BYTES_DEFAULT, Segments, syncDirectory } from './segments.ts';
import { SqliteStore } from './sqlite-store.ts';
import { prepareStatements, type Statements } from './statements.ts';
import type { Store, StoreIdentity } from './store.ts';
import { TransactionTail } from './transaction-index.ts';
import { INLINE_BYTES_MAX, Values } from './values.ts';
import {
  adoptFormerWitness,
  readWitness,
  WITNESS_FILE,
  Witness,
  type Witnessed,
  type WitnessPlace,
} from './witness.ts';

/** Why a store was not opened. `detail` says what to do about `path`; the command line exits with code 4. */
export interface OpenProblem {
  readonly status: 'problem';
  readonly code: OpenProblemCode;
  readonly path: string;
  readonly detail: string;
}

export type OpenProblemCode =
  /** Another process, or this one, has it open. */
  | 'LOCKED'
  /** It belongs to another chain. */
  | 'WRONG_CHAIN'
  /** It holds what another validator has signed. */
  | 'WRONG_VALIDATOR'
  /** A SQLite database of another program. */
  | 'FOREIGN_DATABASE'
  /** Not a SQLite database at all. */
  | 'NOT_A_DATABASE'
  /** A page, row or segment is not what was written. */
  | 'CORRUPT'
  /** It is whole but older than what this validator has already acknowledged: signing again would be unsafe. */
  | 'RECORD_LOST'
  /** Written by a newer program. */
  | 'NEWER_SCHEMA'
  | 'READ_ONLY'
  | 'NO_PERMISSION'
  | 'FULL'
  | 'IO';

export interface OpenOptions {
  /** Whose signatures its safety record guards; a store that was opened with one refuses every other (ST-1). */
  readonly validator?: Address;
  /** Folder of the witness: that of the consensus key, so that who loses the store keeps it (ST-7). Default: the store's. */
  readonly witnessDir?: string;
  /** @unit bytes @source config storage.segment_bytes */
  readonly segmentBytes?: number;
  /** Longest value kept in the database. Default INLINE_BYTES_MAX. @unit bytes */
  readonly inlineBytesMax?: number;
  /** Bound of the database file, for a shared disk. @unit pages of 4 KiB */
  readonly databasePagesMax?: number;
}

export const DATABASE_FILE = 'chain.db';
export const SEGMENTS_DIR = 'segments';
const OWNER_FILE = 'owner.pid';

/** Pages in the log after which they are moved into the database. @unit pages @source bench/sync.bench.ts: a fourth of the syncs of SQLite's 1,000 */
const CHECKPOINT_PAGES = 4_000;

/** Pages of the database in memory: rows by random keys, as those of batches and ids are, touch a page each. @unit KiB @source bench/sync-join.bench.ts: a tenth less processor time than SQLite's 2,000 */
const CACHE_KIB = 32_768;
/** "ALTH": SQLite's application_id of our databases. @source sqlite.org/pragma.html#pragma_application_id */
const APPLICATION_ID = 0x41_4c_54_48;
/** Above this size every page is not read at the start; rows carry checksums anyway. @unit bytes @source 1 s at 250 MB/s */
const QUICK_CHECK_BYTES_MAX = 256 * 1_048_576;
/** Committed blocks read at the start, from the newest. @unit blocks */
const BLOCKS_CHECKED = 64;

/**
 * `dir` is a home's `data` folder; it is made when missing. Exclusive until `close`; kill -9 releases it too.
 * Everything that a store before acknowledged is there, or the answer is a problem.
 */
export function openStore(
  dir: string,
  identity: StoreIdentity,
  options: OpenOptions = {},
): Store | OpenProblem {
  const path = join(dir, DATABASE_FILE);
  let opened: DatabaseSync | undefined;
  try {
    mkdirSync(join(dir, SEGMENTS_DIR), { recursive: true, mode: 0o700 });
    accessSync(dir, constants.R_OK | constants.W_OK);
    if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK);
    const db = new DatabaseSync(path);
    opened = db;
    const problem = prepareDatabase(db, dir, path, identity, options);
    if (problem !== undefined) {
      db.close();
      return problem;
    }
    return assemble(db, dir, path, identity, options);
  } catch (error) {
    closeQuietly(opened);
    return explain(error, dir, path);
  }
}

function prepareDatabase(
  db: DatabaseSync,
  dir: string,
  path: string,
  identity: StoreIdentity,
  options: OpenOptions,
): OpenProblem | undefined {
  // Exclusive before the first read in WAL mode: no second process, and no shared-memory file.
  db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT');
  const fresh = isEmpty(db);
  const kept = readKeptRecord(dir);
  if (
    kept !== undefined &&
    (kept.genesisHash !== identity.genesisHash || kept.chainId !== identity.chainId)
  ) {
    const whose = `chain ${kept.chainId}, genesis ${kept.genesisHash}`;
    return problem('WRONG_CHAIN', path, `the safety record kept beside it is of ${whose}`);
  }
  const { validator } = options;
  if (validator !== undefined && kept?.validator !== undefined && kept.validator !== validator) {
    return wrongValidator(path, 'the safety record kept beside it', kept.validator, validator);
  }
  const place = witnessPlace(dir, options);
  if (fresh) {
    const lost = lostDatabase(place, path, readWitness(place, identity.genesisHash), kept?.version);
    if (lost !== undefined) return lost;
  } else if (!isOurs(db)) {
    return problem('FOREIGN_DATABASE', path, 'a SQLite database of another program; choose another home');
  }
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY');
  db.exec('PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON');
  db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA cache_size = -${CACHE_KIB}`);
  if (options.databasePagesMax !== undefined) {
    db.exec(`PRAGMA max_page_count = ${options.databasePagesMax}`);
  }
  // What a failed sync left in the page cache must reach the disk before anything is built on it.
  db.exec(fresh ? `PRAGMA application_id = ${APPLICATION_ID}` : 'PRAGMA wal_checkpoint(TRUNCATE)');
  const damage = fresh ? undefined : quickCheck(db, path);
  if (damage !== undefined) return problem('CORRUPT', path, `${damage}; ${CORRUPT_ADVICE}`);
  const version = schemaVersion(db);
  if (version > SCHEMA_VERSION) {
    return problem(
      'NEWER_SCHEMA',
      path,
      `its schema is version ${version}, this program knows ${SCHEMA_VERSION}; run the newer program`,
    );
  }
  const foreign = version === 0 ? undefined : bind(db, path, identity, validator);
  if (foreign !== undefined) return foreign;
  migrate(db);
  const unbound = bind(db, path, identity, validator);
  if (unbound === undefined) adoptFormerWitness(place, identity.genesisHash);
  return unbound;
}

const witnessPlace = (dir: string, { witnessDir = dir }: OpenOptions): WitnessPlace => ({
  dir: witnessDir,
  former: dir,
});

// ST-7: SQLite would make a new, empty database in place of one that is gone.
function lostDatabase(
  { dir }: WitnessPlace,
  path: string,
  witnessed: Witnessed,
  kept: number | undefined,
): OpenProblem | undefined {
  // What was kept is whole: beside it a torn witness has nothing to say.
  if (witnessed === 'torn' ? kept !== undefined : witnessed <= (kept ?? 0)) return undefined;
  const told =
    witnessed === 'torn' ? 'a witness of a record that a power loss tore' : `safety record ${witnessed}`;
  return problem(
    'RECORD_LOST',
    path,
    `the database is gone or empty, but this validator has signed: ${join(dir, WITNESS_FILE)} tells of ${told}; ${LOST_ADVICE}`,
  );
}

function bind(
  db: DatabaseSync,
  path: string,
  identity: StoreIdentity,
  validator: Address | undefined,
): OpenProblem | undefined {
  const read = db.prepare('SELECT value FROM meta WHERE key = ?');
  const write = db.prepare('INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING');
  for (const [key, name, given] of [
    ['genesis_hash', 'genesis', identity.genesisHash],
    ['chain_id', 'chain id', identity.chainId],
  ] as const) {
    write.run(key, given);
    const stored = read.get(key)?.['value'];
    if (stored !== given) {
      return problem(
        'WRONG_CHAIN',
        path,
        `it belongs to ${name} ${String(stored)}, this node's is ${given}; give the genesis file that made this home, or another home`,
      );
    }
  }
  if (validator === undefined) return undefined;
  write.run('validator', validator);
  const stored = String(read.get('validator')?.['value']);
  return stored === validator ? undefined : wrongValidator(path, 'it', stored, validator);
}

const wrongValidator = (path: string, what: string, stored: string, given: string): OpenProblem =>
  problem(
    'WRONG_VALIDATOR',
    path,
    `${what} holds what validator ${stored} has signed, and the keys of this home are those of ${given}; put the keys and the data folder of one validator together`,
  );

function assemble(
  db: DatabaseSync,
  dir: string,
  path: string,
  identity: StoreIdentity,
  options: OpenOptions,
): Store | OpenProblem {
  const kept = readKeptRecord(dir);
  const statements = prepareStatements(db);
  if (kept !== undefined) importKeptRecord(dir, kept, statements);
  const place = witnessPlace(dir, options);
  const witnessed = readWitness(place, identity.genesisHash);
  const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES_DEFAULT;
  const segments = new Segments(join(dir, SEGMENTS_DIR), segmentBytes, segmentTail(statements));
  const witness = new Witness(place.dir, identity.genesisHash);
  const owner = join(dir, OWNER_FILE);
  const released = (): void => rmSync(owner, { force: true });
  try {
    writeFileSync(owner, `${process.pid}\n`, { mode: 0o600 });
    syncDirectory(dir);
    segments.verifyTail();
    const tail = new TransactionTail();
    const values = new Values(statements, segments, options.inlineBytesMax ?? INLINE_BYTES_MAX);
    const store = new SqliteStore({ path, identity, statements, values, tail, db, witness, released });
    const found = examine(store, path, witnessed, witness);
    if (found === undefined) return store;
    store.close();
    return found;
  } catch (error) {
    segments.close();
    witness.close();
    released();
    throw error;
  }
}

function examine(
  store: SqliteStore,
  path: string,
  witnessed: Witnessed,
  witness: Witness,
): OpenProblem | undefined {
  const recovered = store.recover();
  if (recovered.status === 'failed')
    return problem('CORRUPT', path, `${recovered.detail}; ${CORRUPT_ADVICE}`);
  const { recordVersion, committed } = recovered.value;
  if (witnessed !== 'torn' && witnessed > recordVersion) {
    return problem(
      'RECORD_LOST',
      path,
      `its safety record is number ${recordVersion}, but number ${witnessed} was acknowledged: the write-ahead log was cut, or an old copy put back; ${LOST_ADVICE}`,
    );
  }
  if (recordVersion > 0) witness.write(recordVersion);
  const from = Math.max(1, (committed?.block.header.height ?? 0) - BLOCKS_CHECKED + 1);
  const height = parseHeight(from);
  if (height === 'malformed') return undefined;
  const blocks = store.blocksFrom(height, BLOCKS_CHECKED, Number.MAX_SAFE_INTEGER);
  if (blocks.status === 'failed') return problem('CORRUPT', path, `${blocks.detail}; ${CORRUPT_ADVICE}`);
  return undefined;
}

const CORRUPT_ADVICE =
  'stop, keep a copy of the folder, run `althing reset` (it keeps the safety record) and let the node sync again; where the safety record is damaged too, reset refuses and deletes nothing: start a new home with new keys then';
const LOST_ADVICE =
  'put the newest copy of this folder back; without one, start a new home with new keys: these must not sign on this chain again (`althing reset --force` forgets what they signed, for a chain that is given up)';

/** A thrown device error as a problem; other errors are thrown again. */
export function explain(error: unknown, dir: string, path: string): OpenProblem {
  const sqlite = sqliteCode(error);
  const errno = errnoOf(error);
  const text = error instanceof Error ? error.message : String(error);
  if (sqlite === SQLITE.busy || sqlite === SQLITE.locked) {
    return problem('LOCKED', path, `${ownerOf(dir)} has it open; stop that node first, or give another home`);
  }
  if (sqlite === SQLITE.notadb) {
    return problem('NOT_A_DATABASE', path, `${text}; move the file away, or give another home`);
  }
  if (isDamage(error) || sqlite === SQLITE.corrupt) {
    return problem('CORRUPT', path, `${text}; ${CORRUPT_ADVICE}`);
  }
  if (sqlite === SQLITE.readonly || errno === 'EROFS') {
    return problem('READ_ONLY', path, `${text}; mount it for writing`);
  }
  const denied = errno === 'EACCES' || errno === 'EPERM';
  if (denied || sqlite === SQLITE.perm || sqlite === SQLITE.auth) {
    return problem('NO_PERMISSION', path, `${text}; give the user of this process read and write access`);
  }
  if (errno === 'ENOTDIR' || errno === 'EEXIST') {
    return problem('IO', path, `${text}; ${dir} must be a folder`);
  }
  const failure = deviceFailure(error, path);
  if (failure === undefined) throw error;
  return problem(failure.code, path, `${text}; check the disk and its free space`);
}

/** Who has a home's store open, in words; undefined when nobody has. Waits for nothing and changes nothing. */
export function storeHolder(dir: string): string | undefined {
  const path = join(dir, DATABASE_FILE);
  // A clean end takes the owner's file away: then there is nothing to ask SQLite.
  if (!existsSync(join(dir, OWNER_FILE)) || !existsSync(path)) return undefined;
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true });
    schemaVersion(db);
    return undefined;
  } catch (error) {
    return sqliteCode(error) === SQLITE.busy ? ownerOf(dir) : undefined;
  } finally {
    closeQuietly(db);
  }
}

function ownerOf(dir: string): string {
  try {
    return `process ${readFileSync(join(dir, OWNER_FILE), 'latin1').trim()}`;
  } catch {
    return 'another process';
  }
}

function quickCheck(db: DatabaseSync, path: string): string | undefined {
  if (statSync(path).size > QUICK_CHECK_BYTES_MAX) return undefined;
  const answer = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
  return answer === 'ok' ? undefined : `integrity check: ${String(answer)}`;
}

/** No table was ever made in it. */
const isEmpty = (db: DatabaseSync): boolean => pragma(db, 'schema_version') === 0;

/** Made by this program, or empty. */
export const isOurs = (db: DatabaseSync): boolean =>
  isEmpty(db) || pragma(db, 'application_id') === APPLICATION_ID;

function pragma(db: DatabaseSync, name: 'application_id' | 'schema_version'): number {
  const value = db.prepare(`PRAGMA ${name}`).get()?.[name];
  return typeof value === 'number' ? value : 0;
}

function segmentTail({ tail }: Statements): { readonly segment: number; readonly offset: number } {
  const row = tail.get();
  const [segment, offset] = [row?.['segment'], row?.['offset']];
  return typeof segment === 'number' && typeof offset === 'number' ? { segment, offset } : FIRST_TAIL;
}

function closeQuietly(db: DatabaseSync | undefined): void {
  if (db?.isOpen === true) db.close();
}

export const problem = (code: OpenProblemCode, path: string, detail: string): OpenProblem => ({
  status: 'problem',
  code,
  path,
  // The words of a store that is open name it themselves.
  detail: (detail.startsWith(`${path}: `) ? detail.slice(path.length + 2) : detail).replace(
    ` in ${path}: `,
    ': ',
  ),
});
