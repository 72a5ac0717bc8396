/** Adjusted time as a function of the monotonic clock. Pure. Rule TM-6, docs/protocol/time.md. */
import { type Monotonic, type WallTime, wallTime } from '../../base/units.ts';

/** What the clock of all cells shows, from `at` on. */
export interface Discipline {
  readonly at: Monotonic;
  /** Adjusted time at `at`. */
  readonly time: WallTime;
  /** How much faster than the monotonic clock it runs. @unit ppm, within ±500 */
  readonly ratePpm: number;
  /** What is still to be made up, at `SLEW_PPM`; negative: it runs slower. @unit ms */
  readonly slewMs: number;
}

/** A correction is made up at this rate. @unit ppm @source TM-6; RFC 5905 allows 500, chrony 83,333 */
export const SLEW_PPM = 5_000;

const PER_MILLION = 1_000_000;

/** Adjusted time at a reading of the monotonic clock, not before `at`. Never decreases: SLEW_PPM + 500 is far below 10^6. */
export function adjustedTime({ at, time, ratePpm, slewMs }: Discipline, now: Monotonic): WallTime {
  const elapsed = Math.max(0, now - at);
  const slewing = Math.min(elapsed, slewDuration(slewMs));
  const slewPpm = ratePpm + Math.sign(slewMs) * SLEW_PPM;
  // Neither term falls while `now` grows, so rounding cannot let the sum fall either.
  const passed = slewing * (1 + slewPpm / PER_MILLION) + (elapsed - slewing) * (1 + ratePpm / PER_MILLION);
  return wallTime(time + passed);
}

/** How long it takes to make a correction up. @unit ms */
const slewDuration = (slewMs: number): number => (Math.abs(slewMs) * PER_MILLION) / SLEW_PPM;

/** What is still to be made up at `now`. @unit ms */
export function slewLeft({ at, slewMs }: Discipline, now: Monotonic): number {
  const made = (Math.max(0, now - at) * SLEW_PPM) / PER_MILLION;
  return slewMs - Math.sign(slewMs) * Math.min(Math.abs(slewMs), made);
}
