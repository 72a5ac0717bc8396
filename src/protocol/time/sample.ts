/** What one exchange with another clock says, and whether this machine's own clocks agree. Pure. Rule TM-1, docs/protocol/time.md. */
import type { Monotonic, WallTime } from '../../base/units.ts';
import type { Exchange, Sample } from './types.ts';

/** The other clock may claim so much more time than passed, beyond the dispersion. @unit ms @source rounding of both clocks to 1 ms */
const ROUNDING_MS = 1;

/** System and monotonic clock further apart than this between two looks: somebody set the system clock. @unit ms @source TM-1 */
export const CLOCK_STEP_MS = 50;

/**
 * θ = ((T2 − T1) + (T3 − T4)) / 2 and δ = (T4 − T1) − (T3 − T2) (RFC 5905 §8). The truth is within θ ± (δ/2 + dispersion).
 * Malformed: not finite, an end before its start, or the other clock held the question longer than it was away.
 */
export function sampleOf(
  { sentAt, receivedAt, repliedAt, arrivedAt }: Exchange,
  dispersion: number,
): Sample | 'malformed' {
  const offset = (receivedAt - sentAt + (repliedAt - arrivedAt)) / 2;
  const delay = arrivedAt - sentAt - (repliedAt - receivedAt);
  if (![offset, delay, dispersion].every(Number.isFinite)) return 'malformed';
  if (repliedAt < receivedAt || arrivedAt < sentAt || dispersion < 0) return 'malformed';
  if (delay < -(ROUNDING_MS + dispersion)) return 'malformed';
  return { offset, delay: Math.max(0, delay), dispersion, at: arrivedAt };
}

/** This machine's clocks, read together. */
export interface ClockLook {
  readonly at: Monotonic;
  readonly systemTime: WallTime;
}

/** How far the system clock moved more than the monotonic clock; negative: less. @unit ms */
export const clockStep = (before: ClockLook, after: ClockLook): number =>
  after.systemTime - before.systemTime - (after.at - before.at);

/** A step, not a drift; what is no number is one. */
export const isStep = (step: number): boolean => !(Math.abs(step) <= CLOCK_STEP_MS);
