/**
 * What readers see of how a node catches up with its network, and what becomes of what its operator asks for. Types only:
 * `src/node/sync-report.ts` builds them. Rules SY-1 to SY-13, docs/protocol/sync.md.
 */
import type { Millis } from '../base/units.ts';
import type { Address, BlockId, Height, Power } from '../protocol/chain/types.ts';
import type {
  SnapshotProgress,
  SyncAlert,
  SyncError,
  SyncErrorCode,
  SyncStatus,
} from '../protocol/sync/types.ts';

/** States of network-sync; it is `starting` too while its supervisor starts it anew. */
export const SYNC_ACTIVITIES = [
  'starting',
  'joining',
  'resting',
  'checking',
  'catchingUp',
  'resyncing',
  'critical',
] as const;
export type SyncActivity = (typeof SYNC_ACTIVITIES)[number];

export const SYNC_STATUSES = [
  'InSync',
  'SmallGap',
  'MediumGap',
  'LargeGap',
  'Critical',
  'Unknown',
] as const satisfies readonly SyncStatus['kind'][];

export const SYNC_ERRORS = [
  'NoPeersAvailable',
  'NoConsensusReached',
  'Timeout',
  'BlockNotFound',
  'SyncGapTooLarge',
  'CriticalSyncRequired',
] as const satisfies readonly SyncErrorCode[];

export type SyncTier = 1 | 2 | 3;
export const SYNC_TIERS: readonly SyncTier[] = [1, 2, 3];

/** SY-11. `from` <= `at` <= `to`, whatever the cells say. */
export interface SyncProgressReport {
  readonly tier: SyncTier;
  readonly from: Height;
  readonly at: Height;
  readonly to: Height;
  /** @unit blocks/s */
  readonly blocksPerSecond: number;
  readonly remaining: Millis | undefined;
  readonly elapsed: Millis;
  /** That are being downloaded from. */
  readonly peers: readonly Address[];
  /** A snapshot on its way into the application, before any block (SY-10). */
  readonly snapshot: SnapshotProgress | undefined;
}

/** A connected peer, as state-sync knows it. What it did not say (yet) is undefined. */
export interface SyncPeer {
  readonly id: Address;
  /** Of the genesis; '' for one that is no validator. */
  readonly name: string;
  /** 0n: its answers are shown and not counted (SY-1). */
  readonly power: Power;
  readonly claim: { readonly base: Height; readonly height: Height; readonly isProved: boolean } | undefined;
  readonly claimAge: Millis | undefined;
  readonly latency: Millis | undefined;
  /** Unanswered questions in a row. */
  readonly failures: number;
  /** 0 to 1. */
  readonly score: number;
  /** Here without contradiction for so long. */
  readonly consistentUptime: Millis;
  /** Long enough to give the whole chain (tier 3). */
  readonly isTrusted: boolean;
  /** Not asked for so long, after failures. */
  readonly removedFor: Millis | undefined;
}

/** How tier 3 stands, or ended, since it was last asked for. */
export type ResyncOutcome =
  | { readonly status: 'running' }
  /** The new chain takes the old one's place at the next start. */
  | { readonly status: 'ready'; readonly height: Height }
  | { readonly status: 'failed'; readonly error: SyncError };

/** What became of a check that the operator asked for, within the time that a call may take. */
export type SyncNowOutcome =
  | { readonly status: 'running' }
  | { readonly status: 'done'; readonly sync: SyncStatus; readonly error?: SyncError };

export interface Checkpoint {
  readonly height: Height;
  readonly id: BlockId;
}

/** Since the cells were started. */
export interface SyncCounts {
  readonly checks: number;
  readonly catchUps: number;
  readonly resyncs: number;
  readonly forks: number;
  readonly blocksFetched: number;
  readonly blocksRejected: number;
  readonly batchesRetried: number;
  readonly bytesFetched: number;
}

export interface SyncReport {
  readonly activity: SyncActivity;
  readonly status: SyncStatus;
  /** The status in a line, in the words of seed 001. */
  readonly health: string;
  readonly height: Height;
  /** The highest that is known of the network; undefined while nobody has answered. */
  readonly consensusHeight: Height | undefined;
  /** Proved by a commit; reported by >= 67 % at or above; reported by >= 67 % exactly. */
  readonly proved: Height | undefined;
  readonly supported: Height | undefined;
  readonly exact: Height | undefined;
  readonly progress: SyncProgressReport | undefined;
  readonly resync: ResyncOutcome | undefined;
  readonly peers: readonly SyncPeer[];
  /** Those that stand, with what to do. */
  readonly alerts: readonly {
    readonly alert: SyncAlert;
    readonly detail: string;
    readonly remedy: string;
    readonly age: Millis;
  }[];
  /** How often each was raised. */
  readonly alertCounts: ReadonlyMap<SyncAlert, number>;
  readonly lastCheckAge: Millis | undefined;
  /** Why the newest check or catching up failed; undefined after one that did not. */
  readonly lastError: SyncError | undefined;
  readonly errorCounts: ReadonlyMap<SyncErrorCode, number>;
  /** How long the newest run of each tier took; undefined before the first. */
  readonly durations: Readonly<Record<SyncTier, Millis | undefined>>;
  /** From the newest batch's arrival to the durable commit of its blocks. */
  readonly validation: Millis | undefined;
  readonly counts: SyncCounts;
}
