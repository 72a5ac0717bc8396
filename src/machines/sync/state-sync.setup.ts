/**
 * Parts of the StateSync chart (seed 002: StateSyncManager): peers' claims, latency, failures and reputation, and every
 * question to a peer with its answer. Pure. Rules SY-1 to SY-6, SY-8, docs/protocol/sync.md.
 */
import { setup } from 'xstate';
import { millis } from '../../base/units.ts';
import type { EpochBegan } from '../../protocol/ports/consensus.ts';
import type { ConnectivityEvent, PeerMessageReceived } from '../../protocol/ports/network.ts';
import type { StorageReply } from '../../protocol/ports/storage.ts';
import type { StateSyncRequest } from '../../protocol/ports/sync.ts';
import { telling } from '../../protocol/supervision/effect.ts';
import type { SyncAnswer } from '../../protocol/sync/messages.ts';
import { declare, on, postpone, step, types } from '../vocabulary/index.ts';
import { askingEpoch, isNextEpoch } from './epoch.ts';
import { forgetReading, judgeClaim, proveFork, takeAnswer } from './state-sync.answers.ts';
import {
  callRoll,
  expire,
  forgetTried,
  giveUpOn,
  giveUpOnAbsent,
  queryConnected,
  queryPeerState,
  retryPendingBlocks,
} from './state-sync.asking.ts';
import {
  decide,
  initialStateSync,
  recordEpoch,
  recordKept,
  type StateSyncContext,
  type StateSyncInput,
  type StateSyncPrivateEvent,
} from './state-sync.live.ts';
import { takeRequest } from './state-sync.requests.ts';
import { persistReputations, recordConnected, recordGone } from './state-sync.standing.ts';
import { finish } from './state-sync.tasks.ts';

export type { StateSyncContext, StateSyncInput } from './state-sync.live.ts';
export { isSyncing, pendingBlockCount } from './state-sync.live.ts';
export { initialStateSync };

/** Storage had no place for the request: it is repeated after so long. @unit ms @source chosen */
const RETRY_PAUSE_MS = millis(1_000);
/** The only request of its tag, before any other. */
const REPUTATIONS_TAG = 0;

type StateSyncPublicEvent =
  | EpochBegan
  | PeerMessageReceived<SyncAnswer>
  | ConnectivityEvent
  | StateSyncRequest
  | Extract<
      StorageReply,
      { type: 'reputations.found' | 'blockIds.found' | 'blocks.found' | 'storage.failed' }
    >;

const REQUESTS = [
  'peers.pollRequested',
  'genesis.verifyRequested',
  'hash.verifyRequested',
  'blocks.fetchRequested',
  'fetch.hurried',
  'fetch.cancelled',
  'peer.judged',
  'chains.requested',
  'snapshots.requested',
  'snapshotChunk.requested',
  'epochs.fetchRequested',
] as const satisfies readonly StateSyncRequest['type'][];

/** Event types that other cells may send (RT-16). */
export const STATE_SYNC_EVENTS = declare<StateSyncPublicEvent>()(
  'epoch.began',
  'message.received',
  'peer.connected',
  'peer.disconnected',
  ...REQUESTS,
  'reputations.found',
  'blockIds.found',
  'blocks.found',
  'storage.failed',
);

const isRequest = (event: { readonly type: string }): event is StateSyncRequest =>
  REQUESTS.some((type) => type === event.type);

export const stateSyncSetup = setup({
  types: types<StateSyncContext, StateSyncPublicEvent | StateSyncPrivateEvent, StateSyncInput>(),
  guards: {
    storageIsBusy: ({ event }) => event.type === 'storage.failed' && event.code === 'BUSY',
  },
  delays: { retryPause: RETRY_PAUSE_MS },
  actions: {
    postponeMessage: postpone(),
    requestEpoch: step(({ context, address }) => ({ effects: [askingEpoch(context, address)] })),
    recordEpoch: step(
      on('epoch.began', ({ context, event, ...clock }) =>
        isNextEpoch(context, event)
          ? decide(
              context,
              clock,
              (work) => recordEpoch(work, event.epoch),
              queryConnected,
              retryPendingBlocks,
            )
          : {},
      ),
    ),
    requestReputations: step(({ context: { storage }, address }) => ({
      effects: [telling(storage, { type: 'reputations.requested', replyTo: address, tag: REPUTATIONS_TAG })],
    })),
    recordReputations: step(
      on('reputations.found', ({ context, event: { reputations }, ...clock }) =>
        decide(context, clock, (work) => recordKept(work, reputations)),
      ),
    ),
    callRoll: step(({ context, ...clock }) => decide(context, clock, callRoll)),
    askSources: step(({ context: { router }, address }) => ({
      effects: [telling(router, { type: 'sources.requested', replyTo: address })],
    })),
    takeRequest: step(({ context, event, ...clock }) =>
      isRequest(event) ? decide(context, clock, (work) => takeRequest(work, event)) : {},
    ),
    takeAnswer: step(
      on('message.received', ({ context, event: { from, message }, ...clock }) =>
        decide(context, clock, (work) => takeAnswer(work, from, message)),
      ),
    ),
    recordConnected: step(
      on('peer.connected', ({ context, event: { peer }, ...clock }) =>
        decide(
          context,
          clock,
          // What was asked on an earlier connection is lost, and what was said on it counts no more.
          (work) => recordGone(work, peer),
          (work) => giveUpOn(work, peer),
          (work) => recordConnected(work, peer),
          (work) => forgetTried(work, peer),
          (work) => queryPeerState(work, peer, context.config.peerQueryTimeout),
          giveUpOnAbsent,
          retryPendingBlocks,
        ),
      ),
    ),
    recordDisconnected: step(
      on('peer.disconnected', ({ context, event: { peer }, ...clock }) =>
        decide(
          context,
          clock,
          (work) => recordGone(work, peer),
          (work) => giveUpOn(work, peer),
          retryPendingBlocks,
        ),
      ),
    ),
    judgeClaim: step(
      on('blockIds.found', ({ context, event, ...clock }) =>
        decide(context, clock, (work) => judgeClaim(work, event)),
      ),
    ),
    proveFork: step(
      on('blocks.found', ({ context, event, ...clock }) =>
        decide(context, clock, (work) => proveFork(work, event)),
      ),
    ),
    forgetReading: step(
      on('storage.failed', ({ context, event: { tag }, ...clock }) =>
        decide(context, clock, (work) => forgetReading(work, tag)),
      ),
    ),
    giveUpQuestion: step(
      on('question.expired', ({ context, event: { requestId }, ...clock }) =>
        decide(context, clock, (work) => expire(work, requestId), retryPendingBlocks),
      ),
    ),
    finishTask: step(
      on('task.expired', ({ context, event: { task }, ...clock }) =>
        decide(context, clock, (work) => finish(work, task)),
      ),
    ),
    retryPendingBlocks: step(({ context, ...clock }) => decide(context, clock, retryPendingBlocks)),
    persistReputations: step(({ context, ...clock }) => decide(context, clock, persistReputations)),
  },
});
