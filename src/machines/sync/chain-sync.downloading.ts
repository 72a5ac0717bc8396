/**
 * Downloads the chain into the side store (seed 001: downloadFullChain): a window of pieces, each of the peers whose chain it
 * is, written in order as far as verified proofs commit it. Pure. Rules SY-8, SY-9, SY-11, docs/protocol/sync.md.
 */
import { type Monotonic, millis } from '../../base/units.ts';
import type { Address } from '../../protocol/chain/types.ts';
import type {
  SideStoreReply,
  SideStoreRequest,
  StateSyncReply,
  StateSyncRequest,
} from '../../protocol/ports/sync.ts';
import { type Effect, telling } from '../../protocol/supervision/effect.ts';
import {
  againWithout,
  anew,
  type Download,
  frontOf,
  HELD_BYTES_MAX,
  heldBytes,
  isWritten,
  type Piece,
  type PieceQuestion,
  questionOf,
  type ReadyBlock,
  withBatches,
  withBlocks,
  withNextPieces,
  withoutBatchesOf,
  withPiece,
  written,
} from '../../protocol/sync/chain-download.ts';
import { advanced, beginProgress } from '../../protocol/sync/progress.ts';
import { verifySegment } from '../../protocol/sync/segment.ts';
import type { SyncError } from '../../protocol/sync/types.ts';
import {
  type ChainSyncContext,
  type Clock,
  chained,
  counted,
  failing,
  type Stepped,
  tellProgress,
  unchanged,
} from './chain-sync.live.ts';
import { certifiedBy, downloadOf, planting } from './chain-sync.planting.ts';

/** Failures of one piece in a row, after which the re-sync fails. @unit failures @source chosen: some minutes with the pauses */
export const FAILURES_MAX = 8;
/** Pieces that did not join what was below them. @unit pieces @source chosen: two for each border of a liar among three peers */
export const PARTINGS_MAX = 16;
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
  const download = downloadOf(context, target);
  const progress = beginProgress(download.durable.height, clock.now);
  const begun: Stepped = {
    context: { ...context, download, progress, isPrepared: true },
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
  const timers = ['watch', 'retry'].map((key): Effect => ({ kind: 'cancelTimer', key }));
  return { context: { ...context, fetchingFrom: new Map() }, effects: [...cancelled, ...timers] };
}

export function recordFetching(context: ChainSyncContext, tag: number, peer: Address): Stepped {
  if (pieceAsked(context, tag) === undefined) return late(context);
  return unchanged({ ...context, fetchingFrom: new Map(context.fetchingFrom).set(tag, peer) });
}

export function takeAnswer(context: ChainSyncContext, answer: Answered, clock: Clock): Stepped {
  const asked = pieceAsked(context, answer.tag);
  if (asked === undefined) return late(context);
  const { piece, question } = asked;
  const freed = withoutFetch(context, answer.tag);
  const taken =
    question.what === 'blocks'
      ? takeBlocks(freed, piece, question, answer)
      : takeBatches(freed, piece, question, answer);
  return chained(taken, (now) => went(now, clock));
}

export function takeFailure(context: ChainSyncContext, { tag, error }: FetchFailed, clock: Clock): Stepped {
  const asked = pieceAsked(context, tag);
  if (asked === undefined) return late(context);
  const freed = withoutFetch(context, tag);
  const { piece, question } = asked;
  const failed = againWithout(piece, [], { status: 'pausing' });
  if (failed.failures >= FAILURES_MAX) {
    if (question.what === 'batches') return chained(left(freed, piece, question), (now) => went(now, clock));
    return unchanged({ ...freed, failure: error });
  }
  const pause = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** (failed.failures - 1)) * (0.5 + clock.draw());
  const retry: Effect = { kind: 'startTimer', key: 'retry', delayMs: pause, message: { type: 'retry.due' } };
  return { context: { ...replaced(freed, failed), ...counted(freed, 'piecesRetried') }, effects: [retry] };
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
    return late(context);
  if (height !== appending.height) {
    const detail = `the side store is at height ${height}, ${appending.height} was written`;
    return unchanged({ ...context, ...failing('CriticalSyncRequired', detail) });
  }
  const download = written(context.download, height, appending.id);
  const progress = context.progress === undefined ? undefined : advanced(context.progress, height, clock.now);
  const next: Stepped = { context: { ...context, download, progress }, effects: [watching()] };
  if (isWritten(download)) return chained(next, (now) => tellProgress(now, clock.now, true));
  return chained(next, (now) => chained(went(now, clock), (then) => tellProgress(then, clock.now, false)));
}

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
      const detail = `no commit is proved up to height ${front.height}`;
      return unchanged({ ...context, ...failing('NoConsensusReached', detail) });
    }
    case 'parts':
      return parting(context, front.pieces, address);
    case 'ready': {
      const { blocks, batches } = front;
      const newest = blocks.at(-1);
      if (newest === undefined) return unchanged(context);
      const other = missedCheckpoint(context, blocks);
      if (other !== undefined) {
        return unchanged({ ...context, ...failing('CriticalSyncRequired', other) });
      }
      const tag = context.tag + 1;
      const { id } = newest;
      const { height } = newest.certified.block.header;
      const message: SideStoreRequest = {
        type: 'side.appendRequested',
        replyTo: address,
        tag,
        blocks,
        batches,
      };
      const joining = certifiedBy(context, blocks);
      return {
        context: { ...context, tag, joining, download: { ...download, appending: { tag, height, id } } },
        effects: [
          ...planting(context, blocks, { replyTo: address, tag }),
          telling(context.sideStore, message),
        ],
      };
    }
  }
}

