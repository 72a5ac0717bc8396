/** What chain-sync knows of a full re-sync, and what it tells whom. Pure. Rules SY-9, SY-11, SY-13, docs/protocol/sync.md. */
import type { Monotonic, WallTime } from '../../base/units.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import type { Address, BlockId, EpochChange, ExecutedState, Height } from '../../protocol/chain/types.ts';
import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import { NONE_VERIFIED, type VerifiedCertificates } from '../../protocol/consensus/verified.ts';
import type { RestoreRequest } from '../../protocol/ports/snapshots.ts';
import type {
  ResyncEnded,
  ResyncProgressed,
  ResyncReady,
  SideStoreRequest,
  StateSyncReply,
  StateSyncRequest,
  SyncStorageRequest,
} from '../../protocol/ports/sync.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import type { OwnParting, PartedPeer } from '../../protocol/sync/chain-choice.ts';
import type { Dispute } from '../../protocol/sync/chain-dispute.ts';
import type { Download } from '../../protocol/sync/chain-download.ts';
import type { SyncConfig } from '../../protocol/sync/config.ts';
import { beginWalk, type EpochWalk } from '../../protocol/sync/epoch-walk.ts';
import type { ChainCheckpoint } from '../../protocol/sync/messages.ts';
import { type Progress, viewOf } from '../../protocol/sync/progress.ts';
import type {
  Certification,
  ChunkAsk,
  SnapshotCandidate,
  SnapshotDownload,
} from '../../protocol/sync/snapshot.ts';
import type { ProvedTip, SnapshotProgress, SyncError, SyncErrorCode } from '../../protocol/sync/types.ts';
import type { Decision } from '../vocabulary/index.ts';

/** Between two words about progress. @unit ms @source SY-11 */
const PROGRESS_MS_MIN = 250;

/** Snapshots that were tried in vain, after which the join fails. @unit snapshots @source chosen: liars make new ones at will */
export const SNAPSHOTS_TRIED_MAX = 8;

export interface ChainSyncInput {
  /** What the genesis says: where every walk begins. */
  readonly first: EpochContext;
  readonly bls: BlsEngine;
  readonly config: SyncConfig;
  readonly storage: CellAddress;
  readonly stateSync: CellAddress;
  readonly sideStore: CellAddress;
  readonly snapshotRestorer: CellAddress;
  /** Of the genesis: blocks below a snapshot that are needed with it (EX-2). @unit heights */
  readonly deduplicationHeights: number;
  /** The only one whose order counts: it has it from the operator (SY-9). */
  readonly networkSync: CellAddress;
  readonly alarm: CellAddress;
}

/** SY-13. Since the start of this cell. */
export interface ChainSyncCounts {
  readonly resyncs: number;
  readonly blocksFetched: number;
  readonly blocksRejected: number;
  /** Questions that had to be asked again. */
  readonly piecesRetried: number;
  /** Answers that did not join what was below them, or proved no commit. */
  readonly partings: number;
  /** Times that one more peer was asked, because the lowest piece waited. */
  readonly hurried: number;
  /** Snapshots that could not be used (SY-10). */
  readonly snapshotsRefused: number;
  /** Answers that came when nobody waited for them any more. */
  readonly late: number;
  /** Orders that did not come from the operator, or came while one was carried out. */
  readonly refused: number;
}

export interface Order {
  readonly replyTo: CellAddress;
  readonly tag: number;
  readonly mode: 'chain' | 'snapshot';
  readonly checkpoint?: ChainCheckpoint;
}

type PeerChain = Extract<StateSyncReply, { type: 'chains.answered' }>['chains'][number];

