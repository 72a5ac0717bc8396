/** The bridge as readers see it. Types only: `src/node/` implements it. Rules BR-1 to BR-11, docs/protocol/bridge.md. */
import type { Millis } from '../base/units.ts';
import type { Address, Digest, Height, Power } from '../protocol/chain/types.ts';
import type { StateDivergence } from '../protocol/ports/bridge.ts';

export const REACH_STATES = ['connecting', 'connected', 'partitioned'] as const;
export type ReachState = (typeof REACH_STATES)[number];

/** An operation of this node that has not ended (BR-1). */
export interface PendingOperationReport {
  readonly id: Digest;
  readonly bytes: number;
  readonly age: Millis;
  /** It can never execute above. */
  readonly expiresAtHeight: Height;
  /** Power of the votes that this node sees on the block that carries it; undefined where it does not know the block. */
  readonly votesReceived: Power | undefined;
}

/** A number that follows what is measured, inside configured bounds. */
export interface Adapted<Unit extends number = number> {
  readonly now: Unit;
  readonly least: Unit;
  readonly greatest: Unit;
}

/** What follows measured round trips and load (BR-11). */
export interface PacingReport {
  /** To the slowest validator of a quorum, the least of the last polls; undefined while unknown. */
  readonly roundTrip: Millis | undefined;
  /** Of the present round, its failures counted; undefined until the round is known (CS-11). */
  readonly roundTimeout: Adapted<Millis> | undefined;
  /** From a block that names something to the next, smoothed; undefined before the first. */
  readonly blockTime: Millis | undefined;
  /** Full blocks that take longer make the next ones smaller, where that helps. */
  readonly blockTimeTarget: Millis;
  /** From one batch that is not full to the next. */
  readonly sealInterval: Adapted<Millis>;
  /** @unit bytes */
  readonly sealBytes: Adapted;
  /** Of what the genesis allows a block, what this node proposes. @unit ratio */
  readonly blockShare: Adapted;
}

export interface BridgeReport {
  readonly reach: ReachState;
  /** Why, while it is partitioned; a sentence. */
  readonly partition: string | undefined;
  /** How long the newest partition took that healed. */
  readonly healedAfter: Millis | undefined;
  /** Seed 004: isConsensusHealthy. */
  readonly healthy: boolean;
  readonly reachablePower: Power;
  /** A quorum of the present set: what each operation's block needs. */
  readonly requiredVotes: Power;
  readonly pending: number;
  readonly pendingMax: number;
  readonly queued: number;
  readonly overdue: number;
  /** Seed 004: getStats, and what else is counted. */
  readonly counts: Readonly<Record<BridgeCount, number>>;
  readonly divergences: readonly StateDivergence[];
  readonly breakers: readonly { readonly peer: Address; readonly state: string }[];
  /** Validators that are not connected, whatever their breakers say, with their names in the genesis. */
  readonly missing: readonly { readonly peer: Address; readonly name: string }[];
  /** What peers were told last, and how long ago. */
  readonly stateSync: {
    readonly height: Height | undefined;
    readonly age: Millis;
    readonly interval: Millis;
  };
  /** Undefined while the mempool is down. */
  readonly pacing: PacingReport | undefined;
  /** The oldest, bounded by the caller. */
  readonly operations: readonly PendingOperationReport[];
}

export const BRIDGE_COUNTS = [
  'messagesProcessed',
  'consensusRoundsCompleted',
  'failedOperations',
  'submitted',
  'committed',
  'expired',
  'rejected',
  'duplicates',
  'stateSyncsSent',
  'partitions',
  'unanswered',
  'forgotten',
  /** Operations that went to one more validator, and those that found no room to be kept for that (BR-8). */
  'handedAgain',
  'notKept',
  /** Operations of guests above their rate: dropped at the link, unread (TP-5). */
  'turnedAway',
] as const;
export type BridgeCount = (typeof BRIDGE_COUNTS)[number];
