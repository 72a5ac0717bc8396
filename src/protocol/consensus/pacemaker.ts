/**
 * The live round: its certificates, how it was entered, when its wait ends and when its leader proposes. Owned by
 * view-change; a value. Deadlines are on the monotonic clock. Pure. Rules CS-1, CS-2, CS-10, CS-11.
 */
import { type Millis, type Monotonic, millis, monotonic } from '../../base/units.ts';
import type { Address, Epoch, QuorumCertificate, Round, TimeoutCertificate } from '../chain/types.ts';
import type { RoundEntry } from '../ports/consensus.ts';
import { currentRoundOf, entryOf, tcToCarry } from './entry.ts';
import {
  NO_DURATIONS,
  type RoundDurations,
  recordDuration,
  recordTooShort,
  roundTimeoutBase,
  type TimeoutConfig,
} from './timeouts.ts';
import type { NewViewMessage, QcMessage } from './types.ts';

export interface Pacemaker {
  readonly epoch: Epoch;
  /** CS-1: max(highQC.round, lastTC?.round) + 1. */
  readonly round: Round;
  readonly highQC: QuorumCertificate;
  readonly lastTC?: TimeoutCertificate;
  readonly enteredAt: Monotonic;
  /** Since when there is work in this round; absent while there is none (CS-10). */
  readonly workSince?: Monotonic;
  /** Round of the newest committed block. */
  readonly committedRound: Round;
  readonly durations: RoundDurations;
  /** Of the round before; a sample once the present round has its QC too. */
  readonly unconfirmed?: Millis;
  /** Leaders whose newest turn ended with its QC: when their next one fails, the timeout may have been too short. */
  readonly heard: ReadonlySet<Address>;
  /** Newest measured round trip to a quorum; 0 while unknown. */
  readonly roundTripMs: Millis;
}

/** A pacemaker from what is durable: the record's certificates, never the QC alone (babylon-node#243). */
export function startPacemaker(start: {
  readonly highQC: QuorumCertificate;
  readonly lastTC?: TimeoutCertificate | undefined;
  readonly committedRound: Round;
  readonly hasWork: boolean;
  readonly now: Monotonic;
}): Pacemaker {
  const { highQC, lastTC, committedRound, hasWork, now } = start;
  return {
    epoch: highQC.epoch,
    round: currentRoundOf(highQC, lastTC),
    highQC,
    ...(lastTC === undefined ? {} : { lastTC }),
    enteredAt: now,
    ...(hasWork ? { workSince: now } : {}),
    committedRound,
    durations: NO_DURATIONS,
    heard: new Set(),
    roundTripMs: millis(0),
  };
}

export interface AdoptionStep {
  readonly pacemaker: Pacemaker;
  /** The high QC grew. */
  readonly qcAdopted: boolean;
  /** The round grew: how the new one was entered. */
  readonly entered?: RoundEntry;
}

/**
 * Adopts verified certificates: each only over an older one of its kind and of this epoch. Certificates of other epochs
 * are passed over (CS-16). A TC brings its high QC along.
 * @param leader of the round that the pacemaker is in
 */
export function adoptCertificates(
  pacemaker: Pacemaker,
  certificates: {
    readonly qc?: QuorumCertificate | undefined;
    readonly tc?: TimeoutCertificate | undefined;
  },
  leader: Address,
  now: Monotonic,
  config: TimeoutConfig,
): AdoptionStep {
  const { qc, tc } = certificates;
  const ours = <C extends { readonly epoch: Epoch }>(one: C | undefined): one is C =>
    one !== undefined && one.epoch === pacemaker.epoch;
  const highQC = [qc, tc?.highQC]
    .filter(ours)
    .reduce((best, one) => (one.round > best.round ? one : best), pacemaker.highQC);
  const lastTC = ours(tc) && tc.round > (pacemaker.lastTC?.round ?? -1) ? tc : pacemaker.lastTC;
  const qcAdopted = highQC !== pacemaker.highQC;
  if (!qcAdopted && lastTC === pacemaker.lastTC) return { pacemaker, qcAdopted };
  const round = currentRoundOf(highQC, lastTC);
  const adopted: Pacemaker = { ...pacemaker, highQC, ...(lastTC === undefined ? {} : { lastTC }) };
  if (round === pacemaker.round) return { pacemaker: adopted, qcAdopted };
  const entry = entryOf(highQC, lastTC);
  const entered = enter(adopted, round, measured(pacemaker, entry, leader, now, config), now);
  return { pacemaker: entered, qcAdopted, entered: entry };
}

/** Work appeared or vanished: appearing shortens the wait, in this round too (CS-11). */
export function setWork(pacemaker: Pacemaker, hasWork: boolean, now: Monotonic): Pacemaker {
  if (hasWork === (pacemaker.workSince !== undefined)) return pacemaker;
  if (hasWork) return { ...pacemaker, workSince: now };
  const { workSince: _, ...idle } = pacemaker;
  return idle;
}

/** A block of `round` was committed: failures are counted from here. */
export const setCommitted = (pacemaker: Pacemaker, round: Round): Pacemaker =>
  round > pacemaker.committedRound ? { ...pacemaker, committedRound: round } : pacemaker;

/** The newest round trip to the slowest validator of a quorum. */
export const setRoundTrip = (pacemaker: Pacemaker, roundTripMs: Millis): Pacemaker => ({
  ...pacemaker,
  roundTripMs,
});

