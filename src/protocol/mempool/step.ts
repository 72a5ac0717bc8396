/** One message to a mempool: the rule that answers it, and what follows from every change. Total, pure. MP-1 to MP-12. */
import { type Monotonic, monotonic } from '../../base/units.ts';
import type { BatchAckMessage, BatchMessage, GetBatchMessage } from '../consensus/types.ts';
import type { OperationsAnswered } from '../ports/bridge.ts';
import type { ExecutionReply } from '../ports/execution.ts';
import type { MempoolRequest } from '../ports/mempool.ts';
import type { ConnectivityEvent, PeerMessageReceived } from '../ports/network.ts';
import type { StorageReply } from '../ports/storage.ts';
import type { RoundTripMeasured } from '../ports/time.ts';
import { flushAcks, greet, nextRetryDue, receiveAcks, retryBatches, reweigh } from './acks.ts';
import { acceptChecked, nextCheckDue, overdueChecks, refuseChecked, submit } from './admission.ts';
import { committed, executed } from './chain.ts';
import { askHolders, looked, nextFetchDue, refetch, satisfied, unwant, want } from './fetching.ts';
import { withRoundTrip } from './pacing.ts';
import { selectPayload } from './payload.ts';
import { receiveBatch, resend, serve, servePiece } from './receiving.ts';
import {
  askRechecks,
  nextRecheckDue,
  overtaken,
  rechecked,
  recheckFailed,
  recheckFound,
  recover,
  recovered,
} from './recovery.ts';
import { saved, seal, unsaved } from './sealing.ts';
import { chained, type MempoolState, type Step, takeErrand, tell, unchanged } from './state.ts';

export type MempoolPeerMessage = BatchMessage | BatchAckMessage | GetBatchMessage;

/** The mempool's own timers. */
export type MempoolTimer =
  | { readonly type: 'seal.due' }
  | { readonly type: 'acks.due' }
  | { readonly type: 'tick.due' }
  | { readonly type: 'recovery.due' };

type FromStorage = Extract<
  StorageReply,
  { readonly type: 'batches.persisted' | 'batches.found' | 'batches.uncommittedFound' | 'storage.failed' }
>;
type FromExecutor = Extract<
  ExecutionReply,
  { readonly type: 'check.answered' | 'execution.failed' | 'block.executed' }
>;

/** Everything that a mempool hears from other cells. */
export type MempoolMessage =
  | MempoolRequest
  | PeerMessageReceived<MempoolPeerMessage>
  | ConnectivityEvent
  | RoundTripMeasured
  | FromStorage
  | FromExecutor
  /** Of operations that it handed over: what becomes of them is told by blocks. */
  | OperationsAnswered;

export type MempoolEvent = MempoolMessage | MempoolTimer;

/** Asks storage for what was durable: the first step of a mempool. */
export const start = (state: MempoolState): Step => recover(state);

/** The next state and the effects of one message at `now`. */
export function handle(state: MempoolState, event: MempoolEvent, now: Monotonic): Step {
  return chained(
    state,
    (at) => rule(at, event, now),
    (at) =>
      at.acksDue.length > state.acksDue.length || event.type === 'acks.due'
        ? flushAcks(at, now)
        : unchanged(at),
    (at) => tellWork(state, at),
    (at) => armTick(state, at, event, now),
  );
}

function rule(state: MempoolState, event: MempoolEvent, now: Monotonic): Step {
  switch (event.type) {
    case 'transactions.submitted':
      return submit(state, event, now);
    case 'payload.requested':
      return selectPayload(state, event, now);
    case 'batches.wanted':
      return want(state, event, now);
    case 'batches.unwanted':
      return unchanged(unwant(state, event.replyTo, event.tag));
    case 'blocks.committed':
      return committed(state, event.blocks);
    case 'epoch.began': {
      const { set } = event.epoch;
      return unchanged(set.hash === state.validators.hash ? state : reweigh(state, set));
    }
    case 'message.received':
      return fromPeer(state, event, now);
    case 'peer.connected':
      return greet(state, event.peer, now);
    case 'peer.disconnected':
      return unchanged(state);
    case 'roundTrip.measured':
      return unchanged({ ...state, pacing: withRoundTrip(state.pacing, event.roundTripMs) });
    case 'block.executed':
      return executed(state, event);
    case 'check.answered':
      return chained(
        overtaken(rechecked(state, event.tag, event.results), event.tag, now),
        (at) => acceptChecked(at, event.tag, event.results),
        (at) => seal(at, now),
      );
    case 'execution.failed':
      return refuseChecked(recheckFailed(state, event.tag, now), event.tag, `${event.code}: ${event.detail}`);
    case 'batches.persisted':
    case 'batches.found':
    case 'batches.uncommittedFound':
    case 'storage.failed':
      return fromStorage(state, event, now);
    case 'seal.due':
      return seal(state, now);
    case 'recovery.due':
      return recover(state);
    case 'tick.due':
      return tick({ ...state, tickAt: undefined }, now);
    default:
      return unchanged(state);
  }
}

