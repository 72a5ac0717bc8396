/** How much faster than the monotonic clock NTP's time runs. Pure. Rule TM-6, docs/protocol/time.md. */
import type { Monotonic } from '../../base/units.ts';

/** One accepted target of a source outside. */
export interface Target {
  readonly at: Monotonic;
  /** As `Sample.offset`. @unit ms */
  readonly offset: number;
}

/**
 * Accepted targets, oldest first, `RATE_TARGETS_MAX` at most. Of NTP only: a liar at the edge of the honest range pulls
 * all peers a millisecond an update; learnt as a rate, the pull would feed itself.
 */
export type RateWindow = readonly Target[];

/** The oldest target makes room. @unit targets @source chosen: a quarter of an hour at the usual NTP poll of 64 s */
export const RATE_TARGETS_MAX = 16;
/** Over less time a rate says more of the network than of the clock. @unit ms @source chosen: two targets a poll apart */
const RATE_SPAN_MS_MIN = 60_000;
/** @unit ppm @source TM-6; RFC 5905 (MAXFREQ) */
export const RATE_PPM_MAX = 500;
const PER_MILLION = 1_000_000;

export const NO_TARGETS: RateWindow = [];

/** The window with the newest target. */
export const withTarget = (window: RateWindow, target: Target): RateWindow =>
  [...window, target].slice(-RATE_TARGETS_MAX);

/** Slope of the least-squares line through the targets; undefined before they span enough time. @unit ppm */
export function ratePpmOf(window: RateWindow): number | undefined {
  const first = window[0];
  const last = window.at(-1);
  if (first === undefined || last === undefined || last.at - first.at < RATE_SPAN_MS_MIN) return undefined;
  const meanAt = window.reduce((sum, { at }) => sum + at, 0) / window.length;
  const meanOffset = window.reduce((sum, { offset }) => sum + offset, 0) / window.length;
  let covariance = 0;
  let variance = 0;
  for (const { at, offset } of window) {
    covariance += (at - meanAt) * (offset - meanOffset);
    variance += (at - meanAt) ** 2;
  }
  const ppm = (covariance / variance) * PER_MILLION;
  return Math.max(-RATE_PPM_MAX, Math.min(RATE_PPM_MAX, ppm));
}
