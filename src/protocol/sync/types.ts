/** The facts of sync, as their owners keep them and readers see them. Types only. Rules SY-1 to SY-13, docs/protocol/sync.md. */
import type { Millis, Monotonic, WallTime } from '../../base/units.ts';
import type {
  Address,
  BlockId,
  CommitProof,
  Digest,
  Epoch,
  Height,
  Power,
  QuorumCertificate,
} from '../chain/types.ts';

/** By the names of seed 001. */
export type SyncErrorCode =
  | 'NoPeersAvailable'
  | 'NoConsensusReached'
  | 'Timeout'
  | 'BlockNotFound'
  | 'SyncGapTooLarge'
  | 'CriticalSyncRequired';

/** `gap` of SyncGapTooLarge is in heights. */
export type SyncError =
  | { readonly code: Exclude<SyncErrorCode, 'SyncGapTooLarge'>; readonly detail: string }
  | { readonly code: 'SyncGapTooLarge'; readonly gap: number; readonly detail: string };

/** How far this node is from the network (seed 001). `gap` in heights, > 0. */
export type SyncStatus =
  | { readonly kind: 'InSync' }
  | { readonly kind: 'SmallGap'; readonly gap: number }
  | { readonly kind: 'MediumGap'; readonly gap: number }
  | { readonly kind: 'LargeGap'; readonly gap: number }
  | { readonly kind: 'Critical'; readonly reason: string }
  /** Nobody has answered yet, or nobody does: never InSync (SY-2). */
  | { readonly kind: 'Unknown'; readonly reason: string };

/** A committed block that a commit proof was verified for: a target of sync (SY-3). */
export interface ProvedTip {
  readonly height: Height;
  readonly id: BlockId;
  /** Verified: a QC of consecutive rounds over a child of the block. */
  readonly proof: CommitProof;
}

/**
 * What a peer says of its chain. `unproved` may cause a probe, never a target (SY-3). `later`: its proof is of an epoch whose
 * validators are not known here; nobody is blamed for it, and it counts for no agreement.
 */
export type PeerClaim = {
  readonly base: Height;
  readonly height: Height;
  readonly tipId: BlockId;
} & (
  | { readonly status: 'proved'; readonly proof?: CommitProof }
  | { readonly status: 'unproved' }
  | { readonly status: 'later'; readonly epoch: Epoch }
);

/** What state-sync knows of a connected peer (seed 002: PeerState). */
export interface PeerState {
  readonly peer: Address;
  /** 0n: not a validator. Its answers are shown, not counted (SY-1). */
  readonly power: Power;
  readonly claim?: PeerClaim;
  readonly genesisHash?: Digest;
  /** When the claim came. */
  readonly answeredAt?: Monotonic;
  /** Moving average of the time to an answer without blocks. */
  readonly latencyMs?: Millis;
  /** In a row. */
  readonly failures: number;
  readonly reputation: Reputation;
}

/** What is kept of a peer over connections and restarts (SY-6, SY-9). */
export interface Reputation {
  readonly peer: Address;
  /** 0 (never asked) to 1; moves towards 0.5 as time passes. */
  readonly score: number;
  /** When the score was right. */
  readonly at: WallTime;
  /** Seen without contradiction since then, pauses taken out: now − this is its consistent uptime. */
  readonly consistentSince: WallTime;
  /** Not asked before; after failures in a row. */
  readonly removedUntil?: WallTime;
}

/** Two proofs that cannot both be honest: safety is broken (SY-5). */
export type ForkEvidence =
  | {
      readonly kind: 'CommitProofs';
      readonly height: Height;
      readonly first: { readonly id: BlockId; readonly proof: CommitProof };
      readonly second: { readonly id: BlockId; readonly proof: CommitProof };
    }
  /** Of one epoch and round, for different blocks. */
  | {
      readonly kind: 'RoundCertificates';
      readonly first: QuorumCertificate;
      readonly second: QuorumCertificate;
    };

/** What sync is doing, and how far it is (SY-11). */
export interface SyncProgress {
  readonly tier: 1 | 2 | 3;
  /** Heights at the start and now; `from` <= `at` <= `to`. */
  readonly from: Height;
  readonly at: Height;
  readonly to: Height;
  /** Exponential moving average. 0 before the first. @unit blocks/s */
  readonly blocksPerSecond: number;
  /** Absent while it cannot be told. */
  readonly remainingMs?: Millis;
  /** That are being downloaded from. */
  readonly peers: readonly Address[];
  readonly startedAt: Monotonic;
  /** Present while the state comes first, and no blocks (SY-10). */
  readonly snapshot?: SnapshotProgress;
}

/** A snapshot on its way into a new application. `written` <= `chunks`. */
export interface SnapshotProgress {
  readonly height: Height;
  readonly written: number;
  readonly chunks: number;
}

/** An alert about sync; its words and remedies are in alerts.ts. */
export type SyncAlert =
  | 'NoSyncPeers'
  | 'PeerPollContradictsCertificate'
  | 'GenesisSplit'
  | 'GapNotClosed'
  | 'SyncStalled'
  | 'ForkDetected'
  | 'CriticalSyncRequired';
