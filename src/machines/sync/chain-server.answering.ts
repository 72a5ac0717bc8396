/**
 * How the chain-server answers: who waits, what is read for them, and what leaves. Pure. Rules SY-3, SY-8, SY-9, TP-9,
 * docs/protocol/sync.md; what fits and what is proven is decided in protocol/sync/serving.ts.
 */
import type { Monotonic } from '../../base/units.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { GENESIS_HEIGHT } from '../../protocol/chain/ordinals.ts';
import type { Address, BlockId, CertifiedBlock, CommitProof, Height } from '../../protocol/chain/types.ts';
import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import { NONE_VERIFIED, type VerifiedCertificates } from '../../protocol/consensus/verified.ts';
import type { SnapshotKeeperRequest } from '../../protocol/ports/snapshots.ts';
import type { StorageReply, StorageRequest } from '../../protocol/ports/storage.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import type {
  BlocksMessage,
  ChainCheckpoint,
  GetBlockMessage,
  GetBlocksMessage,
  GetSnapshotChunkMessage,
  SyncAnswer,
  SyncQuestion,
} from '../../protocol/sync/messages.ts';
import {
  BLOCKS_WAITING_MAX,
  batchesFor,
  checkpointHeights,
  costOf,
  provenLength,
  SERVING_RATE,
  SMALL_WAITING_MAX,
  sizeOf,
  WAITING_PER_PEER_MAX,
} from '../../protocol/sync/serving.ts';
import { type Bucket, fullBucket, oweTokens, refilled } from '../../protocol/transport/bucket.ts';
import { KINDS } from '../../protocol/transport/kinds.ts';
import { BLOCKS_MAX } from '../../protocol/transport/limits.ts';
import { answerThatFits } from '../../protocol/transport/sizes.ts';
import type { Decision } from '../vocabulary/index.ts';

export interface ChainServerInput {
  readonly epoch: EpochContext;
  readonly bls: BlsEngine;
  readonly storage: CellAddress;
  readonly router: CellAddress;
  /** Absent: this node keeps no snapshots. */
  readonly snapshotKeeper?: CellAddress;
}

/** What is read for whom. */
type Reading =
  | { readonly step: 'blocks'; readonly question: GetBlocksMessage | GetBlockMessage }
  | {
      readonly step: 'batches';
      readonly blocks: readonly CertifiedBlock[];
      readonly height: Height;
      /** The block that was asked for by its id. */
      readonly wanted?: BlockId;
    }
  | { readonly step: 'tip' }
  | { readonly step: 'id'; readonly height: Height }
  | { readonly step: 'chainTip' }
  | { readonly step: 'manifest' }
  | { readonly step: 'chunk'; readonly question: GetSnapshotChunkMessage }
  | {
      readonly step: 'checkpoints';
      readonly base: Height;
      readonly proof: CommitProof | undefined;
      readonly heights: readonly Height[];
    };

type Waiting = Reading & {
  readonly peer: Address;
  readonly requestId: number;
  readonly size: 'blocks' | 'small';
};

export interface ChainServerCounts {
  readonly answered: number;
  /** Questions for which there was no place. */
  readonly dropped: number;
  /** Questions that waited because their asker had had its share. */
  readonly rested: number;
  /** Answers that end below what was found, because its certificate does not hold. */
  readonly shortened: number;
  /** Questions that storage, or the keeper of snapshots, did not answer. */
  readonly failed: number;
}

export interface ChainServerContext extends ChainServerInput {
  /** By storage tag. */
  readonly waiting: ReadonlyMap<number, Waiting>;
  readonly tag: number;
  readonly verified: VerifiedCertificates;
  /** Of those who have had more than they may have at once. Bounded by the places. */
  readonly shares: ReadonlyMap<Address, Bucket>;
  readonly counts: ChainServerCounts;
}

interface Clock {
  readonly now: Monotonic;
  readonly address: CellAddress;
}
export type Decided = Decision<ChainServerContext>;
type Found<Type extends StorageReply['type']> = Extract<StorageReply, { type: Type }>;

/** The keeper may begin anew, and forget whom it owes an answer. @unit ms @source chosen: many reads of a slow disk */
const KEEPER_SILENCE_MS = 10_000;

/** Askers whose share is remembered; those that have it whole again are forgotten first. @unit peers @source validators and guests */
const SHARES_MAX = 1_024;

