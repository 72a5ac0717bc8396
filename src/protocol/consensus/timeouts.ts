/** How long a round may take: configuration, and what recent rounds took. Pure. Rule CS-11. */
import { type Millis, millis } from '../../base/units.ts';
import { deadMax } from '../chain/validator-set.ts';
import type { EpochContext } from './epoch.ts';

/** Its propose, vote and view-change parts are shares of one round timeout, shown in RoundState.timeouts. */
export interface TimeoutConfig {
  /** Least and greatest timeout of a round, whatever is measured or failed. */
  readonly roundTimeoutMsMin: Millis;
  readonly roundTimeoutMsMax: Millis;
  /** Timeout while no round has been measured. */
  readonly roundTimeoutMsInitial: Millis;
  /** b: a failed round multiplies the timeout by this. @unit ratio, >= 1 */
  readonly growth: number;
  /** Failures since the last commit that do not lengthen it, at the least: see `timeoutsFor`. @unit rounds */
  readonly grace: number;
  /** Propose part: when the proposal should be here. @unit share of the timeout, 0..1; the rest is the vote part */
  readonly proposeShare: number;
  /** View-change part: from one sending of a timeout message to the next. @unit share of the timeout */
  readonly viewChangeShare: number;
  /** How long a leader without work waits before an empty block. */
  readonly emptyBlockIntervalMs: Millis;
}

/** @source 4 × p99 of a loopback round is below the minimum; grace 3 covers one dead leader of n = 4 between commits */
export const TIMEOUT_DEFAULTS: TimeoutConfig = {
  roundTimeoutMsMin: millis(200),
  roundTimeoutMsMax: millis(30_000),
  roundTimeoutMsInitial: millis(1_000),
  growth: 1.5,
  grace: 3,
  proposeShare: 0.5,
  viewChangeShare: 0.5,
  emptyBlockIntervalMs: millis(1_000),
};

/**
 * Where leaders are drawn, by a third of the power dead: of so many rounds there are no two in a row whose leaders live, and
 * hence no commit, about once in a hundred times; it falls by a third with each round. @unit rounds @source 4/3 · (2/3)^12 = 0.0103
 */
const DRAWN_GRACE = 12;

/**
 * For this epoch. In turns, as many leaders in a row as may be dead, and one more, say nothing of the timeout: the set is in the order of addresses,
 * so of a hundred validators 33 dead ones may lead one after the other; with a lesser grace the waits would grow to minutes though each was long enough.
 * Drawn leaders have no such bound: a longer row of dead ones is only improbable.
 */
export const timeoutsFor = (
  config: TimeoutConfig,
  { set, leaders }: Pick<EpochContext, 'set' | 'leaders'>,
): TimeoutConfig => ({
  ...config,
  grace: Math.max(config.grace, leaders.kind === 'stake-weighted' ? DRAWN_GRACE : deadMax(set) + 1),
});

/** The base is so many times the smoothed p99. @unit ratio @source rule CS-11 */
export const P99_FACTOR = 4;
/**
 * The p99 counts for no more than so many times that of the fastest part of the rounds. Liars of less than a third of the power lead less
 * than 0.4 of the rounds (`sharesOf`) and collect the votes of as many others: they slow less than four fifths. @unit ratio @source chosen
 */
export const STRETCH_MAX = 4;
/** That part. @unit share of the rounds @source what such liars leave */
const HONEST_SHARE = 1 / 5;
/** Rounds over which the p99 is taken; the oldest goes. @unit rounds */
export const DURATION_WINDOW = 100;
/** Weight of the newest p99 in its smoothed value. @unit ratio @source RFC 6298 section 2 (alpha) */
const SMOOTHING = 1 / 8;

/** Newest last. `smoothedP99` is absent before the first sample. */
export interface RoundDurations {
  readonly recent: readonly Millis[];
  readonly smoothedP99?: Millis;
}

export const NO_DURATIONS: RoundDurations = { recent: [] };

/** Adds a measured round; one sample counts for no more than the greatest timeout. */
export function recordDuration(
  durations: RoundDurations,
  duration: Millis,
  config: TimeoutConfig,
): RoundDurations {
  const sample = millis(Math.min(Math.max(0, duration), config.roundTimeoutMsMax));
  const recent = [...durations.recent.slice(1 - DURATION_WINDOW), sample];
  const ascending = Float64Array.from(recent).sort();
  const fastest = ascending.subarray(0, Math.ceil(ascending.length * HONEST_SHARE));
  const p99 = Math.min(p99Of(ascending, sample), STRETCH_MAX * p99Of(fastest, sample));
  // The first samples move the configured start step by step: one lucky round says little.
  const before = durations.smoothedP99 ?? config.roundTimeoutMsInitial / P99_FACTOR;
  return { recent, smoothedP99: millis(before + (p99 - before) * SMOOTHING) };
}

/** A timeout that was too short counts as the round for which it would be so many times longer. @unit ratio @source chosen, as a lost segment doubles TCP's (RFC 6298) */
const LENGTHEN = 2;

/** Adds a round that ended with its timeout, though its leader lives: nobody knows how much longer it would have taken. */
export const recordTooShort = (
  durations: RoundDurations,
  timeout: Millis,
  config: TimeoutConfig,
): RoundDurations => recordDuration(durations, millis((LENGTHEN * timeout) / P99_FACTOR), config);

/** Of values in ascending order: the greatest alone never counts, unless it is the only one. */
const p99Of = (ascending: Float64Array, otherwise: number): number =>
  ascending[Math.floor(0.99 * (ascending.length - 1))] ?? otherwise;

/** 4 × smoothed p99 within [min, max], and never below two round trips. */
export function roundTimeoutBase(
  config: TimeoutConfig,
  durations: RoundDurations,
  roundTripMs: Millis,
): Millis {
  const { roundTimeoutMsMin, roundTimeoutMsMax, roundTimeoutMsInitial } = config;
  const wanted =
    durations.smoothedP99 === undefined ? roundTimeoutMsInitial : P99_FACTOR * durations.smoothedP99;
  const within = Math.min(Math.max(wanted, roundTimeoutMsMin), roundTimeoutMsMax);
  return millis(Math.max(within, 2 * roundTripMs));
}
