/**
 * What a store is, whatever it writes to: groups of writes become durable together, reads see durable things only.
 * Synchronous. `sqlite-store.ts` is the disk, `memory-store.ts` the simulator's. Rules: docs/storage.md, ST-1 to ST-9.
 */
import type {
  BatchDigest,
  Block,
  BlockId,
  CertifiedBlock,
  ChainDomain,
  CommitProof,
  Digest,
  Epoch,
  EpochChange,
  ExecutedState,
  Height,
} from '../protocol/chain/types.ts';
import type { ChainEvidence } from '../protocol/consensus/evidence-pool.ts';
import type { EpochStanding } from '../protocol/consensus/standing.ts';
import type { SafetyRecord } from '../protocol/consensus/types.ts';
import type { ValidatorUpdate } from '../protocol/ports/application.ts';
import type {
  ApplicationEvent,
  CommittedBlock,
  ExecutedTransaction,
  Recovered,
  UncommittedBlock,
} from '../protocol/ports/storage.ts';
import type { Reputation } from '../protocol/sync/types.ts';

/** The chain that a store belongs to; it never serves another (ST-1). */
export interface StoreIdentity extends ChainDomain {
  /** State before the first block, where it is known; else the executor writes it once, at height 0. */
  readonly genesisAppHash?: Digest;
}

/** The application's state before the first block, as long as nobody has told it. */
export const NO_APP_HASH = '0'.repeat(64) as Digest;

export interface BatchBytes {
  readonly digest: BatchDigest;
  readonly bytes: Uint8Array;
}

/** One request's worth of writing: all of it or nothing. */
export type StoreWrite =
  /** Compare-and-set (ST-2), with the block voted for; its QC and the TC are in record and block. */
  | {
      readonly kind: 'record';
      readonly record: SafetyRecord;
      readonly expectedVersion: number;
      readonly block?: Block;
    }
  /** What is held of a block stays; a certificate joins it where there was none. */
  | { readonly kind: 'certified'; readonly blocks: readonly UncommittedBlock[] }
  /** Oldest first, gapless; those already committed are passed over (ST-4). */
  | {
      readonly kind: 'commit';
      readonly blocks: readonly CommittedBlock[];
      /** In place of the one before; of another newest block it is passed over. */
      readonly standing?: EpochStanding;
    }
  | { readonly kind: 'batches'; readonly batches: readonly BatchBytes[] }
  /** Forgets batches that no committed block names; the others stay. */
  | { readonly kind: 'pruneBatches'; readonly digests: readonly BatchDigest[] }
  /** In place of all before; those after REPUTATIONS_MAX are not kept. */
  | { readonly kind: 'reputations'; readonly reputations: readonly Reputation[] }
  /** Into an empty store: its first block stands on this one, which it does not hold (ST-11). Kept by the commit that follows. */
  | { readonly kind: 'plant'; readonly height: Height; readonly id: BlockId }
  /** The state after a committed block, which a snapshot gave in place of all executions up to it (ST-11). */
  | { readonly kind: 'restored'; readonly blockId: BlockId; readonly executed: ExecutedState }
  | {
      readonly kind: 'execution';
      readonly blockId: BlockId;
      readonly executed: ExecutedState;
      readonly transactions: readonly ExecutedTransaction[];
      readonly events: readonly ApplicationEvent[];
      readonly validatorUpdates: readonly ValidatorUpdate[];
    }
  /**
   * How an epoch ended, for a store that nothing is signed on yet (ST-12): with the newest committed block; or, in an empty store,
   * whose blocks it will not hold, before it is planted above them. No record is written.
   */
  | { readonly kind: 'passed'; readonly change: EpochChange }
  /** How the present epoch ended; with it goes a record that says nothing of what was signed (ST-12). */
  | { readonly kind: 'epoch'; readonly change: EpochChange };

/** A write that was turned down; nothing of it was written, the rest of its group stands. */
export interface WriteRefused {
  readonly status: 'refused';
  /** `FORK`: it contradicts what is committed, a broken invariant of this program; `CORRUPT`: it must be compared with a damaged row. */
  readonly code: 'VERSION_CONFLICT' | 'FORK' | 'CORRUPT';
  readonly detail: string;
}

/** Accepted into the group; it holds once `sync` said so. `version` is the record's, `height` the committed one. */
export type WriteOutcome =
  | { readonly status: 'staged'; readonly version: number; readonly height: Height }
  | WriteRefused;