/** A join by a snapshot (SY-10). */
export interface Joining {
  /** Manifests that are not tried again, by their ids. */
  readonly refused: ReadonlySet<string>;
  /** Times that a snapshot which a peer offered was left: others go first. */
  readonly disappointments: ReadonlyMap<Address, number>;
  /** Snapshots that were left, some of them more than once. */
  readonly tries: number;
  readonly candidate: SnapshotCandidate | undefined;
  readonly chunks: SnapshotDownload | undefined;
  /** Open questions for chunks, by their tags. */
  readonly asked: ReadonlyMap<number, ChunkAsk>;
  /** For the application, in order; it reads the first one under the tag `feeding`. */
  readonly ready: readonly Uint8Array[];
  readonly feeding: number | undefined;
  /** Where the application says it stands after the last chunk. */
  readonly restored: ExecutedState | undefined;
  /** Of the block that the snapshot was taken after, as it was downloaded. */
  readonly blockId: BlockId | undefined;
  /** What the headers that are written say of the state. */
  readonly certification: Certification;
  /** Why this snapshot cannot be used: the next one is tried. */
  readonly rejection: string | undefined;
  /** Of the snapshot before this one. */
  readonly lastRejection: string | undefined;
}

export interface ChainSyncContext extends ChainSyncInput {
  /** By which the part that is downloaded, or was last, is judged. */
  readonly epoch: EpochContext;
  /** From the first epoch to that of the chain that is taken (CS-16). Kept until the end of the order. */
  readonly walk: EpochWalk;
  /** As they came; those of an epoch that is not the node's are not judged before the walk has come there. */
  readonly described: readonly PeerChain[];
  readonly tag: number;
  /** Whose answer the present state waits for. */
  readonly awaited: number;
  readonly order: Order | undefined;
  /** By rising address; empty until they are found. Once chains are described, those who described theirs. */
  readonly trusted: readonly Address[];
  /** Of the whole; that of a download ends with its epoch. */
  readonly target: ProvedTip | undefined;
  /** By rising address. Of a download: without those whose answers were not of this chain. */
  readonly holders: readonly Address[];
  /** They kept the download waiting. */
  readonly slow: readonly Address[];
  readonly dispute: Dispute | undefined;
  /** The last time that the lowest piece had waited too long. */
  readonly hurriedAt: Monotonic | undefined;
  /** The lowest block that each of them has. */
  readonly bases: ReadonlyMap<Address, Height>;
  /** Undefined: all of the chain is downloaded. */
  readonly joining: Joining | undefined;
  readonly checkpoints: readonly ChainCheckpoint[];
  /** For the operator: who has another chain, and where it parts from ours. Kept after the end. */
  readonly parted: readonly PartedPeer[];
  readonly ownParting: OwnParting | undefined;
  /** Ends of epochs that the side store has, which holds no block of them. */
  readonly passed: number;
  /** Of one epoch. */
  readonly download: Download | undefined;
  /** How the epoch before the download's ended, while the side store does not have it. */
  readonly ended: EpochChange | undefined;
  /** The side store knows what its first block stands on. */
  readonly isPlanted: boolean;
  /** Whom the open questions for blocks are at. */
  readonly fetchingFrom: ReadonlyMap<number, Address>;
  /** The side store was asked to open: at a failure it is discarded. */
  readonly isPrepared: boolean;
  readonly progress: Progress | undefined;
  readonly toldAt: Monotonic | undefined;
  readonly verified: VerifiedCertificates;
  readonly failure: SyncError | undefined;
  readonly sealed: Height | undefined;
  readonly counts: ChainSyncCounts;
}

export type ChainSyncPrivateEvent =
  | { readonly type: 'progress.due' }
  | { readonly type: 'watch.due' }
  | { readonly type: 'hurry.due' }
  | { readonly type: 'retry.due' };

/** What a step sees of the world. */
export interface Clock {
  readonly now: Monotonic;
  readonly wall: WallTime;
  readonly address: CellAddress;
  readonly draw: () => number;
}

export type Decided = Decision<ChainSyncContext>;

/** A step that has been taken: the whole context after it. */
export interface Stepped {
  readonly context: ChainSyncContext;
  readonly effects: readonly Effect[];
}

