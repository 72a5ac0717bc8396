/**
 * Reads of the store on disk. Every row is checked against its CRC-32 before it is believed (ST-6). Boundary: disk.
 * Rules ST-6, ST-8, docs/storage.md.
 */
import { toHex } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import { genesisBlockId } from '../protocol/chain/canonical.ts';
import { FIRST_EPOCH, GENESIS_HEIGHT } from '../protocol/chain/ordinals.ts';
import { digestBytes, parseBatchDigest, parseBlockId, parseDigest } from '../protocol/chain/parse.ts';
import type {
  BatchDigest,
  Block,
  BlockId,
  CertifiedBlock,
  Digest,
  Epoch,
  EpochChange,
  ExecutedState,
  Height,
  QuorumCertificate,
} from '../protocol/chain/types.ts';
import type { ChainEvidence } from '../protocol/consensus/evidence-pool.ts';
import type { SafetyRecord } from '../protocol/consensus/types.ts';
import type { CommittedBlock, Recovered } from '../protocol/ports/storage.ts';
import type { Reputation } from '../protocol/sync/types.ts';
import { ancestry, type HeldBlock, joinedTo } from './ancestry.ts';
import { blockIdIn, heightOf, parsed, uncommittedOf } from './block-rows.ts';
import { DamagedData, executionKey, recordKey, verifyRow } from './checksum.ts';
import { decodeRecord } from './codec.ts';
import {
  readChainEvidence,
  readCommittedAt,
  readCommittedById,
  readCommittedFrom,
  readEarliest,
} from './committed-rows.ts';
import { deviceFailure } from './device-errors.ts';
import {
  genesisRecord,
  readChanges,
  readEpochEndedBy,
  readNewestChange,
  readStanding,
  readUpdates,
} from './epochs.ts';
import { readReputations } from './reputations.ts';
import {
  decodeEntry,
  decodeResults,
  prefixOf,
  readEntries,
  spanOf,
  spanRows,
  tableBytes,
} from './results.ts';
import { blobOf, integerOf, locationOf } from './rows.ts';
import type { Tip } from './rulings.ts';
import type { Location } from './segments.ts';
import type { Statements } from './statements.ts';
import {
  type BatchBytes,
  type BatchesFound,
  type BlockRange,
  type HeightRange,
  type LatestHeights,
  NO_APP_HASH,
  type Read,
  type StoredBlockId,
  type StoredExecution,
  type StoredTip,
  type StoreIdentity,
  type StoreReader,
  type TransactionFound,
  type UncommittedBatches,
} from './store.ts';
import { findInRun, type Place, type Run, type TransactionTail } from './transaction-index.ts';
import type { Values } from './values.ts';

/** What the reader works on. `path` is the database's, for errors. */
export interface ReaderParts {
  readonly path: string;
  readonly identity: StoreIdentity;
  readonly statements: Statements;
  readonly values: Values;
  readonly tail: TransactionTail;
}

export class SqliteReader implements StoreReader {
  readonly identity: StoreIdentity;
  protected readonly genesisId: BlockId;
  protected readonly path: string;
  protected readonly sql: Statements;
  protected readonly values: Values;
  protected readonly transactionTail: TransactionTail;
  /** A group is staged and not synced: nothing may be read. */
  protected staged = false;

  constructor(parts: ReaderParts) {
    this.identity = parts.identity;
    this.genesisId = genesisBlockId(parts.identity, FIRST_EPOCH);
    this.path = parts.path;
    this.sql = parts.statements;
    this.values = parts.values;
    this.transactionTail = parts.tail;
  }

