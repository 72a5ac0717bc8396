/**
 * The database's schema as a list of steps; its version is SQLite's `user_version`. Boundary: disk.
 * A step is one transaction and is never edited once released: a change is a new step (docs/storage.md, "Migrations").
 */
import type { DatabaseSync } from 'node:sqlite';

/** From version `to - 1` to `to`. A throw leaves the database at the former version. */
export interface Migration {
  readonly to: number;
  readonly what: string;
  readonly up: (db: DatabaseSync) => void;
}

export const MIGRATIONS: readonly Migration[] = [
  {
    to: 1,
    what: 'identity, safety record, blocks, batches',
    up: (db) => {
      db.exec(`
        CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE safety_record (
          id INTEGER PRIMARY KEY CHECK (id = 1),
          version INTEGER NOT NULL,
          body BLOB NOT NULL,
          crc INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE committed_blocks (
          height INTEGER PRIMARY KEY,
          id BLOB NOT NULL UNIQUE,
          body BLOB NOT NULL,
          crc INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE uncommitted_blocks (
          id BLOB PRIMARY KEY,
          height INTEGER NOT NULL,
          round INTEGER NOT NULL,
          body BLOB NOT NULL,
          crc INTEGER NOT NULL,
          qc BLOB,
          qc_crc INTEGER
        ) STRICT;
        CREATE INDEX uncommitted_blocks_by_height ON uncommitted_blocks (height);
        CREATE TABLE batches (
          digest BLOB PRIMARY KEY,
          segment INTEGER,
          offset INTEGER,
          length INTEGER,
          crc INTEGER,
          committed_at INTEGER
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX batches_uncommitted ON batches (digest) WHERE committed_at IS NULL;
        CREATE TABLE segment_tail (
          id INTEGER PRIMARY KEY CHECK (id = 1),
          segment INTEGER NOT NULL,
          offset INTEGER NOT NULL
        ) STRICT;
        INSERT INTO segment_tail (id, segment, offset) VALUES (1, 1, 0);
      `);
    },
  },
  {
    to: 2,
    what: 'executions and the index of transactions',
    up: (db) => {
      db.exec(`
        CREATE TABLE executions (
          height INTEGER PRIMARY KEY,
          block_id BLOB NOT NULL,
          app_hash BLOB NOT NULL,
          key_crc INTEGER NOT NULL,
          transactions INTEGER NOT NULL,
          segment INTEGER,
          offset INTEGER,
          length INTEGER,
          crc INTEGER
        ) STRICT;
        CREATE INDEX executions_with_transactions ON executions (height) WHERE transactions > 0;
        CREATE TABLE transaction_runs (
          last_height INTEGER NOT NULL,
          run INTEGER PRIMARY KEY,
          entries INTEGER NOT NULL,
          segment INTEGER NOT NULL,
          offset INTEGER NOT NULL,
          length INTEGER NOT NULL,
          crc INTEGER NOT NULL
        ) STRICT;
      `);
    },
  },
  {
    to: 3,
    what: 'small values in the database: segment 0, offset the id',
    up: (db) => {
      db.exec('CREATE TABLE inline_values (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT');
    },
  },
  {
    to: 4,
    what: 'what is known of peers',
    up: (db) => {
      db.exec(
        'CREATE TABLE reputations (peer BLOB PRIMARY KEY, body BLOB NOT NULL, crc INTEGER NOT NULL) STRICT, WITHOUT ROWID',
      );
    },
  },
  {
    to: 5,
    what: 'how epochs ended, what has not taken effect of changes of validators; which blocks carry evidence',
    up: (db) => {
      db.exec(`
        CREATE TABLE epochs (epoch INTEGER PRIMARY KEY, body BLOB NOT NULL, crc INTEGER NOT NULL) STRICT;
        CREATE TABLE validator_updates (
          height INTEGER PRIMARY KEY,
          body BLOB NOT NULL,
          crc INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE standing (
          id INTEGER PRIMARY KEY CHECK (id = 1),
          height INTEGER NOT NULL,
          body BLOB NOT NULL,
          crc INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE evidence_blocks (height INTEGER PRIMARY KEY) STRICT;
      `);
    },
  },
];

/** What this program writes. */
export const SCHEMA_VERSION = MIGRATIONS.at(-1)?.to ?? 0;

/** Brings the database up to the newest step, each in a transaction of its own. @returns the version before */
export function migrate(db: DatabaseSync, steps: readonly Migration[] = MIGRATIONS): number {
  const found = schemaVersion(db);
  for (const step of steps.filter(({ to }) => to > found)) {
    db.exec('BEGIN IMMEDIATE');
    try {
      step.up(db);
      db.exec(`PRAGMA user_version = ${step.to}`);
      db.exec('COMMIT');
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
  return found;
}

/** 0 for a new database. */
export function schemaVersion(db: DatabaseSync): number {
  const version = db.prepare('PRAGMA user_version').get()?.['user_version'];
  return typeof version === 'number' ? version : 0;
}