export const unchanged = (context: ChainSyncContext): Stepped => ({ context, effects: [] });

export function chained(
  { context, effects }: Stepped,
  next: (context: ChainSyncContext) => Stepped,
): Stepped {
  const after = next(context);
  return { context: after.context, effects: [...effects, ...after.effects] };
}

/** Before peers are looked for. */
const UNCHOSEN = {
  trusted: [],
  described: [],
  target: undefined,
  holders: [],
  bases: new Map<Address, Height>(),
  checkpoints: [],
  passed: 0,
  download: undefined,
  ended: undefined,
  isPlanted: false,
  fetchingFrom: new Map<number, Address>(),
  slow: [],
  dispute: undefined,
  hurriedAt: undefined,
  progress: undefined,
  toldAt: undefined,
} as const;

const IDLE = {
  ...UNCHOSEN,
  order: undefined,
  joining: undefined,
  isPrepared: false,
  failure: undefined,
  sealed: undefined,
} as const;

export const initialChainSync = (input: ChainSyncInput, now: Monotonic): ChainSyncContext => ({
  ...input,
  ...IDLE,
  epoch: input.first,
  walk: beginWalk(input.first),
  // Not those of an earlier life, whose answers may be on their way.
  tag: Math.floor(now),
  awaited: 0,
  parted: [],
  ownParting: undefined,
  verified: NONE_VERIFIED,
  counts: {
    resyncs: 0,
    blocksFetched: 0,
    blocksRejected: 0,
    piecesRetried: 0,
    partings: 0,
    hurried: 0,
    snapshotsRefused: 0,
    late: 0,
    refused: 0,
  },
});

export const counted = (
  { counts }: ChainSyncContext,
  name: keyof ChainSyncCounts,
  by = 1,
): Pick<ChainSyncContext, 'counts'> => ({ counts: { ...counts, [name]: counts[name] + by } });

export const countLate = (context: ChainSyncContext): Stepped =>
  unchanged({ ...context, ...counted(context, 'late') });

export const failing = (code: Exclude<SyncErrorCode, 'SyncGapTooLarge'>, detail: string) => ({
  failure: { code, detail },
});

type Question<Request> = Request extends { readonly replyTo: string; readonly tag: number }
  ? Omit<Request, 'replyTo' | 'tag'>
  : never;

/** A question whose answer the state waits for. */
export function asking(
  context: ChainSyncContext,
  to: CellAddress,
  question: Question<StateSyncRequest | SideStoreRequest | SyncStorageRequest | RestoreRequest>,
  { address }: Clock,
): Decided {
  const tag = context.tag + 1;
  return { context: { tag, awaited: tag }, effects: [telling(to, { ...question, replyTo: address, tag })] };
}

const NO_SNAPSHOT: Omit<Joining, 'refused' | 'disappointments' | 'tries'> = {
  candidate: undefined,
  chunks: undefined,
  asked: new Map(),
  ready: [],
  feeding: undefined,
  restored: undefined,
  blockId: undefined,
  certification: { status: 'not yet' },
  rejection: undefined,
  lastRejection: undefined,
};

/** SY-9: an order that the operator gave. What the last attempt found of partings is forgotten. */
export function begun(context: ChainSyncContext, order: Order): Decided {
  const joining: Joining | undefined =
    order.mode === 'snapshot'
      ? { ...NO_SNAPSHOT, refused: new Set(), disappointments: new Map(), tries: 0 }
      : undefined;
  return {
    context: {
      ...IDLE,
      epoch: context.first,
      walk: beginWalk(context.first),
      order,
      joining,
      parted: [],
      ownParting: undefined,
      ...counted(context, 'resyncs'),
    },
  };
}

/**
 * Peers are looked for anew, and the snapshot is not tried again: unless no header had come so far as to certify it, which one
 * will as the chain grows. Those who offered it come after the others.
 */
