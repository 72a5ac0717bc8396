/**
 * What view-change does with certificates, timeouts and the clock: which round it is, and what all are told. Pure.
 * Certificates inside any message come here first and are verified once. Rules CS-1, CS-2, CS-6, CS-7, CS-11, CS-13,
 * docs/protocol/consensus.md; the rules are in protocol/consensus/{pacemaker,view-change-book,verified}.ts.
 */

import { millis } from '../../base/units.ts';
import { nextRound } from '../../protocol/chain/ordinals.ts';
import type { Address, QuorumCertificate } from '../../protocol/chain/types.ts';
import { isValidator } from '../../protocol/chain/validator-set.ts';
import { checkViewChangeForm, verifyViewChange } from '../../protocol/consensus/certificates.ts';
import { recoveredHighQC } from '../../protocol/consensus/entry.ts';
import { leaderAt, recordIn } from '../../protocol/consensus/epoch.ts';
import { timeoutStatementOf } from '../../protocol/consensus/evidence.ts';
import {
  adoptCertificates,
  answerToLaggard,
  deadlinesOf,
  justificationOf,
  proposeAt,
  startPacemaker,
} from '../../protocol/consensus/pacemaker.ts';
import type { CertificateRefusal } from '../../protocol/consensus/refusals.ts';
import type { PeerMessage, ViewChangeMessage, ViewChangeReason } from '../../protocol/consensus/types.ts';
import {
  type Certificates,
  NONE_VERIFIED,
  rememberQC,
  rememberTC,
  verifyCertificates,
} from '../../protocol/consensus/verified.ts';
import {
  addViewChange,
  EMPTY_VIEW_CHANGE_BOOK,
  forgetViewChangesBelow,
  holdsViewChange,
} from '../../protocol/consensus/view-change-book.ts';
import type {
  HighQcAdopted,
  RoundEntered,
  RoundOverdue,
  RoundTimedOut,
  TimeoutRequested,
  TimeoutSeen,
  VoteFound,
} from '../../protocol/ports/consensus.ts';
import type { Recovered } from '../../protocol/ports/storage.ts';
import { type Effect, telling } from '../../protocol/supervision/effect.ts';
import type { Decision } from '../vocabulary/index.ts';
import {
  type Clock,
  chained,
  type FailedRound,
  type LiveView,
  type OwnTimeout,
  type Stepped,
  still,
  type ViewChangeContext,
  type ViewChangePrivateEvent,
} from './view-change.live.ts';

/** View changes that are kept for readers; the oldest makes room. @unit entries @source chosen */
const VIEW_CHANGES_KEPT_MAX = 64;
/** An answer to one laggard at most so often (CS-7). @unit ms @source chosen: well below the shortest round timeout */
const LAGGARD_ANSWER_EVERY_MS = millis(50);

const send = (context: ViewChangeContext, to: 'all' | readonly Address[], message: PeerMessage): Effect =>
  telling(context.router, { type: 'network.sendRequested', outgoing: [{ to, message }] });

export const toManager = (
  context: ViewChangeContext,
  message: RoundEntered | HighQcAdopted | RoundTimedOut | TimeoutSeen | VoteFound,
): Effect => telling(context.roundManager, message);

const blamed = (context: ViewChangeContext, peer: Address, codes: readonly string[]): Effect[] =>
  peer === context.self
    ? []
    : codes.map((code) => telling(context.router, { type: 'peer.misbehaved', peer, code }));

const codesOf = (refusals: readonly CertificateRefusal[]): string[] => refusals.map(({ code }) => code);

/** CS-19: a node without a voice waits for no round and gives none up; certificates alone move it. */
const hasVoice = ({ epoch, self }: ViewChangeContext): boolean => isValidator(epoch.set, self);

/** The round's deadline timer; started again it replaces the former (RT-12). */
function armDeadline(context: ViewChangeContext, { pacemaker }: LiveView, { now }: Clock): Effect[] {
  if (!hasVoice(context)) return [];
  const { vote } = deadlinesOf(pacemaker, context.timeouts);
  const message: ViewChangePrivateEvent = { type: 'round.deadlinePassed', round: pacemaker.round };
  return [{ kind: 'startTimer', key: 'deadline', delayMs: Math.max(0, vote - now), message }];
}

