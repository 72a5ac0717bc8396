/**
 * What the time-coordinator knows, and what can be read off it. Pure. Rules TM-1 to TM-7, docs/protocol/time.md.
 */
import { type Monotonic, millis, type WallTime, wallTime } from '../../base/units.ts';
import type { Address, ValidatorSet } from '../../protocol/chain/types.ts';
import type { ClockLooked, ClockRequest, TimeChanged } from '../../protocol/ports/time.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import { adjustedTime, type Discipline, slewLeft } from '../../protocol/time/adjusted.ts';
import type { Alerts } from '../../protocol/time/alerts.ts';
import type { LocalClock } from '../../protocol/time/clock-filter.ts';
import type { TimeConfig } from '../../protocol/time/config.ts';
import type { Correction } from '../../protocol/time/discipline.ts';
import { NO_TARGETS, type RateWindow, ratePpmOf } from '../../protocol/time/drift-rate.ts';
import { type Association, newAssociation } from '../../protocol/time/ntp-association.ts';
import { EMPTY_POLL, type Poll } from '../../protocol/time/poll.ts';
import { RELIABILITY_START } from '../../protocol/time/reliability.ts';
import { clockStep, isStep } from '../../protocol/time/sample.ts';
import { asksNtp, type ErrorBound, errorAt, type Findings } from '../../protocol/time/sources.ts';
import type { PeerTimeInfo, TimeAlert, TimeSource, TimeUpdate } from '../../protocol/time/types.ts';
import type { Decision } from '../vocabulary/index.ts';

/** The first so many updates may step. @unit updates @source TM-6; chrony's usual `makestep 1.0 3` */
export const STEP_UPDATES = 3;
/** Updates in a row that contradict the error bound: then the bound is wrong. @unit updates @source chosen */
const CONTRADICTIONS_MAX = 3;
/** Updates in a row of which nothing came, after which a node holds over. @unit updates @source chosen */
const UPDATES_MISSED_MAX = 3;
/** Held over with a greater error bound, a node has no adjusted time. @unit ms @source TM-7 */
const HELD_OVER_ERROR_MS_MAX = millis(10_000);

export interface TimeCoordinatorInput {
  readonly config: TimeConfig;
  readonly validators: ValidatorSet;
  readonly self: Address;
  readonly clock: CellAddress;
  readonly ntpClient: CellAddress;
  readonly router: CellAddress;
  /** Who hears whether this node may propose. */
  readonly listeners: readonly CellAddress[];
  /** Who hears how far a quorum is. */
  readonly paced: readonly CellAddress[];
}

export interface TimeCoordinatorContext extends TimeCoordinatorInput {
  readonly requestId: number;
  readonly look: ClockLooked | undefined;
  /** What the clock shows; undefined before the first look. */
  readonly discipline: Discipline | undefined;
  /** Accepted since time is being acquired. */
  readonly updates: number;
  /** Adjusted time was handed out before it was last acquired: it must not fall. */
  readonly wasAdjusted: boolean;
  readonly bound: ErrorBound | undefined;
  /** The latest adjusted time that cells may have seen; before any, far in the past. */
  readonly shown: WallTime;
  readonly lastUpdate: Monotonic | undefined;
  readonly rate: RateWindow;
  /** Every validator but this one. */
  readonly peers: ReadonlyMap<Address, PeerTimeInfo>;
  readonly poll: Poll;
  readonly polledAt: Monotonic | undefined;
  /** Something came of this poll: it is not weighed again. */
  readonly isWeighed: boolean;
  /** Since time is being acquired. */
  readonly polls: number;
  readonly servers: ReadonlyMap<string, Association>;
  /** In a row. */
  readonly contradictions: number;
  /** Updates of which nothing came, in a row. */
  readonly missed: number;
  /** What came of the newest update. */
  readonly verdict: Weighing['status'];
  /** Of the newest update that was due, whether or not anything came of it. */
  readonly findings: Findings | undefined;
  readonly alerts: Alerts;
  /** How often each alert was raised. */
  readonly alertCounts: ReadonlyMap<TimeAlert, number>;
  readonly history: readonly TimeUpdate[];
}

/** What a step sees of the world. */
export interface Clock {
  readonly now: Monotonic;
  readonly wall: WallTime;
  readonly address: CellAddress;
}

export type TimeCoordinatorPrivateEvent =
  | { readonly type: 'poll.due' }
  | { readonly type: 'servers.due' }
  | { readonly type: 'update.due' };

/** What an update would do now. */
export type Weighing =
  | {
      readonly status: 'accepted';
      readonly findings: Findings;
      readonly correction: Extract<Correction, { status: 'slewed' | 'stepped' }>;
      readonly estimate: NonNullable<Findings['estimate']>;
    }
  | {
      readonly status: 'refused';
      readonly findings: Findings;
      readonly correction: Extract<Correction, { status: 'refused' }>;
    }
  | { readonly status: 'contradicted'; readonly findings: Findings; readonly by: TimeSource }
  | { readonly status: 'none'; readonly findings: Findings | undefined };

export type Decided = Decision<TimeCoordinatorContext>;

export const timer = (key: string, delayMs: number, message: TimeCoordinatorPrivateEvent): Effect => ({
  kind: 'startTimer',
  key,
  delayMs,
  message,
});

