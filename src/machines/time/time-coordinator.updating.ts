/**
 * What the time-coordinator makes of the answers: a correction of the clock, or none, and what the operator hears of it.
 * Pure. Rules TM-3 to TM-7, docs/protocol/time.md; the rules themselves are in protocol/time/.
 */
import { type Monotonic, millis, wallTime } from '../../base/units.ts';
import type { ClockLooked } from '../../protocol/ports/time.ts';
import type { Effect } from '../../protocol/supervision/effect.ts';
import { adjustedTime, type Discipline, slewLeft } from '../../protocol/time/adjusted.ts';
import { driftAlerts, stepAlerts } from '../../protocol/time/alerts.ts';
import { correct, type Steps } from '../../protocol/time/discipline.ts';
import { NO_TARGETS, type RateWindow, ratePpmOf, withTarget } from '../../protocol/time/drift-rate.ts';
import { withinOldBound } from '../../protocol/time/hybrid.ts';
import { steered } from '../../protocol/time/midpoint.ts';
import { candidateOf, clearSamples, hasTried } from '../../protocol/time/ntp-association.ts';
import { EMPTY_POLL } from '../../protocol/time/poll.ts';
import { clockStep } from '../../protocol/time/sample.ts';
import type { Candidate } from '../../protocol/time/selection.ts';
import { asksNtp, type Findings, findingsOf, peersDisagree } from '../../protocol/time/sources.ts';
import type { TimeAlert, TimeSource, TimeUpdate } from '../../protocol/time/types.ts';
import {
  type Clock,
  type Decided,
  errorNow,
  isAcquiring,
  isHandedOut,
  isQuick,
  localClock,
  ownOffset,
  systemTimeNow,
  type TimeCoordinatorContext,
  timer,
  toClock,
  type Weighing,
} from './time-coordinator.live.ts';
import { answersUntil, beginWithLook } from './time-coordinator.polling.ts';

/** While time is being acquired, alerts wait for so many polls: everything may still come. @unit polls @source chosen */
const QUIET_POLLS = 5;
/** While time is being acquired, servers that others might overrule lead after so many polls. @unit polls @source chosen */
const DOUBTFUL_POLLS = 30;
/** Updates kept for readers; the oldest makes room. @unit updates @source chosen: twenty minutes at 10 s */
const HISTORY_MAX = 128;

/** TM-3 to TM-6: the sources together, held against what this node knew before. */
export function weigh(context: TimeCoordinatorContext, now: Monotonic): Weighing {
  const { discipline, look, config, validators, self, peers, poll } = context;
  if (discipline === undefined || look === undefined) return { status: 'none', findings: undefined };
  const own = ownOffset(discipline, now);
  const findings = findingsOf({
    config,
    validators,
    self,
    now,
    ownOffset: own,
    systemOffset: look.systemTime - look.at,
    isSynchronised: !isAcquiring(context),
    peers,
    heard: poll.heard,
    servers: usable(context, now),
  });
  const { estimate } = findings;
  if (estimate === undefined || isPremature(context, findings, now)) return { status: 'none', findings };
  const correction = correct(
    // What a conflict taught of the rate, the believed clocks do not have.
    { discipline, steps: stepsAllowed(context), ratePpm: findings.conflict ? 0 : ratePpmOf(context.rate) },
    { now, targetOffset: estimate.offset, systemTime: systemTimeNow(look, now), config },
  );
  if (correction.status === 'refused') return { status: 'refused', findings, correction };
  if (contradicts(context, estimate, now)) return { status: 'contradicted', findings, by: estimate.by };
  return { status: 'accepted', findings, correction, estimate };
}

/** What the servers say that can be used now. */
function usable(context: TimeCoordinatorContext, now: Monotonic): readonly Candidate[] {
  const clock = localClock(context);
  return [...context.servers.values()].flatMap((server) => candidateOf(server, now, clock) ?? []);
}

