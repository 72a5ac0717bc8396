/**
 * What cells and clients ask of the mempool, and what it answers. Messages only; the chart is
 * `src/machines/mempool/`, the rules `src/protocol/mempool/`.
 */
import type { Address, BatchDigest, BatchReference, Digest, Height } from '../chain/types.ts';
import type { EpochBegan } from './consensus.ts';
import type { CommittedBlock } from './storage.ts';

interface Request {
  readonly replyTo: string;
  readonly tag: number;
}

export type MempoolRequest =
  /** From the bridge, the one way in. Answered once by `transactions.admitted`. */
  | ({
      readonly type: 'transactions.submitted';
      readonly client: string;
      readonly transactions: readonly Uint8Array[];
      /** Of each, as the bridge names it. */
      readonly hashes: readonly Digest[];
    } & Request)
  /** From the leader: what may go into a block of `height`. `exclude`: named by its uncommitted ancestors. */
  | ({
      readonly type: 'payload.requested';
      readonly height: Height;
      readonly exclude: readonly BatchDigest[];
      readonly bytesMax: number;
      readonly countMax: number;
    } & Request)
  /** From a round: answered by `batches.held` once all are held and durable; fetched from `holders` meanwhile. */
  | ({
      readonly type: 'batches.wanted';
      readonly references: readonly BatchReference[];
      readonly holders: readonly Address[];
      /** Of the uncommitted block that names them: count, bytes and expiry are then checked against it. */
      readonly height?: Height;
    } & Request)
  | { readonly type: 'batches.unwanted'; readonly replyTo: string; readonly tag: number }
  | { readonly type: 'blocks.committed'; readonly blocks: readonly CommittedBlock[] }
  /** A new epoch's set: acknowledgements are weighed anew. */
  | EpochBegan;

/** Outcome of one submitted transaction. Admitted ones end later as committed or expired. */
export type Admission =
  | { readonly status: 'admitted'; readonly hash: Digest }
  | {
      readonly status: 'refused';
      readonly hash: Digest;
      readonly code: NodeRefusalCode;
      readonly log: string;
    }
  | {
      readonly status: 'refused';
      readonly hash: Digest;
      /** The application looked at it and said no. */
      readonly code: 'CHECK_FAILED';
      readonly log: string;
      /** Never 0: that is the application's yes. */
      readonly applicationCode: number;
    };

/** Why the node itself refuses a transaction: the mempool (MP-1 to MP-3), or the bridge before it (BR-1, BR-2, BR-10). */
export type NodeRefusalCode =
  | 'QUEUE_FULL'
  | 'CHANNEL_CLOSED'
  | 'PARTITIONED'
  | 'STATE_DIVERGED'
  | 'EXPIRES_TOO_SOON'
  | 'EXPIRES_TOO_LATE'
  | 'MEMPOOL_FULL'
  | 'TOO_LARGE'
  /** More in one submission than this node can hand to a validator; each by itself may be taken. */
  | 'TOO_MANY_TOGETHER'
  | 'EMPTY'
  | 'ALREADY_KNOWN'
  | 'RATE_LIMITED'
  /** What is pending of its sender leaves no room for it (MP-13). */
  | 'SENDER_BUSY'
  | 'NOT_A_VALIDATOR'
  | 'STORAGE_FAILED'
  /** The application failed, or did not answer in time: nobody looked at it (MP-2). */
  | 'NOT_CHECKED'
  /** The mempool gave no answer. */
  | 'NOT_ANSWERED';

export type MempoolReply =
  | {
      readonly type: 'transactions.admitted';
      readonly tag: number;
      readonly admissions: readonly Admission[];
    }
  | { readonly type: 'payload.selected'; readonly tag: number; readonly batches: readonly BatchReference[] }
  | { readonly type: 'batches.held'; readonly tag: number }
  /** Instead of `batches.held`: a block of the asked height that names this batch so is invalid, or the asker was too many. */
  | {
      readonly type: 'batches.refused';
      readonly tag: number;
      readonly code: 'REFERENCE_MISMATCH' | 'BATCH_EXPIRED' | 'BATCH_TOO_FAR_AHEAD' | 'TOO_MANY_WANTED';
      readonly digest: BatchDigest;
      readonly detail: string;
    }
  /** To the pacemaker: whether batches wait that a block could name (CS-10). */
  | { readonly type: 'work.changed'; readonly hasWork: boolean }
  /** To the listeners: this node's batches that carry these can never commit any more; another's batch still can. */
  | { readonly type: 'transactions.expired'; readonly hashes: readonly Digest[]; readonly height: Height };
