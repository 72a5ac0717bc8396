/**
 * Downloads the chain into the side store (seed 001: downloadFullChain): a window of pieces, each of the peers whose chain it
 * is, written in order as far as verified proofs commit it. Pure. Rules SY-8, SY-9, SY-11, docs/protocol/sync.md.
 */
import { type Monotonic, millis } from '../../base/units.ts';
import { statementOf } from '../../protocol/chain/canonical.ts';
import type { Address, Height } from '../../protocol/chain/types.ts';
import type { SideStoreReply, SideStoreRequest, StateSyncReply } from '../../protocol/ports/sync.ts';
import { type Effect, telling } from '../../protocol/supervision/effect.ts';
import { slowWith, withNextGuide } from '../../protocol/sync/chain-dispute.ts';
import {
  type Download,
  endsApart,
  type Piece,
  type PieceQuestion,
  pausing,
  questionOf,
  withBatches,
  withBlocks,
  withoutBatchesOf,
  withPiece,
  written,
} from '../../protocol/sync/chain-download.ts';
import { type Front, frontOf, type ReadyBlock } from '../../protocol/sync/chain-front.ts';
import type { SegmentFault } from '../../protocol/sync/faults.ts';
import { isAmple } from '../../protocol/sync/patience.ts';
import { advanced, beginProgress } from '../../protocol/sync/progress.ts';
import { verifySegment } from '../../protocol/sync/segment.ts';
import type { SyncError } from '../../protocol/sync/types.ts';
import { askAll, contradicted, disputed, settledBy, without } from './chain-sync.asking.ts';
import {
  type ChainSyncContext,
  type Clock,
  chained,
  counted,
  countLate,
  failing,
  type Stepped,
  tellProgress,
  unchanged,
} from './chain-sync.live.ts';
import { certifiedBy, firstPart, nextPart, planting } from './chain-sync.planting.ts';

/** Failures of one piece in a row, after which the re-sync fails. @unit failures @source chosen: some minutes with the pauses */
export const FAILURES_MAX = 8;
/** Doubled with each failure in a row. @unit ms @source chosen */
const PAUSE_MS_MIN = 500;
/** @unit ms @source chosen */
const PAUSE_MS_MAX = 30_000;
/** Nothing became durable for so long: it fails. @unit ms @source chosen: ten answers of a slow peer */
export const STALLED_MS = millis(600_000);
/** Words about progress while nothing changes. @unit ms @source chosen */
export const PROGRESS_MS = millis(5_000);

type Answered = Extract<StateSyncReply, { type: 'blocks.answered' }>;
type FetchFailed = Extract<StateSyncReply, { type: 'fetch.failed' }>;

export function beginDownloading(context: ChainSyncContext, clock: Clock): Stepped {
  const { target } = context;
  if (target === undefined) return unchanged(context);
  const part = firstPart(context, target);
  const progress = beginProgress(part.download.durable.height, clock.now);
  const begun: Stepped = {
    context: { ...context, ...part, progress, isPrepared: true, isPlanted: false },
    effects: [watching(), beating()],
  };
  return chained(begun, (now) => chained(went(now, clock), (then) => tellProgress(then, clock.now, true)));
}

/** What is not answered yet is not waited for, and no timer goes on. */
export function endDownloading(context: ChainSyncContext, { address }: Clock): Stepped {
  const cancelled = (context.download?.pieces ?? []).flatMap(({ step }): readonly Effect[] =>
    step.status === 'asked'
      ? [telling(context.stateSync, { type: 'fetch.cancelled', replyTo: address, tag: step.tag })]
      : [],
  );
  const timers = ['watch', 'retry', 'hurry'].map((key): Effect => ({ kind: 'cancelTimer', key }));
  return { context: { ...context, fetchingFrom: new Map() }, effects: [...cancelled, ...timers] };
}