/** What a round's deadline depends on moved; a round that was given up already has none. */
export const rearmed = (context: ViewChangeContext, live: LiveView, clock: Clock): Effect[] =>
  live.timeout?.round === live.pacemaker.round ? [] : armDeadline(context, live, clock);

function announce(context: ViewChangeContext, { pacemaker }: LiveView): Effect {
  const { round, highQC } = pacemaker;
  const { qc, tc } = justificationOf(pacemaker);
  return toManager(context, {
    type: 'round.entered',
    epoch: context.epoch.epoch,
    round,
    leader: leaderAt(context.epoch, round),
    entry: tc === undefined ? { by: 'qc', qc } : { by: 'tc', tc },
    highQC,
    idleUntil: proposeAt(pacemaker, context.timeouts),
    deadlines: deadlinesOf(pacemaker, context.timeouts),
  });
}

/** CS-2: verified certificates move the round; whoever leads a round that a TC opened says so once (CS-7). */
export function adopt(
  context: ViewChangeContext,
  live: LiveView,
  certificates: Certificates,
  clock: Clock,
): Stepped {
  const left = live.pacemaker;
  const leftLeader = leaderAt(context.epoch, left.round);
  const adoption = adoptCertificates(left, certificates, leftLeader, clock.now, context.timeouts);
  const { pacemaker, entered } = adoption;
  if (entered === undefined) {
    if (!adoption.qcAdopted) return still(live);
    return {
      live: { ...live, pacemaker },
      effects: [toManager(context, { type: 'highQc.adopted', qc: pacemaker.highQC })],
    };
  }
  const { timeout, ...rest } = live;
  const { round } = pacemaker;
  const leader = leaderAt(context.epoch, round);
  const failed: FailedRound = {
    type: 'round.failed',
    epoch: context.epoch.epoch,
    round: left.round,
    leader: leftLeader,
    reason: timeout?.round === left.round ? timeout.reason : 'LeaderTimeout',
    duration: millis(clock.now - left.enteredAt),
    at: clock.wall,
  };
  const announcesView = entered.by === 'tc' && leader === context.self && live.newViewSent !== round;
  const next: LiveView = {
    ...rest,
    pacemaker,
    book: forgetViewChangesBelow(live.book, round),
    failures: entered.by === 'tc' ? [...live.failures, failed].slice(-VIEW_CHANGES_KEPT_MAX) : live.failures,
    ...(announcesView ? { newViewSent: round } : {}),
  };
  const { epoch } = pacemaker;
  const height = live.committedHeight;
  return {
    live: next,
    effects: [
      { kind: 'cancelTimer', key: 'resend' },
      ...armDeadline(context, next, clock),
      announce(context, next),
      ...(entered.by === 'tc' ? context.observers.map((observer) => telling(observer, failed)) : []),
      ...(announcesView && entered.by === 'tc'
        ? [send(context, 'all', { kind: 'NewView', epoch, height, round, leader, tc: entered.tc })]
        : []),
    ],
  };
}

/** CS-13: certificates are verified and adopted before any window test. Those that say nothing new are passed over. */
export function receive(
  context: ViewChangeContext,
  live: LiveView,
  from: Address,
  { qc, tc }: Certificates,
  clock: Clock,
): Stepped {
  const { highQC, round } = live.pacemaker;
  const news: Certificates = {
    ...(qc !== undefined && (qc.round > highQC.round || isRival(highQC, qc)) ? { qc } : {}),
    ...(tc !== undefined && (tc.round >= round || tc.highQC.round > highQC.round) ? { tc } : {}),
  };
  if (news.qc === undefined && news.tc === undefined) return still(live);
  const outcome = verifyCertificates(context.epoch, context.bls, live.verified, news);
  const adopted = adopt(context, { ...live, verified: outcome.verified }, outcome, clock);
  // SY-5: both were verified; the owner of the tree says what that means.
  const rival = outcome.qc !== undefined && isRival(highQC, outcome.qc);
  return {
    live: adopted.live,
    effects: [
      ...blamed(context, from, codesOf(outcome.refusals)),
      ...adopted.effects,
      ...(rival ? [toManager(context, { type: 'highQc.adopted', qc: outcome.qc })] : []),
    ],
  };
}

/** Of one round, for another block. */
const isRival = (highQC: QuorumCertificate, { round, blockId }: QuorumCertificate): boolean =>
  round === highQC.round && blockId !== highQC.blockId;

