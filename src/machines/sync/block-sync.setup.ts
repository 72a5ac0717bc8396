/**
 * Parts of the BlockSync chart: fetches the certified blocks that this node lacks, from one holder at a time, and serves
 * those that it has. Pure. It stores nothing and commits nothing: proven blocks go to the round-manager (CS-12, SY-14).
 */
import { setup } from 'xstate';
import { millis } from '../../base/units.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { nextHeight } from '../../protocol/chain/ordinals.ts';
import type { Address, Height, QuorumCertificate } from '../../protocol/chain/types.ts';
import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import { checkCertifiedBlock } from '../../protocol/consensus/fetched.ts';
import type {
  BlocksMessage,
  GetBlockMessage,
  GetBlocksMessage,
  PeerMessage,
} from '../../protocol/consensus/types.ts';
import { NONE_VERIFIED, type VerifiedCertificates } from '../../protocol/consensus/verified.ts';
import type { BlocksFetched, BlocksWanted } from '../../protocol/ports/consensus.ts';
import type { PeerMessageReceived } from '../../protocol/ports/network.ts';
import type { StorageReply, StorageRequest } from '../../protocol/ports/storage.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import { type Decision, declare, on, step, types } from '../vocabulary/index.ts';

/** Blocks asked for at once: their certificates are checked in one turn. @unit blocks @source 32 × 0.9 ms of pairings */
const BLOCKS_PER_REQUEST_MAX = 32;
/** Bytes of one answer. @unit bytes @source below the frame limit of the kind Blocks */
const ANSWER_BYTES_MAX = 1024 * 1024;
/** Wait for an answer before another holder is asked. @unit ms @source chosen: several round trips over a slow link */
const ANSWER_TIMEOUT_MS = millis(2_000);
/** Requests of peers that wait for storage; above it the newest is dropped. @unit requests */
const SERVING_MAX = 64;

export interface BlockSyncInput {
  readonly epoch: EpochContext;
  readonly self: Address;
  readonly bls: BlsEngine;
  readonly storage: CellAddress;
  readonly router: CellAddress;
  readonly roundManager: CellAddress;
}

/** What is being fetched. `from`: the lowest height that is still missing. */
interface Fetch {
  readonly target: QuorumCertificate;
  readonly holders: readonly Address[];
  readonly from: Height;
  readonly attempt: number;
}

export interface BlockSyncContext extends BlockSyncInput {
  readonly fetch: Fetch | undefined;
  readonly requestId: number;
  readonly verified: VerifiedCertificates;
  /** Requests of peers by storage tag. */
  readonly serving: ReadonlyMap<number, { readonly peer: Address; readonly requestId: number }>;
  readonly tag: number;
  readonly dropped: number;
}

type BlockSyncPublicEvent =
  | PeerMessageReceived<GetBlocksMessage | GetBlockMessage | BlocksMessage>
  | BlocksWanted
  | Extract<StorageReply, { type: 'blocks.found' | 'storage.failed' }>;

/** Event types that other cells may send (RT-16). */
export const BLOCK_SYNC_EVENTS = declare<BlockSyncPublicEvent>()(
  'message.received',
  'blocks.wanted',
  'blocks.found',
  'storage.failed',
);

const send = ({ router }: BlockSyncInput, peer: Address, message: PeerMessage): Effect =>
  telling(router, { type: 'network.sendRequested', outgoing: [{ to: [peer], message }] });

const blame = ({ router }: BlockSyncInput, peer: Address, code: string): Effect =>
  telling(router, { type: 'peer.misbehaved', peer, code });

/** The holder whose turn it is: another at each attempt, another first for each node. */
function holderOf({ holders, attempt }: Fetch, requestId: number): Address | undefined {
  return holders[(requestId + attempt) % Math.max(1, holders.length)];
}

function request(context: BlockSyncContext): Decision<BlockSyncContext> {
  const { fetch } = context;
  if (fetch === undefined) return {};
  const requestId = context.requestId + 1;
  const peer = holderOf(fetch, requestId);
  if (peer === undefined) return { context: { requestId } };
  const gap = fetch.target.height - fetch.from;
  const message: PeerMessage =
    gap < BLOCKS_PER_REQUEST_MAX
      ? { kind: 'GetBlock', requestId, id: fetch.target.blockId, ancestors: Math.max(0, gap) }
      : { kind: 'GetBlocks', requestId, from: fetch.from, limit: BLOCKS_PER_REQUEST_MAX };
  return { context: { requestId }, effects: [send(context, peer, message)] };
}

