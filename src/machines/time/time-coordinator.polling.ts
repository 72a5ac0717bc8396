/**
 * Whom the time-coordinator asks, and what it keeps of the answers. Pure. Rules TM-2 to TM-4, docs/protocol/time.md; the
 * rules themselves are in protocol/time/{poll,ntp-association,reliability}.ts.
 */
import { type Millis, type Monotonic, millis, monotonic } from '../../base/units.ts';
import type { Address } from '../../protocol/chain/types.ts';
import type {
  ClockLooked,
  ClockRequest,
  NtpPollRequested,
  NtpReply,
  RoundTripMeasured,
} from '../../protocol/ports/time.ts';
import { type Effect, telling } from '../../protocol/supervision/effect.ts';
import { adjustedTime, type Discipline } from '../../protocol/time/adjusted.ts';
import type { TimeReplyMessage, TimeRequestMessage } from '../../protocol/time/messages.ts';
import {
  type Association,
  answered,
  failed,
  hasTried,
  nextPollAt,
  pollSent,
} from '../../protocol/time/ntp-association.ts';
import { asked, EMPTY_POLL, EXCHANGES_PER_POLL, taken, unasked } from '../../protocol/time/poll.ts';
import {
  type PollOutcome,
  pollEvery,
  RELIABILITY_START,
  reliabilityAfter,
} from '../../protocol/time/reliability.ts';
import { quorumRoundTrip } from '../../protocol/time/round-trip.ts';
import {
  type Clock,
  type Decided,
  isAcquiring,
  isHandedOut,
  isQuick,
  type TimeCoordinatorContext,
  type TimeCoordinatorInput,
  timer,
  toClock,
} from './time-coordinator.live.ts';

/** Between two looks at this machine's clocks. @unit ms @source chosen: a step is seen within a second */
const LOOK_INTERVAL_MS = millis(1_000);
/** Between two updates while time is being acquired or was just. @unit ms @source chosen */
const ACQUIRING_INTERVAL_MS = millis(1_000);
/** How long the answers are waited for then; whoever is quick leads. @unit ms @source chosen: a round trip around the earth */
const ACQUIRING_ANSWER_MS = millis(250);
/** Of more validators than these a usual poll is proportionally later. @unit validators @source chosen: ten messages a second of a node */
const VALIDATORS_PER_INTERVAL = 16;
/** Of the time between two polls, at the most, answers are waited for. @unit ratio @source chosen */
const ANSWER_SHARE_MAX = 0.9;
/** How far a peer is, is forgotten when it has not answered for so long. @unit polls @source chosen */
const POLLS_REMEMBERED = 3;
const MICROS_PER_MS = 1_000;

const toPeer = (
  { router }: TimeCoordinatorInput,
  peer: Address,
  message: TimeRequestMessage | TimeReplyMessage,
): Effect => telling(router, { type: 'network.sendRequested', outgoing: [{ to: [peer], message }] });

/** All ask all: of more validators each is asked more seldom, so that what time costs a node does not grow. @unit ms */
const usualInterval = ({ config, validators }: TimeCoordinatorContext): number =>
  config.updateIntervalMs * Math.max(1, validators.validators.length / VALIDATORS_PER_INTERVAL);

/** The quick polls leave room for the answers, as the usual ones do by the configuration's order. */
function intervalOf(context: TimeCoordinatorContext): Millis {
  const usual = usualInterval(context);
  const quick = Math.max(ACQUIRING_INTERVAL_MS, context.config.answerTimeoutMs);
  return millis(isQuick(context) || isAcquiring(context) ? Math.min(quick, usual) : usual);
}

/** How long answers are waited for: over before the next poll begins. */
const answerWait = (context: TimeCoordinatorContext): Millis =>
  millis(Math.min(context.config.answerTimeoutMs, ANSWER_SHARE_MAX * intervalOf(context)));

/** While time is being acquired, whoever is quick leads, if they are enough. */
const firstWait = (context: TimeCoordinatorContext): Millis =>
  millis(isAcquiring(context) ? Math.min(ACQUIRING_ANSWER_MS, answerWait(context)) : answerWait(context));

/** Until when the poll under way is waited for. */
export const answersUntil = (context: TimeCoordinatorContext): Monotonic =>
  monotonic((context.polledAt ?? Number.NEGATIVE_INFINITY) + answerWait(context));