  recover(): Read<Recovered> {
    return this.#read('recovery', () => {
      const { record, version } = this.readRecord();
      const tip = this.readTip();
      const committed = tip.height === GENESIS_HEIGHT ? undefined : readCommittedAt(this.sql, tip.height);
      const change = readNewestChange(this.sql);
      const ended = change === undefined ? undefined : readEpochEndedBy(this.sql, change);
      const standing = readStanding(this.sql, tip.height);
      return {
        ...(standing === undefined ? {} : { standing }),
        ...(change === undefined ? {} : { change }),
        ...(ended === undefined ? {} : { ended }),
        updates: readUpdates(this.sql),
        record,
        recordVersion: version,
        ...(committed === undefined ? {} : { committed }),
        blocks: this.#uncommittedAbove(tip),
        executed: this.readExecuted(),
      };
    });
  }

  changes(from: Epoch, limit: number): Read<readonly EpochChange[]> {
    return this.#read('how epochs ended', () => readChanges(this.sql, from, limit));
  }

  latest(): Read<LatestHeights> {
    return this.#read('latest heights', () => {
      const earliest = readEarliest(this.sql);
      return {
        ...(earliest === undefined ? {} : { earliest }),
        committed: this.readTip().height,
        executed: this.readExecuted().height,
      };
    });
  }

  tip(): Read<StoredTip> {
    return this.#read('the tip', () => {
      const [tip, executed] = [this.readTip(), this.readExecuted()];
      const newest = readCommittedAt(this.sql, tip.height);
      return {
        ...tip,
        base: readEarliest(this.sql) ?? GENESIS_HEIGHT,
        ...(newest === undefined ? {} : { proof: newest.commitProof }),
        executed,
      };
    });
  }

  blockIds(heights: readonly Height[]): Read<readonly StoredBlockId[]> {
    return this.#read('ids of blocks', () =>
      [...new Set(heights)]
        .sort((left, right) => left - right)
        .flatMap((height) => {
          const id = this.committedIdAt(height);
          return id === undefined ? [] : [{ height, id }];
        }),
    );
  }

  blockAt(height: Height): Read<CommittedBlock | undefined> {
    return this.#read(`block at height ${height}`, () => readCommittedAt(this.sql, height));
  }

  committedBlock(id: BlockId): Read<CommittedBlock | undefined> {
    return this.#read(`block ${id}`, () => readCommittedById(this.sql, id));
  }

  blocksFrom(from: Height, limit: number, bytesMax: number): Read<BlockRange> {
    return this.#read(`blocks from height ${from}`, () => ({
      blocks: readCommittedFrom(this.sql, from, limit, bytesMax),
      height: this.readTip().height,
    }));
  }

  chainEvidence(heights: number, stride: number): Read<ChainEvidence> {
    return this.#read('the evidence in the chain', () =>
      readChainEvidence(this.sql, this.readTip().height, heights, stride),
    );
  }

  blockWithAncestors(id: BlockId, ancestors: number): Read<readonly CertifiedBlock[]> {
    return this.#read(`block ${id}`, () =>
      ancestry(id, ancestors, (wanted) => this.#held(wanted), this.#certificatesAbove(id)),
    );
  }

  batches(digests: readonly BatchDigest[]): Read<BatchesFound> {
    return this.#read('batches', () => {
      const batches: BatchBytes[] = [];
      const missing: BatchDigest[] = [];
      for (const digest of digests) {
        const location = this.batchLocation(digest);
        if (location === undefined) missing.push(digest);
        else batches.push({ digest, bytes: this.values.read(location) });
      }
      return { batches, missing };
    });
  }

  uncommittedBatches(bytesMax: number, after?: BatchDigest): Read<UncommittedBatches> {
    return this.#read('uncommitted batches', () => {
      const batches: BatchBytes[] = [];
      let bytes = 0;
      const start = after === undefined ? new Uint8Array(0) : digestBytes(after);
      for (const row of this.sql.uncommittedBatches.iterate(start)) {
        const location = locationOf(row);
        if (location === undefined) continue;
        bytes += location.length;
        if (batches.length > 0 && bytes > bytesMax) return { batches, more: true };
        const digest = parsed(parseBatchDigest(toHex(blobOf(row, 'digest'))), 'batches.digest');
        batches.push({ digest, bytes: this.values.read(location) });
      }
      return { batches, more: false };
    });
  }

  execution(height: Height): Read<StoredExecution | undefined> {
    return this.#read(`execution of height ${height}`, () => {
      const row = this.executionRow(height);
      if (row === undefined) return undefined;
      const executed = { height, appHash: row.appHash };
      if (row.location === undefined) return { executed, transactions: [], events: [] };
      const what = `results of height ${height}`;
      return { executed, ...decodeResults(this.values.read(row.location), what) };
    });
  }

  transaction(hash: Digest, within?: HeightRange): Read<TransactionFound | undefined> {
    const { above, upTo } = within ?? { above: -1, upTo: Number.POSITIVE_INFINITY };
    return this.#read(`transaction ${hash}`, () => {
      for (const place of this.#places(hash, above)) {
        if (place.height > upTo || place.height <= above) continue;
        const executed = this.#executedAt(place);
        if (executed.hash === hash) return { height: place.height, executed };
      }
      return undefined;
    });
  }

  reputations(): Read<readonly Reputation[]> {
    return this.#read('what is known of peers', () => readReputations(this.sql));
  }

  protected readRecord(): { readonly record: SafetyRecord; readonly version: number } {
    const row = this.sql.record.get();
    if (row === undefined) return { record: genesisRecord(this.identity), version: 0 };
    const version = integerOf(row, 'version');
    const body = blobOf(row, 'body');
    verifyRow('safety_record', recordKey(version), body, integerOf(row, 'crc'));
    return { record: decodeRecord(body, 'safety_record'), version };
  }

  protected readTip(): Tip {
    const row = this.sql.tip.get();
    if (row === undefined) return { height: GENESIS_HEIGHT, id: this.genesisId };
    return { height: heightOf(row), id: blockIdIn(row, 'id', 'committed_blocks.id') };
  }

  protected readExecuted(): ExecutedState {
    const newest = this.sql.executed.get();
    if (newest === undefined) {
      return { height: GENESIS_HEIGHT, appHash: this.identity.genesisAppHash ?? NO_APP_HASH };
    }
    const height = heightOf(newest);
    const row = this.executionRow(height);
    if (row === undefined) throw new DamagedData(`executions: height ${height} is missing`);
    return { height, appHash: row.appHash };
  }

  protected executionRow(height: Height): ExecutionRow | undefined {
    const row = this.sql.execution.get(height);
    if (row === undefined) return undefined;
    const [blockId, appHash] = [blobOf(row, 'block_id'), blobOf(row, 'app_hash')];
    verifyRow('executions', executionKey(height, toHex(blockId)), appHash, integerOf(row, 'key_crc'));
    return {
      blockId: parsed(parseBlockId(toHex(blockId)), 'executions.block_id'),
      appHash: parsed(parseDigest(toHex(appHash)), 'executions.app_hash'),
      location: locationOf(row),
    };
  }

  protected committedIdAt(height: Height): BlockId | undefined {
    const row = this.sql.committedId.get(height);
    return row === undefined ? undefined : blockIdIn(row, 'id', 'committed_blocks.id');
  }

  /** Undefined when the batch is not held; a committed block may still name it. */
  protected batchLocation(digest: BatchDigest): Location | undefined {
    const row = this.sql.batch.get(digestBytes(digest));
    return row === undefined ? undefined : locationOf(row);
  }

  /** Fills the memory part of the transaction index from what is stored. */
  protected loadTransactionTail(): void {
    this.transactionTail.truncate(0);
    const newest = this.sql.newestRun.get();
    const indexed = newest === undefined ? GENESIS_HEIGHT : heightOf(newest, 'last_height');
    for (const row of this.sql.unindexedExecutions.iterate(indexed)) {
      const location = locationOf(row);
      const height = heightOf(row);
      if (location === undefined) throw new DamagedData(`executions: height ${height} has no results`);
      const table = this.values.readPart(location, 0, tableBytes(integerOf(row, 'transactions')));
      readEntries(table).forEach(({ prefix, duplicate }, entry) => {
        if (!duplicate) this.transactionTail.add(prefix, entry, height);
      });
    }
  }

  #read<Value>(what: string, read: () => Value): Read<Value> {
    invariant(!this.staged, 'a store is read between groups only', { what });
    try {
      return { status: 'found', value: read() };
    } catch (error) {
      const failure = deviceFailure(error, `${what} in ${this.path}`);
      if (failure === undefined) throw error;
      return failure;
    }
  }

  #held(id: BlockId): HeldBlock | undefined {
    const row = this.sql.uncommittedById.get(digestBytes(id));
    return row === undefined ? readCommittedById(this.sql, id) : uncommittedOf(row);
  }

  /** Lazily: most often the first one is the one. */
  *#certificatesAbove(id: BlockId): Generator<QuorumCertificate> {
    yield this.readRecord().record.highQC;
    const row = this.sql.uncommittedById.get(digestBytes(id));
    if (row === undefined) return;
    for (const child of this.sql.uncommitted.iterate(heightOf(row))) yield uncommittedOf(child).block.qc;
  }

  *#uncommittedFrom(height: Height): Generator<HeldBlock> {
    for (const row of this.sql.uncommitted.iterate(height)) yield uncommittedOf(row);
  }

  #uncommittedAbove(tip: Tip): readonly Block[] {
    return joinedTo(tip.id, this.#uncommittedFrom(tip.height));
  }

  /** Newest first. Runs that end at `above` or below it are not read. */
  *#places(hash: Digest, above: number): Generator<Place> {
    const prefix = prefixOf(hash);
    yield* this.transactionTail.find(prefix);
    for (const row of this.sql.runs.iterate()) {
      if (integerOf(row, 'last_height') <= above) return;
      const location = locationOf(row);
      if (location === undefined) continue;
      const run: Run = {
        count: integerOf(row, 'entries'),
        readPart: (start, length) => this.values.readPart(location, start, length),
      };
      yield* findInRun(run, prefix);
    }
  }

  #executedAt({ height, entry }: Place): ReturnType<typeof decodeEntry> {
    const location = this.executionRow(height)?.location;
    if (location === undefined) throw new DamagedData(`executions: height ${height} has no results`);
    const rows = spanRows(entry);
    const { start, length } = spanOf(
      this.values.readPart(location, rows.start, rows.length),
      location.length,
    );
    return decodeEntry(
      this.values.readPart(location, start, length),
      `results of height ${height}, transaction ${entry}`,
    );
  }
}

interface ExecutionRow {
  readonly blockId: BlockId;
  readonly appHash: Digest;
  readonly location: Location | undefined;
}
