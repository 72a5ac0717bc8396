/**
 * Parts of the ViewChangeManager chart: owner of the current round, the high QC and the last TC. Pure.
 * Certificates inside any message come here first and are verified once. Rules CS-1, CS-2, CS-6, CS-7, CS-11, CS-13,
 * docs/protocol/consensus.md; the decisions are in protocol/consensus/{pacemaker,view-change-book,verified}.ts.
 */
import { setup } from 'xstate';
import { millis } from '../../base/units.ts';
import type { Address, Epoch, Round } from '../../protocol/chain/types.ts';
import { epochNow } from '../../protocol/consensus/epoch.ts';
import { deadlineReason, setCommitted, setRoundTrip, setWork } from '../../protocol/consensus/pacemaker.ts';
import { timeoutsFor } from '../../protocol/consensus/timeouts.ts';
import type { NewViewMessage, QcMessage, ViewChangeMessage } from '../../protocol/consensus/types.ts';
import { rememberQC } from '../../protocol/consensus/verified.ts';
import type {
  CertificatesReceived,
  CommitAdvanced,
  EpochBegan,
  EpochMet,
  ProposalCondemned,
  QcFormed,
  SafetyAnswer,
  ViewChangeOrdered,
  WorkChanged,
} from '../../protocol/ports/consensus.ts';
import type { ConnectivityEvent, PeerMessageReceived } from '../../protocol/ports/network.ts';
import type { StorageReply, StorageRequest } from '../../protocol/ports/storage.ts';
import type { RoundTripMeasured } from '../../protocol/ports/time.ts';
import { type Effect, telling } from '../../protocol/supervision/effect.ts';
import { declare, on, step, types } from '../vocabulary/index.ts';
import {
  adopt,
  alive,
  begin,
  giveUp,
  greet,
  rearmed,
  receive,
  receiveViewChange,
  requestTimeout,
  toManager,
} from './view-change.decisions.ts';
import {
  still,
  type ViewChangeContext,
  type ViewChangeInput,
  type ViewChangePrivateEvent,
} from './view-change.live.ts';

export type { FailedRound, LiveView, ViewChangeContext } from './view-change.live.ts';

/** Pause before the store is asked again after a failed recovery. @unit ms @source chosen */
const RECOVERY_RETRY_MS = millis(500);

type ViewChangePublicEvent =
  | PeerMessageReceived<QcMessage | ViewChangeMessage | NewViewMessage>
  | CertificatesReceived
  | QcFormed
  | ProposalCondemned
  | CommitAdvanced
  | WorkChanged
  | ViewChangeOrdered
  | EpochBegan
  | ConnectivityEvent
  | RoundTripMeasured
  | Extract<SafetyAnswer, { type: 'timeout.sent' | 'timeout.refused' }>
  | Extract<StorageReply, { type: 'recovery.found' | 'storage.failed' }>;

/** Event types that other cells may send (RT-16). */
export const VIEW_CHANGE_EVENTS = declare<ViewChangePublicEvent>()(
  'message.received',
  'certificates.received',
  'qc.formed',
  'proposal.condemned',
  'commit.advanced',
  'work.changed',
  'viewChange.ordered',
  'epoch.began',
  'peer.connected',
  'peer.disconnected',
  'roundTrip.measured',
  'timeout.sent',
  'timeout.refused',
  'recovery.found',
  'storage.failed',
);

const epochOf = (message: QcMessage | ViewChangeMessage | NewViewMessage): Epoch =>
  message.kind === 'QC' ? message.qc.epoch : message.epoch;

