/**
 * What cells ask of storage, and what it answers. Messages only; the boundary actor is `src/storage/`.
 * A safety record and the messages that depend on it are one request: the unsafe order cannot be written.
 */
import type {
  BatchDigest,
  Block,
  BlockId,
  CertifiedBlock,
  CommitProof,
  Digest,
  Epoch,
  EpochChange,
  EpochDescriptor,
  ExecutedState,
  Height,
  QuorumCertificate,
} from '../chain/types.ts';
import type { ChainEvidence } from '../consensus/evidence-pool.ts';
import type { EpochStanding } from '../consensus/standing.ts';
import type { Outgoing, SafetyRecord } from '../consensus/types.ts';
import type { ValidatorUpdate } from './application.ts';
import type { SyncStorageReply, SyncStorageRequest } from './sync.ts';

/** A committed block with the certificate of itself and the proof of its commit. */
export interface CommittedBlock extends CertifiedBlock {
  readonly id: BlockId;
  readonly commitProof: CommitProof;
}

/** A block that a quorum has certified, itself or by a block above it; with its own certificate where that was verified. */
export interface UncommittedBlock {
  readonly block: Block;
  readonly qc?: QuorumCertificate;
}

/** Result of one transaction in a committed block. `code` 0 is success. */
export interface TransactionResult {
  readonly code: number;
  readonly data: Uint8Array;
  readonly log: string;
  readonly codespace: string;
  readonly gasWanted: bigint;
  readonly gasUsed: bigint;
  readonly events: readonly ApplicationEvent[];
}

export interface ApplicationEvent {
  readonly type: string;
  readonly attributes: readonly { readonly key: string; readonly value: string; readonly index: boolean }[];
}

/** One transaction of an executed block, as indexed. `hash` is SHA-256 of the transaction. */
export interface ExecutedTransaction {
  readonly hash: Digest;
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly result: TransactionResult;
}

/** What a node finds at start: everything that is durable, and nothing else. */
export interface Recovered {
  readonly record: SafetyRecord;
  readonly recordVersion: number;
  /** The newest committed block; undefined at genesis. */
  readonly committed?: CommittedBlock;
  /** Uncommitted blocks with height above the committed one, parents first. */
  readonly blocks: readonly Block[];
  /** State after the newest executed block (genesis state at height 0). */
  readonly executed: ExecutedState;
  /** How the epoch before this one ended; absent in the first epoch, which the genesis tells. */
  readonly change?: EpochChange;
  /** The epoch that `change` ended; absent where that was the first. */
  readonly ended?: EpochDescriptor;
  /** What executed blocks asked for that has not taken effect, by rising height (CS-16). */
  readonly updates: readonly UpdatesAt[];
  /** What the epoch's committed blocks add up to, as it was kept with the newest of them (CS-15, CS-17). */
  readonly standing?: EpochStanding;
}

/** Changes of the validators that a block's execution asked for; at least one. */
export interface UpdatesAt {
  readonly height: Height;
  readonly updates: readonly ValidatorUpdate[];
}

/** `replyTo` is the address of the cell that gets the answer; `tag` comes back in it. */
interface Request {
  readonly replyTo: string;
  readonly tag: number;
}

