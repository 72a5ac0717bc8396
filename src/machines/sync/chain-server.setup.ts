/**
 * Parts of the ChainServer chart: answers what peers ask of this node's chain. Pure: it reads nothing itself, keeps no
 * blocks, and never says what it has not proven. Rules SY-3, SY-4, SY-8 to SY-10, docs/protocol/sync.md.
 */
import { setup } from 'xstate';
import type { EpochBegan } from '../../protocol/ports/consensus.ts';
import type { PeerMessageReceived } from '../../protocol/ports/network.ts';
import type { SnapshotKeeperReply } from '../../protocol/ports/snapshots.ts';
import type { StorageReply } from '../../protocol/ports/storage.ts';
import type { SyncQuestion } from '../../protocol/sync/messages.ts';
import { declare, on, step, types } from '../vocabulary/index.ts';
import { answerBlocks, takeBlocks, takeEpoch } from './chain-server.blocks.ts';
import { answerIds, takeTip } from './chain-server.chain.ts';
import { answerEpochs } from './chain-server.epochs.ts';
import {
  type ChainServerContext,
  type ChainServerInput,
  initialChainServer,
  recordEpoch,
} from './chain-server.live.ts';
import { endRest, forgetAsker, takeQuestion, thenNext } from './chain-server.questions.ts';
import { answerChunk, answerManifest } from './chain-server.snapshots.ts';
import { askingEpoch } from './epoch.ts';

export type { ChainServerContext, ChainServerInput } from './chain-server.live.ts';
export { initialChainServer };

type ChainServerPublicEvent =
  | EpochBegan
  | PeerMessageReceived<SyncQuestion>
  | SnapshotKeeperReply
  | Extract<
      StorageReply,
      {
        type:
          | 'blocks.found'
          | 'epochs.found'
          | 'batches.found'
          | 'tip.found'
          | 'blockIds.found'
          | 'storage.failed';
      }
    >;
type ChainServerPrivateEvent = { readonly type: 'rest.ended' | 'keeper.silent'; readonly tag: number };

/** Event types that other cells may send (RT-16). */
export const CHAIN_SERVER_EVENTS = declare<ChainServerPublicEvent>()(
  'epoch.began',
  'message.received',
  'blocks.found',
  'epochs.found',
  'batches.found',
  'tip.found',
  'blockIds.found',
  'manifest.found',
  'chunk.found',
  'storage.failed',
);

export const chainServerSetup = setup({
  types: types<ChainServerContext, ChainServerPublicEvent | ChainServerPrivateEvent, ChainServerInput>(),
  actions: {
    requestEpoch: step(({ context, address }) => ({ effects: [askingEpoch(context, address)] })),
    recordEpoch: step(on('epoch.began', ({ context, event }) => recordEpoch(context, event))),
    takeQuestion: step(
      on('message.received', ({ context, event: { from, message }, now, address }) =>
        takeQuestion(context, from, message, { now, address }),
      ),
    ),
    endRest: step(
      on('rest.ended', ({ context, event: { tag }, now, address }) =>
        endRest(context, tag, { now, address }),
      ),
    ),
    takeBlocks: step(
      on('blocks.found', ({ context, event, now, address }) =>
        thenNext(context, takeBlocks(context, event, { now, address }), address),
      ),
    ),
    takeEpoch: step(
      on('epochs.found', ({ context, event, now, address }) =>
        thenNext(
          context,
          context.waiting.get(event.tag)?.step === 'epochs'
            ? answerEpochs(context, event, now)
            : takeEpoch(context, event, { now, address }),
          address,
        ),
      ),
    ),
    answerBlocks: step(
      on('batches.found', ({ context, event, now, address }) =>
        thenNext(context, answerBlocks(context, event.tag, event.batches, now), address),
      ),
    ),
    takeTip: step(on('tip.found', ({ context, event, address }) => takeTip(context, event, address))),
    answerIds: step(on('blockIds.found', ({ context, event }) => answerIds(context, event))),
    answerManifest: step(on('manifest.found', ({ context, event }) => answerManifest(context, event))),
    answerChunk: step(
      on('chunk.found', ({ context, event, now, address }) =>
        thenNext(context, answerChunk(context, event, now), address),
      ),
    ),
    forgetAsker: step(({ context, event, address }) =>
      event.type === 'storage.failed' || event.type === 'keeper.silent'
        ? thenNext(context, forgetAsker(context, event.tag), address)
        : {},
    ),
  },
});
