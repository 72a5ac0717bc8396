/**
 * Parts of the BlockSync chart: fetches the certified blocks that this node lacks, from one holder at a time, and serves
 * those that it has. Pure. It stores nothing and commits nothing: proven blocks go to the round-manager (CS-12, SY-14).
 */
import { setup } from 'xstate';
import { millis } from '../../base/units.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { nextHeight } from '../../protocol/chain/ordinals.ts';
import type {
  Address,
  BlockId,
  CertifiedBlock,
  Height,
  QuorumCertificate,
} from '../../protocol/chain/types.ts';
import { BLOCKS_MAX } from '../../protocol/consensus/block-tree.ts';
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
import type { ConnectivityEvent, PeerMessageReceived } from '../../protocol/ports/network.ts';
import type { StorageReply, StorageRequest } from '../../protocol/ports/storage.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import { blocksThatFit } from '../../protocol/transport/sizes.ts';
import { type Decision, declare, on, step, types } from '../vocabulary/index.ts';

/** Blocks asked for at once: their certificates are checked in one turn. @unit blocks @source 32 × 0.9 ms of pairings */
const BLOCKS_PER_REQUEST_MAX = 32;
/** Uncommitted blocks fetched from the target down; above it they are dropped. @unit blocks @source the block tree's bound */
const DOWNWARD_MAX = BLOCKS_MAX;
/** Bytes of one answer. @unit bytes @source below the frame limit of the kind Blocks */
const ANSWER_BYTES_MAX = 1024 * 1024;
/** First wait for an answer before another holder is asked. @unit ms @source chosen: a round trip around the earth */
const ANSWER_TIMEOUT_MS_MIN = 300;
/** Each wait that ends without help is twice the one before, up to this. @unit ms @source chosen */
const ANSWER_TIMEOUT_MS_MAX = 4_000;
/** Pause after an answer that did not help, so that empty ones do not make a loop. @unit ms @source chosen */
const RETRY_PAUSE_MS = millis(100);
/** Answers that one holder may owe; those that it never gave are forgotten above this. @unit answers @source chosen */
const OWED_MAX = 8;
/** Requests of peers that wait for storage; above it the newest is dropped. @unit requests */
const SERVING_MAX = 64;
/** Of one peer; above it its newest is dropped, so that nobody takes all places. @unit requests */
const SERVING_PER_PEER_MAX = 4;

export interface BlockSyncInput {
  readonly epoch: EpochContext;
  readonly self: Address;
  readonly bls: BlsEngine;
  readonly storage: CellAddress;
  readonly router: CellAddress;
  readonly roundManager: CellAddress;
}

/** What is being fetched. */
interface Fetch {
  readonly target: QuorumCertificate;
  readonly holders: readonly Address[];
  /** The lowest height that is still missing. */
  readonly from: Height;
  /**
   * Up from `from` by height: committed blocks. Down from the target by its ancestors, where they are not committed anywhere
   * yet: what has come, ascending, and not joined with what this node has.
   */
  readonly way: 'up' | { readonly down: readonly CertifiedBlock[] };
  /** Requests since the last answer that helped. */
  readonly attempts: number;
  /** Whose answer is awaited. */
  readonly asked?: Address;
}

export interface BlockSyncContext extends BlockSyncInput {
  readonly fetch: Fetch | undefined;
  readonly requestId: number;
  /** Peers that can be reached, as the network says. Bounded by the validator set. */
  readonly connected: ReadonlySet<Address>;
  /** Answers that each holder still owes; only they are read. Bounded by the validator set. */
  readonly owed: ReadonlyMap<Address, number>;
  readonly verified: VerifiedCertificates;
  /** Requests of peers by storage tag. */
  readonly serving: ReadonlyMap<number, { readonly peer: Address; readonly requestId: number }>;
  readonly tag: number;
  readonly dropped: number;
}

type BlockSyncPublicEvent =
  | PeerMessageReceived<GetBlocksMessage | GetBlockMessage | BlocksMessage>
  | BlocksWanted
  | ConnectivityEvent
  | Extract<StorageReply, { type: 'blocks.found' | 'storage.failed' }>;

/** Event types that other cells may send (RT-16). */
export const BLOCK_SYNC_EVENTS = declare<BlockSyncPublicEvent>()(
  'message.received',
  'blocks.wanted',
  'blocks.found',
  'storage.failed',
  'peer.connected',
  'peer.disconnected',
);

const send = ({ router }: BlockSyncInput, peer: Address, message: PeerMessage): Effect =>
  telling(router, { type: 'network.sendRequested', outgoing: [{ to: [peer], message }] });

const blame = ({ router }: BlockSyncInput, peer: Address, code: string): Effect =>
  telling(router, { type: 'peer.misbehaved', peer, code });

const reachedOf = ({ holders }: Fetch, connected: ReadonlySet<Address>): readonly Address[] =>
  holders.filter((holder) => connected.has(holder));