/**
 * TM-4. The bound grows by what the others may have been slewed meanwhile, too. The system clock contradicts nothing where
 * it is what a node believes; and while it steps, a node's own bound is that of a clock that was never compared.
 */
function contradicts(
  context: TimeCoordinatorContext,
  { interval }: NonNullable<Findings['estimate']>,
  now: Monotonic,
): boolean {
  const { discipline, lastUpdate, config } = context;
  if (discipline === undefined || isQuick(context) || config.source === 'system') return false;
  const error = errorNow(context, now) + steered(millis(now - (lastUpdate ?? now)));
  return !withinOldBound(interval, ownOffset(discipline, now), error);
}

/**
 * A cold start. What system clocks say together would bind NTP later (TM-5), so NTP is heard first. Of several servers a few
 * quick ones do not lead alone at once, since the others might overrule them (TM-3), nor do any against peers that have time.
 */
function isPremature(
  context: TimeCoordinatorContext,
  { estimate, ntp, peers, peersAreSynchronised, somebodyHasTime }: Findings,
  now: Monotonic,
): boolean {
  if (!isAcquiring(context) || peersAreSynchronised) return false;
  const servers = [...context.servers.values()];
  if (estimate?.by === 'peers') return !servers.every(hasTried);
  if (estimate?.by !== 'ntp' || context.polls > DOUBTFUL_POLLS) return false;
  if (2 * usable(context, now).length <= servers.length) return true;
  return (
    context.config.source === 'hybrid' &&
    somebodyHasTime &&
    ntp.status === 'selected' &&
    peers.status === 'agreed' &&
    !withinOldBound(peers.interval, ntp.offset, ntp.error)
  );
}

/** TM-6: the first updates may step; once time was handed out, forward only. */
function stepsAllowed(context: TimeCoordinatorContext): Steps {
  if (!isQuick(context)) return 'none';
  return context.wasAdjusted ? 'forward' : 'any';
}

/** The answers are weighed (seed 000: checkDriftWithPeers, applyTimeOffset). */
export function update(context: TimeCoordinatorContext, clock: Clock): Decided {
  const weighing = weigh(context, clock.now);
  const verdict = weighing.status;
  const waitFor = answersUntil(context) - clock.now;
  if (verdict === 'none' && isAcquiring(context) && context.poll.asked.size > 0 && waitFor > 0) {
    // The slow ones may make it enough.
    return { effects: [timer('update', waitFor, { type: 'update.due' })] };
  }
  const next =
    weighing.status === 'accepted'
      ? applyTimeOffset(context, weighing, clock)
      : { context: { ...context, missed: context.missed + 1 }, effects: [] };
  const contradictions = provesBoundWrong(context, weighing) ? context.contradictions + 1 : 0;
  const after: TimeCoordinatorContext = {
    ...next.context,
    verdict,
    contradictions,
    isWeighed: verdict !== 'none',
    findings: weighing.findings,
  };
  const told = alerted(after, OF_AN_UPDATE, conditionsAfter(after, weighing, clock.now));
  return { context: told.context, effects: [...next.effects, ...told.effects] };
}

/** TM-5: in `hybrid` NTP alone does not, for the peers may only be silent: they might say that NTP is wrong. */
const provesBoundWrong = ({ config }: TimeCoordinatorContext, weighing: Weighing): boolean =>
  weighing.status === 'contradicted' && !(config.source === 'hybrid' && weighing.by === 'ntp');

interface Applied {
  readonly context: TimeCoordinatorContext;
  readonly effects: readonly Effect[];
}