export const initialChainServer = (input: ChainServerInput): ChainServerContext => ({
  ...input,
  waiting: new Map(),
  tag: 0,
  verified: NONE_VERIFIED,
  shares: new Map(),
  counts: { answered: 0, dropped: 0, rested: 0, shortened: 0, failed: 0 },
});

const counted = (
  { counts }: ChainServerContext,
  name: keyof ChainServerCounts,
): Pick<ChainServerContext, 'counts'> => ({
  counts: { ...counts, [name]: counts[name] + 1 },
});

const send = ({ router }: ChainServerInput, peer: Address, message: SyncAnswer): Effect =>
  telling(router, { type: 'network.sendRequested', outgoing: [{ to: [peer], message }] });

/** A question is answered at once where nothing need be read, else when storage has answered. */
export function takeQuestion(
  context: ChainServerContext,
  peer: Address,
  question: SyncQuestion,
  { now, address }: Clock,
): Decided {
  const { requestId } = question;
  const atOnce = (message: SyncAnswer): Decided => ({
    context: counted(context, 'answered'),
    effects: [send(context, peer, message)],
  });
  if (question.kind === 'GetGenesisHash') {
    return atOnce({ kind: 'GenesisHash', requestId, genesisHash: context.epoch.domain.genesisHash });
  }
  if (context.snapshotKeeper === undefined) {
    if (question.kind === 'GetSnapshot') return atOnce({ kind: 'Snapshot', requestId });
    if (question.kind === 'GetSnapshotChunk') return atOnce({ kind: 'SnapshotChunk', requestId });
  }
  if (!hasPlace(context, peer, sizeOf(question))) return { context: counted(context, 'dropped') };
  const waiting: Waiting = { ...readingFor(question), peer, requestId, size: sizeOf(question) };
  if (waiting.size === 'small') return read(context, waiting, address);
  const { rest } = oweTokens(shareOf(context, peer, now), SERVING_RATE, now, 0);
  if (rest === 0) return read(context, waiting, address);
  const tag = context.tag + 1;
  return {
    context: {
      ...counted(context, 'rested'),
      tag,
      waiting: new Map(context.waiting).set(tag, waiting),
    },
    effects: [
      { kind: 'startTimer', key: `rest/${tag}`, delayMs: rest, message: { type: 'rest.ended', tag } },
    ],
  };
}

function readingFor(question: Exclude<SyncQuestion, { kind: 'GetGenesisHash' }>): Reading {
  switch (question.kind) {
    case 'GetBlocks':
    case 'GetBlock':
      return { step: 'blocks', question };
    case 'GetBlockHeight':
      return { step: 'tip' };
    case 'GetBlockHash':
      return { step: 'id', height: question.height };
    case 'GetChain':
      return { step: 'chainTip' };
    case 'GetSnapshot':
      return { step: 'manifest' };
    case 'GetSnapshotChunk':
      return { step: 'chunk', question };
  }
}

function hasPlace({ waiting }: ChainServerContext, peer: Address, size: 'blocks' | 'small'): boolean {
  const ofSize = [...waiting.values()].filter((one) => one.size === size);
  const own = ofSize.filter((one) => one.peer === peer).length;
  const places = size === 'blocks' ? BLOCKS_WAITING_MAX : SMALL_WAITING_MAX;
  return ofSize.length < places && own < WAITING_PER_PEER_MAX[size];
}

const shareOf = ({ shares }: ChainServerContext, peer: Address, now: Monotonic): Bucket =>
  shares.get(peer) ?? fullBucket(SERVING_RATE, now);

interface ReplyPlace {
  readonly replyTo: CellAddress;
  readonly tag: number;
}

/** Asks for what is read next for the asker, under a tag of its own. */
function read(context: ChainServerContext, waiting: Waiting, replyTo: CellAddress): Decided {
  const tag = context.tag + 1;
  const next = { tag, waiting: new Map(context.waiting).set(tag, waiting) };
  const { storage, snapshotKeeper } = context;
  if (waiting.step === 'manifest' || waiting.step === 'chunk') {
    if (snapshotKeeper === undefined) return {};
    const request = keeperRequestFor(waiting, { replyTo, tag });
    return { context: next, effects: [telling(snapshotKeeper, request), awaitingKeeper(tag)] };
  }
  return { context: next, effects: [telling(storage, requestFor(waiting, { replyTo, tag }))] };
}

