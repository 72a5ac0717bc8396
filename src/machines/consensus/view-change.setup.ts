/**
 * Parts of the ViewChangeManager chart: owner of the current round, the high QC and the last TC. Pure.
 * Certificates inside any message come here first and are verified once. Rules CS-1, CS-2, CS-6, CS-7, CS-11, CS-13,
 * docs/protocol/consensus.md; the decisions are in protocol/consensus/{pacemaker,view-change-book,verified}.ts.
 */
import { setup } from 'xstate';
import { type Millis, type Monotonic, millis, type WallTime } from '../../base/units.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import type { Address, Height, Round } from '../../protocol/chain/types.ts';
import { checkViewChangeForm, verifyViewChange } from '../../protocol/consensus/certificates.ts';
import { recoveredHighQC } from '../../protocol/consensus/entry.ts';
import { type EpochContext, leaderAt } from '../../protocol/consensus/epoch.ts';
import {
  adoptCertificates,
  answerToLaggard,
  deadlinesOf,
  failuresOf,
  justificationOf,
  type Pacemaker,
  proposeAt,
  setCommitted,
  setWork,
  startPacemaker,
} from '../../protocol/consensus/pacemaker.ts';
import type { CertificateRefusal } from '../../protocol/consensus/refusals.ts';
import type { TimeoutConfig } from '../../protocol/consensus/timeouts.ts';
import type {
  NewViewMessage,
  PeerMessage,
  QcMessage,
  ViewChangeMessage,
  ViewChangeReason,
} from '../../protocol/consensus/types.ts';
import {
  type Certificates,
  NONE_VERIFIED,
  rememberQC,
  rememberTC,
  type VerifiedCertificates,
  verifyCertificates,
} from '../../protocol/consensus/verified.ts';
import {
  addViewChange,
  EMPTY_VIEW_CHANGE_BOOK,
  forgetViewChangesBelow,
  holdsViewChange,
  type ViewChangeBook,
} from '../../protocol/consensus/view-change-book.ts';
import type {
  CertificatesReceived,
  CommitAdvanced,
  HighQcAdopted,
  ProposalCondemned,
  QcFormed,
  RoundEntered,
  RoundTimedOut,
  SafetyAnswer,
  TimeoutRequested,
  ViewChangeOrdered,
  VoteFound,
  WorkChanged,
} from '../../protocol/ports/consensus.ts';
import type { PeerMessageReceived } from '../../protocol/ports/network.ts';
import type { Recovered, StorageReply, StorageRequest } from '../../protocol/ports/storage.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import { type Decision, declare, on, step, types } from '../vocabulary/index.ts';

/** View changes that are kept for readers; the oldest makes room. @unit entries @source chosen */
const VIEW_CHANGES_KEPT_MAX = 64;
/** An answer to one laggard at most so often (CS-7). @unit ms @source chosen: well below the shortest round timeout */
const LAGGARD_ANSWER_EVERY_MS = millis(50);
/** Pause before the store is asked again after a failed recovery. @unit ms @source chosen */
const RECOVERY_RETRY_MS = millis(500);

export interface ViewChangeInput {
  readonly epoch: EpochContext;
  readonly self: Address;
  readonly bls: BlsEngine;
  readonly timeouts: TimeoutConfig;
  readonly storage: CellAddress;
  readonly router: CellAddress;
  readonly safety: CellAddress;
  readonly roundManager: CellAddress;
  /** Told of every round that failed. */
  readonly observer: CellAddress;
}

/** A round that ended without its QC, for readers. */
export interface FailedRound {
  readonly type: 'round.failed';
  readonly round: Round;
  readonly leader: Address;
  readonly reason: ViewChangeReason;
  readonly duration: Millis;
  readonly at: WallTime;
}

/** This validator's own timeout of a round; `sent` once it was durable. */
interface OwnTimeout {
  readonly round: Round;
  readonly reason: ViewChangeReason;
  readonly tick: number;
  readonly sent: boolean;
}

/** Everything live; there once recovered. */
export interface LiveView {
  readonly pacemaker: Pacemaker;
  readonly book: ViewChangeBook;
  readonly verified: VerifiedCertificates;
  readonly committedHeight: Height;
  readonly timeout?: OwnTimeout;
  /** Round for which this leader broadcast its NewView. */
  readonly newViewSent?: Round;
  readonly failures: readonly FailedRound[];
  /** When each laggard was last answered. Bounded by the validator set. */
  readonly answered: ReadonlyMap<Address, Monotonic>;
}

export interface ViewChangeContext extends ViewChangeInput {
  readonly live?: LiveView;
  readonly tag: number;
}