/**
 * Rounds that failed since the last commit. In steady state the newest commit is two rounds back (its own QC, its
 * child's QC), which is no failure.
 */
export const failuresOf = ({ round, committedRound }: Pacemaker): number =>
  Math.max(0, round - committedRound - 2);

/** A timer that fires while rounds are certified but nothing is committed has another name than a silent leader. */
export function deadlineReason(pacemaker: Pacemaker): 'NoProgressInView' | 'LeaderTimeout' {
  const certified = pacemaker.highQC.round + 1 === pacemaker.round;
  return certified && failuresOf(pacemaker) > 0 ? 'NoProgressInView' : 'LeaderTimeout';
}

export interface RoundDeadlines {
  /** CS-11, without the idle wait. */
  readonly timeout: Millis;
  /** When the wait for a proposal is over: leader(r−1) then broadcasts its QC (CS-4b). */
  readonly propose: Monotonic;
  /** When the wait for the round's QC is over: sign the timeout (CS-6). */
  readonly vote: Monotonic;
  /** From one sending of the timeout to the next, while the round lasts. */
  readonly resendEvery: Millis;
}

/** CS-11: entry + min(max, base · b^max(0, failures − grace)); idle rounds add empty_block_interval until work appears. */
export function deadlinesOf(pacemaker: Pacemaker, config: TimeoutConfig): RoundDeadlines {
  const base = roundTimeoutBase(config, pacemaker.durations, pacemaker.roundTripMs);
  const exponent = Math.max(0, failuresOf(pacemaker) - config.grace);
  const grown = base * config.growth ** exponent;
  const timeout = Math.max(Math.min(config.roundTimeoutMsMax, grown), 2 * pacemaker.roundTripMs);
  const from = startOfWait(pacemaker, config);
  return {
    timeout: millis(timeout),
    propose: monotonic(from + timeout * config.proposeShare),
    vote: monotonic(from + timeout),
    resendEvery: millis(timeout * config.viewChangeShare),
  };
}

/** When the leader of the current round may propose: at once with work, else after empty_block_interval (CS-10). */
export const proposeAt = (pacemaker: Pacemaker, config: TimeoutConfig): Monotonic =>
  startOfWait(pacemaker, config);

/** What a proposal or timeout of the current round carries: the high QC, and the TC where the QC does not open it. */
export function justificationOf(pacemaker: Pacemaker): {
  readonly qc: QuorumCertificate;
  readonly tc?: TimeoutCertificate;
} {
  const { round, highQC, lastTC } = pacemaker;
  const tc = tcToCarry(round, highQC, lastTC);
  return { qc: highQC, ...(tc === undefined ? {} : { tc }) };
}

/** CS-7: what a sender who is still in an older round is told, at a limited rate. */
export function answerToLaggard(
  pacemaker: Pacemaker,
  label: Pick<NewViewMessage, 'height' | 'leader'>,
): QcMessage | NewViewMessage {
  const { epoch, round, highQC, lastTC } = pacemaker;
  return lastTC !== undefined && lastTC.round > highQC.round
    ? { kind: 'NewView', epoch, round, tc: lastTC, ...label }
    : { kind: 'QC', qc: highQC };
}

function enter(
  { workSince, unconfirmed: _, ...pacemaker }: Pacemaker,
  round: Round,
  { durations, heard, unconfirmed }: Measured,
  now: Monotonic,
): Pacemaker {
  return {
    ...pacemaker,
    round,
    durations,
    heard,
    ...(unconfirmed === undefined ? {} : { unconfirmed }),
    enteredAt: now,
    ...(workSince === undefined ? {} : { workSince: now }),
  };
}

type Measured = Pick<Pacemaker, 'durations' | 'heard' | 'unconfirmed'>;

/**
 * A round that its own QC ended is a sample, from when it had work, once the next round has its QC too: a QC that came
 * late because the next leader is dead (CS-4b) says how long we waited, not how long a round takes. A round that failed
 * says that the timeout was too short, if its leader was heard in its turn before: else whoever is slow for a part of the
 * rounds is measured in the others alone, and the timeout stays below what a round takes (ADR 0005).
 */
function measured(
  left: Pacemaker,
  entry: RoundEntry,
  leader: Address,
  now: Monotonic,
  config: TimeoutConfig,
): Measured {
  const { durations, heard, unconfirmed, workSince } = left;
  if (entry.by === 'tc') {
    if (entry.tc.round !== left.round || !heard.has(leader)) return { durations, heard };
    const others = new Set(heard);
    others.delete(leader);
    if (workSince === undefined) return { durations, heard: others };
    const { timeout } = deadlinesOf(left, config);
    return { durations: recordTooShort(durations, timeout, config), heard: others };
  }
  if (entry.qc.round !== left.round) return { durations, heard };
  const withLeader = heard.has(leader) ? heard : new Set(heard).add(leader);
  const confirmed = unconfirmed === undefined ? durations : recordDuration(durations, unconfirmed, config);
  if (workSince === undefined) return { durations: confirmed, heard: withLeader };
  return {
    durations: confirmed,
    heard: withLeader,
    unconfirmed: millis(now - Math.max(left.enteredAt, workSince)),
  };
}

function startOfWait({ enteredAt, workSince }: Pacemaker, config: TimeoutConfig): Monotonic {
  const idleEnd = enteredAt + config.emptyBlockIntervalMs;
  return monotonic(workSince === undefined ? idleEnd : Math.min(idleEnd, Math.max(enteredAt, workSince)));
}
