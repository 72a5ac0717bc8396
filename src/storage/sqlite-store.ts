/**
 * The store on disk: SQLite (WAL, synchronous=FULL) for what is small and looked up, segment files for what is large.
 * A group of writes is one transaction; segment files are synced before it commits. Boundary: disk.
 * Rules ST-1 to ST-9, docs/storage.md; numbers in docs/adr/0003-storage.md. Made by `openStore` (open.ts).
 */

import type { DatabaseSync } from 'node:sqlite';
import { toHex } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import { blockIdOf } from '../protocol/chain/canonical.ts';
import { FIRST_EPOCH, GENESIS_HEIGHT } from '../protocol/chain/ordinals.ts';
import { digestBytes } from '../protocol/chain/parse.ts';
import type {
  BatchDigest,
  Block,
  BlockId,
  EpochChange,
  Height,
  QuorumCertificate,
} from '../protocol/chain/types.ts';
import { settledBy } from '../protocol/consensus/epoch.ts';
import type { EpochStanding } from '../protocol/consensus/standing.ts';
import { isWithheld } from '../protocol/execution/outcome.ts';
import type { CommittedBlock } from '../protocol/ports/storage.ts';
import { certificateKey, committedKey, uncommittedKey } from './block-rows.ts';
import { crc32, executionKey, recordKey, rowChecksum } from './checksum.ts';
import { encodeBlock, encodeCommitted, encodeQc, encodeRecord } from './codec.ts';
import { deviceFailure } from './device-errors.ts';
import { readNewestChange, writeChange, writeStanding, writeUpdates } from './epochs.ts';
import { writeReputations } from './reputations.ts';
import { encodeResults, prefixOf } from './results.ts';
import { locationOf } from './rows.ts';
import { ruleOn, type StoredChain, type StoreFacts } from './rulings.ts';
import type { SegmentTail } from './segments.ts';
import { type ReaderParts, SqliteReader } from './sqlite-reader.ts';
import type { DeviceFailure, StageResult, Store, StoreWrite, SyncResult, WriteOutcome } from './store.ts';
import { RUN_ENTRIES } from './transaction-index.ts';
import type { Witness } from './witness.ts';

export interface SqliteParts extends ReaderParts {
  readonly db: DatabaseSync;
  readonly witness: Witness;
  /** Called once, after everything is closed. */
  readonly released: () => void;
}

/** What a failed group is undone to. */
interface Mark {
  readonly facts: StoreFacts;
  readonly segmentTail: SegmentTail;
  readonly transactions: number;
}

/** Entries of the tail that are written as a run in the middle of a block. @unit entries @source encodeRun sorts 2^21 at most */
const TAIL_ENTRIES_MAX = 2 ** 20;
/** Ids of blocks committed last that are held for the executions that follow. @unit blocks @source what sync has under way */
const RECENT_IDS_MAX = 2_048;

export class SqliteStore extends SqliteReader implements Store {
  readonly #db: DatabaseSync;
  readonly #witness: Witness;
  readonly #released: () => void;
  readonly #chain: StoredChain;
  /** By rising height; may lack any, never wrong: emptied where a group is undone. */
  readonly #recentIds = new Map<Height, BlockId>();
  #facts: StoreFacts;
  #mark: Mark | undefined;
  /** A rollback failed: what this connection would read or write is not known. */
  #lost: DeviceFailure | undefined;
  #closed = false;
  /** A run was emptied from memory by this group; after a failure it is read again. */
  #tailTaken = false;

