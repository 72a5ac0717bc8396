/**
 * Parts of the ChainSync chart (seed 001: ChainSyncManager), tier 3: the whole chain anew, by the operator's order only, into
 * a side store; the running chain is never touched. Pure. Rules SY-9, SY-11, docs/protocol/sync.md.
 */
import { setup } from 'xstate';
import { millis } from '../../base/units.ts';
import type { RestoreReply } from '../../protocol/ports/snapshots.ts';
import type { StorageReply } from '../../protocol/ports/storage.ts';
import type {
  ResyncRequested,
  SideStoreReply,
  StateSyncReply,
  SyncStorageReply,
} from '../../protocol/ports/sync.ts';
import { declare, on, step, types } from '../vocabulary/index.ts';
import { hurry } from './chain-sync.asking.ts';
import {
  queryPeers,
  recordOwnIds,
  recordTrusted,
  requestChains,
  requestOwnIds,
  validateFullChain,
} from './chain-sync.choosing.ts';
import {
  beat,
  beginDownloading,
  endDownloading,
  isAllWritten,
  recordFetching,
  recordWritten,
  retryPieces,
  stalled,
  takeAnswer,
  takeFailure,
} from './chain-sync.downloading.ts';
import {
  asking,
  begun,
  type ChainSyncContext,
  type ChainSyncInput,
  type ChainSyncPrivateEvent,
  countLate,
  ended,
  failing,
  initialChainSync,
  refusing,
} from './chain-sync.live.ts';
import {
  abandonRestoring,
  beginRestoring,
  endRestoring,
  hurryChunks,
  judgeSnapshot,
  recordNoRoom,
  recordRestored,
  recordRestoreFailure,
  recordRestoreStall,
  recordSnapshots,
  recordTook,
  refuseSnapshot,
  requestChunks,
  requestSnapshots,
  takeChunkAnswer,
  takeMiss,
} from './chain-sync.restoring.ts';
import {
  areEpochsPassed,
  isWalkOver,
  leaveGuide,
  passEpochs,
  recordDescribed,
  recordPassed,
  requestEpochs,
  takeWalked,
} from './chain-sync.walking.ts';

export type { ChainSyncContext, ChainSyncInput } from './chain-sync.live.ts';
export { initialChainSync };

/** Beside the time that state-sync gives the peers. @unit ms @source chosen */
const ANSWER_MARGIN_MS = 5_000;
/** A side store that does not open or go away in so long is not waited for. @unit ms @source chosen: a slow disk deletes a chain */
const SIDE_SILENCE_MS = millis(300_000);

/** Until the chain is asked for anew, because the snapshot is of its tip. @unit ms @source chosen: some blocks */
const BLOCKS_MORE_MS = millis(1_000);
/** Before a guide is asked again whose rate was reached. @unit ms @source chosen: some questions' worth of its rate */
const GUIDE_PAUSE_MS = millis(250);

type ChainSyncPublicEvent =
  | ResyncRequested
  | Extract<
      StateSyncReply,
      {
        type:
          | 'peers.polled'
          | 'chains.answered'
          | 'snapshots.answered'
          | 'snapshotChunk.answered'
          | 'epochs.answered'
          | 'fetch.started'
          | 'blocks.answered'
          | 'fetch.failed';
      }
    >
  | RestoreReply
  | SideStoreReply
  | Extract<SyncStorageReply, { type: 'blockIds.found' }>
  | Extract<StorageReply, { type: 'storage.failed' }>;

/** Event types that other cells may send (RT-16). */
export const CHAIN_SYNC_EVENTS = declare<ChainSyncPublicEvent>()(
  'resync.requested',
  'peers.polled',
  'chains.answered',
  'snapshots.answered',
  'snapshotChunk.answered',
  'epochs.answered',
  'restore.begun',
  'restore.took',
  'restore.ended',
  'restore.abandoned',
  'restore.failed',
  'fetch.started',
  'blocks.answered',
  'fetch.failed',
  'side.opened',
  'side.passed',
  'side.planted',
  'side.restored',
  'side.appended',
  'side.sealed',
  'side.discarded',
  'side.failed',
  'blockIds.found',
  'storage.failed',
);

