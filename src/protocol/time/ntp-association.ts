/**
 * One NTP server as this node knows it: when it is asked, whether it answers, and what its samples say. Immutable; each
 * function gives the state after. Pure. Rules TM-1 to TM-3, docs/protocol/time.md; RFC 5905 §7.4, §9, §13; RFC 8633 §5.4.
 */
import { type Monotonic, monotonic } from '../../base/units.ts';
import {
  addSample,
  drifted,
  EMPTY_REGISTER,
  FILTER_SAMPLES,
  type FilterReading,
  type FilterRegister,
  type LocalClock,
  readFilter,
} from './clock-filter.ts';
import type { TimeConfig } from './config.ts';
import { endsExchange, isNtpRefusal, type NtpAnswer, type NtpRefusal } from './ntp-packet.ts';
import { sampleOf } from './sample.ts';
import { type Candidate, ROOT_DISTANCE_MS_MIN } from './selection.ts';

/** Answers before the poll interval is the configured one. @unit answers @source ntpd (iburst): they fill the register */
export const BURST_ANSWERS = FILTER_SAMPLES;
/** Answers that make a server usable. @unit answers @source RFC 5905: four make a dispersion below MAXDIST, 1.5 s */
const USABLE_ANSWERS = 4;
/** Between two polls until then. @unit ms @source RFC 5905 (BTIME, iburst) */
export const BURST_INTERVAL_MS = 2_000;
/** The longest interval after failures: NTP that is back is used soon. @unit ms @source chosen */
export const BACKOFF_MS_MAX = 256_000;
/** The longest interval after RATE kisses: 36 h. @unit ms @source RFC 5905 (MAXPOLL 17) */
export const RATE_INTERVAL_MS_MAX = 131_072_000;
/** A server further from the reference clock is of no use. @unit ms @source ntpd (tos maxdist) */
export const ROOT_DISTANCE_MS_MAX = 1_500;
/** Failures in a row that do not slow the questions down: whether a server is gone is known soon. @unit failures @source chosen */
export const PATIENT_FAILURES = 3;
/** A server without an answer to any of the last four questions is not used, whatever it said before. @source chosen: RFC 5905 has eight */
const RECENT_MASK = 0b1111;
/** What reading this machine's clock may be wrong by. @unit ms @source resolution of performance.now() in Node.js */
const PRECISION_MS = 0.001;
/** A lost reply is given up after so many times the time an answer is waited for. @unit ratio @source room for a busy machine */
const PATIENCE = 2;
/** Polls that reach is remembered of: 8 bits. @source RFC 5905 §9.2 */
const REACH_MASK = 0xff;

export interface PolledServer {
  readonly status: 'polled';
  /** As in `TimeConfig.servers`. */
  readonly server: string;
  /** The id of the question under way. */
  readonly outstanding: number | undefined;
  readonly polledAt: Monotonic;
  readonly nextPollAt: Monotonic;
  /** Answers still to come at the interval of a burst. */
  readonly burstLeft: number;
  /** In a row, up to now. */
  readonly failures: number;
  /** By RATE kisses: it is never asked more often again; 0: it sent none. @unit ms */
  readonly intervalMin: number;
  /** A bit a poll, the newest lowest: whether it gave time. */
  readonly reach: number;
  readonly register: FilterRegister;
  /** Its newest; undefined before the first, and since it said that it is not synchronised. */
  readonly answer: NtpAnswer | undefined;
}

/** It said that it will not serve this node, and is never asked again. */
export interface DeniedServer {
  readonly status: 'denied';
  readonly server: string;
  readonly kiss: 'DENY' | 'RSTR';
}

export type Association = PolledServer | DeniedServer;
type PollConfig = Pick<TimeConfig, 'ntpPollIntervalMs' | 'answerTimeoutMs' | 'driftPpmMax'>;

/** What came back to a question: `ntp.answered` of the ports is one. */
export interface NtpAnswered {
  readonly requestId: number;
  readonly sentAt: Monotonic;
  readonly arrivedAt: Monotonic;
  readonly answer: NtpAnswer | NtpRefusal;
}

/** A server to be asked from `now` on; by default at once. */
export const newAssociation = (server: string, now: Monotonic = monotonic(0)): Association => ({
  status: 'polled',
  server,
  outstanding: undefined,
  polledAt: now,
  nextPollAt: now,
  burstLeft: BURST_ANSWERS,
  failures: 0,
  intervalMin: 0,
  reach: 0,
  register: EMPTY_REGISTER,
  answer: undefined,
});

/** When to ask it (again); infinite: never. A question under way gets its time first. */
export const nextPollAt = (association: Association): Monotonic =>
  association.status === 'denied' ? monotonic(Number.POSITIVE_INFINITY) : association.nextPollAt;

/** Nothing more is to be waited for at a start: it has answered often enough, a question has failed, or it is denied. */
export const hasTried = (association: Association): boolean =>
  association.status === 'denied' || hasEnoughAnswers(association) || association.failures > 0;

/** Of its burst: what it says from now on is as good as it gets. */
export const hasEnoughAnswers = ({ burstLeft }: Pick<PolledServer, 'burstLeft'>): boolean =>
  burstLeft <= BURST_ANSWERS - USABLE_ANSWERS;

/** It was asked. A question still under way has failed with that: its reply was lost. */
export function pollSent(
  association: Association,
  requestId: number,
  now: Monotonic,
  config: PollConfig,
): Association {
  if (association.status === 'denied') return association;
  const lost = association.outstanding === undefined ? 0 : 1;
  const asked: PolledServer = {
    ...association,
    outstanding: requestId,
    polledAt: now,
    failures: association.failures + lost,
    reach: (association.reach << 1) & REACH_MASK,
  };
  const wait = Math.max(intervalOf(asked, config), PATIENCE * config.answerTimeoutMs);
  return { ...asked, nextPollAt: monotonic(now + wait) };
}