/**
 * The holder whose turn it is, another at each request. Those that can be reached come first; when each of them was asked
 * in vain, all have their turn: a cell that started after the connections knows of few, and a link may carry nothing.
 */
function holderOf(fetch: Fetch, connected: ReadonlySet<Address>, requestId: number): Address | undefined {
  const reached = reachedOf(fetch, connected);
  const candidates = fetch.attempts < reached.length ? reached : fetch.holders;
  return candidates[requestId % Math.max(1, candidates.length)];
}

/** The block to ask for by its id: the target, or the parent of what has come on the way down from it. */
function lowestMissing({ way, target }: Fetch): { readonly id: BlockId; readonly height: number } {
  const lowest = way === 'up' ? undefined : way.down[0]?.block.header;
  return lowest === undefined
    ? { id: target.blockId, height: target.height }
    : { id: lowest.parentId, height: lowest.height - 1 };
}

/** Whether a holder that is not asked can be reached, while the one that is asked cannot. */
function askedInVain({ fetch, connected }: BlockSyncContext): boolean {
  if (fetch === undefined || (fetch.asked !== undefined && connected.has(fetch.asked))) return false;
  return fetch.attempts < reachedOf(fetch, connected).length;
}

/** Whom to ask is decided anew: those that can be reached have not been asked in vain yet. */
function reconsidered({ fetch }: BlockSyncContext): Pick<Partial<BlockSyncContext>, 'fetch'> {
  return fetch === undefined ? {} : { fetch: { ...fetch, attempts: 0 } };
}

function request(context: BlockSyncContext): Decision<BlockSyncContext> {
  const { fetch } = context;
  if (fetch === undefined) return {};
  const requestId = context.requestId + 1;
  const attempts = fetch.attempts + 1;
  const peer = holderOf(fetch, context.connected, requestId);
  if (peer === undefined) return { context: { requestId, fetch: { ...fetch, attempts } } };
  const { id, height } = lowestMissing(fetch);
  const gap = height - fetch.from;
  const message: PeerMessage =
    gap < BLOCKS_PER_REQUEST_MAX || fetch.way !== 'up'
      ? { kind: 'GetBlock', requestId, id, ancestors: Math.min(BLOCKS_PER_REQUEST_MAX - 1, Math.max(0, gap)) }
      : { kind: 'GetBlocks', requestId, from: fetch.from, limit: BLOCKS_PER_REQUEST_MAX };
  const owed = new Map(context.owed).set(peer, Math.min(OWED_MAX, (context.owed.get(peer) ?? 0) + 1));
  return {
    context: { requestId, owed, fetch: { ...fetch, attempts, asked: peer } },
    effects: [send(context, peer, message)],
  };
}

/** An answer costs its reader milliseconds: nobody may send more of them than were asked for (TP-6, TP-11). */
function receiveBlocks(
  context: BlockSyncContext,
  from: Address,
  message: BlocksMessage,
): Decision<BlockSyncContext> {
  const left = (context.owed.get(from) ?? 0) - 1;
  if (left < 0) return { effects: [blame(context, from, 'UNREQUESTED')] };
  const owed = new Map(context.owed);
  if (left > 0) owed.set(from, left);
  else owed.delete(from);
  const taken = take(context, from, message);
  return { ...taken, context: { ...taken.context, owed } };
}

/** CS-12: each block and both its certificates are proven before anything of the answer is used. */
function take(context: BlockSyncContext, from: Address, message: BlocksMessage): Decision<BlockSyncContext> {
  const { fetch, epoch, bls } = context;
  // An answer that was given up is as good when it comes: on a slow link all of them come late.
  if (fetch === undefined) return {};
  if (message.blocks.length > BLOCKS_PER_REQUEST_MAX)
    return { effects: [blame(context, from, 'BAD_BLOCKS')] };
  let verified = context.verified;
  let parent: BlockId | undefined;
  for (const certified of message.blocks) {
    if (parent !== undefined && certified.block.header.parentId !== parent) {
      return { context: { verified }, effects: [blame(context, from, 'BLOCKS_NOT_GAPLESS')] };
    }
    const check = checkCertifiedBlock(epoch, bls, verified, certified);
    verified = check.verified;
    if (check.status === 'refused') {
      return { context: { verified }, effects: [blame(context, from, check.refusal.code)] };
    }
    parent = check.blockId;
  }
  const first = message.blocks[0];
  const last = message.blocks.at(-1);
  if (first === undefined || last === undefined) {
    // Only the awaited answer: nobody else may turn the way that is working.
    return {
      context: { verified, ...(message.requestId === context.requestId && { fetch: turned(fetch) }) },
    };
  }
  const joinsDownward = last.qc.blockId === lowestMissing(fetch).id;
  const chain = joinsDownward && fetch.way !== 'up' ? [...message.blocks, ...fetch.way.down] : message.blocks;
  const newest = chain.at(-1)?.block.header.height ?? last.block.header.height;
  const { asked: _, ...rest } = fetch;
  if (first.block.header.height > fetch.from) {
    // Blocks that leave a gap: kept where they hang together with the target, else another holder is asked.
    if (!joinsDownward || chain.length > DOWNWARD_MAX) return { context: { verified, fetch: turned(fetch) } };
    return { context: { verified, fetch: { ...rest, attempts: 0, way: { down: chain } } } };
  }
  if (newest < fetch.from) return { context: { verified } };
  const next: Fetch = { ...rest, attempts: 0, way: 'up', from: nextHeight(newest) };
  return {
    context: { verified, fetch: newest >= fetch.target.height ? undefined : next },
    effects: inPieces(chain).map((blocks): Effect => {
      const fetched: BlocksFetched = { type: 'blocks.fetched', blocks };
      return telling(context.roundManager, fetched);
    }),
  };
}

