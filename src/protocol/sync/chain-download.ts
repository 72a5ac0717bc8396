/**
 * The window of a full download: pieces between fixed borders, fetched at once, verified each, joined and written in order.
 * What a verified proof does not commit yet is held back. Pure and total. Rules SY-8, SY-9; CS-5, docs/protocol/sync.md.
 */
import type { Monotonic } from '../../base/units.ts';
import { batchDigestOf } from '../chain/batch.ts';
import { maxHeight, nextHeight } from '../chain/ordinals.ts';
import type { Address, BatchDigest, BlockId, CertifiedBlock, Height, VoteStatement } from '../chain/types.ts';
import type { Seam } from './chain-dispute.ts';
import { BATCH_HEIGHTS } from './config.ts';
import type { Segment } from './segment.ts';
import { joined } from './segment.ts';
import type { ProvedTip } from './types.ts';

/** Pieces that are fetched at once. @unit pieces @source chosen: three peers and one that is being verified */
export const PIECES_MAX = 4;
/** Bytes of blocks and batches that are held; above it only the lowest piece goes on. @unit bytes @source chosen */
export const HELD_BYTES_MAX = 64 * 1_048_576;
/** Blocks whose batches are asked for at once, where they did not come with the blocks. @unit blocks @source chosen */
export const BATCHED_BLOCKS_MAX = 16;
/** Blocks above the last proof of a commit. @unit blocks @source 4 pieces: the block tree holds fewer that are uncommitted */
export const UNPROVED_BLOCKS_MAX = 4 * BATCH_HEIGHTS;

export interface Piece {
  readonly from: Height;
  readonly to: Height;
  /** What is verified of it, from `from` on. */
  readonly segment: Segment | undefined;
  /** Bytes of batches that its blocks name. */
  readonly batches: ReadonlyMap<BatchDigest, Uint8Array>;
  /** Batches that no peer could give alone in an answer: they are left to the executor, which fetches them. */
  readonly left: ReadonlySet<BatchDigest>;
  readonly step: PieceStep;
  /** Who gave the lowest of it, and who the highest. */
  readonly givers: { readonly lowest: Address; readonly highest: Address } | undefined;
  /** Asked last: they could not give its batches. */
  readonly avoid: readonly Address[];
  /** When it was asked for, or an ample answer came. */
  readonly waitsSince: Monotonic | undefined;
  /** In a row. */
  readonly failures: number;
  /** Blocks of the next question for batches. */
  readonly batchedBlocks: number;
}

export type PieceStep =
  | { readonly status: 'due' }
  | { readonly status: 'asked'; readonly tag: number; readonly question: PieceQuestion }
  /** Until its timer. */
  | { readonly status: 'pausing' }
  | { readonly status: 'whole' };

export interface PieceQuestion {
  readonly what: 'blocks' | 'batches';
  readonly from: Height;
  readonly limit: number;
}

export interface Durable {
  readonly height: Height;
  readonly id: BlockId;
  /** What its certificate says (SY-8). */
  readonly statement: VoteStatement;
}

export interface Download {
  /** Its proof commits it; it may certify a block high above it, where that ended its epoch (CS-16). */
  readonly target: ProvedTip;
  /** The newest block of the side store; or what the chain stands on, which is not known before its first block (SY-10). */
  readonly durable:
    | Durable
    | { readonly height: Height; readonly id?: undefined; readonly statement?: undefined };
  /** What is being written. */
  readonly appending: (Durable & { readonly tag: number }) | undefined;
  /** By rising height, without a gap, the first one above `durable`. */
  readonly pieces: readonly Piece[];
  /** Batches that were left to the executor. */
  readonly batchesLeft: number;
}

/** `root`: what the certificate says of the block on which an epoch stands. */
export const beginDownload = (target: ProvedTip, root: VoteStatement): Download =>
  beginDownloadAbove(target, { height: root.height, id: root.blockId, statement: root });

/** @param root below the first block that is asked for; that one is not written where the root's id is not known */
export const beginDownloadAbove = (target: ProvedTip, root: Download['durable']): Download => ({
  target,
  durable: root,
  appending: undefined,
  pieces: [],
  batchesLeft: 0,
});

