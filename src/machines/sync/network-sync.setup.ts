/**
 * Parts of the NetworkSync chart (seed 001: NetworkSyncManager): the one owner of the answer to "are we in sync", and the
 * conductor of the three tiers. Pure. Rules SY-1 to SY-14, docs/protocol/sync.md.
 */
import { setup } from 'xstate';
import { millis } from '../../base/units.ts';
import type { EpochBegan, SafetyViolated } from '../../protocol/ports/consensus.ts';
import type { ExecutionRequest } from '../../protocol/ports/execution.ts';
import type { StorageReply } from '../../protocol/ports/storage.ts';
import type {
  CatchUpEnded,
  CatchUpProgressed,
  GenesisJudged,
  HeightsChecked,
  ResyncEnded,
  ResyncProgressed,
  ResyncRequested,
  StateSyncReply,
  SyncRequested,
  SyncStatusRequested,
} from '../../protocol/ports/sync.ts';
import { declare, on, step, types } from '../vocabulary/index.ts';
import { askingEpoch } from './epoch.ts';
import { joinIsOpen, joinsBySnapshot, requestJoin, settleJoin } from './network-sync.joining.ts';
import {
  answerStatus,
  counted,
  initialNetworkSync,
  type NetworkSyncContext,
  type NetworkSyncInput,
  recordEpoch,
  settled,
} from './network-sync.live.ts';
import {
  answerAskers,
  answerAtOnce,
  beginSync,
  recordAsker,
  recordCatchUpFailure,
  recordCheck,
  recordCheckSilence,
  recordCommitted,
  recordFork,
  recordGenesis,
  recordHash,
  recordReached,
  recordResyncEnd,
  recordTip,
  recordViolation,
  refuseResync,
  requestCatchUp,
  requestHeights,
  requestResync,
  requestTip,
  targetOf,
} from './network-sync.tiers.ts';

export type { NetworkSyncContext, NetworkSyncInput } from './network-sync.live.ts';
export { initialNetworkSync };

/** Storage that did not say what is durable is asked again. @unit ms @source chosen */
const STORAGE_RETRY_MS = millis(1_000);
/** Beyond tier 1's own budget. @unit ms @source chosen */
const TIER1_MARGIN_MS = millis(5_000);
/** Tier 2 without a block or a word for so long: three times what its own watchdog takes (SY-11). @unit ms @source chosen */
const TIER2_SILENCE_MS = millis(180_000);
/** Tier 3: a long chain is checked on the disk without a word. @unit ms @source chosen */
const TIER3_SILENCE_MS = millis(1_800_000);

type NetworkSyncPublicEvent =
  | EpochBegan
  | SyncRequested
  | SyncStatusRequested
  | ResyncRequested
  | GenesisJudged
  | HeightsChecked
  | CatchUpEnded
  | CatchUpProgressed
  | ResyncEnded
  | ResyncProgressed
  | SafetyViolated
  | Extract<StateSyncReply, { type: 'hash.verified' | 'fork.found' }>
  | Extract<ExecutionRequest, { type: 'blocks.committed' }>
  | Extract<StorageReply, { type: 'tip.found' | 'storage.failed' }>;

/** Event types that other cells may send (RT-16). */
export const NETWORK_SYNC_EVENTS = declare<NetworkSyncPublicEvent>()(
  'epoch.began',
  'sync.requested',
  'sync.statusRequested',
  'resync.requested',
  'genesis.judged',
  'heights.checked',
  'catchUp.ended',
  'catchUp.progressed',
  'resync.ended',
  'resync.progressed',
  'safety.violated',
  'hash.verified',
  'fork.found',
  'blocks.committed',
  'tip.found',
  'storage.failed',
);

