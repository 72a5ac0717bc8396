/**
 * The last samples of one clock, and what they say together: the one that may be wrong by least. Pure. Rule TM-2,
 * docs/protocol/time.md; RFC 5905 §10.
 */
import type { Monotonic } from '../../base/units.ts';
import type { TimeConfig } from './config.ts';
import type { Sample } from './types.ts';

/** @unit samples @source RFC 5905 (NSTAGE) */
export const FILTER_SAMPLES = 8;
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

/** Of the sample with the least reach, which is what it may be wrong by: δ/2, its dispersion, and its ageing. */
export interface FilterReading {
  /** As `Sample.offset`, at the time of reading. @unit ms */
  readonly offset: number;
  /** @unit ms */
  readonly delay: number;
  /** The sample's own, aged to the time of reading: the truth is within offset ± (delay/2 + this). @unit ms */
  readonly ownDispersion: number;
  /** Σ εᵢ/2^(i+1) by increasing reach, each aged to the time of reading. @unit ms */
  readonly dispersion: number;
  /** RMS of the other offsets' differences to this one. @unit ms */
  readonly jitter: number;
  /** The sample's. Never decreases while samples are added; a user who may take each sample only once compares it. */
  readonly at: Monotonic;
}

/** What is known of the clock that samples are measured by: this machine's monotonic one. */
export interface LocalClock extends Pick<TimeConfig, 'driftPpmMax'> {
  /** How much faster the sources run, as measured; 0 before. @unit ppm */
  readonly ratePpm: number;
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
 * Samples go on at the measured rate, and age by what the clock may drift: RFC 5905's 15 ppm are of a disciplined one.
 */
export function readFilter(
  { samples }: FilterRegister,
  now: Monotonic,
  { driftPpmMax, ratePpm }: LocalClock,
): FilterReading | undefined {
  const present = byReach(samples, driftPpmMax).map((sample) => ({
    ...sample,
    offset: sample.offset + drifted(ratePpm, sample.at, now),
    dispersion: Math.min(sample.dispersion + drifted(driftPpmMax, sample.at, now), DISPERSION_MS_MAX),
  }));
  const [best] = present;
  if (best === undefined) return undefined;
  const weighed = present.reduce((sum, { dispersion }, index) => sum + dispersion / 2 ** (index + 1), 0);
  const missing = DISPERSION_MS_MAX * (2 ** -present.length - 2 ** -FILTER_SAMPLES);
  return {
    offset: best.offset,
    delay: best.delay,
    ownDispersion: best.dispersion,
    dispersion: weighed + missing,
    jitter: jitterOf(present, best),
    at: best.at,
  };
}

/** Of equal ones the newer first. All age alike, so the order is the same at any time of reading: no sample comes back. */
function byReach(samples: readonly Sample[], driftPpmMax: number): readonly Sample[] {
  const rankOf = (sample: Sample): number => reach(sample) - (sample.at * driftPpmMax) / PER_MILLION;
  return samples.toSorted((a, b) => rankOf(a) - rankOf(b) || b.at - a.at);
}

/** Of equal delays the newer first. */
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