/** At the target's height it has another block, which no proof commits. */
export const endsApart = ({ to, ids }: Segment, { height, id }: ProvedTip): boolean =>
  to >= height && ids.at(-1) !== id;

export const isWritten = ({ durable, target }: Download): boolean => durable.height >= target.height;

/** As many pieces as may be held, the next ones up to the target. */
export function withNextPieces(download: Download): Download {
  const pieces = [...download.pieces];
  let reached = pieces.at(-1)?.to ?? download.appending?.height ?? download.durable.height;
  while (
    reached < download.target.height &&
    pieces.length < PIECES_MAX &&
    (isAllWhole(pieces) || heldBytes(download) < HELD_BYTES_MAX)
  ) {
    const from = nextHeight(reached);
    reached = borderFrom(from, download.target.height);
    pieces.push(newPiece(from, reached));
  }
  return { ...download, pieces };
}

export const isAllWhole = (pieces: readonly Piece[]): boolean =>
  pieces.every(({ step }) => step.status === 'whole');

/** The end of the batch that holds the height (BATCH_HEIGHTS), or the target. */
function borderFrom(from: Height, target: Height): Height {
  const border = Math.ceil(from / BATCH_HEIGHTS) * BATCH_HEIGHTS;
  let height = from;
  while (height < border && height < target) height = nextHeight(height);
  return height;
}

const newPiece = (from: Height, to: Height): Piece => ({
  from,
  to,
  segment: undefined,
  batches: new Map(),
  left: new Set(),
  step: { status: 'due' },
  givers: undefined,
  avoid: [],
  waitsSince: undefined,
  failures: 0,
  batchedBlocks: BATCHED_BLOCKS_MAX,
});

/** What to ask for a piece next; undefined: it is whole. */
export function questionOf(piece: Piece): PieceQuestion | undefined {
  const { segment, from, to } = piece;
  const reached = segment?.to;
  if (reached === undefined || reached < to) {
    const next = reached === undefined ? from : nextHeight(reached);
    return { what: 'blocks', from: next, limit: to - next + 1 };
  }
  const lacking = segment?.blocks.findIndex((block) => lacksOf(piece, block).length > 0) ?? -1;
  const first = segment?.blocks[lacking]?.block.header.height;
  if (first === undefined) return undefined;
  return { what: 'batches', from: first, limit: Math.min(piece.batchedBlocks, to - first + 1) };
}

export const lacksOf = ({ batches, left }: Piece, { block }: CertifiedBlock): readonly BatchDigest[] =>
  block.header.batches
    .map(({ digest }) => digest)
    .filter((digest) => !batches.has(digest) && !left.has(digest));

/** A verified answer to a question for blocks, or where it does not join what the piece has. */
export function withBlocks(
  piece: Piece,
  segment: Segment,
  giver: Address,
): { readonly status: 'joined'; readonly piece: Piece } | { readonly status: 'parts'; readonly seam: Seam } {
  const before = piece.segment;
  const seam = seamOf(piece, { parentId: segment.parentId, giver });
  if (seam !== undefined) return { status: 'parts', seam };
  const batches = new Map(piece.batches);
  for (const { digest, bytes } of segment.batches) batches.set(digest, bytes);
  const joinedPiece = stepped({
    ...piece,
    segment: before === undefined ? bare(segment) : bare(above(before, segment)),
    batches,
    givers: { lowest: piece.givers?.lowest ?? giver, highest: giver },
    failures: 0,
  });
  return { status: 'joined', piece: joinedPiece };
}

/** Where what stands above a piece names another block than its highest. */
export function seamOf(
  { segment, givers }: Piece,
  upper: { readonly parentId: BlockId; readonly giver: Address },
): Seam | undefined {
  const id = segment?.ids.at(-1);
  if (segment === undefined || id === undefined || givers === undefined || id === upper.parentId)
    return undefined;
  const claims = [
    { peer: givers.highest, id },
    { peer: upper.giver, id: upper.parentId },
  ];
  return { height: segment.to, claims };
}

