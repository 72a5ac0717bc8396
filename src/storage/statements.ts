/** The SQL of the store, prepared once. Boundary: disk. The schema is `migrations.ts`. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';

const LOCATION = 'segment, offset, length, crc';

export type Statements = ReturnType<typeof prepareStatements>;

export function prepareStatements(db: DatabaseSync) {
  const prepare = (sql: string): StatementSync => db.prepare(sql);
  return {
    begin: prepare('BEGIN IMMEDIATE'),
    commit: prepare('COMMIT'),
    rollback: prepare('ROLLBACK'),
    tail: prepare('SELECT segment, offset FROM segment_tail WHERE id = 1'),
    moveTail: prepare('UPDATE segment_tail SET segment = ?, offset = ? WHERE id = 1'),

    record: prepare('SELECT version, body, crc FROM safety_record WHERE id = 1'),
    putRecord: prepare(`INSERT INTO safety_record (id, version, body, crc) VALUES (1, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET version = excluded.version, body = excluded.body, crc = excluded.crc`),

    tip: prepare('SELECT height, id FROM committed_blocks ORDER BY height DESC LIMIT 1'),
    earliest: prepare('SELECT height FROM committed_blocks ORDER BY height LIMIT 1'),
    committedId: prepare('SELECT id FROM committed_blocks WHERE height = ?'),
    committedAt: prepare('SELECT height, id, body, crc FROM committed_blocks WHERE height = ?'),
    committedById: prepare('SELECT height, id, body, crc FROM committed_blocks WHERE id = ?'),
    committedFrom: prepare(
      'SELECT height, id, body, crc FROM committed_blocks WHERE height >= ? ORDER BY height LIMIT ?',
    ),
    putCommitted: prepare('INSERT INTO committed_blocks (height, id, body, crc) VALUES (?, ?, ?, ?)'),

    putEvidence: prepare('INSERT OR IGNORE INTO evidence_blocks (height) VALUES (?)'),
    evidenceFrom: prepare(`SELECT b.height, b.id, b.body, b.crc FROM evidence_blocks e
    JOIN committed_blocks b ON b.height = e.height WHERE e.height >= ? ORDER BY e.height`),

    uncommittedById: prepare('SELECT id, height, body, crc, qc, qc_crc FROM uncommitted_blocks WHERE id = ?'),
    uncommitted: prepare(
      'SELECT id, height, body, crc, qc, qc_crc FROM uncommitted_blocks WHERE height > ? ORDER BY height, round, id',
    ),
    putUncommitted: prepare(`INSERT INTO uncommitted_blocks (id, height, round, body, crc, qc, qc_crc)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET qc = excluded.qc, qc_crc = excluded.qc_crc
    WHERE excluded.qc IS NOT NULL AND uncommitted_blocks.qc IS NULL`),
    pruneUncommitted: prepare('DELETE FROM uncommitted_blocks WHERE height <= ?'),

    batch: prepare(`SELECT ${LOCATION} FROM batches WHERE digest = ?`),
    putBatch: prepare(`INSERT INTO batches (digest, ${LOCATION}) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (digest) DO UPDATE SET segment = excluded.segment, offset = excluded.offset,
      length = excluded.length, crc = excluded.crc`),
    markCommitted: prepare(`INSERT INTO batches (digest, committed_at) VALUES (?, ?)
    ON CONFLICT (digest) DO UPDATE SET committed_at = excluded.committed_at
    WHERE batches.committed_at IS NULL`),
    forgetBatch: prepare(
      `DELETE FROM batches WHERE digest = ? AND committed_at IS NULL RETURNING ${LOCATION}`,
    ),
    uncommittedBatches: prepare(`SELECT digest, ${LOCATION} FROM batches
    WHERE committed_at IS NULL AND digest > ? ORDER BY digest`),

    inlineValue: prepare('SELECT body FROM inline_values WHERE id = ?'),
    putInline: prepare('INSERT INTO inline_values (body) VALUES (?)'),
    forgetInline: prepare('DELETE FROM inline_values WHERE id = ?'),

    executed: prepare('SELECT height, app_hash FROM executions ORDER BY height DESC LIMIT 1'),
    execution: prepare(
      `SELECT block_id, app_hash, key_crc, transactions, ${LOCATION} FROM executions WHERE height = ?`,
    ),
    putExecution: prepare(`INSERT INTO executions
    (height, block_id, app_hash, key_crc, transactions, ${LOCATION}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    unindexedExecutions: prepare(`SELECT height, transactions, ${LOCATION} FROM executions
    WHERE transactions > 0 AND height > ? ORDER BY height`),

    newestRun: prepare('SELECT last_height FROM transaction_runs ORDER BY run DESC LIMIT 1'),
    runs: prepare(`SELECT last_height, entries, ${LOCATION} FROM transaction_runs ORDER BY run DESC`),
    putRun: prepare(
      `INSERT INTO transaction_runs (last_height, entries, ${LOCATION}) VALUES (?, ?, ?, ?, ?, ?)`,
    ),

    reputations: prepare('SELECT peer, body, crc FROM reputations ORDER BY peer'),
    putReputation: prepare('INSERT INTO reputations (peer, body, crc) VALUES (?, ?, ?)'),
    forgetReputations: prepare('DELETE FROM reputations'),

    epochs: prepare('SELECT epoch, body, crc FROM epochs WHERE epoch >= ? ORDER BY epoch LIMIT ?'),
    newestEpoch: prepare('SELECT epoch, body, crc FROM epochs ORDER BY epoch DESC LIMIT 1'),
    putEpoch: prepare('INSERT INTO epochs (epoch, body, crc) VALUES (?, ?, ?)'),
    updates: prepare('SELECT height, body, crc FROM validator_updates ORDER BY height'),
    putUpdates: prepare(`INSERT INTO validator_updates (height, body, crc) VALUES (?, ?, ?)
    ON CONFLICT (height) DO UPDATE SET body = excluded.body, crc = excluded.crc`),
    forgetUpdates: prepare('DELETE FROM validator_updates WHERE height <= ?'),
    standing: prepare('SELECT height, body, crc FROM standing WHERE id = 1'),
    putStanding: prepare(`INSERT INTO standing (id, height, body, crc) VALUES (1, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET height = excluded.height, body = excluded.body, crc = excluded.crc`),
    forgetUncommitted: prepare('DELETE FROM uncommitted_blocks'),
  };
}