/** CS-12: each block and both its certificates are proven before anything of the answer is used. */
function take(context: BlockSyncContext, from: Address, message: BlocksMessage): Decision<BlockSyncContext> {
  const { fetch, epoch, bls } = context;
  if (fetch === undefined || message.requestId !== context.requestId) return {};
  if (holderOf(fetch, message.requestId) !== from) return {};
  const failed = { ...fetch, attempt: fetch.attempt + 1 };
  let verified = context.verified;
  let expected: Height | undefined;
  for (const certified of message.blocks) {
    const { height } = certified.block.header;
    if (expected !== undefined && height !== expected) {
      return { context: { fetch: failed, verified }, effects: [blame(context, from, 'BLOCKS_NOT_GAPLESS')] };
    }
    expected = nextHeight(height);
    const check = checkCertifiedBlock(epoch, bls, verified, certified);
    verified = check.verified;
    if (check.status === 'refused') {
      return { context: { fetch: failed, verified }, effects: [blame(context, from, check.refusal.code)] };
    }
  }
  const first = message.blocks[0];
  const last = message.blocks.at(-1);
  if (first === undefined || last === undefined || first.block.header.height > fetch.from) {
    return { context: { fetch: failed, verified } };
  }
  const fetched: BlocksFetched = { type: 'blocks.fetched', blocks: message.blocks };
  const reached = last.block.header.height >= fetch.target.height;
  const next: Fetch = { ...fetch, from: nextHeight(last.block.header.height), attempt: 0 };
  return {
    context: { verified, fetch: reached ? undefined : next },
    effects: [telling(context.roundManager, fetched)],
  };
}

/** A peer's request goes to storage; what it finds goes back to that peer. */
function serve(
  context: BlockSyncContext,
  peer: Address,
  message: GetBlocksMessage | GetBlockMessage,
  replyTo: CellAddress,
): Decision<BlockSyncContext> {
  if (context.serving.size >= SERVING_MAX) return { context: { dropped: context.dropped + 1 } };
  const tag = context.tag + 1;
  const question: StorageRequest =
    message.kind === 'GetBlocks'
      ? {
          type: 'blocks.requested',
          replyTo,
          tag,
          from: message.from,
          limit: Math.min(message.limit, BLOCKS_PER_REQUEST_MAX),
          bytesMax: ANSWER_BYTES_MAX,
        }
      : { type: 'block.requested', replyTo, tag, id: message.id, ancestors: message.ancestors };
  const serving = new Map(context.serving).set(tag, { peer, requestId: message.requestId });
  return { context: { tag, serving }, effects: [telling(context.storage, question)] };
}

function answer(
  context: BlockSyncContext,
  found: Extract<StorageReply, { type: 'blocks.found' }>,
): Decision<BlockSyncContext> {
  const asked = context.serving.get(found.tag);
  if (asked === undefined) return {};
  const serving = new Map(context.serving);
  serving.delete(found.tag);
  const { blocks, height } = found;
  const message: BlocksMessage = { kind: 'Blocks', requestId: asked.requestId, blocks, height };
  return { context: { serving }, effects: [send(context, asked.peer, message)] };
}

function forget(context: BlockSyncContext, tag: number): Decision<BlockSyncContext> {
  const serving = new Map(context.serving);
  serving.delete(tag);
  return { context: { serving } };
}

export const initialBlockSync = (input: BlockSyncInput): BlockSyncContext => ({
  ...input,
  fetch: undefined,
  requestId: 0,
  verified: NONE_VERIFIED,
  serving: new Map(),
  tag: 0,
  dropped: 0,
});

export const blockSyncSetup = setup({
  types: types<BlockSyncContext, BlockSyncPublicEvent, BlockSyncInput>(),
  guards: {
    nothingIsMissing: ({ context }) => context.fetch === undefined,
    isAwaitedAnswer: ({ context, event }) =>
      event.type === 'message.received' &&
      event.message.kind === 'Blocks' &&
      event.message.requestId === context.requestId &&
      context.fetch !== undefined &&
      holderOf(context.fetch, context.requestId) === event.from,
  },
  delays: { answerTimeout: ANSWER_TIMEOUT_MS },
  actions: {
    recordTarget: step(
      on('blocks.wanted', ({ context, event: { target, committedHeight, holders } }) => {
        if (context.fetch !== undefined && context.fetch.target.height >= target.height) return {};
        const from = context.fetch?.from ?? nextHeight(committedHeight);
        return { context: { fetch: { target, holders, from, attempt: 0 } } };
      }),
    ),
    requestBlocks: step(({ context }) => request(context)),
    turnToNextHolder: step(({ context: { fetch } }) =>
      fetch === undefined ? {} : { context: { fetch: { ...fetch, attempt: fetch.attempt + 1 } } },
    ),
    serveOrTake: step(
      on('message.received', ({ context, event: { from, message }, address }) =>
        message.kind === 'Blocks' ? take(context, from, message) : serve(context, from, message, address),
      ),
    ),
    answerPeer: step(on('blocks.found', ({ context, event }) => answer(context, event))),
    forgetPeer: step(on('storage.failed', ({ context, event }) => forget(context, event.tag))),
  },
});