  constructor(parts: SqliteParts) {
    super(parts);
    this.#db = parts.db;
    this.#witness = parts.witness;
    this.#released = parts.released;
    this.#chain = {
      committedIdAt: (height) => this.#recentIds.get(height) ?? this.committedIdAt(height),
      // Nothing is stored above the newest: that needs no query.
      executionAt: (height) => (height > this.#facts.executed.height ? undefined : this.executionRow(height)),
    };
    const { record, version } = this.readRecord();
    const change = readNewestChange(this.sql);
    this.#facts = {
      record,
      recordVersion: version,
      tip: this.readTip(),
      executed: this.readExecuted(),
      genesisId: this.genesisId,
      epoch: change?.proof.next.epoch ?? FIRST_EPOCH,
      rootId: change?.qc.blockId ?? this.genesisId,
      rootHeight: change?.qc.height ?? GENESIS_HEIGHT,
      settledHeight: change === undefined ? GENESIS_HEIGHT : settledBy(change),
    };
    this.loadTransactionTail();
  }

  stage(writes: readonly StoreWrite[]): StageResult {
    invariant(!this.#closed, 'a closed store is not written', { path: this.path });
    invariant(this.#mark === undefined, 'a group is synced before the next is staged', { path: this.path });
    if (this.#lost !== undefined) return this.#lost;
    const mark: Mark = {
      facts: this.#facts,
      segmentTail: this.values.tail,
      transactions: this.transactionTail.count,
    };
    this.#mark = mark;
    this.staged = true;
    try {
      this.sql.begin.run();
      const outcomes = writes.map((write) => this.#write(write));
      return { status: 'staged', outcomes };
    } catch (error) {
      return this.#undo(mark, error);
    }
  }

  sync(): SyncResult {
    const mark = this.#mark;
    invariant(mark !== undefined, 'a group is staged before it is synced', { path: this.path });
    try {
      const { segment, offset } = this.values.tail;
      const moved = segment !== mark.segmentTail.segment || offset !== mark.segmentTail.offset;
      if (moved) {
        this.sql.moveTail.run(segment, offset);
        this.values.sync();
      }
      this.sql.commit.run();
    } catch (error) {
      return this.#undo(mark, error);
    }
    const { recordVersion } = this.#facts;
    this.#settle();
    if (recordVersion !== mark.facts.recordVersion) this.#witnessRecord(recordVersion);
    return { status: 'durable' };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (this.#db.isTransaction) this.sql.rollback.run();
      this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch (error) {
      // What was acknowledged is in the WAL, synced; the next open moves it.
      if (deviceFailure(error, this.path) === undefined) throw error;
    } finally {
      this.values.close();
      this.#witness.close();
      this.#db.close();
      this.#released();
    }
  }

  #write(write: StoreWrite): WriteOutcome {
    const ruling = ruleOn(this.#facts, this.#chain, write);
    if (ruling.status === 'refused') return ruling;
    if (ruling.status === 'taken') {
      this.#facts = ruling.facts;
      this.#apply(write, ruling.fresh);
    }
    return { status: 'staged', version: this.#facts.recordVersion, height: this.#facts.tip.height };
  }

  #apply(write: StoreWrite, fresh: readonly CommittedBlock[]): void {
    switch (write.kind) {
      case 'record':
        this.#writeRecord(write);
        return;
      case 'certified':
        for (const { block, qc } of write.blocks) this.#putUncommitted(block, qc);
        return;
      case 'commit':
        this.#writeCommit(fresh, write.standing);
        return;
      case 'batches':
        for (const { digest, bytes } of write.batches) {
          // ST-6: what is given again takes the place of a row that leads to anything else.
          const held = this.batchLocation(digest);
          if (held?.length === bytes.byteLength && held.crc === crc32(bytes)) continue;
          const { segment, offset, length, crc } = this.values.append(bytes);
          this.sql.putBatch.run(digestBytes(digest), segment, offset, length, crc);
        }
        return;
      case 'pruneBatches':
        for (const digest of write.digests) this.#forgetBatch(digest);
        return;
      case 'execution':
        this.#writeExecution(write);
        return;
      case 'plant':
        return;
      case 'restored':
        this.#writeRestored(write);
        return;
      case 'reputations':
        writeReputations(this.sql, write.reputations);
        return;
      case 'passed':
        writeChange(this.sql, write.change);
        return;
      case 'epoch':
        this.#writeEpoch(write.change);
        return;
    }
  }

  #writeRecord(write: Extract<StoreWrite, { kind: 'record' }>): void {
    this.#putRecord();
    if (write.block !== undefined) this.#putUncommitted(write.block);
  }

  /** What is above the end of an epoch is in no chain (CS-16). */
  #writeEpoch(change: EpochChange): void {
    writeChange(this.sql, change);
    this.#putRecord();
    this.sql.forgetUncommitted.run();
    this.sql.forgetUpdates.run(this.#facts.settledHeight);
  }

  #putRecord(): void {
    const { record, recordVersion } = this.#facts;
    const body = encodeRecord(record);
    this.sql.putRecord.run(recordVersion, body, rowChecksum(recordKey(recordVersion), body));
  }

  #putUncommitted(block: Block, qc?: QuorumCertificate): void {
    const { height, round } = block.header;
    if (height <= this.#facts.tip.height) return;
    const id = blockIdOf(this.identity, block);
    const body = encodeBlock(block);
    const certificate = qc === undefined ? null : encodeQc(qc);
    this.sql.putUncommitted.run(
      digestBytes(id),
      height,
      round,
      body,
      rowChecksum(uncommittedKey(id), body),
      certificate,
      certificate === null ? null : rowChecksum(certificateKey(id), certificate),
    );
  }

  #writeCommit(fresh: readonly CommittedBlock[], standing: EpochStanding | undefined): void {
    for (const committed of fresh) {
      const { height, batches } = committed.block.header;
      const body = encodeCommitted(committed);
      const id = digestBytes(committed.id);
      this.sql.putCommitted.run(height, id, body, rowChecksum(committedKey(height, toHex(id)), body));
      if (committed.block.evidence !== undefined) this.sql.putEvidence.run(height);
      for (const { digest } of batches) this.sql.markCommitted.run(digestBytes(digest), height);
      this.#rememberId(height, committed.id);
    }
    if (fresh.length === 0) return;
    const { height } = this.#facts.tip;
    this.sql.pruneUncommitted.run(height);
    if (standing !== undefined) writeStanding(this.sql, height, standing);
  }

  #rememberId(height: Height, id: BlockId): void {
    this.#recentIds.set(height, id);
    if (this.#recentIds.size <= RECENT_IDS_MAX) return;
    for (const oldest of this.#recentIds.keys()) {
      this.#recentIds.delete(oldest);
      return;
    }
  }

  #forgetBatch(digest: BatchDigest): void {
    const row = this.sql.forgetBatch.get(digestBytes(digest));
    const location = row === undefined ? undefined : locationOf(row);
    if (location !== undefined) this.values.forget(location);
  }

  #writeExecution(write: Extract<StoreWrite, { kind: 'execution' }>): void {
    const { blockId, executed, transactions, events, validatorUpdates: updates } = write;
    const { height, appHash } = executed;
    if (updates.length > 0 && height > this.#facts.settledHeight) writeUpdates(this.sql, { height, updates });
    const empty = transactions.length === 0 && events.length === 0;
    const location = empty ? undefined : this.values.append(encodeResults(transactions, events));
    const hash = digestBytes(appHash);
    this.sql.putExecution.run(
      height,
      digestBytes(blockId),
      hash,
      rowChecksum(executionKey(height, blockId), hash),
      transactions.length,
      location?.segment ?? null,
      location?.offset ?? null,
      location?.length ?? null,
      location?.crc ?? null,
    );
    let split = false;
    transactions.forEach((transaction, entry) => {
      if (isWithheld(transaction.result)) return;
      this.transactionTail.add(prefixOf(transaction.hash), entry, height);
      if (this.transactionTail.count < TAIL_ENTRIES_MAX) return;
      split = true;
      this.#writeRun(height);
    });
    if (split || this.transactionTail.count >= RUN_ENTRIES) this.#writeRun(height);
  }

  #writeRestored({ blockId, executed }: Extract<StoreWrite, { kind: 'restored' }>): void {
    const hash = digestBytes(executed.appHash);
    const checksum = rowChecksum(executionKey(executed.height, blockId), hash);
    const nowhere = [null, null, null, null] as const;
    this.sql.putExecution.run(executed.height, digestBytes(blockId), hash, checksum, 0, ...nowhere);
  }

  #writeRun(lastHeight: Height): void {
    const entries = this.transactionTail.count;
    if (entries === 0) return;
    const { segment, offset, length, crc } = this.values.append(this.transactionTail.encodeRun());
    this.sql.putRun.run(lastHeight, entries, segment, offset, length, crc);
    this.transactionTail.truncate(0);
    this.#tailTaken = true;
  }

  #undo(mark: Mark, cause: unknown): DeviceFailure {
    const failure = deviceFailure(cause, this.path);
    try {
      if (this.#db.isTransaction) this.sql.rollback.run();
    } catch (error) {
      const rollback = deviceFailure(error, this.path);
      if (rollback === undefined) throw error;
      this.#lost = {
        ...rollback,
        detail: `${rollback.detail}; the store is closed to writing: restart the node`,
      };
    }
    this.values.rollback(mark.segmentTail);
    this.#facts = mark.facts;
    this.#recentIds.clear();
    this.transactionTail.truncate(mark.transactions);
    const taken = this.#tailTaken;
    this.#settle();
    if (taken && this.#lost === undefined) this.loadTransactionTail();
    if (failure === undefined) throw cause;
    return this.#lost ?? failure;
  }

  #settle(): void {
    this.#mark = undefined;
    this.staged = false;
    this.#tailTaken = false;
  }

  // The record is durable already: a witness that cannot be written is only a weaker alarm.
  #witnessRecord(version: number): void {
    try {
      this.#witness.write(version);
    } catch (error) {
      if (deviceFailure(error, this.path) === undefined) throw error;
    }
  }
}