/** An answer or a refusal came. What is late, doubled or not of the server itself changes nothing. */
export function answered(
  association: Association,
  { requestId, sentAt, arrivedAt, answer }: NtpAnswered,
  now: Monotonic,
  config: PollConfig,
): Association {
  if (association.status === 'denied' || requestId !== association.outstanding) return association;
  if (isNtpRefusal(answer)) return refused(association, answer, now, config);
  const { receivedAt, repliedAt, precision } = answer;
  const dispersion = precision + PRECISION_MS + drifted(config.driftPpmMax, sentAt, arrivedAt);
  const sample = sampleOf({ sentAt, receivedAt, repliedAt, arrivedAt }, dispersion);
  if (sample === 'malformed') return failure(association, now, config);
  const heard: PolledServer = {
    ...association,
    answer,
    failures: 0,
    reach: association.reach | 1,
    register: addSample(association.register, sample, config),
    burstLeft: Math.max(0, association.burstLeft - 1),
  };
  return rescheduled(heard, now, config);
}

/** No answer came, or the network said no. */
export function failed(
  association: Association,
  { requestId }: Pick<NtpAnswered, 'requestId'>,
  now: Monotonic,
  config: PollConfig,
): Association {
  if (association.status === 'denied' || requestId !== association.outstanding) return association;
  return failure(association, now, config);
}

function refused(
  association: PolledServer,
  refusal: NtpRefusal,
  now: Monotonic,
  config: PollConfig,
): Association {
  if (!endsExchange(refusal)) return association;
  if (refusal.code === 'UNSYNCHRONISED') return failure({ ...association, answer: undefined }, now, config);
  if (refusal.code !== 'KISS') return failure(association, now, config);
  switch (refusal.kiss) {
    case 'DENY':
    case 'RSTR':
      return { status: 'denied', server: association.server, kiss: refusal.kiss };
    case 'RATE': {
      // RFC 5905 §7.4: at each such kiss the interval grows. The server's own wish is not asked for: it could be forged.
      const doubled = Math.min(2 * intervalOf(association, config), RATE_INTERVAL_MS_MAX);
      const intervalMin = Math.max(doubled, 2 * config.ntpPollIntervalMs);
      return rescheduled({ ...association, intervalMin, burstLeft: 0, failures: 0 }, now, config);
    }
    default:
      return failure(association, now, config);
  }
}

const failure = (association: PolledServer, now: Monotonic, config: PollConfig): PolledServer =>
  rescheduled({ ...association, failures: association.failures + 1 }, now, config);

const rescheduled = (association: PolledServer, now: Monotonic, config: PollConfig): PolledServer => ({
  ...association,
  outstanding: undefined,
  nextPollAt: later(now, association.polledAt + intervalOf(association, config)),
});

const later = (now: Monotonic, at: number): Monotonic => monotonic(Math.max(now, at));

/** Doubled at every failure in a row but the first few, up to the greatest. @unit ms */
function intervalOf(
  { burstLeft, failures, intervalMin }: PolledServer,
  { ntpPollIntervalMs }: PollConfig,
): number {
  const usual = burstLeft > 0 ? Math.min(BURST_INTERVAL_MS, ntpPollIntervalMs) : ntpPollIntervalMs;
  const backedOff = Math.max(
    usual,
    Math.min(usual * 2 ** Math.max(0, failures - PATIENT_FAILURES), BACKOFF_MS_MAX),
  );
  return Math.max(backedOff, intervalMin);
}

/**
 * TM-1: the system clock was set, or the machine slept: what was measured before says nothing now. Not even the answer
 * under way, which may have waited while the monotonic clock stood still. A new burst begins, no sooner than the old one
 * would have gone on; a clock that steps all the time is a server asked every 2 s, until that says `RATE`.
 */
export function clearSamples(association: Association, now: Monotonic): Association {
  if (association.status === 'denied') return association;
  const soonest = association.polledAt + Math.max(BURST_INTERVAL_MS, association.intervalMin);
  return {
    ...association,
    outstanding: undefined,
    register: EMPTY_REGISTER,
    burstLeft: BURST_ANSWERS,
    nextPollAt: monotonic(Math.min(later(now, soonest), association.nextPollAt)),
  };
}

/**
 * What it says, for the selection; undefined unless it is usable: it gave time within the last four polls, is synchronised, and
 * near enough to the reference clock.
 */
export function candidateOf(
  association: Association,
  now: Monotonic,
  clock: LocalClock,
): Candidate | undefined {
  if (association.status === 'denied' || (association.reach & RECENT_MASK) === 0) return undefined;
  const { server, answer, register } = association;
  const reading = readFilter(register, now, clock);
  if (answer === undefined || reading === undefined) return undefined;
  const rootDistance = rootDistanceOf(answer, reading);
  if (rootDistance >= ROOT_DISTANCE_MS_MAX) return undefined;
  const { offset, jitter } = reading;
  return { server, offset, rootDistance, jitter, stratum: answer.stratum };
}

/**
 * λ = (rootDelay + δ) / 2 + rootDispersion + ε + φ (RFC 5905 §11.1); the best sample's own dispersion counts whole, though ε
 * has half of it. @unit ms
 */
function rootDistanceOf(
  { rootDelay, rootDispersion }: NtpAnswer,
  { delay, ownDispersion, dispersion, jitter }: FilterReading,
): number {
  const distance = (rootDelay + delay) / 2 + rootDispersion + dispersion + ownDispersion / 2 + jitter;
  return Math.max(ROOT_DISTANCE_MS_MIN, distance);
}