const metEpoch = ({ epochKeeper }: ViewChangeContext, from: Address, epoch: Epoch): Effect => {
  const met: EpochMet = { type: 'epoch.met', from, epoch };
  return telling(epochKeeper, met);
};

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
    isOfThisEpoch: ({ context, event }) =>
      event.type === 'proposal.condemned' &&
      event.epoch === context.epoch.epoch &&
      isCurrent(context, event.round),
    isNews: ({ context, event }) => event.type === 'epoch.began' && event.epoch.epoch > context.epoch.epoch,
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
    recordEpoch: step(
      on('epoch.began', ({ context, event: { epoch } }) => ({
        context: { epoch, timeouts: timeoutsFor(context.configured, epoch) },
        effects: [
          { kind: 'cancelTimer', key: 'deadline' },
          { kind: 'cancelTimer', key: 'resend' },
        ],
      })),
    ),
    beginWithRecovered: step(
      on('recovery.found', (args) => {
        const { recovered } = args.event;
        const epoch = epochNow(args.context.epoch, recovered);
        const timeouts = timeoutsFor(args.context.configured, epoch);
        const { live, effects } = begin({ ...args.context, epoch, timeouts }, recovered, args);
        return { context: { epoch, timeouts, live }, effects };
      }),
    ),
    receiveMessage: step(
      on('message.received', ({ context, event: { from, message }, ...clock }) =>
        alive(context, (live) => {
          const epoch = epochOf(message);
          if (epoch !== context.epoch.epoch) return { live, effects: [metEpoch(context, from, epoch)] };
          if (message.kind === 'QC') return receive(context, live, from, { qc: message.qc }, clock);
          if (message.kind === 'NewView') return receive(context, live, from, { tc: message.tc }, clock);
          return receiveViewChange(context, live, from, message, clock);
        }),
      ),
    ),
    receiveCertificates: step(
      on('certificates.received', ({ context, event, ...clock }) =>
        // What was on its way when the epoch changed is nobody's fault.
        alive(context, (live) =>
          [event.qc, event.tc].every((one) => one === undefined || one.epoch === context.epoch.epoch)
            ? receive(context, live, event.from, event, clock)
            : still(live),
        ),
      ),
    ),
    adoptOwnQc: step(
      on('qc.formed', ({ context, event: { qc }, ...clock }) =>
        alive(context, (live) => {
          if (qc.epoch !== context.epoch.epoch) return still(live);
          const verified = rememberQC(context.epoch.domain, live.verified, qc);
          return adopt(context, { ...live, verified }, { qc }, clock);
        }),
      ),
    ),
    giveUpCondemnedRound: step(
      on('proposal.condemned', ({ context, event, ...clock }) =>
        alive(context, (live) => giveUp(context, live, event.reason, clock)),
      ),
    ),
    giveUpOrderedRound: step(
      on('viewChange.ordered', ({ context, ...clock }) =>
        alive(context, (live) => giveUp(context, live, 'ExplicitRequest', clock)),
      ),
    ),
    greetPeer: step(
      on('peer.connected', ({ context, event: { peer }, ...clock }) =>
        alive(context, (live) => greet(context, live, peer, clock)),
      ),
    ),
    giveUpSilentRound: step(
      on('round.deadlinePassed', ({ context, ...clock }) =>
        alive(context, (live) => giveUp(context, live, deadlineReason(live.pacemaker), clock)),
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
          const { epoch, round, reason } = message;
          if (epoch !== context.epoch.epoch || live.timeout?.round !== round || live.timeout.sent)
            return still(live);
          const { refusal: _, ...timeout } = live.timeout;
          return {
            live: { ...live, timeout: { ...timeout, sent: true } },
            effects: [toManager(context, { type: 'round.timedOut', epoch, round, reason })],
          };
        }),
      ),
    ),
    recordTimeoutRefused: step(
      on('timeout.refused', ({ context, event: { round, code, detail } }) =>
        alive(context, (live) =>
          live.timeout?.round === round
            ? still({ ...live, timeout: { ...live.timeout, refusal: { code, detail } } })
            : still(live),
        ),
      ),
    ),
    recordCommit: step(
      on('commit.advanced', ({ context, event, ...clock }) =>
        alive(context, (live) => {
          if (event.epoch !== context.epoch.epoch) return still(live);
          const pacemaker = setCommitted(live.pacemaker, event.round);
          const next = { ...live, pacemaker, committedHeight: event.height };
          return { live: next, effects: rearmed(context, next, clock) };
        }),
      ),
    ),
    recordRoundTrip: step(
      on('roundTrip.measured', ({ context, event, ...clock }) =>
        alive(context, (live) => {
          const next = { ...live, pacemaker: setRoundTrip(live.pacemaker, event.roundTripMs) };
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