export const networkSyncSetup = setup({
  types: types<NetworkSyncContext, NetworkSyncPublicEvent, NetworkSyncInput>(),
  guards: {
    isAnswer: ({ context, event }) => 'tag' in event && event.tag === context.awaited,
    targetWasReached: ({ context, event }) =>
      event.type === 'catchUp.ended' && event.tag === context.awaited && event.outcome.status === 'reached',
    isHashAnswer: ({ context, event }) =>
      event.type === 'hash.verified' && event.tag === context.hashAwaited?.tag,
    someoneWaits: ({ context }) => context.askers.length > 0,
    thereIsATarget: ({ context }) => !joinIsOpen(context) && targetOf(context) !== undefined,
    joinsBySnapshot: ({ context }) => joinsBySnapshot(context),
    forkIsProved: ({ context }) => context.fork !== undefined,
    /** SY-9: nothing that a peer sends becomes this message, and only the operator's cell is answered. */
    operatorAsks: ({ context, event }) =>
      event.type === 'resync.requested' && event.replyTo === context.operator,
  },
  delays: {
    storageRetry: STORAGE_RETRY_MS,
    tier1Silence: ({ context }) => context.config.tier1Timeout + TIER1_MARGIN_MS,
    tier2Silence: TIER2_SILENCE_MS,
    tier3Silence: TIER3_SILENCE_MS,
  },
  actions: {
    requestEpoch: step(({ context, address }) => ({ effects: [askingEpoch(context, address)] })),
    recordEpoch: step(on('epoch.began', ({ context, event, now }) => recordEpoch(context, event, now))),
    requestTip: step(({ context, ...clock }) => requestTip(context, clock)),
    recordTip: step(on('tip.found', ({ context, event, now }) => recordTip(context, event, now))),
    recordCommitted: step(
      on('blocks.committed', ({ context, event, now }) => recordCommitted(context, event, now)),
    ),
    beginSync: step(({ context, now }) => beginSync(context, now)),
    requestHeights: step(({ context, ...clock }) => requestHeights(context, clock)),
    recordCheck: step(
      on('heights.checked', ({ context, event, ...clock }) => recordCheck(context, event.outcome, clock)),
    ),
    recordCheckSilence: step(({ context, now }) => recordCheckSilence(context, now)),
    recordHash: step(
      on('hash.verified', ({ context, event, now }) => recordHash(context, event.outcome, now)),
    ),
    recordGenesis: step(
      on('genesis.judged', ({ context, event, now }) => recordGenesis(context, event.outcome, now)),
    ),
    catchUpToConsensus: step(({ context, ...clock }) => requestCatchUp(context, clock)),
    recordReached: step(({ context, now }) => recordReached(context, now)),
    recordCatchUpFailure: step(
      on('catchUp.ended', ({ context, event: { outcome }, now }) =>
        outcome.status === 'failed' ? recordCatchUpFailure(context, outcome.error, now) : {},
      ),
    ),
    recordCatchUpSilence: step(({ context, now }) =>
      recordCatchUpFailure(
        context,
        { code: 'Timeout', detail: `no block and no word of tier 2 within ${TIER2_SILENCE_MS / 1_000} s` },
        now,
      ),
    ),
    /** SY-11: whoever began it, consensus too. */
    recordProgress: step(({ context, event, now }) =>
      event.type === 'catchUp.progressed' || event.type === 'resync.progressed'
        ? settled(context, { progress: event.progress }, now)
        : {},
    ),
    recordFork: step(
      on('fork.found', ({ context, event, ...clock }) => recordFork(context, event.evidence, clock)),
    ),
    recordViolation: step(
      on('safety.violated', ({ context, event, now }) => recordViolation(context, event, now)),
    ),
    recordAsker: step(on('sync.requested', ({ context, event, now }) => recordAsker(context, event, now))),
    answerAskers: step(({ context, now }) => answerAskers(context, now)),
    answerCritical: step(
      on('sync.requested', ({ context, event }) => answerAtOnce(context, event, 'critical')),
    ),
    answerResyncing: step(
      on('sync.requested', ({ context, event }) => answerAtOnce(context, event, 'resyncing')),
    ),
    answerStatus: step(
      on('sync.statusRequested', ({ context, event }) => answerStatus(context, event.replyTo)),
    ),
    fullResync: step(
      on('resync.requested', ({ context, event, ...clock }) => requestResync(context, event, clock)),
    ),
    joinBySnapshot: step(({ context, ...clock }) => requestJoin(context, clock)),
    settleJoin: step(({ context, now }) => settleJoin(context, now)),
    refuseResync: step(({ event }, { detail }: { readonly detail: string }) =>
      event.type === 'resync.requested' ? refuseResync(event, detail) : {},
    ),
    recordResyncEnd: step(
      on('resync.ended', ({ context, event, now }) => recordResyncEnd(context, event.outcome, now)),
    ),
    recordResyncSilence: step(({ context, now }) => {
      const error = { code: 'Timeout', detail: 'tier 3 did not answer' } as const;
      return recordResyncEnd(context, { status: 'failed', error }, now);
    }),
    countLate: step(({ context }) => ({ context: counted(context, 'late') })),
  },
});
