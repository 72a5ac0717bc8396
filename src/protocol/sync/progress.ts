/** How far a catch-up is, how fast, and how long it will take. Pure. Rule SY-11, docs/protocol/sync.md. */
import { type Millis, type Monotonic, millis } from '../../base/units.ts';
import type { Address, Height } from '../chain/types.ts';
import type { SyncProgress } from './types.ts';

/** Time in which a new speed replaces two thirds of the old. @unit ms @source chosen: steadier than batches, quicker than people */
const SPEED_MEMORY_MS = millis(5_000);
/** Shorter spans are counted together. @unit ms @source chosen */
const SAMPLE_MS_MIN = millis(100);

/** A catch-up under way. `from` <= `at`. */
export interface Progress {
  readonly from: Height;
  readonly at: Height;
  readonly startedAt: Monotonic;
  /** Up to the last sample; 0 before the first. @unit blocks/s */
  readonly blocksPerSecond: number;
  readonly sampledAt: Monotonic;
  readonly sampledHeight: Height;
}

export const beginProgress = (from: Height, now: Monotonic): Progress => ({
  from,
  at: from,
  startedAt: now,
  blocksPerSecond: 0,
  sampledAt: now,
  sampledHeight: from,
});

/** The chain has come to `at`; a lower height than before changes nothing. */
export function advanced(progress: Progress, at: Height, now: Monotonic): Progress {
  if (at <= progress.at) return progress;
  const next = { ...progress, at };
  if (now - progress.sampledAt < SAMPLE_MS_MIN) return next;
  return { ...next, blocksPerSecond: speedAt(next, now), sampledAt: now, sampledHeight: at };
}

/** As readers see it: never negative, never above `to`, slower every second in which nothing comes. */
export function viewOf(
  progress: Progress,
  goal: Height,
  peers: readonly Address[],
  now: Monotonic,
): SyncProgress {
  const { from, at, startedAt } = progress;
  const to = goal > at ? goal : at;
  const blocksPerSecond = speedAt(progress, now);
  const remaining = remainingOf(to - at, blocksPerSecond);
  return {
    tier: 2,
    from,
    at,
    to,
    blocksPerSecond,
    ...(remaining === undefined ? {} : { remainingMs: remaining }),
    peers,
    startedAt,
  };
}

function remainingOf(blocks: number, blocksPerSecond: number): Millis | undefined {
  if (blocks === 0) return millis(0);
  return blocksPerSecond > 0 ? millis(Math.round((blocks / blocksPerSecond) * 1_000)) : undefined;
}

function speedAt(
  { blocksPerSecond, sampledAt, sampledHeight, at, startedAt }: Progress,
  now: Monotonic,
): number {
  const span = now - sampledAt;
  if (span < SAMPLE_MS_MIN) return blocksPerSecond;
  const speed = ((at - sampledHeight) / span) * 1_000;
  // Nothing is known yet: the first sample counts whole.
  if (sampledAt === startedAt) return speed;
  return blocksPerSecond + (speed - blocksPerSecond) * (span / (span + SPEED_MEMORY_MS));
}