/** The device's refusal. The whole group is undone. */
export interface DeviceFailure {
  readonly status: 'failed';
  readonly code: 'IO' | 'FULL' | 'CORRUPT';
  readonly detail: string;
}

export type StageResult =
  | { readonly status: 'staged'; readonly outcomes: readonly WriteOutcome[] }
  | DeviceFailure;
export type SyncResult = { readonly status: 'durable' } | DeviceFailure;
export type Read<Value> = { readonly status: 'found'; readonly value: Value } | DeviceFailure;

export interface BatchesFound {
  readonly batches: readonly BatchBytes[];
  readonly missing: readonly BatchDigest[];
}

export interface BlockRange {
  /** Committed, oldest first, gapless; with the proof of each one's commit. */
  readonly blocks: readonly CommittedBlock[];
  /** The newest committed height. */
  readonly height: Height;
}

/** A block's outcome as the executor wrote it. */
export interface StoredExecution {
  readonly executed: ExecutedState;
  readonly transactions: readonly ExecutedTransaction[];
  readonly events: readonly ApplicationEvent[];
}

export interface TransactionFound {
  readonly height: Height;
  readonly executed: ExecutedTransaction;
}

/** `earliest` is undefined before the first commit. */
export interface LatestHeights {
  readonly earliest?: Height;
  readonly committed: Height;
  readonly executed: Height;
}

/** Where the committed chain begins and ends. */
export interface StoredTip {
  /** Lowest committed height that is held; 0 while nothing is committed. */
  readonly base: Height;
  /** The newest committed block; genesis at height 0. */
  readonly height: Height;
  readonly id: BlockId;
  /** Commits that block; absent at height 0. */
  readonly proof?: CommitProof;
  readonly executed: ExecutedState;
}

export interface StoredBlockId {
  readonly height: Height;
  readonly id: BlockId;
}

/** Batches that no committed block names, by rising digest. */
export interface UncommittedBatches {
  readonly batches: readonly BatchBytes[];
  /** More follow after the last of `batches`. */
  readonly more: boolean;
}

/** Reads for consensus, sync and the RPC. Absent things are `found` with `undefined`. */
/** Heights above `above`, up to `upTo` and with it. */
export interface HeightRange {
  readonly above: Height;
  readonly upTo: Height;
}

export interface StoreReader {
  readonly identity: StoreIdentity;
  recover(): Read<Recovered>;
  latest(): Read<LatestHeights>;
  tip(): Read<StoredTip>;
  /** Of committed blocks, those that are held, by rising height, each once. */
  blockIds(heights: readonly Height[]): Read<readonly StoredBlockId[]>;
  blockAt(height: Height): Read<CommittedBlock | undefined>;
  committedBlock(id: BlockId): Read<CommittedBlock | undefined>;
  /** Committed blocks from a height; stops before `bytesMax` is passed, but gives one at least. */
  blocksFrom(from: Height, limit: number, bytesMax: number): Read<BlockRange>;
  /** Of the newest `heights`: the blocks that carry evidence, and the time of every `stride`th (CS-14). */
  chainEvidence(heights: number, stride: number): Read<ChainEvidence>;
  /** Parents first, the block itself last; blocks of which no certificate is held, their own or in a child, are left out. */
  blockWithAncestors(id: BlockId, ancestors: number): Read<readonly CertifiedBlock[]>;
  batches(digests: readonly BatchDigest[]): Read<BatchesFound>;
  /** From above `after`; stops before `bytesMax` is passed, but gives one at least. */
  uncommittedBatches(bytesMax: number, after?: BatchDigest): Read<UncommittedBatches>;
  execution(height: Height): Read<StoredExecution | undefined>;
  /** By hash; the newest execution that was not a duplicate, of those in `within` where that is given. */
  transaction(hash: Digest, within?: HeightRange): Read<TransactionFound | undefined>;
  /** By rising address. */
  reputations(): Read<readonly Reputation[]>;
  /** How epochs ended, from this one on, by rising epoch. */
  changes(from: Epoch, limit: number): Read<readonly EpochChange[]>;
}

export interface Store extends StoreReader {
  /** Judges and writes in order, each seeing those before it; not durable yet. `sync` must follow before any read. */
  stage(writes: readonly StoreWrite[]): StageResult;
  /** Makes the staged group durable; after a failure none of it is there. */
  sync(): SyncResult;
  /** Releases the lock. Idempotent. What is staged is dropped. */
  close(): void;
}