type ViewChangePublicEvent =
  | PeerMessageReceived<QcMessage | ViewChangeMessage | NewViewMessage>
  | CertificatesReceived
  | QcFormed
  | ProposalCondemned
  | CommitAdvanced
  | WorkChanged
  | ViewChangeOrdered
  | Extract<SafetyAnswer, { type: 'timeout.sent' | 'timeout.refused' }>
  | Extract<StorageReply, { type: 'recovery.found' | 'storage.failed' }>;

type ViewChangePrivateEvent =
  | { readonly type: 'round.deadlinePassed'; readonly round: Round }
  | { readonly type: 'timeout.resendDue'; readonly round: Round };

/** Event types that other cells may send (RT-16). */
export const VIEW_CHANGE_EVENTS = declare<ViewChangePublicEvent>()(
  'message.received',
  'certificates.received',
  'qc.formed',
  'proposal.condemned',
  'commit.advanced',
  'work.changed',
  'viewChange.ordered',
  'timeout.sent',
  'timeout.refused',
  'recovery.found',
  'storage.failed',
);

/** One step over the live part: what changed, and what follows. Effects keep their order. */
interface Stepped {
  readonly live: LiveView;
  readonly effects: readonly Effect[];
}

interface Clock {
  readonly now: Monotonic;
  readonly wall: WallTime;
  readonly address: CellAddress;
}

const still = (live: LiveView): Stepped => ({ live, effects: [] });

/** Runs the steps one after the other over the same live part. */
function chained(live: LiveView, ...steps: readonly ((live: LiveView) => Stepped)[]): Stepped {
  return steps.reduce<Stepped>((done, next) => {
    const { live: after, effects } = next(done.live);
    return { live: after, effects: [...done.effects, ...effects] };
  }, still(live));
}

const send = (context: ViewChangeContext, to: 'all' | readonly Address[], message: PeerMessage): Effect =>
  telling(context.router, { type: 'network.sendRequested', outgoing: [{ to, message }] });

const toManager = (
  context: ViewChangeContext,
  message: RoundEntered | HighQcAdopted | RoundTimedOut | VoteFound,
): Effect => telling(context.roundManager, message);

const blamed = (
  context: ViewChangeContext,
  peer: Address,
  refusals: readonly CertificateRefusal[],
): Effect[] => refusals.map(({ code }) => telling(context.router, { type: 'peer.misbehaved', peer, code }));

/** The round's deadline timer; started again it replaces the former (RT-12). */
function armDeadline(context: ViewChangeContext, { pacemaker }: LiveView, { now }: Clock): Effect {
  const { vote } = deadlinesOf(pacemaker, context.timeouts);
  const message: ViewChangePrivateEvent = { type: 'round.deadlinePassed', round: pacemaker.round };
  return { kind: 'startTimer', key: 'deadline', delayMs: Math.max(0, vote - now), message };
}

/** What a round's deadline depends on moved; a round that was given up already has none. */
const rearmed = (context: ViewChangeContext, live: LiveView, clock: Clock): Effect[] =>
  live.timeout?.round === live.pacemaker.round ? [] : [armDeadline(context, live, clock)];

function announce(context: ViewChangeContext, { pacemaker }: LiveView): Effect {
  const { round, highQC } = pacemaker;
  const { qc, tc } = justificationOf(pacemaker);
  return toManager(context, {
    type: 'round.entered',
    round,
    leader: leaderAt(context.epoch, round),
    entry: tc === undefined ? { by: 'qc', qc } : { by: 'tc', tc },
    highQC,
    idleUntil: proposeAt(pacemaker, context.timeouts),
    deadlines: deadlinesOf(pacemaker, context.timeouts),
  });
}

/** CS-2: verified certificates move the round; whoever leads a round that a TC opened says so once (CS-7). */
function adopt(
  context: ViewChangeContext,
  live: LiveView,
  certificates: Certificates,
  clock: Clock,
): Stepped {
  const left = live.pacemaker;
  const adoption = adoptCertificates(left, certificates, clock.now, context.timeouts);
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
    round: left.round,
    leader: leaderAt(context.epoch, left.round),
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
      armDeadline(context, next, clock),
      announce(context, next),
      ...(entered.by === 'tc' ? [telling(context.observer, failed)] : []),
      ...(announcesView && entered.by === 'tc'
        ? [send(context, 'all', { kind: 'NewView', epoch, height, round, leader, tc: entered.tc })]
        : []),
    ],
  };
}