export function recordFetching(context: ChainSyncContext, tag: number, peer: Address): Stepped {
  if (pieceAsked(context, tag) === undefined) return countLate(context);
  return unchanged({ ...context, fetchingFrom: new Map(context.fetchingFrom).set(tag, peer) });
}

export function takeAnswer(context: ChainSyncContext, answer: Answered, clock: Clock): Stepped {
  const asked = pieceAsked(context, answer.tag);
  if (asked === undefined) return countLate(context);
  const { piece, question } = asked;
  const freed = withoutFetch(context, answer.tag);
  const taken =
    question.what === 'blocks'
      ? takeBlocks(freed, piece, question, answer, clock)
      : takeBatches(freed, piece, question, answer, clock);
  return chained(taken, (now) => went(now, clock));
}

export function takeFailure(
  context: ChainSyncContext,
  { tag, error, tried }: FetchFailed,
  clock: Clock,
): Stepped {
  const asked = pieceAsked(context, tag);
  if (asked === undefined) return countLate(context);
  const freed = withoutFetch(context, tag);
  const { piece, question } = asked;
  const failed = pausing(piece);
  if (failed.failures >= FAILURES_MAX) {
    if (question.what === 'batches') return chained(left(freed, piece, question), (now) => went(now, clock));
    return unchanged({ ...freed, failure: error });
  }
  const pause = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** (failed.failures - 1)) * (0.5 + clock.draw());
  const retry: Effect = { kind: 'startTimer', key: 'retry', delayMs: pause, message: { type: 'retry.due' } };
  const { dispute, holders } = freed;
  const slow = tried.reduce((some, peer) => slowWith(some, peer, holders), freed.slow);
  const guided = dispute === undefined ? undefined : withNextGuide(dispute, holders, slow);
  const next = { ...replaced(freed, failed), ...counted(freed, 'piecesRetried'), slow, dispute: guided };
  return { context: next, effects: [retry] };
}

export function retryPieces(context: ChainSyncContext, clock: Clock): Stepped {
  const { download } = context;
  if (download === undefined) return unchanged(context);
  const pieces = download.pieces.map(
    (piece): Piece => (piece.step.status === 'pausing' ? { ...piece, step: { status: 'due' } } : piece),
  );
  return went({ ...context, download: { ...download, pieces } }, clock);
}

export function recordWritten(
  context: ChainSyncContext,
  { tag, height }: Extract<SideStoreReply, { type: 'side.appended' }>,
  clock: Clock,
): Stepped {
  const appending = context.download?.appending;
  if (context.download === undefined || appending === undefined || appending.tag !== tag)
    return countLate(context);
  if (height !== appending.height) {
    const detail = `the side store is at height ${height}, ${appending.height} was written`;
    return unchanged({ ...context, ...failing('CriticalSyncRequired', detail) });
  }
  const { tag: _, ...durable } = appending;
  const download = written(context.download, durable);
  const progress = context.progress === undefined ? undefined : advanced(context.progress, height, clock.now);
  const noted = { ...context, download, progress };
  // CS-16: another epoch, other validators. What was in dispute of this one is settled.
  const part = nextPart(noted);
  const parted = part === undefined ? noted : { ...noted, ...part, dispute: undefined };
  const next: Stepped = { context: parted, effects: [watching()] };
  if (isAllWritten(parted)) return chained(next, (now) => tellProgress(now, clock.now, true));
  return chained(next, (now) => chained(went(now, clock), (then) => tellProgress(then, clock.now, false)));
}

/** Of every epoch. */
export const isAllWritten = ({ download, target }: ChainSyncContext): boolean =>
  download !== undefined && target !== undefined && download.durable.height >= target.height;

export const stalled = ({ download }: ChainSyncContext): SyncError => ({
  code: 'Timeout',
  detail: `nothing was written above height ${download?.durable.height ?? 0} for ${STALLED_MS / 60_000} min`,
});