/** CS-7. The sender's certificates first, then its statement, then the count. */
export function receiveViewChange(
  context: ViewChangeContext,
  live: LiveView,
  from: Address,
  message: ViewChangeMessage,
  clock: Clock,
): Stepped {
  const malformed = checkViewChangeForm(context.epoch, message);
  if (malformed !== 'valid') return { live, effects: blamed(context, from, [malformed.code]) };
  // What lies beside the signature (last vote, reason) is the signer's own only when it comes from the signer.
  if (message.validator !== from) {
    return chained(
      live,
      (now) => receive(context, now, from, { qc: message.highQC, tc: message.lastTC }, clock),
      (now) => ({ live: now, effects: blamed(context, from, ['VIEW_CHANGE_NOT_OF_SENDER']) }),
    );
  }
  if (message.round < live.pacemaker.round) {
    return chained(
      live,
      (now) => receive(context, now, from, { qc: message.highQC, tc: message.lastTC }, clock),
      (now) => answerLaggard(context, now, message.validator, clock),
    );
  }
  if (holdsViewChange(live.book, message)) return still(live);
  // The TC that may come of this names the sender's high QC: it is verified even when it says nothing new.
  const certificates = { qc: message.highQC, tc: message.lastTC };
  const outcome = verifyCertificates(context.epoch, context.bls, live.verified, certificates);
  const verdict = outcome.refusals[0] ?? verifyViewChange(context.epoch, context.bls, message);
  const adopted = adopt(context, { ...live, verified: outcome.verified }, outcome, clock);
  if (verdict !== 'valid') {
    return { live: adopted.live, effects: [...adopted.effects, ...blamed(context, from, [verdict.code])] };
  }
  const counted = count(context, adopted.live, message, clock);
  return { live: counted.live, effects: [...adopted.effects, ...counted.effects] };
}

function count(
  context: ViewChangeContext,
  live: LiveView,
  message: ViewChangeMessage,
  clock: Clock,
): Stepped {
  const { epoch, bls, self } = context;
  const currentRound = live.pacemaker.round;
  const { book, outcome } = addViewChange(live.book, epoch, bls, message, { currentRound, self });
  const { lastVote } = message;
  const seen: TimeoutSeen = {
    type: 'timeout.seen',
    timeout: timeoutStatementOf(message),
    ...(lastVote === undefined ? {} : { lastVote }),
  };
  const found: Effect[] = [
    ...(lastVote === undefined ? [] : [toManager(context, { type: 'vote.found', vote: lastVote })]),
    toManager(context, seen),
  ];
  const next = { ...live, book };
  if (outcome.status !== 'counted') return { live: next, effects: found };
  const { tc } = outcome;
  if (tc !== undefined) {
    const verified = rememberTC(epoch.domain, next.verified, tc);
    const entered = adopt(context, { ...next, verified }, { tc }, clock);
    return { live: entered.live, effects: [...found, ...entered.effects] };
  }
  const asked = live.timeout?.round === currentRound;
  if (!outcome.amplify || asked || message.round !== currentRound) return { live: next, effects: found };
  const own = requestTimeout(context, next, message.reason, clock);
  return { live: own.live, effects: [...found, ...own.effects] };
}

function answerLaggard(context: ViewChangeContext, live: LiveView, to: Address, clock: Clock): Stepped {
  const last = live.answered.get(to);
  if (
    !hasVoice(context) ||
    to === context.self ||
    (last !== undefined && clock.now - last < LAGGARD_ANSWER_EVERY_MS)
  )
    return still(live);
  const { pacemaker, committedHeight } = live;
  const leader = leaderAt(context.epoch, pacemaker.round);
  return {
    live: { ...live, answered: new Map(live.answered).set(to, clock.now) },
    effects: [send(context, [to], answerToLaggard(pacemaker, { height: committedHeight, leader }))],
  };
}

/** A peer that was not connected hears the best certificate, and this node's timeout again if it is out. */
export function greet(context: ViewChangeContext, live: LiveView, peer: Address, clock: Clock): Stepped {
  if (!hasVoice(context)) return still(live);
  const { pacemaker, committedHeight, timeout } = live;
  const leader = leaderAt(context.epoch, pacemaker.round);
  const isFresh = pacemaker.round === nextRound(context.epoch.rootQC.round);
  const greeting = answerToLaggard(pacemaker, { height: committedHeight, leader });
  const again =
    timeout?.round === pacemaker.round ? requestTimeout(context, live, timeout.reason, clock) : still(live);
  return {
    live: again.live,
    effects: [...(isFresh ? [] : [send(context, [peer], greeting)]), ...again.effects],
  };
}