export type StorageRequest =
  | SyncStorageRequest
  | ({ readonly type: 'recovery.requested' } & Request)
  /** One transaction: compare-and-set of the record by version, the block voted for, then the messages leave. */
  | ({
      readonly type: 'record.persistRequested';
      readonly record: SafetyRecord;
      readonly expectedVersion: number;
      readonly block?: Block;
      readonly thenSend: readonly Outgoing[];
    } & Request)
  /** Certified but not committed blocks, kept so that a restart finds its tree. */
  | { readonly type: 'blocks.certified'; readonly blocks: readonly UncommittedBlock[] }
  /** Oldest first, gapless after the newest committed. */
  | ({
      readonly type: 'blocks.commitRequested';
      readonly blocks: readonly CommittedBlock[];
      /** After the newest of them. */
      readonly standing?: EpochStanding;
    } & Request)
  | ({
      readonly type: 'batches.persistRequested';
      readonly batches: readonly { readonly digest: BatchDigest; readonly bytes: Uint8Array }[];
    } & Request)
  | ({ readonly type: 'batches.requested'; readonly digests: readonly BatchDigest[] } & Request)
  /** Durable batches that no committed block names, by rising digest, from above `after`; at least one, then up to `bytesMax`. */
  | ({
      readonly type: 'batches.uncommittedRequested';
      readonly after?: BatchDigest;
      readonly bytesMax: number;
    } & Request)
  /** These can never be committed any more: storage may forget them. Not answered. */
  | { readonly type: 'batches.released'; readonly digests: readonly BatchDigest[] }
  | ({
      readonly type: 'blocks.requested';
      readonly from: Height;
      readonly limit: number;
      readonly bytesMax: number;
    } & Request)
  | ({ readonly type: 'block.requested'; readonly id: BlockId; readonly ancestors: number } & Request)
  /** What the newest `heights` of the chain carry of evidence, and the time of every `stride`th block (CS-14). */
  | ({
      readonly type: 'chainEvidence.requested';
      readonly heights: number;
      readonly stride: number;
    } & Request)
  | ({
      readonly type: 'execution.persistRequested';
      readonly blockId: BlockId;
      readonly executed: ExecutedState;
      readonly transactions: readonly ExecutedTransaction[];
      readonly events: readonly ApplicationEvent[];
      readonly validatorUpdates: readonly ValidatorUpdate[];
    } & Request)
  /** One write: how the present epoch ended, and the record of the next, in which nothing was signed (CS-16). */
  | ({ readonly type: 'epoch.endRequested'; readonly change: EpochChange } & Request)
  /** How epochs ended, from `from` on, as many as fit; each by its own number. */
  | ({ readonly type: 'epochs.requested'; readonly from: Epoch; readonly limit: number } & Request);

export type StorageReply =
  | SyncStorageReply
  | { readonly type: 'recovery.found'; readonly tag: number; readonly recovered: Recovered }
  | { readonly type: 'record.persisted'; readonly tag: number; readonly version: number }
  | { readonly type: 'blocks.committed'; readonly tag: number; readonly height: Height }
  | { readonly type: 'batches.persisted'; readonly tag: number; readonly digests: readonly BatchDigest[] }
  | {
      readonly type: 'batches.found';
      readonly tag: number;
      readonly batches: readonly { readonly digest: BatchDigest; readonly bytes: Uint8Array }[];
      readonly missing: readonly BatchDigest[];
    }
  | {
      readonly type: 'batches.uncommittedFound';
      readonly tag: number;
      readonly batches: readonly { readonly digest: BatchDigest; readonly bytes: Uint8Array }[];
      /** More follow after the last of `batches`. */
      readonly more: boolean;
      /** The newest committed height at the time of reading. */
      readonly height: Height;
    }
  | {
      readonly type: 'blocks.found';
      readonly tag: number;
      readonly blocks: readonly CertifiedBlock[];
      readonly height: Height;
      /** QC that proves the commit of the newest block in `blocks`, when it is committed. */
      readonly commitProof?: QuorumCertificate;
      /** Verified: what committed the blocks, each once, by rising round. Absent where they are not asked for by height. */
      readonly commitProofs?: readonly QuorumCertificate[];
    }
  | { readonly type: 'epoch.ended'; readonly tag: number; readonly epoch: Epoch }
  | { readonly type: 'epochs.found'; readonly tag: number; readonly changes: readonly EpochChange[] }
  | ({ readonly type: 'chainEvidence.found'; readonly tag: number } & ChainEvidence)
  | { readonly type: 'execution.persisted'; readonly tag: number; readonly executed: ExecutedState }
  | {
      readonly type: 'storage.failed';
      readonly tag: number;
      readonly request: StorageRequest['type'];
      /**
       * `VERSION_CONFLICT`: the record moved; `IO`, `FULL`: the device refused; `CORRUPT`: what was read is not what was
       * written; `BUSY`: too many requests wait already, and this one was not tried.
       */
      readonly code: 'VERSION_CONFLICT' | 'IO' | 'FULL' | 'CORRUPT' | 'BUSY';
      readonly detail: string;
    };