/** TM-6: the clock of all cells is led to what the sources say (seed 000). */
function applyTimeOffset(
  context: TimeCoordinatorContext,
  { correction, estimate, findings: { ntp, conflict } }: Extract<Weighing, { status: 'accepted' }>,
  { now, wall }: Clock,
): Applied {
  const { discipline } = correction;
  const record: TimeUpdate = {
    at: wall,
    by: estimate.by,
    outcome: correction.status,
    correction: correction.correction,
    error: estimate.error,
    systemOffset: systemOffsetOf(context, discipline, now),
    peers: peerOffsets(context, now),
  };
  return {
    context: {
      ...context,
      discipline,
      shown: wallTime(Math.max(context.shown, shownUntil(context, now))),
      updates: context.updates + 1,
      lastUpdate: now,
      missed: 0,
      bound: { error: estimate.error, at: now },
      rate: conflict
        ? NO_TARGETS
        : ntp.status === 'selected'
          ? withRate(context, now, ntp.offset)
          : context.rate,
      history: [...context.history, record].slice(-HISTORY_MAX),
    },
    effects: [toClock(context, { type: 'clock.disciplined', discipline, isFirst: !isHandedOut(context) })],
  };
}

/** What cells may have seen of adjusted time by now; nothing before the first update. */
const shownUntil = (context: TimeCoordinatorContext, now: Monotonic): number =>
  context.discipline === undefined || !isHandedOut(context)
    ? Number.NEGATIVE_INFINITY
    : adjustedTime(context.discipline, now);

/** One target a poll: between two polls the servers say nothing new. */
function withRate({ rate, config }: TimeCoordinatorContext, at: Monotonic, offset: number): RateWindow {
  const newest = rate.at(-1);
  return newest !== undefined && at - newest.at < config.ntpPollIntervalMs
    ? rate
    : withTarget(rate, { at, offset });
}

/** System clock minus what adjusted time is led to. @unit ms */
export function systemOffsetOf(
  { look }: TimeCoordinatorContext,
  discipline: Discipline,
  now: Monotonic,
): number {
  if (look === undefined) return 0;
  return systemTimeNow(look, now) - adjustedTime(discipline, now) - slewLeft(discipline, now);
}

/** The peers' clocks minus adjusted time, of the newest poll. @unit ms */
function peerOffsets({ poll, discipline }: TimeCoordinatorContext, now: Monotonic): TimeUpdate['peers'] {
  if (discipline === undefined) return [];
  const own = ownOffset(discipline, now);
  return [...poll.heard].map(([peer, { sample }]) => ({ peer, offset: sample.offset - own }));
}

const OF_AN_UPDATE: readonly TimeAlert[] = [
  'ClockDrift',
  'ClockDriftSevere',
  'ClockDriftCritical',
  'NoMajority',
  'NtpUnavailable',
  'TooFewPeers',
  'TimeSourceConflict',
  'PeersDisagree',
  'UpdateContradicted',
  'PanicThreshold',
];

type Condition = readonly [TimeAlert, string];

/** What an update says to the operator. While time is being acquired everything may still come. */
function conditionsAfter(
  context: TimeCoordinatorContext,
  weighing: Weighing,
  now: Monotonic,
): readonly Condition[] {
  const { findings } = weighing;
  if (findings === undefined || (isAcquiring(context) && context.polls <= QUIET_POLLS)) return [];
  const { discipline, config } = context;
  const own = discipline === undefined ? 0 : ownOffset(discipline, now);
  const offset = discipline === undefined ? 0 : systemOffsetOf(context, discipline, now);
  return [
    // In a conflict the system clock may be the right one.
    ...(isAcquiring(context) || findings.conflict ? [] : driftAlerts(offset, config)),
    ...ofSources(context, findings),
    ...(!isAcquiring(context) &&
    peersDisagree(findings, own, errorNow(context, now) + config.driftThresholdMs)
      ? [
          [
            'PeersDisagree',
            "this node's time is outside what its peers agree on; check its clock and time.source",
          ] as const,
        ]
      : []),
    ...ofRefusal(weighing),
  ];
}

