/** How adjusted time is led to an estimate: slewed, stepped, or not at all. Pure. Rule TM-6, docs/protocol/time.md. */
import { type Millis, type Monotonic, millis, type WallTime, wallTime } from '../../base/units.ts';
import { adjustedTime, type Discipline } from './adjusted.ts';
import type { TimeConfig } from './config.ts';

/** From here on a correction is a step, while steps are allowed. @unit ms @source RFC 5905 (STEPT) */
const STEP_THRESHOLD_MS = millis(128);

/** At a first start nobody goes by this clock yet: it is right at once. @unit ms @source chosen: as well as a poll can tell */
export const FIRST_STEP_THRESHOLD_MS = millis(1);

/** Which steps are allowed: in the first updates any; none later. `forward`: time was handed out, and must not fall. */
export type Steps = 'any' | 'forward' | 'none';

export interface CorrectionState {
  readonly discipline: Discipline;
  readonly steps: Steps;
  /** The rate from now on, within ±`RATE_PPM_MAX`; undefined: as before. @unit ppm */
  readonly ratePpm: number | undefined;
}

export type Correction =
  | { readonly status: 'slewed' | 'stepped'; readonly discipline: Discipline; readonly correction: number }
  | {
      readonly status: 'refused';
      /** Target minus adjusted time. @unit ms */
      readonly correction: number;
      /** Target minus system time. @unit ms */
      readonly fromSystemTime: number;
      readonly limit: Millis;
    };

/** Leads adjusted time to `targetOffset` (as `Sample.offset`); replaces what was left of the correction before. */
export function correct(
  { discipline: old, steps, ratePpm = old.ratePpm }: CorrectionState,
  query: {
    readonly now: Monotonic;
    readonly targetOffset: number;
    readonly systemTime: WallTime;
    readonly config: Pick<TimeConfig, 'panicThresholdMs'>;
  },
): Correction {
  const { now, targetOffset, systemTime } = query;
  const limit = query.config.panicThresholdMs;
  const target = now + targetOffset;
  const own = adjustedTime(old, now);
  const correction = target - own;
  const fromSystemTime = target - systemTime;
  // Far from adjusted time alone is no panic: while a machine is suspended, its monotonic clock stands still.
  if (Math.abs(correction) > limit && Math.abs(fromSystemTime) > limit) {
    return { status: 'refused', correction, fromSystemTime, limit };
  }
  if (isStepped(steps, correction)) {
    return {
      status: 'stepped',
      discipline: { at: now, time: wallTime(target), ratePpm, slewMs: 0 },
      correction,
    };
  }
  return { status: 'slewed', discipline: { at: now, time: own, ratePpm, slewMs: correction }, correction };
}

function isStepped(steps: Steps, correction: number): boolean {
  switch (steps) {
    case 'any':
      return Math.abs(correction) >= FIRST_STEP_THRESHOLD_MS;
    case 'forward':
      return correction >= STEP_THRESHOLD_MS;
    case 'none':
      return false;
  }
}