/** The other way: a holder has nothing committed that is asked for, or nothing of the target's chain. */
const turned = (fetch: Fetch): Fetch => ({ ...fetch, way: fetch.way === 'up' ? { down: [] } : 'up' });

const inPieces = (blocks: readonly CertifiedBlock[]): readonly (readonly CertifiedBlock[])[] =>
  Array.from({ length: Math.ceil(blocks.length / BLOCKS_PER_REQUEST_MAX) }, (_, piece) =>
    blocks.slice(piece * BLOCKS_PER_REQUEST_MAX, (piece + 1) * BLOCKS_PER_REQUEST_MAX),
  );

/** A peer's request goes to storage; what it finds goes back to that peer. */
function serve(
  context: BlockSyncContext,
  peer: Address,
  message: GetBlocksMessage | GetBlockMessage,
  replyTo: CellAddress,
): Decision<BlockSyncContext> {
  const asking = [...context.serving.values()].filter((one) => one.peer === peer).length;
  if (context.serving.size >= SERVING_MAX || asking >= SERVING_PER_PEER_MAX)
    return { context: { dropped: context.dropped + 1 } };
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
      : {
          type: 'block.requested',
          replyTo,
          tag,
          id: message.id,
          ancestors: Math.min(message.ancestors, BLOCKS_PER_REQUEST_MAX - 1),
        };
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
  const { height } = found;
  const blocks = found.blocks.slice(0, blocksThatFit(found.blocks));
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
  connected: new Set(),
  owed: new Map(),
  verified: NONE_VERIFIED,
  serving: new Map(),
  tag: 0,
  dropped: 0,
});

export const blockSyncSetup = setup({
  types: types<BlockSyncContext, BlockSyncPublicEvent, BlockSyncInput>(),
  guards: {
    anotherShouldBeAsked: ({ context }) => context.fetch?.asked === undefined || askedInVain(context),
    isAsked: ({ context }) => context.fetch?.asked !== undefined,
    nothingIsMissing: ({ context }) => context.fetch === undefined,
    answerHelped: ({ context }) => context.fetch?.asked === undefined,
    isAwaitedAnswer: ({ context, event }) =>
      event.type === 'message.received' &&
      event.message.kind === 'Blocks' &&
      event.message.requestId === context.requestId &&
      context.fetch?.asked === event.from,
  },
  delays: {
    answerTimeout: ({ context }) =>
      Math.min(ANSWER_TIMEOUT_MS_MAX, ANSWER_TIMEOUT_MS_MIN * 2 ** ((context.fetch?.attempts ?? 1) - 1)),
    retryPause: RETRY_PAUSE_MS,
  },
  actions: {
    recordTarget: step(
      on('blocks.wanted', ({ context, event: { target, committedHeight, holders } }) => {
        // The newest request counts: round-manager knows what it lacks.
        if (context.fetch?.target.blockId === target.blockId) return {};
        const reached = context.fetch?.from ?? nextHeight(committedHeight);
        const from = reached <= target.height ? reached : nextHeight(committedHeight);
        return { context: { fetch: { attempts: 0, way: 'up', ...context.fetch, target, holders, from } } };
      }),
    ),
    recordConnected: step(
      on('peer.connected', ({ context, event }) => ({
        context: { ...reconsidered(context), connected: new Set(context.connected).add(event.peer) },
      })),
    ),
    recordDisconnected: step(
      on('peer.disconnected', ({ context, event }) => {
        const connected = new Set(context.connected);
        connected.delete(event.peer);
        const wasAsked = context.fetch?.asked === event.peer;
        return { context: { ...(wasAsked ? reconsidered(context) : {}), connected } };
      }),
    ),
    requestBlocks: step(({ context }) => request(context)),
    serveOrTake: step(
      on('message.received', ({ context, event: { from, message }, address }) =>
        message.kind === 'Blocks'
          ? receiveBlocks(context, from, message)
          : serve(context, from, message, address),
      ),
    ),
    answerPeer: step(on('blocks.found', ({ context, event }) => answer(context, event))),
    forgetPeer: step(on('storage.failed', ({ context, event }) => forget(context, event.tag))),
  },
});