export const toClock = ({ clock }: TimeCoordinatorInput, message: ClockRequest): Effect =>
  telling(clock, message);

/** There is no time to go by: none was accepted yet, or the clock is still far from it. */
export const isAcquiring = (context: TimeCoordinatorContext): boolean =>
  context.updates === 0 || isLost(context);

/** The first updates may step, and come quickly one after the other. */
export const isQuick = ({ updates }: TimeCoordinatorContext): boolean => updates < STEP_UPDATES;

export const ownOffset = (discipline: Discipline, now: Monotonic): number =>
  adjustedTime(discipline, now) - now;

/**
 * Error bound now, with what is still to be made up of the last correction, and how far the clock is held above it because
 * it must not fall. @unit ms
 */
export function errorNow(
  { bound, discipline, shown, config }: TimeCoordinatorContext,
  now: Monotonic,
): number {
  if (bound === undefined || discipline === undefined) return Number.POSITIVE_INFINITY;
  const held = Math.max(0, shown - adjustedTime(discipline, now));
  return errorAt(bound, now, config) + Math.abs(slewLeft(discipline, now)) + held;
}

export const initialTime = (input: TimeCoordinatorInput, now: Monotonic): TimeCoordinatorContext => ({
  ...input,
  // Not those of an earlier life, whose answers may be on their way.
  requestId: Math.floor(now),
  look: undefined,
  discipline: undefined,
  updates: 0,
  wasAdjusted: false,
  bound: undefined,
  shown: wallTime(Number.NEGATIVE_INFINITY),
  lastUpdate: undefined,
  rate: NO_TARGETS,
  peers: new Map(
    input.validators.validators
      .filter(({ address }) => address !== input.self)
      .map(({ address }) => [address, newPeer(address)]),
  ),
  poll: EMPTY_POLL,
  polledAt: undefined,
  isWeighed: false,
  polls: 0,
  servers: new Map(
    asksNtp(input.config.source)
      ? input.config.servers.map((server) => [server, newAssociation(server, now)])
      : [],
  ),
  contradictions: 0,
  missed: 0,
  verdict: 'none',
  findings: undefined,
  alerts: new Map(),
  alertCounts: new Map(),
  history: [],
});

/** CS-16: who has left is asked no more; of who has come nothing is known yet. */
export function withEpoch(context: TimeCoordinatorContext, validators: ValidatorSet): TimeCoordinatorContext {
  const others = validators.validators.filter(({ address }) => address !== context.self);
  const peers = new Map(
    others.map(({ address }) => [address, context.peers.get(address) ?? newPeer(address)]),
  );
  return { ...context, validators, peers };
}

const newPeer = (peerId: Address): PeerTimeInfo => ({
  peerId,
  timeOffset: undefined,
  lastUpdate: undefined,
  roundTripTime: undefined,
  reliabilityScore: RELIABILITY_START,
  isSynchronised: false,
});

export const hasStepped = ({ look }: TimeCoordinatorContext, next: ClockLooked): boolean =>
  look !== undefined && isStep(clockStep(look, next));

/** Cells have seen adjusted time, in this life or before. */
export const isHandedOut = ({ wasAdjusted, updates }: TimeCoordinatorContext): boolean =>
  wasAdjusted || updates > 0;

/** Nothing is known of the clock's error any more: updates may step again, forward once time was handed out (TM-6). */
export const forgetBound = (context: TimeCoordinatorContext): Decided => ({
  context: {
    updates: 0,
    polls: 0,
    wasAdjusted: isHandedOut(context) || context.look?.isAdjusted === true,
    bound: undefined,
    contradictions: 0,
    verdict: 'none',
    rate: NO_TARGETS,
    missed: 0,
  },
});

/** TM-4: not the updates are wrong, but what this node believes of its error. */
export const isBoundWrong = ({ contradictions }: TimeCoordinatorContext): boolean =>
  contradictions >= CONTRADICTIONS_MAX;

/** Nothing comes of the updates. */
export const isStale = ({ missed }: TimeCoordinatorContext): boolean => missed >= UPDATES_MISSED_MAX;

/** TM-7: held over for so long, or led so far off, that there is nothing to go by. */
export const isLost = (context: TimeCoordinatorContext): boolean =>
  context.look !== undefined && errorNow(context, context.look.at) > HELD_OVER_ERROR_MS_MAX;

/** TM-7: whether this node proposes. Its votes follow TM-8 alone. */
export function tellMayPropose(context: TimeCoordinatorContext, listeners: readonly CellAddress[]): Decided {
  const message: TimeChanged = { type: 'time.changed', mayPropose: !isAcquiring(context) };
  return { effects: listeners.map((listener) => telling(listener, message)) };
}

/** What NTP's samples are measured by. */
export const localClock = ({ config, rate }: TimeCoordinatorContext): LocalClock => ({
  driftPpmMax: config.driftPpmMax,
  ratePpm: ratePpmOf(rate) ?? 0,
});

/** The system clock, if nobody set it since the last look. */
export const systemTimeNow = ({ systemTime, at }: ClockLooked, now: Monotonic): WallTime =>
  wallTime(systemTime + (now - at));