const awaitingKeeper = (tag: number): Effect => ({
  kind: 'startTimer',
  key: `keeper/${tag}`,
  delayMs: KEEPER_SILENCE_MS,
  message: { type: 'keeper.silent', tag },
});

function keeperRequestFor(
  waiting: Extract<Reading, { step: 'manifest' | 'chunk' }>,
  to: ReplyPlace,
): SnapshotKeeperRequest {
  if (waiting.step === 'manifest') return { type: 'manifest.requested', ...to };
  const { height, format, chunk } = waiting.question;
  return { type: 'chunk.requested', ...to, height, format, chunk };
}

function requestFor(
  waiting: Exclude<Reading, { step: 'manifest' | 'chunk' }>,
  to: ReplyPlace,
): StorageRequest {
  switch (waiting.step) {
    case 'blocks': {
      const { question } = waiting;
      if (question.kind === 'GetBlock') {
        return { type: 'block.requested', ...to, id: question.id, ancestors: question.ancestors };
      }
      const limit = Math.min(question.limit, BLOCKS_MAX);
      return { type: 'blocks.requested', ...to, from: question.from, limit, bytesMax: KINDS.Blocks.bytesMax };
    }
    case 'batches':
      return { type: 'batches.requested', ...to, digests: batchesFor(waiting.blocks).digests };
    case 'tip':
    case 'chainTip':
      return { type: 'tip.requested', ...to };
    case 'id':
      return { type: 'blockIds.requested', ...to, heights: [waiting.height] };
    case 'checkpoints':
      return { type: 'blockIds.requested', ...to, heights: waiting.heights };
  }
}

/** What waits under the tag, and the rest. */
export function taken(
  { waiting }: ChainServerContext,
  tag: number,
): { readonly asked: Waiting | undefined; readonly rest: ReadonlyMap<number, Waiting> } {
  const rest = new Map(waiting);
  rest.delete(tag);
  return { asked: waiting.get(tag), rest };
}

export const answered = (
  context: ChainServerContext,
  rest: ReadonlyMap<number, Waiting>,
  { peer, requestId }: Waiting,
  answer: Unnumbered<SyncAnswer>,
): Decided => ({
  context: { ...counted(context, 'answered'), waiting: rest },
  effects: [send(context, peer, { ...answer, requestId })],
});

type Unnumbered<Answer> = Answer extends unknown ? Omit<Answer, 'requestId'> : never;

/** The asker's share has come back. */
export function readBlocks(context: ChainServerContext, tag: number, replyTo: CellAddress): Decided {
  const { asked, rest } = taken(context, tag);
  return asked === undefined ? {} : read({ ...context, waiting: rest }, asked, replyTo);
}

/** The blocks are read: their batches too where they are wanted, else they leave. */
export function takeBlocks(
  context: ChainServerContext,
  { tag, blocks, height }: Found<'blocks.found'>,
  { now, address }: Clock,
): Decided {
  const { asked, rest } = taken(context, tag);
  if (asked?.step !== 'blocks') return {};
  const { question, peer, requestId, size } = asked;
  const wantsBatches = question.kind === 'GetBlocks' && question.withBatches;
  const next: Waiting = {
    ...{ step: 'batches', blocks, height, peer, requestId, size },
    ...(question.kind === 'GetBlock' ? { wanted: question.id } : {}),
  };
  if (!wantsBatches || batchesFor(blocks).digests.length === 0) {
    return sendBlocks({ ...context, waiting: rest }, next, [], now);
  }
  return read({ ...context, waiting: rest }, next, address);
}

export function answerBlocks(
  context: ChainServerContext,
  tag: number,
  batches: Found<'batches.found'>['batches'],
  now: Monotonic,
): Decided {
  const { asked, rest } = taken(context, tag);
  if (asked?.step !== 'batches') return {};
  return sendBlocks({ ...context, waiting: rest }, asked, batches, now);
}