/** The clock is watched from now on; its first look begins everything (seed 000: startSyncLoop). */
export const startSyncLoop = (context: TimeCoordinatorContext, { address }: Clock): Decided => ({
  effects: [
    toClock(context, { type: 'clock.watchRequested', replyTo: address, intervalMs: LOOK_INTERVAL_MS }),
  ],
});

/** The clock goes on as it shows itself: this cell may have had earlier lives, of whose corrections it knows nothing. */
export function beginWithLook(context: TimeCoordinatorContext, look: ClockLooked): Decided {
  const discipline: Discipline = { at: look.at, time: look.adjustedTime, ratePpm: 0, slewMs: 0 };
  const told: ClockRequest = { type: 'clock.disciplined', discipline, isFirst: false };
  return {
    context: { look, discipline },
    effects: look.isAdjusted ? [toClock(context, told)] : [],
  };
}

/** Asks every validator whose turn it is, and comes again (seed 000). */
export function syncWithPeers(context: TimeCoordinatorContext, clock: Clock): Decided {
  const polls = context.polls + 1;
  const peers = scoredAtEnd(context);
  const due = [...peers.values()].filter(({ reliabilityScore }) => polls % pollEvery(reliabilityScore) === 0);
  const begun: TimeCoordinatorContext = {
    ...context,
    polls,
    peers,
    poll: EMPTY_POLL,
    polledAt: clock.now,
    isWeighed: false,
  };
  const { context: next, effects } = askPeers(
    begun,
    due.map(({ peerId }) => peerId),
    clock,
  );
  return {
    context: next,
    effects: [
      ...effects,
      timer('poll', intervalOf(context), { type: 'poll.due' }),
      timer('update', due.length === 0 ? 0 : firstWait(context), { type: 'update.due' }),
    ],
  };
}

/**
 * A validator can be reached: it was away, which says nothing of its answers. While time is being acquired it is asked at
 * once; what it was asked before is lost.
 */
export function askNewcomer(context: TimeCoordinatorContext, peer: Address, clock: Clock): Decided {
  const info = context.peers.get(peer);
  if (info === undefined) return {};
  const reliabilityScore = Math.max(info.reliabilityScore, RELIABILITY_START);
  const peers = new Map(context.peers).set(peer, { ...info, reliabilityScore });
  if (!isAcquiring(context)) return { context: { peers } };
  const { context: next, effects } = askPeers(
    { ...context, peers, poll: unasked(context.poll, peer) },
    [peer],
    clock,
  );
  return { context: next, effects };
}

function askPeers(
  context: TimeCoordinatorContext,
  peers: readonly Address[],
  { now }: Clock,
  left: number = EXCHANGES_PER_POLL,
): { readonly context: TimeCoordinatorContext; readonly effects: readonly Effect[] } {
  let { requestId, poll } = context;
  const effects = peers.map((peer) => {
    requestId += 1;
    poll = asked(poll, requestId, peer, now, left);
    return toPeer(context, peer, { kind: 'TimeRequest', requestId });
  });
  return { context: { ...context, requestId, poll }, effects };
}

/** Asks every NTP server that is due, and comes again when the next one is (seed 000). */
export function syncWithNtp(context: TimeCoordinatorContext, { now, address }: Clock): Decided {
  let { requestId } = context;
  const servers = new Map(context.servers);
  const effects: Effect[] = [];
  for (const [server, association] of context.servers) {
    if (nextPollAt(association) > now) continue;
    requestId += 1;
    const question: NtpPollRequested = {
      type: 'ntp.pollRequested',
      replyTo: address,
      server,
      requestId,
      timeoutMs: context.config.answerTimeoutMs,
    };
    servers.set(server, pollSent(association, requestId, now, context.config));
    effects.push(telling(context.ntpClient, question));
  }
  return { context: { requestId, servers }, effects: [...effects, ...serversTimer(servers, now)] };
}

function serversTimer(servers: ReadonlyMap<string, Association>, now: Monotonic): readonly Effect[] {
  const next = Math.min(...[...servers.values()].map(nextPollAt));
  return Number.isFinite(next) ? [timer('servers', Math.max(0, next - now), { type: 'servers.due' })] : [];
}

/** CS-11, BR-11: how far a quorum is, when enough peers have answered lately to know it. */
export function tellRoundTrip(context: TimeCoordinatorContext, { now }: Clock): Decided {
  const { peers, validators, self, paced } = context;
  const from = monotonic(now - POLLS_REMEMBERED * usualInterval(context));
  const roundTripMs = quorumRoundTrip(validators, self, [...peers.values()], from);
  if (roundTripMs === undefined) return {};
  const message: RoundTripMeasured = { type: 'roundTrip.measured', roundTripMs };
  return { effects: paced.map((to) => telling(to, message)) };
}

