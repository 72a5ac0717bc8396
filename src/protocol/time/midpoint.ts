/**
 * What the peers say together: the fault-tolerant midpoint of Welch and Lynch (1988), by voting power. Pure.
 * Rule TM-4, docs/protocol/time.md.
 */
import type { Millis } from '../../base/units.ts';
import type { Address, Power } from '../chain/types.ts';
import { SLEW_PPM } from './adjusted.ts';
import { RATE_PPM_MAX } from './drift-rate.ts';
import type { OffsetInterval } from './types.ts';

/** What one validator says of the time; this node's own is exact and counts like any other. */
export interface Reading {
  readonly peer: Address;
  readonly power: Power;
  /** As `Sample.offset`. @unit ms */
  readonly offset: number;
  /** Holds the offset of the peer's clock, if the peer is honest. */
  readonly interval: OffsetInterval;
  /** 0 to 1, see reliability.ts. */
  readonly reliability: number;
}

export type Midpoint =
  | {
      readonly status: 'agreed';
      /** Within the honest peers' intervals, from the lowest minimum to the highest maximum. */
      readonly interval: OffsetInterval;
      /** Within `interval`. @unit ms */
      readonly offset: number;
      /** To the farther edge of `interval`. @unit ms */
      readonly error: number;
      /** Whose minimum was dropped, in order of address. An honest peer may be among them. */
      readonly low: readonly Address[];
      /** Whose maximum was dropped, likewise. */
      readonly high: readonly Address[];
    }
  | { readonly status: 'tooFewAnswers'; readonly power: Power; readonly needed: Power };

/** How far reliability may move the offset from the middle, of the interval's width. @unit ratio @source leanOf */
const LEAN_MAX = 1 / 8;
const PER_MILLION = 1_000_000;

/**
 * Drops the lowest minima and the highest maxima, F = ⌊(W−1)/3⌋ of power each, and takes the middle of the
 * rest. `readings` has each validator once at most. With answers of power 2F+1 the result is within the honest range; with
 * honest answers of power 2F+1, two nodes that have the same ones are 5/8 of their spread apart afterwards, at most.
 */
export function midpointOf(query: {
  readonly readings: readonly Reading[];
  readonly totalPower: Power;
}): Midpoint {
  const faulty = (query.totalPower - 1n) / 3n;
  const needed = 2n * faulty + 1n;
  const power = query.readings.reduce((sum, reading) => sum + reading.power, 0n);
  if (power < needed) return { status: 'tooFewAnswers', power, needed };
  // Sums of floats depend on the order: the result must not depend on who answered first.
  const readings = [...query.readings].sort((left, right) => (left.peer < right.peer ? -1 : 1));
  // lo <= hi: minima below `lo` and maxima above `hi` have power F each at most, so of 2F+1 one reading is within both.
  const lo = edgeBeyond(
    [...readings].sort((left, right) => left.interval.lo - right.interval.lo),
    faulty,
    ({ interval }) => interval.lo,
  );
  const hi = edgeBeyond(
    [...readings].sort((left, right) => right.interval.hi - left.interval.hi),
    faulty,
    ({ interval }) => interval.hi,
  );
  const interval = { lo, hi };
  const middle = lo + (hi - lo) / 2;
  const offset = clampInto(middle + leanOf(readings, interval, middle), interval);
  return {
    status: 'agreed',
    interval,
    offset,
    error: Math.max(offset - lo, hi - offset),
    low: readings.filter((reading) => reading.interval.lo < lo).map(({ peer }) => peer),
    high: readings.filter((reading) => reading.interval.hi > hi).map(({ peer }) => peer),
  };
}

/**
 * Where a peer's clock is by now: an exchange is wrong by half the way at most, and ages. Both machines drift, and the
 * peer's adjusted time is slewed and rated besides; this machine's monotonic clock is not.
 */
export function readingInterval(
  offset: number,
  roundTripTime: Millis,
  age: Millis,
  driftPpmMax: number,
): OffsetInterval {
  const aged = (2 * driftPpmMax * Math.max(0, age)) / PER_MILLION + steered(age);
  const radius = roundTripTime / 2 + aged;
  return { lo: offset - radius, hi: offset + radius };
}

/** How far a clock may be led by its own discipline meanwhile, beside what it drifts. @unit ms */
export const steered = (age: Millis): number => ((SLEW_PPM + RATE_PPM_MAX) * Math.max(0, age)) / PER_MILLION;

/** The nearest value within a closed interval. */
export const clampInto = (value: number, { lo, hi }: OffsetInterval): number =>
  Math.min(Math.max(value, lo), hi);

/** The first edge, of readings from the outside in, that has more than `faulty` power up to and with it. */
function edgeBeyond(
  fromOutside: readonly Reading[],
  faulty: Power,
  edgeOf: (reading: Reading) => number,
): number {
  let edge = Number.NaN;
  let passed = 0n;
  for (const reading of fromOutside) {
    if (passed > faulty) break;
    passed += reading.power;
    edge = edgeOf(reading);
  }
  return edge;
}

/**
 * From the middle toward the mean by power and reliability. Weighed before the trimming, a liar could buy influence;
 * unbounded after it, nodes that weigh differently would not come nearer each other. By an eighth of the width they do:
 * some honest c is in both intervals, so one offset <= 3/8 c + 5/8 max, the other >= 5/8 min + 3/8 c.
 */
function leanOf(readings: readonly Reading[], interval: OffsetInterval, middle: number): number {
  let weights = 0;
  let sum = 0;
  for (const { power, reliability, offset } of readings) {
    const weight = Number(power) * reliability;
    weights += weight;
    sum += weight * (clampInto(offset, interval) - middle);
  }
  const most = (interval.hi - interval.lo) * LEAN_MAX;
  return weights > 0 ? clampInto(sum / weights, { lo: -most, hi: most }) : 0;
}