/** CS-6: asks safety for this round's timeout; asked again it re-sends the same with a later tick. */
export function requestTimeout(
  context: ViewChangeContext,
  live: LiveView,
  reason: ViewChangeReason,
  clock: Clock,
): Stepped {
  if (!hasVoice(context)) return still(live);
  const { pacemaker, committedHeight } = live;
  const { round, highQC, lastTC } = pacemaker;
  const before = live.timeout?.round === round ? live.timeout : undefined;
  const timeout: OwnTimeout = {
    round,
    reason: before?.reason ?? reason,
    tick: (before?.tick ?? 0) + 1,
    sent: before?.sent ?? false,
  };
  const request: TimeoutRequested = {
    type: 'timeout.requested',
    replyTo: clock.address,
    round,
    highQC,
    ...(lastTC === undefined ? {} : { lastTC }),
    reason: timeout.reason,
    height: committedHeight,
    tick: timeout.tick,
  };
  const { resendEvery } = deadlinesOf(pacemaker, context.timeouts);
  const resend: ViewChangePrivateEvent = { type: 'timeout.resendDue', round };
  const overdue: RoundOverdue = { type: 'round.overdue', round };
  return {
    live: { ...live, timeout },
    effects: [
      telling(context.safety, request),
      ...(before === undefined ? [telling(context.bridge, overdue)] : []),
      { kind: 'startTimer', key: 'resend', delayMs: resendEvery, message: resend },
    ],
  };
}

export function begin(context: ViewChangeContext, recovered: Recovered, clock: Clock): Stepped {
  const { committed } = recovered;
  const record = recordIn(context.epoch, recovered);
  const { rootQC } = context.epoch;
  const highQC = recoveredHighQC(record.highQC, committed?.commitProof);
  // The epoch before ended with the newest block: in this one that is the root (CS-16).
  const committedRound = committed?.id === rootQC.blockId ? rootQC.round : committed?.block.header.round;
  const started = startPacemaker({
    highQC,
    lastTC: record.lastTC,
    committedRound: committedRound ?? rootQC.round,
    hasWork: false,
    now: clock.now,
  });
  // What was measured in the epoch before still holds of the network.
  const { durations, roundTripMs } = context.live?.pacemaker ?? started;
  const pacemaker = { ...started, durations, roundTripMs };
  const certified = rememberQC(context.epoch.domain, NONE_VERIFIED, highQC);
  const live: LiveView = {
    pacemaker,
    book: EMPTY_VIEW_CHANGE_BOOK,
    verified:
      record.lastTC === undefined ? certified : rememberTC(context.epoch.domain, certified, record.lastTC),
    committedHeight: committed?.block.header.height ?? context.epoch.rootQC.height,
    failures: context.live?.failures ?? [],
    answered: new Map(),
  };
  const begun: Stepped = {
    live,
    effects: [...armDeadline(context, live, clock), announce(context, live)],
  };
  // A timeout that was signed before the restart is sent again, unchanged but for its tick (CS-6).
  const { lastTimeout } = record;
  if (lastTimeout?.round !== pacemaker.round) return begun;
  const again = requestTimeout(context, live, lastTimeout.reason, clock);
  return { live: again.live, effects: [...begun.effects, ...again.effects] };
}

/** CS-6: the round is given up, once; whoever asked for its timeout before only re-sends it when that is due. */
export function giveUp(
  context: ViewChangeContext,
  live: LiveView,
  reason: ViewChangeReason,
  clock: Clock,
): Stepped {
  return live.timeout?.round === live.pacemaker.round
    ? still(live)
    : requestTimeout(context, live, reason, clock);
}

/** A step over the live part; nothing happens before recovery. */
export function alive(
  { live }: ViewChangeContext,
  decide: (live: LiveView) => Stepped,
): Decision<ViewChangeContext> {
  if (live === undefined) return {};
  const stepped = decide(live);
  return { context: { live: stepped.live }, effects: stepped.effects };
}