function fromPeer(state: MempoolState, event: PeerMessageReceived<MempoolPeerMessage>, now: Monotonic): Step {
  const { from, message } = event;
  switch (message.kind) {
    case 'Batch':
      return receiveBatch(state, from, message, now);
    case 'BatchAck':
      return receiveAcks(state, from, message);
    case 'GetBatch':
      return serve(state, from, message);
  }
}

function fromStorage(state: MempoolState, reply: FromStorage, now: Monotonic): Step {
  const { state: next, errand } = takeErrand(state, reply.tag);
  switch (reply.type) {
    case 'batches.persisted':
      return chained(
        next,
        ...reply.digests.flatMap((digest) => [
          (at: MempoolState) => saved(at, digest, now),
          (at: MempoolState) => satisfied(at, digest),
        ]),
      );
    case 'batches.uncommittedFound':
      return errand?.kind === 'recover' ? recovered(next, reply, now) : unchanged(next);
    case 'batches.found':
      switch (errand?.kind) {
        case 'look':
          return chained(
            next,
            (at) => looked(at, reply.batches, reply.missing, now),
            (at) => askHolders(at, now),
          );
        case 'recheck':
          return recheckFound(next, errand, reply.batches);
        case 'serve':
          return servePiece(next, errand, reply.batches);
        case 'resend':
          return resend(next, errand, reply.batches);
        default:
          return unchanged(next);
      }
    case 'storage.failed':
      return storageFailed(next, errand, `${reply.code}: ${reply.detail}`, now);
  }
}

function storageFailed(
  state: MempoolState,
  errand: ReturnType<typeof takeErrand>['errand'],
  detail: string,
  now: Monotonic,
): Step {
  switch (errand?.kind) {
    case 'persist':
      return chained(
        state,
        ...errand.digests.flatMap((digest) => [
          (at: MempoolState) => unsaved(at, digest, detail),
          (at: MempoolState) => unchanged(refetch(at, digest, now)),
        ]),
      );
    case 'look':
      return looked(state, [], errand.digests, now);
    case 'recover': {
      const message = { type: 'recovery.due' };
      return {
        state,
        effects: [{ kind: 'startTimer', key: 'recovery', delayMs: state.config.resendMin, message }],
      };
    }
    default:
      return unchanged(state);
  }
}

function tick(state: MempoolState, now: Monotonic): Step {
  const log = `the application did not answer within ${state.config.checkTimeout} ms`;
  return chained(
    state,
    ...overdueChecks(state, now).map((id) => (at: MempoolState) => refuseChecked(at, id, log)),
    (at) => askRechecks(at, now),
    (at) => retryBatches(at, now),
    (at) => askHolders(at, now),
  );
}

/** CS-10: the pacemaker hears each change of "a block could name something". */
function tellWork(before: MempoolState, state: MempoolState): Step {
  const hasWork = state.proposable > 0;
  if (hasWork === before.proposable > 0) return unchanged(state);
  const told = { type: 'work.changed', hasWork };
  return { state, effects: state.addresses.pacemakers.map((pacemaker) => tell(pacemaker, told)) };
}

/**
 * The tick sleeps until the first thing is due. What has changed since is looked at one grain later, whatever it is: then
 * the tick knows when to come again.
 */
function armTick(before: MempoolState, state: MempoolState, { type }: MempoolEvent, now: Monotonic): Step {
  const due =
    type === 'tick.due' ? nextDue(state) : hasChanged(before, state) ? now : Number.POSITIVE_INFINITY;
  if (due === Number.POSITIVE_INFINITY) return unchanged(state);
  const tickAt = monotonic(Math.max(due, now + state.config.tick));
  if (state.tickAt !== undefined && state.tickAt <= tickAt) return unchanged(state);
  const message = { type: 'tick.due' };
  return {
    state: { ...state, tickAt },
    effects: [{ kind: 'startTimer', key: 'tick', delayMs: tickAt - now, message }],
  };
}

const hasChanged = (
  before: MempoolState,
  { batches, submissions, fetches, rechecks }: MempoolState,
): boolean =>
  (batches !== before.batches && batches.size > 0) ||
  (rechecks !== before.rechecks && rechecks.size > 0) ||
  (submissions !== before.submissions && submissions.size > 0) ||
  (fetches !== before.fetches && fetches.size > 0);

/** When the first of all that waits is due; infinity when nothing waits. */
const nextDue = (state: MempoolState): number =>
  Math.min(nextRetryDue(state), nextCheckDue(state), nextFetchDue(state), nextRecheckDue(state));