/** An answer to a question for batches: those that are lacking, by their digests; all else is passed over. */
export function withBatches(piece: Piece, question: PieceQuestion, bytes: readonly Uint8Array[]): Piece {
  const lacking = new Set(
    (piece.segment?.blocks ?? [])
      .filter(
        ({ block }) =>
          block.header.height >= question.from && block.header.height < question.from + question.limit,
      )
      .flatMap((block) => lacksOf(piece, block)),
  );
  const batches = new Map(piece.batches);
  for (const one of bytes) {
    const digest = batchDigestOf(one);
    if (lacking.has(digest)) batches.set(digest, one);
  }
  const helped = batches.size > piece.batches.size;
  const failures = helped ? 0 : piece.failures + (question.limit === 1 ? 1 : 0);
  const batchedBlocks = helped ? piece.batchedBlocks : Math.max(1, Math.floor(question.limit / 2));
  return stepped({ ...piece, batches, failures, batchedBlocks });
}

/** Nobody could give the batches of the lowest block that lacks some: it is written without them. */
export function withoutBatchesOf(piece: Piece, { from }: PieceQuestion): Piece {
  const block = piece.segment?.blocks.find((one) => one.block.header.height === from);
  const left = new Set(piece.left);
  for (const digest of block === undefined ? [] : lacksOf(piece, block)) left.add(digest);
  return stepped({ ...piece, left, failures: 0, batchedBlocks: BATCHED_BLOCKS_MAX });
}

const stepped = (piece: Piece): Piece => ({
  ...piece,
  step: { status: questionOf(piece) === undefined ? 'whole' : 'due' },
});

/** Nothing came: the same again, after a pause. */
export const pausing = (piece: Piece): Piece => ({
  ...piece,
  step: { status: 'pausing' },
  waitsSince: undefined,
  failures: piece.failures + 1,
});

/** All that is not being written is asked for anew. */
export const withoutPieces = (download: Download): Download => ({ ...download, pieces: [] });

/** The other pieces stay as they are. */
export const withPiece = (download: Download, piece: Piece): Download => ({
  ...download,
  pieces: download.pieces.map((one) => (one.from === piece.from ? piece : one)),
});

/** Blocks up to there are durable. */
export function written(download: Download, durable: Durable): Download {
  const { height } = durable;
  const pieces = download.pieces.flatMap((piece) => pieceAbove(piece, height));
  const batchesLeft = download.pieces
    .filter(({ to }) => to <= height)
    .reduce((sum, { left }) => sum + left.size, download.batchesLeft);
  return { ...download, durable, appending: undefined, pieces, batchesLeft };
}

function pieceAbove(piece: Piece, height: Height): readonly Piece[] {
  if (piece.to <= height) return [];
  const { segment } = piece;
  if (piece.from > height || segment === undefined) return [piece];
  const blocks = segment.blocks.slice(height + 1 - segment.from);
  const [first] = blocks;
  if (first === undefined) {
    return [{ ...piece, from: nextHeight(height), segment: undefined, batches: new Map() }];
  }
  const { height: from, parentId } = first.block.header;
  const bytes = Math.ceil((segment.bytes * blocks.length) / segment.blocks.length);
  const named = new Set(blocks.flatMap(({ block }) => block.header.batches.map(({ digest }) => digest)));
  return [
    {
      ...piece,
      from,
      segment: { ...segment, blocks, ids: segment.ids.slice(-blocks.length), from, parentId, bytes },
      batches: new Map([...piece.batches].filter(([digest]) => named.has(digest))),
    },
  ];
}

/** @unit bytes, an estimate */
export const heldBytes = ({ pieces }: Download): number =>
  pieces.reduce(
    (sum, { segment, batches }) =>
      sum +
      (segment?.bytes ?? 0) +
      [...batches.values()].reduce((total, { byteLength }) => total + byteLength, 0),
    0,
  );

/** Batches are held by the piece. */
const bare = (segment: Segment): Segment => ({
  ...segment,
  batches: [],
  bytes: segment.bytes - segment.batches.reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
});

export function above(lower: Segment, upper: Segment): Segment {
  const verified = [...lower.verified, ...upper.verified].sort((left, right) => left.round - right.round);
  return { ...joined(lower, upper), verified, firm: maxHeight(upper.firm, lower.firm) };
}