/** As much as fits and is proven: blocks with their batches, else blocks alone, else nothing of the height's own. */
function sendBlocks(
  context: ChainServerContext,
  asked: Extract<Waiting, { step: 'batches' }>,
  batches: Found<'batches.found'>['batches'],
  now: Monotonic,
): Decided {
  const { epoch, bls, waiting } = context;
  const provenAmong = (
    memory: VerifiedCertificates,
    candidates: typeof asked.blocks,
    held: typeof batches,
  ) => {
    const fitting = answerThatFits(candidates, held);
    const { length, verified } = provenLength(epoch, bls, memory, candidates.slice(0, fitting.blocks));
    return { length, verified, isWhole: length === fitting.blocks };
  };
  const covered =
    batches.length === 0 ? asked.blocks : asked.blocks.slice(0, batchesFor(asked.blocks).blocks);
  let found = provenAmong(context.verified, covered, batches);
  let held = batches;
  if (found.length === 0 && batches.length > 0) {
    // Where the batches end the answer at a certificate that does not hold, the blocks alone may reach one that does.
    found = provenAmong(found.verified, asked.blocks, []);
    held = [];
  }
  const given = asked.blocks.slice(0, found.length);
  // Ancestors of a block whose own certificate is not here are no answer: the asker would blame this node for them.
  const isWanted = asked.wanted === undefined || given.at(-1)?.qc.blockId === asked.wanted;
  const blocks = isWanted ? given : [];
  const named = new Set(batchesFor(blocks).digests);
  const own = answerThatFits(
    blocks,
    held.filter(({ digest }) => named.has(digest)),
  ).batches;
  const message: Unnumbered<BlocksMessage> = { kind: 'Blocks', blocks, batches: own, height: asked.height };
  const noted = found.isWhole ? context : { ...context, ...counted(context, 'shortened') };
  const done = answered(noted, waiting, asked, message);
  const shares = charged(context, asked.peer, costOf(blocks, own), now);
  return { ...done, context: { ...done.context, shares, verified: found.verified } };
}

/** What the answer costs is taken from the asker's share. */
export function charged(
  context: ChainServerContext,
  peer: Address,
  cost: number,
  now: Monotonic,
): ChainServerContext['shares'] {
  const { bucket } = oweTokens(shareOf(context, peer, now), SERVING_RATE, now, cost);
  const shares = new Map(context.shares);
  shares.delete(peer);
  if (shares.size >= SHARES_MAX) {
    for (const [other, share] of context.shares) {
      if (refilled(share, SERVING_RATE, now).tokens >= SERVING_RATE.burst) shares.delete(other);
    }
    const [oldest] = shares.keys();
    if (shares.size >= SHARES_MAX && oldest !== undefined) shares.delete(oldest);
  }
  return shares.set(peer, bucket);
}

/** SY-3: the newest committed block with the proof of its commit; or the first step of a chain's description. */
export function takeTip(
  context: ChainServerContext,
  { tag, base, height, id, proof }: Found<'tip.found'>,
  replyTo: CellAddress,
): Decided {
  const { asked, rest } = taken(context, tag);
  const proven = proof === undefined ? {} : { proof };
  if (asked?.step === 'tip') {
    return answered(context, rest, asked, { kind: 'BlockHeight', base, height, tipId: id, ...proven });
  }
  if (asked?.step !== 'chainTip') return {};
  if (height === GENESIS_HEIGHT) {
    return answered(context, rest, asked, { kind: 'Chain', base, checkpoints: [{ height, id }] });
  }
  const heights = checkpointHeights(base, height);
  const { peer, requestId, size } = asked;
  const next: Waiting = { step: 'checkpoints', base, proof, heights, peer, requestId, size };
  return read({ ...context, waiting: rest }, next, replyTo);
}

export function answerIds(context: ChainServerContext, { tag, ids }: Found<'blockIds.found'>): Decided {
  const { asked, rest } = taken(context, tag);
  if (asked?.step === 'id') {
    const id = ids.find(({ height }) => height === asked.height)?.id;
    const message = { kind: 'BlockHash', height: asked.height } as const;
    return answered(context, rest, asked, id === undefined ? message : { ...message, id });
  }
  if (asked?.step !== 'checkpoints') return {};
  const checkpoints: readonly ChainCheckpoint[] = ids.map(({ height, id }) => ({ height, id }));
  const proven = asked.proof === undefined ? {} : { proof: asked.proof };
  return answered(context, rest, asked, { kind: 'Chain', base: asked.base, ...proven, checkpoints });
}

/** The asker asks another node, or again. */
export function forgetAsker(context: ChainServerContext, tag: number): Decided {
  const { asked, rest } = taken(context, tag);
  return asked === undefined ? {} : { context: { ...counted(context, 'failed'), waiting: rest } };
}