/** CS-13: certificates are verified and adopted before any window test. Those that say nothing new are passed over. */
function receive(
  context: ViewChangeContext,
  live: LiveView,
  from: Address,
  { qc, tc }: Certificates,
  clock: Clock,
): Stepped {
  const { highQC, lastTC } = live.pacemaker;
  const news: Certificates = {
    ...(qc !== undefined && qc.round > highQC.round ? { qc } : {}),
    ...(tc !== undefined && (tc.round > (lastTC?.round ?? -1) || tc.highQC.round > highQC.round)
      ? { tc }
      : {}),
  };
  if (news.qc === undefined && news.tc === undefined) return still(live);
  const outcome = verifyCertificates(context.epoch, context.bls, live.verified, news);
  const adopted = adopt(context, { ...live, verified: outcome.verified }, outcome, clock);
  return { live: adopted.live, effects: [...blamed(context, from, outcome.refusals), ...adopted.effects] };
}

/** CS-7. The sender's certificates first, then its statement, then the count. */
function receiveViewChange(
  context: ViewChangeContext,
  live: LiveView,
  from: Address,
  message: ViewChangeMessage,
  clock: Clock,
): Stepped {
  const malformed = checkViewChangeForm(context.epoch, message);
  if (malformed !== 'valid') return { live, effects: blamed(context, from, [malformed]) };
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
    return { live: adopted.live, effects: [...adopted.effects, ...blamed(context, from, [verdict])] };
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
  const found: Effect[] =
    message.lastVote === undefined
      ? []
      : [toManager(context, { type: 'vote.found', vote: message.lastVote })];
  const next = { ...live, book };
  if (outcome.status !== 'counted') return { live: next, effects: found };
  const { tc } = outcome;
  if (tc !== undefined) {
    const verified = rememberTC(epoch.domain, next.verified, tc);
    const entered = adopt(context, { ...next, verified }, { tc }, clock);
    return { live: entered.live, effects: [...found, ...entered.effects] };
  }
  if (!outcome.amplify || message.round !== currentRound) return { live: next, effects: found };
  const own = requestTimeout(context, next, message.reason, clock);
  return { live: own.live, effects: [...found, ...own.effects] };
}

function answerLaggard(context: ViewChangeContext, live: LiveView, to: Address, clock: Clock): Stepped {
  const last = live.answered.get(to);
  if (to === context.self || (last !== undefined && clock.now - last < LAGGARD_ANSWER_EVERY_MS))
    return still(live);
  const { pacemaker, committedHeight } = live;
  const leader = leaderAt(context.epoch, pacemaker.round);
  return {
    live: { ...live, answered: new Map(live.answered).set(to, clock.now) },
    effects: [send(context, [to], answerToLaggard(pacemaker, { height: committedHeight, leader }))],
  };
}

/** CS-6: asks safety for this round's timeout; asked again it re-sends the same with a later tick. */
function requestTimeout(
  context: ViewChangeContext,
  live: LiveView,
  reason: ViewChangeReason,
  clock: Clock,
): Stepped {
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
  return {
    live: { ...live, timeout },
    effects: [
      telling(context.safety, request),
      { kind: 'startTimer', key: 'resend', delayMs: resendEvery, message: resend },
    ],
  };
}

/** A timer that fires while rounds are certified but nothing is committed has another name than a silent leader. */
function deadlineReason({ pacemaker }: LiveView): ViewChangeReason {
  const certified = pacemaker.highQC.round + 1 === pacemaker.round;
  return certified && failuresOf(pacemaker) > 0 ? 'NoProgressInView' : 'LeaderTimeout';
}

function begin(context: ViewChangeContext, recovered: Recovered, clock: Clock): Stepped {
  const { record, committed } = recovered;
  const highQC = recoveredHighQC(record.highQC, committed?.commitProof);
  const pacemaker = startPacemaker({
    highQC,
    lastTC: record.lastTC,
    committedRound: committed?.block.header.round ?? context.epoch.rootQC.round,
    hasWork: false,
    now: clock.now,
  });
  const certified = rememberQC(context.epoch.domain, NONE_VERIFIED, highQC);
  const live: LiveView = {
    pacemaker,
    book: EMPTY_VIEW_CHANGE_BOOK,
    verified:
      record.lastTC === undefined ? certified : rememberTC(context.epoch.domain, certified, record.lastTC),
    committedHeight: committed?.block.header.height ?? context.epoch.rootQC.height,
    failures: [],
    answered: new Map(),
  };
  const started: Stepped = { live, effects: [armDeadline(context, live, clock), announce(context, live)] };
  // A timeout that was signed before the restart is sent again, unchanged but for its tick (CS-6).
  const { lastTimeout } = record;
  if (lastTimeout?.round !== pacemaker.round) return started;
  const again = requestTimeout(context, live, lastTimeout.reason, clock);
  return { live: again.live, effects: [...started.effects, ...again.effects] };
}

/** A step over the live part; nothing happens before recovery. */
function alive(
  { live }: ViewChangeContext,
  decide: (live: LiveView) => Stepped,
): Decision<ViewChangeContext> {
  if (live === undefined) return {};
  const stepped = decide(live);
  return { context: { live: stepped.live }, effects: stepped.effects };
}

