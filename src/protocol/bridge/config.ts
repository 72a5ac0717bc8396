/** What the bridge may hold, and how long it waits. Every number with its unit and source. docs/protocol/bridge.md. */
import { type Millis, millis } from '../../base/units.ts';

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

/**
 * A submission is answered within this, whoever is asked. @unit ms
 * @source below the 10 s that a client waits for a call, less a second for the gateway and one for the way
 */
export const ANSWER_MS = 8_000;
/** Validators that one submission is handed to before it is refused. @source chosen: f + 1 of seven */
export const HANDED_TO_MAX = 3;

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
  /** @source all of them fit the time for an answer; a check takes milliseconds, a wide-area round trip 0.3 s */
  forwardTimeout: millis(Math.floor(ANSWER_MS / HANDED_TO_MAX)),
  /** @source chosen: several rounds of the initial timeout */
  partitionTimeout: millis(5_000),
  whenPartitioned: 'refuse',
};
