/**
 * Whom the time-coordinator asks, and what it keeps of the answers. Pure. Rules TM-2 to TM-4, docs/protocol/time.md; the
 * rules themselves are in protocol/time/{poll,ntp-association,reliability}.ts.
 */
import { type Millis, type Monotonic, millis } from '../../base/units.ts';
import type { Address } from '../../protocol/chain/types.ts';
import type { ClockLooked, NtpPollRequested, NtpReply } from '../../protocol/ports/time.ts';
import { type Effect, telling } from '../../protocol/supervision/effect.ts';
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
import { type PollOutcome, pollEvery, reliabilityAfter } from '../../protocol/time/reliability.ts';
import {
  type Clock,
  type Decided,
  isAcquiring,
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
const MICROS_PER_MS = 1_000;

const toPeer = (
  { router }: TimeCoordinatorInput,
  peer: Address,
  message: TimeRequestMessage | TimeReplyMessage,
): Effect => telling(router, { type: 'network.sendRequested', outgoing: [{ to: [peer], message }] });

const answerWait = (context: TimeCoordinatorContext): Millis =>
  isAcquiring(context)
    ? millis(Math.min(ACQUIRING_ANSWER_MS, context.config.answerTimeoutMs))
    : context.config.answerTimeoutMs;

/** The clock is watched from now on; its first look begins everything (seed 000: startSyncLoop). */
export const startSyncLoop = (context: TimeCoordinatorContext, { address }: Clock): Decided => ({
  effects: [
    toClock(context, { type: 'clock.watchRequested', replyTo: address, intervalMs: LOOK_INTERVAL_MS }),
  ],
});

/** The clock goes on as it shows itself: this cell may have had earlier lives. */
export const beginWithLook = (look: ClockLooked): Decided => ({
  context: { look, discipline: { at: look.at, time: look.adjustedTime, ratePpm: 0, slewMs: 0 } },
});

/** Asks every validator whose turn it is, and comes again (seed 000). */
export function syncWithPeers(context: TimeCoordinatorContext, clock: Clock): Decided {
  const polls = context.polls + 1;
  const due = [...context.peers.values()].filter(
    ({ reliabilityScore }) => polls % pollEvery(reliabilityScore) === 0,
  );
  const begun: TimeCoordinatorContext = { ...context, polls, poll: EMPTY_POLL };
  const { context: next, effects } = askPeers(
    begun,
    due.map(({ peerId }) => peerId),
    clock,
  );
  const interval = isQuick(context) ? ACQUIRING_INTERVAL_MS : context.config.updateIntervalMs;
  return {
    context: next,
    effects: [
      ...effects,
      timer('poll', Math.min(interval, context.config.updateIntervalMs), { type: 'poll.due' }),
      timer('update', due.length === 0 ? 0 : answerWait(context), { type: 'update.due' }),
    ],
  };
}

/** A validator can be reached: while time is being acquired it is asked at once. What it was asked before is lost. */
export function askNewcomer(context: TimeCoordinatorContext, peer: Address, clock: Clock): Decided {
  if (!isAcquiring(context) || !context.peers.has(peer)) return {};
  const { context: next, effects } = askPeers(
    { ...context, poll: unasked(context.poll, peer) },
    [peer],
    clock,
  );
  return {
    context: next,
    effects: [...effects, timer('update', answerWait(context), { type: 'update.due' })],
  };
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
  const atOnce: readonly Effect[] = complete ? [timer('update', 0, { type: 'update.due' })] : [];
  return { context: { servers }, effects: [...serversTimer(servers, now), ...atOnce] };
}

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
    return settled({ ...context, poll: result.poll, peers: scored(context.peers, from, 'failure') }, [
      telling(context.router, { type: 'peer.misbehaved', peer: from, code: 'TIME_MALFORMED' }),
    ]);
  }
  const heard: TimeCoordinatorContext = { ...context, poll: result.poll };
  if (result.left > 0) {
    const { context: next, effects } = askPeers(heard, [from], clock, result.left);
    return { context: next, effects };
  }
  return settled({ ...heard, peers: recorded(heard, from) }, []);
}

/** Nobody is waited for any more: the update comes now. */
const settled = (context: TimeCoordinatorContext, effects: readonly Effect[]): Decided => ({
  context,
  effects: context.poll.asked.size > 0 ? effects : [...effects, timer('update', 0, { type: 'update.due' })],
});

const answerTo = (
  context: TimeCoordinatorContext,
  from: Address,
  { requestId }: TimeRequestMessage,
  { wall }: Clock,
): Effect => {
  const micros = Math.max(0, Math.round(wall * MICROS_PER_MS));
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

/** Who has not answered by now is late. */
export function closedPoll({
  peers,
  poll,
}: TimeCoordinatorContext): Pick<TimeCoordinatorContext, 'peers' | 'poll'> {
  const late = [...poll.asked.values()].reduce<Peers>(
    // A peer that answered some of its questions is slow, not silent.
    (known, { peer }) => (poll.heard.has(peer) ? known : scored(known, peer, 'timeout')),
    peers,
  );
  return { peers: late, poll: { ...poll, asked: new Map() } };
}
