/**
 * Parts of the TimeCoordinator chart (seed 000): owner of adjusted time, its error bound, and whether this node may
 * propose by it. Pure: the clock itself and the NTP client are boundary actors. Rules TM-1 to TM-7, docs/protocol/time.md.
 */
import { setup } from 'xstate';
import { millis } from '../../base/units.ts';
import type { EpochBegan } from '../../protocol/ports/consensus.ts';
import type { ConnectivityEvent, PeerMessageReceived } from '../../protocol/ports/network.ts';
import type { ClockLooked, NtpReply, TimeStatusRequested } from '../../protocol/ports/time.ts';
import type { TimeReplyMessage, TimeRequestMessage } from '../../protocol/time/messages.ts';
import type { TimeAlert } from '../../protocol/time/types.ts';
import { declare, on, step, types } from '../vocabulary/index.ts';
import {
  forgetBound,
  hasStepped,
  initialTime,
  isAcquiring,
  isBoundWrong,
  isLost,
  isStale,
  type TimeCoordinatorContext,
  type TimeCoordinatorInput,
  type TimeCoordinatorPrivateEvent,
  tellMayPropose,
  withEpoch,
} from './time-coordinator.live.ts';
import {
  askNewcomer,
  beginWithLook,
  startSyncLoop,
  syncWithNtp,
  syncWithPeers,
  takeNtpReply,
  takePeerMessage,
  tellRoundTrip,
} from './time-coordinator.polling.ts';
import { alerted, discardSamples, NO_TIME, noTime, update } from './time-coordinator.updating.ts';

export type { TimeCoordinatorContext, TimeCoordinatorInput } from './time-coordinator.live.ts';
export { initialTime };

/** Time that is still being acquired after so long is an alert. @unit ms @source chosen */
const PATIENCE_MS = millis(10_000);

type TimeCoordinatorPublicEvent =
  | PeerMessageReceived<TimeRequestMessage | TimeReplyMessage>
  | ConnectivityEvent
  | EpochBegan
  | ClockLooked
  | NtpReply
  | TimeStatusRequested;

/** Event types that other cells may send (RT-16). */
export const TIME_COORDINATOR_EVENTS = declare<TimeCoordinatorPublicEvent>()(
  'message.received',
  'peer.connected',
  'peer.disconnected',
  'epoch.began',
  'clock.looked',
  'ntp.answered',
  'ntp.failed',
  'time.statusRequested',
);

export const timeCoordinatorSetup = setup({
  types: types<
    TimeCoordinatorContext,
    TimeCoordinatorPublicEvent | TimeCoordinatorPrivateEvent,
    TimeCoordinatorInput
  >(),
  guards: {
    systemClockStepped: ({ context, event }) => event.type === 'clock.looked' && hasStepped(context, event),
    thereIsTime: ({ context }) => !isAcquiring(context),
    updateWasAccepted: ({ context }) => context.verdict === 'accepted',
    boundIsWrong: ({ context }) => isBoundWrong(context),
    nothingComes: ({ context }) => isStale(context),
    clockIsLost: ({ context }) => isLost(context),
  },
  delays: { patience: PATIENCE_MS },
  actions: {
    startSyncLoop: step(({ context, ...clock }) => startSyncLoop(context, clock)),
    beginWithLook: step(on('clock.looked', ({ context, event }) => beginWithLook(context, event))),
    recordLook: step(on('clock.looked', ({ event }) => ({ context: { look: event } }))),
    discardSamples: step(on('clock.looked', ({ context, event }) => discardSamples(context, event))),
    forgetBound: step(({ context }) => forgetBound(context)),
    syncWithPeers: step(({ context, ...clock }) => syncWithPeers(context, clock)),
    syncWithNtp: step(({ context, ...clock }) => syncWithNtp(context, clock)),
    askNewcomer: step(
      on('peer.connected', ({ context, event: { peer }, ...clock }) => askNewcomer(context, peer, clock)),
    ),
    recordEpoch: step(
      on('epoch.began', ({ context, event: { epoch } }) => ({ context: withEpoch(context, epoch.set) })),
    ),
    takePeerMessage: step(
      on('message.received', ({ context, event: { from, message }, ...clock }) =>
        takePeerMessage(context, from, message, clock),
      ),
    ),
    takeNtpReply: step(({ context, event, ...clock }) =>
      event.type === 'ntp.answered' || event.type === 'ntp.failed' ? takeNtpReply(context, event, clock) : {},
    ),
    tellRoundTrip: step(({ context, ...clock }) => tellRoundTrip(context, clock)),
    applyTimeOffset: step(({ context, ...clock }) => update(context, clock)),
    tellMayPropose: step(({ context }) => tellMayPropose(context, context.listeners)),
    /** At a first start nobody believes that there is adjusted time. */
    takeBackMayPropose: step(({ context }) =>
      context.wasAdjusted ? tellMayPropose(context, context.listeners) : {},
    ),
    answerMayPropose: step(
      on('time.statusRequested', ({ context, event }) => tellMayPropose(context, [event.replyTo])),
    ),
    raise: step(({ context }, { alert, detail }: { readonly alert: TimeAlert; readonly detail: string }) =>
      alerted(context, [alert], [[alert, detail]]),
    ),
    raiseNoTime: step(({ context, now: at }) => alerted(context, NO_TIME, [noTime(context, at)])),
    lowerNoTime: step(({ context }) => alerted(context, NO_TIME, [])),
    lower: step(({ context }, { alert }: { readonly alert: TimeAlert }) => alerted(context, [alert], [])),
  },
});