/** What is written is committed: a checkpoint that is not on this chain never will be. */
function missedCheckpoint({ order }: ChainSyncContext, blocks: readonly ReadyBlock[]): string | undefined {
  const checkpoint = order?.checkpoint;
  if (checkpoint === undefined) return undefined;
  const { height, id } = checkpoint;
  const at = blocks.find(({ certified }) => certified.block.header.height === height);
  if (at === undefined || at.id === id) return undefined;
  return `the trusted peers' chain has block ${at.id} at height ${height}, the checkpoint is ${id}`;
}

/** Which of them is wrong is not known: all are asked for anew, of others. */
function parting(context: ChainSyncContext, pieces: readonly Piece[], address: string): Stepped {
  const { download } = context;
  const partings = context.partings + 1;
  const at = pieces.at(-1)?.from ?? 0;
  const counts = counted(context, 'partings');
  if (download === undefined || partings >= PARTINGS_MAX) {
    const detail = `the peers' blocks do not hang together at height ${at}: they have different chains`;
    return unchanged({ ...context, ...counts, ...failing('NoConsensusReached', detail) });
  }
  const dropped = new Set(pieces.map(({ from }) => from));
  const open = pieces.flatMap(({ step }) => (step.status === 'asked' ? [step.tag] : []));
  const renewed = download.pieces.map((piece) => (dropped.has(piece.from) ? anew(piece) : piece));
  return {
    context: { ...context, ...counts, partings, download: { ...download, pieces: renewed } },
    effects: open.map((tag) =>
      telling(context.stateSync, { type: 'fetch.cancelled', replyTo: address, tag }),
    ),
  };
}

function askAll(context: ChainSyncContext, { address }: Clock): Stepped {
  if (context.download === undefined || context.failure !== undefined) return unchanged(context);
  const { config, holders, stateSync } = context;
  let download: Download = withNextPieces(context.download);
  let { tag } = context;
  const effects: Effect[] = [];
  for (const [index, piece] of download.pieces.entries()) {
    if (piece.step.status !== 'due') continue;
    const isFirst = download.pieces.slice(0, index).every(({ step }) => step.status === 'whole');
    if (!isFirst && heldBytes(download) >= HELD_BYTES_MAX) break;
    const question = questionOf(piece);
    if (question === undefined) continue;
    tag += 1;
    download = withPiece(download, { ...piece, step: { status: 'asked', tag, question } });
    const request: StateSyncRequest = {
      type: 'blocks.fetchRequested',
      query: { by: 'height', from: question.from, limit: question.limit },
      holders,
      avoid: piece.avoid,
      copies: 1,
      attempts: config.fetchAttempts,
      timeout: config.blockFetchTimeout,
      replyTo: address,
      tag,
    };
    effects.push(telling(stateSync, request));
  }
  return { context: { ...context, download, tag }, effects };
}

function takeBlocks(
  context: ChainSyncContext,
  piece: Piece,
  { from, limit }: PieceQuestion,
  { peer, blocks, batches }: Answered,
): Stepped {
  const { target } = context;
  const proofs = target === undefined ? [] : [target.proof];
  const check = verifySegment(context, { from, limit, proofs }, { blocks, batches });
  const judged = { ...context, verified: check.verified };
  if (check.status === 'refused') return refused(judged, piece, peer, blocks.length, check.code);
  const { segment } = check;
  const fuller = withBlocks(piece, segment, peer);
  if (fuller === 'parts') {
    const again = anew({ ...piece, givers: [...piece.givers, peer] });
    return tried({ ...judged, ...counted(judged, 'partings') }, again, peer);
  }
  const good: Effect = telling(context.stateSync, { type: 'peer.judged', peer, verdict: 'good' });
  return {
    context: { ...replaced(judged, fuller), ...counted(judged, 'blocksFetched', blocks.length) },
    effects: [good],
  };
}

/** The sender is to blame: what was refused, it should have refused itself. */
function refused(
  context: ChainSyncContext,
  piece: Piece,
  peer: Address,
  blocks: number,
  code: string,
): Stepped {
  const blame: Effect = telling(context.stateSync, { type: 'peer.judged', peer, verdict: { code } });
  const counts = counted(context, 'blocksRejected', blocks);
  const next = tried({ ...context, ...counts }, againWithout(piece, [peer], { status: 'due' }), peer);
  return { context: next.context, effects: [blame, ...next.effects] };
}

function tried(context: ChainSyncContext, piece: Piece, peer: Address): Stepped {
  const next = { ...replaced(context, piece), ...counted(context, 'piecesRetried') };
  if (piece.failures < FAILURES_MAX) return unchanged(next);
  const detail = `the blocks from height ${piece.from} could not be had from the trusted peers; ${peer} was the last`;
  return unchanged({ ...next, ...failing('BlockNotFound', detail) });
}

function takeBatches(
  context: ChainSyncContext,
  piece: Piece,
  question: PieceQuestion,
  { peer, batches }: Answered,
): Stepped {
  const fuller = withBatches(piece, question, batches);
  if (fuller.failures >= context.config.fetchAttempts) return left(context, piece, question);
  const isNamed = fuller.failures === 0 || fuller.avoid.includes(peer);
  const avoiding = isNamed ? fuller : { ...fuller, avoid: [...fuller.avoid, peer] };
  return unchanged(replaced(context, avoiding));
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

const late = (context: ChainSyncContext): Stepped => unchanged({ ...context, ...counted(context, 'late') });

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