export function beat(context: ChainSyncContext, now: Monotonic): Stepped {
  const told = tellProgress(context, now, true);
  return { context: told.context, effects: [...told.effects, beating()] };
}

/** What follows from what is here: something is written, pieces are begun, questions are asked. */
function went(context: ChainSyncContext, clock: Clock): Stepped {
  if (context.download === undefined || context.failure !== undefined) return unchanged(context);
  return chained(writeFront(context, clock), (now) => askAll(now, clock));
}

function writeFront(context: ChainSyncContext, { address }: Clock): Stepped {
  const { download } = context;
  if (download === undefined || download.appending !== undefined) return unchanged(context);
  const front = frontOf(download);
  switch (front.status) {
    case 'waiting':
      return unchanged(context);
    case 'unproved': {
      const { height } = front;
      const error = errorOf('NoConsensusReached', `no commit is proved up to height ${height}`);
      return disputed(context, { height, claims: [] }, error, address);
    }
    case 'parts':
      return disputed(context, front.seam, partingAt(front.seam.height), address);
    case 'contradicts':
      return contradicted(context, front.giver, partingAt(front.height), address);
    case 'ready':
      return writeBlocks(context, download, front, address);
  }
}

function writeBlocks(
  context: ChainSyncContext,
  download: Download,
  { root, blocks, batches }: Extract<Front, { status: 'ready' }>,
  replyTo: string,
): Stepped {
  const newest = blocks.at(-1);
  if (newest === undefined) return unchanged(context);
  const other = missedCheckpoint(context, blocks);
  if (other !== undefined) return unchanged({ ...context, ...failing('CriticalSyncRequired', other) });
  const tag = context.tag + 1;
  const { id, certified } = newest;
  const { height } = certified.block.header;
  const appending = { tag, height, id, statement: statementOf(certified.block, id) };
  const message: SideStoreRequest = {
    ...{ type: 'side.appendRequested', replyTo, tag, blocks, batches },
    ...(context.ended === undefined ? {} : { ended: context.ended }),
  };
  const joining = certifiedBy(context, blocks);
  return {
    context: {
      ...settledBy(context, root === undefined ? blocks : [root, ...blocks]),
      ...{ tag, joining, ended: undefined, isPlanted: true },
      download: { ...download, appending },
    },
    effects: [...planting(context, download, root, { replyTo, tag }), telling(context.sideStore, message)],
  };
}

const errorOf = (code: 'NoConsensusReached' | 'BlockNotFound', detail: string): SyncError => ({
  code,
  detail,
});

const partingAt = (height: Height): SyncError =>
  errorOf('NoConsensusReached', `the peers' blocks do not hang together at height ${height}`);

/** What is written is committed: a checkpoint that is not on this chain never will be. */
function missedCheckpoint({ order }: ChainSyncContext, blocks: readonly ReadyBlock[]): string | undefined {
  const checkpoint = order?.checkpoint;
  if (checkpoint === undefined) return undefined;
  const { height, id } = checkpoint;
  const at = blocks.find(({ certified }) => certified.block.header.height === height);
  if (at === undefined || at.id === id) return undefined;
  return `the trusted peers' chain has block ${at.id} at height ${height}, the checkpoint is ${id}`;
}

function takeBlocks(
  context: ChainSyncContext,
  piece: Piece,
  { from, limit }: PieceQuestion,
  { peer, blocks, batches }: Answered,
  clock: Clock,
): Stepped {
  const target = context.download?.target;
  const proofs = target === undefined ? [] : [target.proof];
  const check = verifySegment(context, { from, limit, proofs }, { blocks, batches });
  const judged = { ...context, verified: check.verified };
  if (check.status === 'refused') return refused(judged, piece, peer, blocks.length, check.code);
  if (check.status === 'notUnderstood') return refused(judged, piece, peer, blocks.length, undefined);
  const { segment } = check;
  if (target !== undefined && endsApart(segment, target))
    return refused(judged, piece, peer, blocks.length, 'CONTRADICTS_COMMITTED');
  const fuller = withBlocks(piece, segment, peer);
  if (fuller.status === 'parts')
    return disputed(judged, fuller.seam, partingAt(fuller.seam.height), clock.address);
  const isLong = isAmple(segment.bytes, blocks.length === limit);
  const taken = replaced(judged, timed(fuller.piece, isLong, clock));
  const good: Effect = telling(context.stateSync, { type: 'peer.judged', peer, verdict: 'good' });
  return {
    context: { ...taken, ...counted(taken, 'blocksFetched', blocks.length) },
    effects: isLong ? [good] : [],
  };
}

