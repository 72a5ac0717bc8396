/**
 * Parts of the BlockSync chart, tier 2 (seed 001: BlockSyncManager): fetches the certified blocks that this node lacks,
 * verifies them, and tells them to round-manager in order. It stores and commits nothing itself (SY-14). Pure.
 * Rules SY-8, SY-11, SY-12; CS-12, docs/protocol/sync.md.
 */
import { setup } from 'xstate';
import { millis } from '../../base/units.ts';
import type { BlocksWanted, EpochBegan, EpochProven } from '../../protocol/ports/consensus.ts';
import type { ExecutionRequest } from '../../protocol/ports/execution.ts';
import type { StorageReply } from '../../protocol/ports/storage.ts';
import type { CatchUpRequested, JoiningSettled, StateSyncReply } from '../../protocol/ports/sync.ts';
import { declare, on, step, types } from '../vocabulary/index.ts';
import { takeAnswer } from './block-sync.answers.ts';
import { recordCommitted, recordSaved, saveLater } from './block-sync.applying.ts';
import { askOthers, recordStarted, takeFailure } from './block-sync.asking.ts';
import {
  type BlockSyncContext,
  type BlockSyncInput,
  chained,
  decided,
  still,
  toStorage,
} from './block-sync.live.ts';
import {
  beginAtTip,
  endProgress,
  failStalled,
  initialBlockSync,
  isFarBehind,
  isMissing,
  recordAsker,
  recordEpoch,
  recordProven,
  recordWanted,
  settle,
  startProgress,
} from './block-sync.targets.ts';
import { askingEpoch } from './epoch.ts';

export type { BlockSyncContext, BlockSyncInput } from './block-sync.live.ts';
export { initialBlockSync };

/** Pause before the store is asked again. @unit ms @source chosen: as round-manager's */
const STORAGE_RETRY_MS = millis(500);
/** Nothing was applied for so long: other peers are asked (SY-11). @unit ms @source SY-11 */
const STALL_MS = millis(60_000);

type BlockSyncPublicEvent =
  | EpochBegan
  | EpochProven
  | BlocksWanted
  | CatchUpRequested
  | JoiningSettled
  | Extract<ExecutionRequest, { type: 'blocks.committed' }>
  | Extract<StateSyncReply, { type: 'fetch.started' | 'blocks.answered' | 'fetch.failed' }>
  | Extract<StorageReply, { type: 'tip.found' | 'batches.persisted' | 'storage.failed' }>;

type BlockSyncPrivateEvent = { readonly type: 'review.due' };

/** Event types that other cells may send (RT-16). */
export const BLOCK_SYNC_EVENTS = declare<BlockSyncPublicEvent>()(
  'epoch.began',
  'epoch.proven',
  'blocks.wanted',
  'blocks.catchUpRequested',
  'joining.settled',
  'blocks.committed',
  'fetch.started',
  'blocks.answered',
  'fetch.failed',
  'tip.found',
  'batches.persisted',
  'storage.failed',
);

export const blockSyncSetup = setup({
  types: types<BlockSyncContext, BlockSyncPublicEvent | BlockSyncPrivateEvent, BlockSyncInput>(),
  guards: {
    isForThisRequest: ({ context, event }) => 'tag' in event && event.tag === context.tag,
    joinIsPossible: ({ context, event }) =>
      context.joins === true && 'tag' in event && event.tag === context.tag,
    somethingIsMissing: ({ context }) => isMissing(context),
    nothingIsMissing: ({ context }) => !isMissing(context),
    chainHasGrown: ({ context }) => context.advances > context.watched,
    isFarBehind: ({ context }) => isFarBehind(context),
  },
  delays: {
    storageRetry: STORAGE_RETRY_MS,
    stall: STALL_MS,
    /** What other peers are given before the asker hears that nothing comes. */
    secondChance: ({ context }) => context.config.tier2TimeoutPerBlock,
  },
  actions: {
    requestEpoch: step(({ context, address }) => ({ effects: [askingEpoch(context, address)] })),
    recordEpoch: step(
      on('epoch.began', ({ context, event, ...clock }) => decided(recordEpoch(context, event, clock))),
    ),
    recordProven: step(on('epoch.proven', ({ context, event }) => decided(recordProven(context, event)))),
    requestTip: step(({ context, address }) => {
      const tag = context.tag + 1;
      return {
        context: { tag },
        effects: [toStorage(context, { type: 'tip.requested', replyTo: address, tag })],
      };
    }),
    beginAtTip: step(on('tip.found', ({ context, event }) => ({ context: beginAtTip(context, event) }))),
    recordWanted: step(
      on('blocks.wanted', ({ context, event, ...clock }) => decided(recordWanted(context, event, clock))),
    ),
    recordAsker: step(
      on('blocks.catchUpRequested', ({ context, event }) => decided(recordAsker(context, event))),
    ),
    recordCommitted: step(
      on('blocks.committed', ({ context, event: { blocks }, ...clock }) =>
        decided(recordCommitted(context, blocks, clock)),
      ),
    ),
    recordStarted: step(on('fetch.started', ({ context, event }) => decided(recordStarted(context, event)))),
    takeAnswer: step(
      on('blocks.answered', ({ context, event, ...clock }) => decided(takeAnswer(context, event, clock))),
    ),
    takeFailure: step(
      on('fetch.failed', ({ context, event, ...clock }) => decided(takeFailure(context, event, clock))),
    ),
    recordSaved: step(on('batches.persisted', ({ context, event }) => decided(recordSaved(context, event)))),
    saveLater: step(
      on('storage.failed', ({ context, event: { tag }, ...clock }) =>
        decided(saveLater(context, tag, clock)),
      ),
    ),
    /** The timer has fired: what is due is done by `settle`. */
    forgetReview: step(({ context }) => decided(still({ ...context, reviewAt: undefined }))),
    settle: step(({ context, ...clock }) => decided(settle(context, clock))),
    startProgress: step(({ context, ...clock }) =>
      decided(
        chained(
          context,
          (now) => startProgress(now, clock),
          (now) => settle(now, clock),
        ),
      ),
    ),
    endProgress: step(({ context }) => decided(endProgress(context))),
    watchFromHere: step(({ context }) => ({ context: { watched: context.advances } })),
    askOthers: step(({ context, ...clock }) =>
      decided(
        chained(
          context,
          (now) => askOthers(now, clock),
          (now) => settle(now, clock),
        ),
      ),
    ),
    failStalled: step(({ context }) => decided(failStalled(context))),
  },
});