export function takeNtpReply(context: TimeCoordinatorContext, reply: NtpReply, { now }: Clock): Decided {
  const association = context.servers.get(reply.server);
  if (association === undefined) return {};
  const next =
    reply.type === 'ntp.answered'
      ? answered(association, reply, now, context.config)
      : failed(association, reply, now, context.config);
  const servers = new Map(context.servers).set(reply.server, next);
  // While time is being acquired, the servers may have been all that was waited for.
  const complete = isAcquiring(context) && [...servers.values()].every(hasTried);
  return {
    context: { servers },
    effects: [...serversTimer(servers, now), ...(complete ? atOnce(context) : [])],
  };
}

/** What came is weighed now, unless this poll has had its update. */
const atOnce = ({ isWeighed }: TimeCoordinatorContext): readonly Effect[] =>
  isWeighed ? [] : [timer('update', 0, { type: 'update.due' })];

/** A question is answered at once; an answer counts when it was asked for. */
export function takePeerMessage(
  context: TimeCoordinatorContext,
  from: Address,
  message: TimeRequestMessage | TimeReplyMessage,
  clock: Clock,
): Decided {
  if (message.kind === 'TimeRequest') return { effects: [answerTo(context, from, message, clock)] };
  const result = taken(context.poll, from, message, clock.now);
  if (result.status === 'ignored') return {};
  if (result.status === 'malformed') {
    const failing = { ...context, poll: result.poll, peers: scored(context.peers, from, 'failure') };
    const blame = { type: 'peer.misbehaved', peer: from, code: 'TIME_REPLY_MALFORMED' } as const;
    return settled(failing, [telling(context.router, blame)], clock);
  }
  const heard: TimeCoordinatorContext = { ...context, poll: result.poll };
  if (result.left > 0) {
    const { context: next, effects } = askPeers(heard, [from], clock, result.left);
    return { context: next, effects };
  }
  return settled({ ...heard, peers: recorded(heard, from) }, [], clock);
}

/** Nobody is waited for any more, or, while time is being acquired, only the slow ones. */
function settled(context: TimeCoordinatorContext, effects: readonly Effect[], { now }: Clock): Decided {
  const { poll, polledAt = now } = context;
  const enough = poll.asked.size === 0 || (isAcquiring(context) && now - polledAt >= ACQUIRING_ANSWER_MS);
  return { context, effects: enough ? [...effects, ...atOnce(context)] : effects };
}

const answerTo = (
  context: TimeCoordinatorContext,
  from: Address,
  { requestId }: TimeRequestMessage,
  { now, wall }: Clock,
): Effect => {
  const { discipline } = context;
  // Not what is shown while the clock is held because it must not fall.
  const time = discipline !== undefined && isHandedOut(context) ? adjustedTime(discipline, now) : wall;
  const micros = Math.max(0, Math.round(time * MICROS_PER_MS));
  return toPeer(context, from, {
    kind: 'TimeReply',
    requestId,
    receivedMicros: micros,
    repliedMicros: micros,
    isSynchronised: !isAcquiring(context),
  });
};

type Peers = TimeCoordinatorContext['peers'];

function scored(peers: Peers, peer: Address, outcome: PollOutcome): Peers {
  const info = peers.get(peer);
  if (info === undefined) return peers;
  const reliabilityScore = reliabilityAfter(info.reliabilityScore, outcome);
  return new Map(peers).set(peer, { ...info, reliabilityScore });
}

/** All exchanges with a peer are made: what the quickest of them said. */
function recorded({ peers, poll }: TimeCoordinatorContext, peer: Address): Peers {
  const heard = poll.heard.get(peer);
  const info = scored(peers, peer, 'success').get(peer);
  if (heard === undefined || info === undefined) return peers;
  const { sample, isSynchronised } = heard;
  return new Map(peers).set(peer, {
    ...info,
    timeOffset: sample.offset,
    lastUpdate: sample.at,
    roundTripTime: millis(sample.delay),
    isSynchronised,
  });
}

/** The scores once the next poll begins: who answered some questions was slow, who answered none is late. */
const scoredAtEnd = (context: TimeCoordinatorContext): Peers =>
  [...context.poll.asked.values()].reduce<Peers>(
    (peers, { peer }) =>
      context.poll.heard.has(peer) ? recorded({ ...context, peers }, peer) : scored(peers, peer, 'timeout'),
    context.peers,
  );