/** SY-8: the time of a piece begins anew with an ample answer only. */
const timed = (piece: Piece, isLong: boolean, { now }: Clock): Piece =>
  isLong ? { ...piece, waitsSince: now } : piece;

/** The sender is to blame where there is a code: what was refused, it should have refused itself. It is asked no more. */
function refused(
  context: ChainSyncContext,
  piece: Piece,
  peer: Address,
  blocks: number,
  code: SegmentFault | undefined,
): Stepped {
  const blame: readonly Effect[] =
    code === undefined ? [] : [telling(context.stateSync, { type: 'peer.judged', peer, verdict: { code } })];
  const due = replaced(context, { ...piece, step: { status: 'due' } });
  const rejected = { ...due, ...counted(due, 'blocksRejected', blocks) };
  const next = { ...rejected, ...counted(rejected, 'piecesRetried') };
  const detail = `the blocks from height ${piece.from} could not be had from the trusted peers; ${peer} was the last`;
  return chained({ context: next, effects: blame }, (now) =>
    without(now, [peer], errorOf('BlockNotFound', detail)),
  );
}

function takeBatches(
  context: ChainSyncContext,
  piece: Piece,
  question: PieceQuestion,
  { peer, batches }: Answered,
  clock: Clock,
): Stepped {
  const fuller = withBatches(piece, question, batches);
  if (fuller.failures >= context.config.fetchAttempts) return left(context, piece, question);
  const isNamed = fuller.failures === 0 || fuller.avoid.includes(peer);
  const avoiding = isNamed ? fuller : { ...fuller, avoid: [...fuller.avoid, peer] };
  const bytes = batches.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const next = questionOf(fuller);
  const isAll = next === undefined || next.from >= question.from + question.limit;
  return unchanged(replaced(context, timed(avoiding, isAmple(bytes, isAll), clock)));
}

/** SY-9: what does not fit an answer is fetched by the executor when the new chain runs, as any batch. */
const left = (context: ChainSyncContext, piece: Piece, question: PieceQuestion): Stepped =>
  unchanged(replaced(context, withoutBatchesOf(piece, question)));

function pieceAsked(
  { download }: ChainSyncContext,
  tag: number,
): { readonly piece: Piece; readonly question: PieceQuestion } | undefined {
  for (const piece of download?.pieces ?? []) {
    if (piece.step.status === 'asked' && piece.step.tag === tag)
      return { piece, question: piece.step.question };
  }
  return undefined;
}

const replaced = (context: ChainSyncContext, piece: Piece): ChainSyncContext => ({
  ...context,
  download: context.download === undefined ? undefined : withPiece(context.download, piece),
});

function withoutFetch(context: ChainSyncContext, tag: number): ChainSyncContext {
  const fetchingFrom = new Map(context.fetchingFrom);
  fetchingFrom.delete(tag);
  return { ...context, fetchingFrom };
}

export const watching = (): Effect => ({
  kind: 'startTimer',
  key: 'watch',
  delayMs: STALLED_MS,
  message: { type: 'watch.due' },
});

const beating = (): Effect => ({
  kind: 'startTimer',
  key: 'progress',
  delayMs: PROGRESS_MS,
  message: { type: 'progress.due' },
});
