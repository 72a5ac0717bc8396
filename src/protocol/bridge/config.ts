/** What the bridge may hold, and how long it waits; what a submission waits is `times.ts`. Every number with its unit and source. docs/protocol/bridge.md. */
import { type Millis, millis } from '../../base/units.ts';
import { JUDGEMENT_MS } from './times.ts';

export interface BridgeConfig {
  /** Operations that have not ended. Beyond: QUEUE_FULL (BR-2). */
  readonly maxPendingOperations: number;
  /** An operation that has not ended so long is overdue: counted and shown, and still pending (BR-2). */
  readonly consensusTimeout: Millis;
  /** How often overdue operations and unanswered submissions are looked for (BR-2). */
  readonly cleanupInterval: Millis;
  /** Between two state syncs: after an interval with much activity, with some, with little (BR-4). */
  readonly stateSyncIntervalMin: Millis;
  readonly stateSyncInterval: Millis;
  readonly stateSyncIntervalMax: Millis;
  /** Gossip that was seen is known so many messages and so long (BR-7). */
  readonly deduplicationEntries: number;
  readonly deduplicationTtl: Millis;
  /** Failures in a row that open a peer's breaker; how long it is open first, doubling to the max (BR-8). */
  readonly breakerFailures: number;
  readonly breakerPauseMin: Millis;
  readonly breakerPauseMax: Millis;
  /** A peer answers forwarded operations within this, or it failed (BR-8). */
  readonly forwardTimeout: Millis;
  /** No commit for so long while rounds fail is a partition (BR-10). */
  readonly partitionTimeout: Millis;
  /** What becomes of operations meanwhile. */
  readonly whenPartitioned: 'refuse' | 'queue';
}

export const BRIDGE_DEFAULTS: BridgeConfig = {
  maxPendingOperations: 10_000,
  consensusTimeout: millis(30_000),
  cleanupInterval: millis(30_000),
  stateSyncIntervalMin: millis(1_000),
  stateSyncInterval: millis(10_000),
  stateSyncIntervalMax: millis(60_000),
  deduplicationEntries: 10_000,
  deduplicationTtl: millis(300_000),
  breakerFailures: 5,
  breakerPauseMin: millis(10_000),
  breakerPauseMax: millis(120_000),
  forwardTimeout: JUDGEMENT_MS,
  /** @source chosen: several rounds of the initial timeout */
  partitionTimeout: millis(5_000),
  whenPartitioned: 'refuse',
};