export const chainSyncSetup = setup({
  types: types<ChainSyncContext, ChainSyncPublicEvent | ChainSyncPrivateEvent, ChainSyncInput>(),
  guards: {
    /** SY-9: network-sync passes on what the operator orders; nobody else may. */
    operatorAsks: ({ context, event }) =>
      event.type === 'resync.requested' && event.replyTo === context.networkSync,
    isAwaited: ({ context, event }) => 'tag' in event && event.tag === context.awaited,
    /** Of the side store, while blocks are written. */
    isAppending: ({ context, event }) => 'tag' in event && event.tag === context.download?.appending?.tag,
    hasFailed: ({ context }) => context.failure !== undefined,
    peersAreFound: ({ context }) => context.trusted.length > 0,
    /** CS-16. */
    walkIsOver: ({ context }) => isWalkOver(context),
    /** State-sync had no place for the question, or its rate was reached. */
    guideIsBusy: ({ context, event }) =>
      event.type === 'fetch.failed' && event.tag === context.awaited && event.tried.length === 0,
    epochsArePassed: ({ context }) => areEpochsPassed(context),
    chainIsChosen: ({ context }) => context.target !== undefined,
    everythingIsWritten: ({ context }) => isAllWritten(context),
    /** SY-10. */
    isAwaitedForAJoin: ({ context, event }) =>
      context.joining !== undefined && 'tag' in event && event.tag === context.awaited,
    joins: ({ context }) => context.joining !== undefined,
    everythingIsWrittenAndJoins: ({ context }) => context.joining !== undefined && isAllWritten(context),
    /** It is no older than the chain's tip, which grows meanwhile. */
    snapshotIsEarly: ({ context }) => context.joining !== undefined && context.target === undefined,
    snapshotIsChosen: ({ context }) => context.joining?.candidate !== undefined,
    snapshotIsRejected: ({ context }) => context.joining?.rejection !== undefined,
    applicationIsRestored: ({ context }) => context.joining?.restored !== undefined,
    /** A peer says how much room is needed. */
    isNoRoomForASnapshot: ({ context, event }) =>
      context.joining !== undefined &&
      event.type === 'side.failed' &&
      event.tag === context.awaited &&
      event.code === 'FULL',
    nothingIsPrepared: ({ context }) => !context.isPrepared,
  },
  delays: {
    answerSilence: ({ context }) => context.config.peerQueryTimeout + ANSWER_MARGIN_MS,
    sideSilence: SIDE_SILENCE_MS,
    blocksMore: BLOCKS_MORE_MS,
    guidePause: GUIDE_PAUSE_MS,
  },
  actions: {
    /** Seed 001: fullResync. */
    fullResync: step(
      on('resync.requested', ({ context, event: { replyTo, tag, mode = 'chain', checkpoint } }) =>
        begun(context, { replyTo, tag, mode, ...(checkpoint === undefined ? {} : { checkpoint }) }),
      ),
    ),
    refuse: step(({ context, event }, { detail }: { readonly detail: string }) =>
      event.type === 'resync.requested' ? refusing(context, event, detail) : {},
    ),
    queryPeers: step(({ context, ...clock }) => queryPeers(context, clock)),
    findTrustedPeer: step(
      on('peers.polled', ({ context, event, ...clock }) => recordTrusted(context, event, clock)),
    ),
    requestFullChain: step(({ context, ...clock }) => requestChains(context, clock)),
    recordDescribed: step(on('chains.answered', ({ context, event }) => recordDescribed(context, event))),
    requestEpochs: step(({ context, ...clock }) => requestEpochs(context, clock)),
    takeWalked: step(on('epochs.answered', ({ context, event }) => takeWalked(context, event))),
    leaveGuide: step(({ context }) => leaveGuide(context)),
    recordPassed: step(({ context }) => recordPassed(context)),
    passEpochs: step(({ context, ...clock }) => passEpochs(context, clock)),
    validateFullChain: step(({ context }) => validateFullChain(context)),
    compareWithOwn: step(({ context, ...clock }) => requestOwnIds(context, clock)),
    recordOwnIds: step(on('blockIds.found', ({ context, event }) => recordOwnIds(context, event))),
    /** Seed 001: backupChain. The running chain is the backup: the new one is written beside it. */
    backupChain: step(({ context, ...clock }) => {
      const snapshotBytes = context.joining?.candidate?.manifest.bytes;
      const room = snapshotBytes === undefined ? {} : { snapshotBytes };
      const asked = asking(context, context.sideStore, { type: 'side.openRequested', ...room }, clock);
      return { ...asked, context: { ...asked.context, isPrepared: true, passed: 0 } };
    }),
    downloadFullChain: step(({ context, ...clock }) => beginDownloading(context, clock)),
    endDownload: step(({ context, ...clock }) => endDownloading(context, clock)),
    requestSnapshots: step(({ context, ...clock }) => requestSnapshots(context, clock)),
    chooseSnapshot: step(on('snapshots.answered', ({ context, event }) => recordSnapshots(context, event))),
    beginRestoring: step(({ context, ...clock }) => beginRestoring(context, clock)),
    endRestoring: step(({ context }) => endRestoring(context)),
    hurryChunks: step(({ context, ...clock }) => hurryChunks(context, clock)),
    requestChunks: step(({ context, ...clock }) => requestChunks(context, clock)),
    takeChunk: step(
      on('snapshotChunk.answered', ({ context, event, ...clock }) => takeChunkAnswer(context, event, clock)),
    ),
    takeMiss: step(on('fetch.failed', ({ context, event }) => takeMiss(context, event))),
    recordTook: step(on('restore.took', ({ context, event, ...clock }) => recordTook(context, event, clock))),
    recordRestored: step(on('restore.ended', ({ context, event }) => recordRestored(context, event))),
    recordRestoreFailure: step(
      on('restore.failed', ({ context, event }) => recordRestoreFailure(context, event)),
    ),
    recordRestoreStall: step(({ context }) => recordRestoreStall(context)),
    judgeSnapshot: step(({ context, ...clock }) => judgeSnapshot(context, clock)),
    abandonRestoring: step(({ context, ...clock }) => abandonRestoring(context, clock)),
    refuseSnapshot: step(({ context }) => refuseSnapshot(context)),
    recordFetching: step(
      on('fetch.started', ({ context, event: { tag, peer } }) => recordFetching(context, tag, peer)),
    ),
    takeAnswer: step(
      on('blocks.answered', ({ context, event, ...clock }) => takeAnswer(context, event, clock)),
    ),
    takeFailure: step(
      on('fetch.failed', ({ context, event, ...clock }) => takeFailure(context, event, clock)),
    ),
    retryPieces: step(({ context, ...clock }) => retryPieces(context, clock)),
    hurryLowest: step(({ context, ...clock }) => hurry(context, clock)),
    recordWritten: step(
      on('side.appended', ({ context, event, ...clock }) => recordWritten(context, event, clock)),
    ),
    recordStall: step(({ context }) => ({ context: { failure: stalled(context) } })),
    tellProgress: step(({ context, now }) => beat(context, now)),
    endProgress: step(() => ({ effects: [{ kind: 'cancelTimer', key: 'progress' } as const] })),
    sealSideStore: step(({ context, ...clock }) => {
      const { target } = context;
      if (target === undefined) return {};
      const { height, id } = target;
      return asking(context, context.sideStore, { type: 'side.sealRequested', height, id }, clock);
    }),
    recordSeal: step(on('side.sealed', ({ event: { height } }) => ({ context: { sealed: height } }))),
    recordSideFailure: step(
      on('side.failed', ({ event: { code, detail } }) => ({
        context: failing('CriticalSyncRequired', `the side store failed (${code}): ${detail}`),
      })),
    ),
    recordNoRoom: step(on('side.failed', ({ context, event: { detail } }) => recordNoRoom(context, detail))),
    recordSilence: step((_, { whose }: { readonly whose: string }) => ({
      context: failing('Timeout', `no answer from ${whose}`),
    })),
    discardSideStore: step(({ context, ...clock }) =>
      asking(context, context.sideStore, { type: 'side.discardRequested' }, clock),
    ),
    tellEnd: step(({ context }) => ended(context)),
    countLate: step(({ context }) => countLate(context)),
  },
});