export function withoutCandidate({ joining }: ChainSyncContext): Partial<ChainSyncContext> {
  if (joining === undefined) return UNCHOSEN;
  const { refused, candidate, restored, certification, rejection: lastRejection } = joining;
  const isEarly = restored !== undefined && certification.status === 'not yet';
  const more = candidate === undefined || isEarly ? refused : new Set([...refused, candidate.id]);
  const left = disappointed(joining, candidate?.holders ?? []);
  return { ...UNCHOSEN, joining: { ...left, ...NO_SNAPSHOT, refused: more, lastRejection } };
}

/**
 * SY-10: the snapshot is no older than the chain that was described. Both are asked for anew, and of the peers those only who
 * described theirs: waiting for the others is what a chain grows in.
 */
export function withoutTarget(joining: Joining, holders: readonly Address[]): Partial<ChainSyncContext> {
  const lastRejection = 'no block of the chain that was described is above it';
  return { target: undefined, joining: { ...disappointed(joining, holders), lastRejection } };
}

function disappointed(joining: Joining, holders: readonly Address[]): Joining {
  const disappointments = new Map(joining.disappointments);
  for (const peer of holders) disappointments.set(peer, (disappointments.get(peer) ?? 0) + 1);
  return { ...joining, disappointments, tries: joining.tries + 1 };
}

export function refusing(
  context: ChainSyncContext,
  { replyTo, tag }: Pick<Order, 'replyTo' | 'tag'>,
  detail: string,
): Decided {
  const error: SyncError = { code: 'CriticalSyncRequired', detail };
  const message: ResyncEnded = { type: 'resync.ended', tag, outcome: { status: 'failed', error } };
  return { context: counted(context, 'refused'), effects: [telling(replyTo, message)] };
}

/** The end, for whoever ordered it. */
export function ended(context: ChainSyncContext): Decided {
  const { order, sealed, failure } = context;
  const error = failure ?? { code: 'Timeout', detail: 'it came to no end' };
  const outcome: ResyncEnded['outcome'] =
    sealed === undefined ? { status: 'failed', error } : { status: 'ready', height: sealed };
  const progressed: ResyncProgressed = { type: 'resync.progressed' };
  const effects: Effect[] = [telling(context.networkSync, progressed)];
  if (sealed !== undefined) {
    const ready: ResyncReady = { type: 'resync.ready', height: sealed };
    effects.push(telling(context.alarm, ready));
  }
  if (order !== undefined) {
    const message: ResyncEnded = { type: 'resync.ended', tag: order.tag, outcome };
    effects.push(telling(order.replyTo, message));
  }
  return { context: { ...IDLE, walk: beginWalk(context.first), sealed }, effects };
}

/** SY-11: at most every PROGRESS_MS_MIN, unless it is asked for. */
export function tellProgress(context: ChainSyncContext, now: Monotonic, isDue: boolean): Stepped {
  const { progress, target, fetchingFrom, toldAt } = context;
  if (progress === undefined || target === undefined) return unchanged(context);
  if (!isDue && toldAt !== undefined && now - toldAt < PROGRESS_MS_MIN) return unchanged(context);
  const peers = [...new Set(fetchingFrom.values())].sort();
  const message: ResyncProgressed = {
    type: 'resync.progressed',
    progress: { ...viewOf(progress, target.height, peers, now), tier: 3, ...restoredSoFar(context) },
  };
  return { context: { ...context, toldAt: now }, effects: [telling(context.networkSync, message)] };
}

function restoredSoFar({ joining }: ChainSyncContext): { readonly snapshot?: SnapshotProgress } {
  if (joining?.chunks === undefined || joining.restored !== undefined) return {};
  const { candidate, written } = joining.chunks;
  const { height, chunks } = candidate.manifest;
  return { snapshot: { height, written, chunks: chunks.length } };
}
