/**
 * The last samples of one clock, and what they say together: the sample with the lowest delay. Pure. Rule TM-2,
 * docs/protocol/time.md; RFC 5905 §10.
 */
import type { Monotonic } from '../../base/units.ts';
import type { TimeConfig } from './config.ts';
import type { Sample } from './types.ts';

/** @unit samples @source RFC 5905 (NSTAGE) */
export const FILTER_SAMPLES = 8;
/** How fast a reading ages. @unit ppm @source RFC 5905 (PHI) */
export const PHI_PPM = 15;
/** Dispersion of a sample that is missing, and the most of any. @unit ms @source RFC 5905 (MAXDISP) */
export const DISPERSION_MS_MAX = 16_000;
/** A sample so many times the jitter away from the reading is a spike. @unit ratio @source ntpd (CLOCK_SGATE) */
const SPIKE_GATE = 3;
/** With fewer there is no jitter to judge by. @unit samples @source ntpd: a dispersion below 1.5 s, which takes four */
const SPIKE_SAMPLES_MIN = 4;
const PER_MILLION = 1_000_000;

/** Newest first, at most `FILTER_SAMPLES`. */
export interface FilterRegister {
  readonly samples: readonly Sample[];
  /** The newest sample, kept out as a spike: another one in a row confirms it. */
  readonly spike: Sample | undefined;
}

/** Of the sample with the lowest delay, and how far to trust it. */
export interface FilterReading {
  /** As `Sample.offset`, when it was measured: at `at`. @unit ms */
  readonly offset: number;
  /** @unit ms */
  readonly delay: number;
  /** Σ εᵢ/2^(i+1) by increasing delay, each aged to the time of reading. @unit ms */
  readonly dispersion: number;
  /** RMS of the other offsets' differences to this one. @unit ms */
  readonly jitter: number;
  /** The sample's. Never decreases while samples are added; a user who may take each sample only once compares it. */
  readonly at: Monotonic;
}

/** A register without samples; also what clears one. */
export const EMPTY_REGISTER: FilterRegister = { samples: [], spike: undefined };

/**
 * Shifts a sample in. One that is not newer than all others is passed over. A lone spike is kept out (popcorn); two in a
 * row are a change and both enter, without what is older than a sample that the newest contradicts: that clock was set.
 */
export function addSample(
  register: FilterRegister,
  sample: Sample,
  config: Pick<TimeConfig, 'driftPpmMax'>,
): FilterRegister {
  const { samples, spike } = register;
  const newest = spike ?? samples[0];
  if (newest !== undefined && sample.at <= newest.at) return register;
  if (!isSpike(samples, sample, config.driftPpmMax)) return shifted([sample], samples);
  if (spike === undefined) return { samples, spike: sample };
  const set = samples.findIndex((older) => contradicts(older, sample, config.driftPpmMax));
  return shifted([sample, spike], set === -1 ? samples : samples.slice(0, set));
}

const shifted = (entered: readonly Sample[], samples: readonly Sample[]): FilterRegister => ({
  samples: [...entered, ...samples].slice(0, FILTER_SAMPLES),
  spike: undefined,
});

function isSpike(samples: readonly Sample[], sample: Sample, driftPpmMax: number): boolean {
  const [best] = byDelay(samples);
  if (best === undefined || samples.length < SPIKE_SAMPLES_MIN) return false;
  const drift = drifted(driftPpmMax, best.at, sample.at);
  return Math.abs(sample.offset - best.offset) > SPIKE_GATE * jitterOf(samples, best) + drift;
}

/** No offset is in both: at most one of them can be of the clock as it is. */
const contradicts = (older: Sample, newer: Sample, driftPpmMax: number): boolean =>
  Math.abs(newer.offset - older.offset) >
  reach(older) + reach(newer) + drifted(driftPpmMax, older.at, newer.at);

const reach = ({ delay, dispersion }: Sample): number => delay / 2 + dispersion;

/**
 * What the register says at `now`; undefined without samples. It may be read at any time and as often as one likes: the
 * prime directive of RFC 5905 (no sample is used twice, none older than the last used) is held by `at`, for whom it matters.
 */
export function readFilter({ samples }: FilterRegister, now: Monotonic): FilterReading | undefined {
  const sorted = byDelay(samples);
  const [best] = sorted;
  if (best === undefined) return undefined;
  const aged = sorted.map(({ dispersion, at }) =>
    Math.min(dispersion + drifted(PHI_PPM, at, now), DISPERSION_MS_MAX),
  );
  const present = aged.reduce((sum, each, index) => sum + each / 2 ** (index + 1), 0);
  const missing = DISPERSION_MS_MAX * (2 ** -aged.length - 2 ** -FILTER_SAMPLES);
  return {
    offset: best.offset,
    delay: best.delay,
    dispersion: present + missing,
    jitter: jitterOf(samples, best),
    at: best.at,
  };
}

/** Of equal delays the newer first: so the best of a sliding register never becomes an older one. */
const byDelay = (samples: readonly Sample[]): readonly Sample[] =>
  samples.toSorted((a, b) => a.delay - b.delay || b.at - a.at);

function jitterOf(samples: readonly Sample[], best: Sample): number {
  if (samples.length < 2) return 0;
  const squares = samples.reduce((sum, { offset }) => sum + (offset - best.offset) ** 2, 0);
  return Math.sqrt(squares / (samples.length - 1));
}

/** How far a clock may have drifted from one time to a later one. @unit ms */
export const drifted = (ppm: number, from: Monotonic, to: Monotonic): number =>
  (Math.max(0, to - from) * ppm) / PER_MILLION;