function ofSources({ config, servers }: TimeCoordinatorContext, findings: Findings): readonly Condition[] {
  const conditions: Condition[] = [];
  const { ntp, peers, conflict } = findings;
  if (asksNtp(config.source) && config.servers.length > 0) {
    if (ntp.status === 'noMajority')
      conditions.push([
        'NoMajority',
        `of ${ntp.candidates} NTP servers ${ntp.agreeing} agree; name more servers in time.servers, or take the wrong ones away`,
      ]);
    if (ntp.status === 'noCandidates' && [...servers.values()].every(hasTried))
      conditions.push([
        'NtpUnavailable',
        `no usable answer of ${config.servers.join(', ')}; check the network and time.servers`,
      ]);
  }
  if (followsPeers(config.source) && peers.status === 'tooFewAnswers')
    conditions.push([
      'TooFewPeers',
      `answers about time have power ${peers.power}, ${peers.needed} are needed; check the connections`,
    ]);
  if (conflict)
    conditions.push([
      'TimeSourceConflict',
      'the NTP servers are outside what the peers agree on; the peers are followed. Check time.servers',
    ]);
  return conditions;
}

const followsPeers = (source: TimeSource): boolean => source === 'peers' || source === 'hybrid';

function ofRefusal(weighing: Weighing): readonly Condition[] {
  if (weighing.status === 'contradicted') {
    const detail = 'an update contradicts the error bound of this node; if it lasts, time is acquired anew';
    return [['UpdateContradicted', detail]];
  }
  if (weighing.status !== 'refused') return [];
  const { correction, limit } = weighing.correction;
  const detail = `the sources and this node differ by ${(correction / 1_000).toFixed(1)} s, more than ${limit / 1_000} s: nothing was corrected. Find out which of them is wrong`;
  return [['PanicThreshold', detail]];
}

/** Of these one stands while there is no time to go by. */
export const NO_TIME: readonly TimeAlert[] = ['NoAdjustedTime', 'AdjustedTimeFarOff'];

export function noTime(context: TimeCoordinatorContext, now: Monotonic): Condition {
  if (context.updates === 0)
    return ['NoAdjustedTime', 'no source of time can be used or believed yet: this node does not propose'];
  const seconds = (errorNow(context, now) / 1_000).toFixed(0);
  return [
    'AdjustedTimeFarOff',
    `adjusted time is up to ${seconds} s off and is made up slowly, since it must not fall: this node does not propose, and its votes may be refused. Restart it`,
  ];
}

/** The alerts of a group become these; what begins and ends is told to the node's log. */
export function alerted(
  context: TimeCoordinatorContext,
  group: readonly TimeAlert[],
  conditions: readonly Condition[],
): Applied {
  const wanted = new Map([...[...context.alerts].filter(([alert]) => !group.includes(alert)), ...conditions]);
  const { raised, cleared, standing, ...stood } = stepAlerts(context.alerts, wanted);
  const repeated = stood.repeated.filter(({ alert }) => group.includes(alert));
  const alertCounts = new Map(context.alertCounts);
  for (const { alert } of raised) alertCounts.set(alert, (alertCounts.get(alert) ?? 0) + 1);
  const silent = raised.length + cleared.length + repeated.length === 0;
  return {
    context: { ...context, alerts: standing, alertCounts },
    effects: silent ? [] : [toClock(context, { type: 'alerts.changed', raised, cleared, repeated })],
  };
}

/** TM-1: what was measured before the step says nothing now; the poll begins anew. */
export function discardSamples(context: TimeCoordinatorContext, look: ClockLooked): Decided {
  const moved = context.look === undefined ? 0 : clockStep(context.look, look);
  const servers = new Map([...context.servers].map(([server, one]) => [server, clearSamples(one, look.at)]));
  const detail = `this machine's clock moved by ${(moved / 1_000).toFixed(3)} s against its monotonic clock; time is acquired anew`;
  // Before the first update the clock is the one that was set.
  const begun = look.isAdjusted || isHandedOut(context) ? { look } : beginWithLook(context, look).context;
  return alerted(
    { ...context, ...begun, servers, poll: EMPTY_POLL },
    ['SystemClockStepped'],
    [['SystemClockStepped', detail]],
  );
}
