/**
 * The live part of the chain-server: who waits for what, what each has had, and how an answer leaves. Pure. Rules SY-3, SY-8 to
 * SY-10, TP-9, docs/protocol/sync.md.
 */
import type { Monotonic } from '../../base/units.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { FIRST_EPOCH } from '../../protocol/chain/ordinals.ts';
import type {
  Address,
  BlockId,
  CertifiedBlock,
  CommitProof,
  Epoch,
  Height,
} from '../../protocol/chain/types.ts';
import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import { NONE_VERIFIED, type VerifiedCertificates } from '../../protocol/consensus/verified.ts';
import type { EpochBegan } from '../../protocol/ports/consensus.ts';
import type { StorageReply } from '../../protocol/ports/storage.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import type {
  GetBlockMessage,
  GetBlocksMessage,
  GetEpochsMessage,
  GetSnapshotChunkMessage,
  SyncAnswer,
} from '../../protocol/sync/messages.ts';
import { PEERS_MAX, SERVING_RATE } from '../../protocol/sync/serving.ts';
import { type Bucket, fullBucket, oweTokens, refilled } from '../../protocol/transport/bucket.ts';
import type { Decision } from '../vocabulary/index.ts';
import { type EpochAsker, isNextEpoch } from './epoch.ts';

export interface ChainServerInput extends EpochAsker {
  readonly bls: BlsEngine;
  readonly storage: CellAddress;
  readonly router: CellAddress;
  /** Absent: this node keeps no snapshots. */
  readonly snapshotKeeper?: CellAddress;
}

/** Blocks of one epoch that are to be given. */
interface Giving {
  readonly blocks: readonly CertifiedBlock[];
  readonly proofs: readonly CommitProof[];
  readonly height: Height;
}

/** What is read for whom. */
export type Reading =
  | { readonly step: 'blocks'; readonly question: GetBlocksMessage | GetBlockMessage }
  /** How the epoch before that of the blocks ended: it says who signed them (CS-16). */
  | (Giving & { readonly step: 'epoch'; readonly wantsBatches: boolean; readonly epoch: Epoch })
  | (Giving & {
      readonly step: 'batches';
      /** The block that was asked for by its id, or what the certificates are judged by. */
      readonly by: { readonly id: BlockId } | { readonly epoch: EpochContext };
    })
  | { readonly step: 'tip' }
  | { readonly step: 'id'; readonly height: Height }
  | { readonly step: 'chainTip' }
  | { readonly step: 'epochs'; readonly question: GetEpochsMessage }
  | { readonly step: 'manifest' }
  | { readonly step: 'chunk'; readonly question: GetSnapshotChunkMessage }
  | {
      readonly step: 'checkpoints';
      readonly base: Height;
      readonly proof: CommitProof | undefined;
      readonly heights: readonly Height[];
    };

export type Waiting = Reading & {
  readonly peer: Address;
  readonly requestId: number;
  readonly size: 'blocks' | 'small';
  /** Resting until its asker's share is there again; queued for a place; or being read, in one. */
  readonly stage: 'resting' | 'queued' | 'reading';
};

export interface ChainServerCounts {
  readonly answered: number;
  /** Questions of those who had too many waiting already, or when all had. */
  readonly dropped: number;
  /** Questions that waited because their asker had had its share. */
  readonly rested: number;
  /** Answers that end below what was found, because its certificate does not hold. */
  readonly shortened: number;
  /** Questions that storage, or the keeper of snapshots, did not answer. */
  readonly failed: number;
}

export interface ChainServerContext extends ChainServerInput {
  /** By their numbers, those that blocks were asked of. At most EPOCHS_KEPT_MAX; the oldest of the memory but the first is read once more. */
  readonly epochs: ReadonlyMap<Epoch, EpochContext>;
  /** By storage tag. At most WAITING_MAX, and WAITING_PER_PEER_MAX of each peer. */
  readonly waiting: ReadonlyMap<number, Waiting>;
  readonly tag: number;
  readonly verified: VerifiedCertificates;
  /** As storage said last; absent before it said anything. */
  readonly height?: Height;
  /** Of those who have had more than they may have at once. At most PEERS_MAX; those that have it whole again are forgotten first. */
  readonly shares: ReadonlyMap<Address, Bucket>;
  readonly counts: ChainServerCounts;
}

export interface Clock {
  readonly now: Monotonic;
  readonly address: CellAddress;
}
export type Decided = Decision<ChainServerContext>;
export type Found<Type extends StorageReply['type']> = Extract<StorageReply, { type: Type }>;

export const initialChainServer = (input: ChainServerInput): ChainServerContext => ({
  ...input,
  epochs: new Map([[input.epoch.epoch, input.epoch]]),
  waiting: new Map(),
  tag: 0,
  verified: NONE_VERIFIED,
  shares: new Map(),
  counts: { answered: 0, dropped: 0, rested: 0, shortened: 0, failed: 0 },
});

export const counted = (
  { counts }: ChainServerContext,
  name: keyof ChainServerCounts,
): Pick<ChainServerContext, 'counts'> => ({
  counts: { ...counts, [name]: counts[name] + 1 },
});

export const send = ({ router }: ChainServerInput, peer: Address, message: SyncAnswer): Effect =>
  telling(router, { type: 'network.sendRequested', outgoing: [{ to: [peer], message }] });

/** @unit epochs @source chosen: as many nodes may catch up, each in another one, without a read for each answer */
const EPOCHS_KEPT_MAX = 16;

export const recordEpoch = (context: ChainServerContext, began: EpochBegan): Decided =>
  isNextEpoch(context, began)
    ? { context: { epoch: began.epoch, epochs: withEpoch(context, began.epoch) } }
    : {};

export function withEpoch({ epochs }: ChainServerContext, epoch: EpochContext): ChainServerContext['epochs'] {
  const known = new Map(epochs).set(epoch.epoch, epoch);
  // The first is of the genesis: no end of an epoch before it could be read.
  const oldest = [...known.keys()].find((number) => number !== FIRST_EPOCH);
  if (known.size > EPOCHS_KEPT_MAX && oldest !== undefined) known.delete(oldest);
  return known;
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

export type Unnumbered<Answer> = Answer extends unknown ? Omit<Answer, 'requestId'> : never;

export const answered = (
  context: ChainServerContext,
  rest: ReadonlyMap<number, Waiting>,
  { peer, requestId }: Waiting,
  answer: Unnumbered<SyncAnswer>,
): Decided => ({
  context: { ...context, ...counted(context, 'answered'), waiting: rest },
  effects: [send(context, peer, { ...answer, requestId })],
});

/** "I hold it, and cannot give it now": nobody waits for what does not come. Of other kinds there is no such word. */
export function declined(
  context: ChainServerContext,
  { peer, requestId, isForBlocks }: { peer: Address; requestId: number; isForBlocks: boolean },
): readonly Effect[] {
  const { height } = context;
  if (!isForBlocks || height === undefined) return [];
  return [send(context, peer, { kind: 'Blocks', requestId, blocks: [], batches: [], height })];
}

export const shareOf = ({ shares }: ChainServerContext, peer: Address, now: Monotonic): Bucket =>
  shares.get(peer) ?? fullBucket(SERVING_RATE, now);

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
  if (shares.size >= PEERS_MAX) {
    for (const [other, share] of context.shares) {
      if (refilled(share, SERVING_RATE, now).tokens >= SERVING_RATE.burst) shares.delete(other);
    }
    const [oldest] = shares.keys();
    if (shares.size >= PEERS_MAX && oldest !== undefined) shares.delete(oldest);
  }
  return shares.set(peer, bucket);
}