const isCurrent = (context: ViewChangeContext, round: Round): boolean =>
  context.live?.pacemaker.round === round;

const ownTimeoutIsOut = ({ live }: ViewChangeContext): boolean =>
  live?.timeout !== undefined && live.timeout.round === live.pacemaker.round;

const roundWasOpenedByTc = ({ live }: ViewChangeContext): boolean =>
  live !== undefined && live.pacemaker.highQC.round + 1 !== live.pacemaker.round;

export const viewChangeSetup = setup({
  types: types<ViewChangeContext, ViewChangePublicEvent | ViewChangePrivateEvent, ViewChangeInput>(),
  guards: {
    isForThisRequest: ({ context, event }) => 'tag' in event && event.tag === context.tag,
    isAboutThisRound: ({ context, event }) => 'round' in event && isCurrent(context, event.round),
    ownTimeoutIsOut: ({ context }) => ownTimeoutIsOut(context),
    ownTimeoutIsNotOut: ({ context }) => !ownTimeoutIsOut(context),
    roundWasOpenedByTc: ({ context }) => roundWasOpenedByTc(context),
    roundWasOpenedByQc: ({ context }) => !roundWasOpenedByTc(context),
  },
  delays: { recoveryRetry: RECOVERY_RETRY_MS },
  actions: {
    requestRecovery: step(({ context, address }) => {
      const tag = context.tag + 1;
      const request: StorageRequest = { type: 'recovery.requested', replyTo: address, tag };
      return { context: { tag }, effects: [telling(context.storage, request)] };
    }),
    beginWithRecovered: step(
      on('recovery.found', (args) => {
        const { live, effects } = begin(args.context, args.event.recovered, args);
        return { context: { live }, effects };
      }),
    ),
    receiveMessage: step(
      on('message.received', ({ context, event: { from, message }, ...clock }) =>
        alive(context, (live) => {
          if (message.kind === 'QC') return receive(context, live, from, { qc: message.qc }, clock);
          if (message.kind === 'NewView') return receive(context, live, from, { tc: message.tc }, clock);
          return receiveViewChange(context, live, from, message, clock);
        }),
      ),
    ),
    receiveCertificates: step(
      on('certificates.received', ({ context, event, ...clock }) =>
        alive(context, (live) => receive(context, live, event.from, event, clock)),
      ),
    ),
    adoptOwnQc: step(
      on('qc.formed', ({ context, event: { qc }, ...clock }) =>
        alive(context, (live) => {
          const verified = rememberQC(context.epoch.domain, live.verified, qc);
          return adopt(context, { ...live, verified }, { qc }, clock);
        }),
      ),
    ),
    giveUpCondemnedRound: step(
      on('proposal.condemned', ({ context, event, ...clock }) =>
        alive(context, (live) => requestTimeout(context, live, event.reason, clock)),
      ),
    ),
    giveUpOrderedRound: step(
      on('viewChange.ordered', ({ context, ...clock }) =>
        alive(context, (live) => requestTimeout(context, live, 'ExplicitRequest', clock)),
      ),
    ),
    giveUpSilentRound: step(
      on('round.deadlinePassed', ({ context, ...clock }) =>
        alive(context, (live) => requestTimeout(context, live, deadlineReason(live), clock)),
      ),
    ),
    resendTimeout: step(
      on('timeout.resendDue', ({ context, ...clock }) =>
        alive(context, (live) => requestTimeout(context, live, 'LeaderTimeout', clock)),
      ),
    ),
    recordTimeoutSent: step(
      on('timeout.sent', ({ context, event: { message } }) =>
        alive(context, (live) => {
          if (live.timeout?.round !== message.round || live.timeout.sent) return still(live);
          const { round, reason } = message;
          return {
            live: { ...live, timeout: { ...live.timeout, sent: true } },
            effects: [toManager(context, { type: 'round.timedOut', round, reason })],
          };
        }),
      ),
    ),
    recordCommit: step(
      on('commit.advanced', ({ context, event, ...clock }) =>
        alive(context, (live) => {
          const pacemaker = setCommitted(live.pacemaker, event.round);
          const next = { ...live, pacemaker, committedHeight: event.height };
          return { live: next, effects: rearmed(context, next, clock) };
        }),
      ),
    ),
    recordWork: step(
      on('work.changed', ({ context, event, ...clock }) =>
        alive(context, (live) => {
          const next = { ...live, pacemaker: setWork(live.pacemaker, event.hasWork, clock.now) };
          return { live: next, effects: rearmed(context, next, clock) };
        }),
      ),
    ),
  },
});
