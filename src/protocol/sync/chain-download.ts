/**
 * The window of a full download: pieces between fixed borders, fetched at once, verified each, joined and written in order.
 * What a verified proof does not commit yet is held back. Pure and total. Rules SY-8, SY-9; CS-5, docs/protocol/sync.md.
 */
import { batchDigestOf } from '../chain/batch.ts';
import { restated, statementOf } from '../chain/canonical.ts';
import { GENESIS_HEIGHT, maxHeight, nextHeight, previousHeight } from '../chain/ordinals.ts';
import type {
  Address,
  BatchDigest,
  BlockId,
  CertifiedBlock,
  CommitProof,
  Height,
  VoteStatement,
} from '../chain/types.ts';
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
  /** Who gave something of it. */
  readonly givers: readonly Address[];
  /** Asked last: they gave what was refused, or nothing. */
  readonly avoid: readonly Address[];
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

export interface Download {
  readonly target: ProvedTip;
  /** The newest block of the side store; or what the chain stands on, which is not known before its first block (SY-10). */
  readonly durable: { readonly height: Height } & (
    | { readonly id: BlockId; readonly statement: VoteStatement }
    | { readonly id?: undefined; readonly statement?: undefined }
  );
  /** What is being written. */
  readonly appending: { readonly tag: number; readonly height: Height; readonly id: BlockId } | undefined;
  /** By rising height, without a gap, the first one above `durable`. */
  readonly pieces: readonly Piece[];
  /** Batches that were left to the executor. */
  readonly batchesLeft: number;
}

/** `root`: what the certificate of the genesis block says. */
export const beginDownload = (target: ProvedTip, root: VoteStatement): Download =>
  beginDownloadAbove(target, { height: GENESIS_HEIGHT, id: root.blockId, statement: root });

/** @param root below the first block that is wanted */
export const beginDownloadAbove = (target: ProvedTip, root: Download['durable']): Download => ({
  target,
  durable: root,
  appending: undefined,
  pieces: [],
  batchesLeft: 0,
});

export const isWritten = ({ durable, target }: Download): boolean => durable.height >= target.height;

/** As many pieces as may be held, the next ones up to the target. */
export function withNextPieces(download: Download): Download {
  const pieces = [...download.pieces];
  let reached = pieces.at(-1)?.to ?? download.durable.height;
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

const isAllWhole = (pieces: readonly Piece[]): boolean => pieces.every(({ step }) => step.status === 'whole');

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
  givers: [],
  avoid: [],
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

const lacksOf = ({ batches, left }: Piece, { block }: CertifiedBlock): readonly BatchDigest[] =>
  block.header.batches
    .map(({ digest }) => digest)
    .filter((digest) => !batches.has(digest) && !left.has(digest));

/** A verified answer to a question for blocks; `parts`: it does not join what the piece has. */
export function withBlocks(piece: Piece, segment: Segment, giver: Address): Piece | 'parts' {
  const before = piece.segment;
  if (before !== undefined && before.ids.at(-1) !== segment.parentId) return 'parts';
  const batches = new Map(piece.batches);
  for (const { digest, bytes } of segment.batches) batches.set(digest, bytes);
  return stepped({
    ...piece,
    segment: before === undefined ? bare(segment) : bare(above(before, segment)),
    batches,
    givers: withName(piece.givers, giver),
    failures: 0,
  });
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

/** Nothing useful came: the same again, of another peer. */
export const againWithout = (piece: Piece, peers: readonly Address[], step: PieceStep): Piece => ({
  ...piece,
  step,
  failures: piece.failures + 1,
  avoid: peers.reduce(withName, piece.avoid),
});

/** What was verified of it is dropped too. */
export const anew = (piece: Piece): Piece => ({
  ...newPiece(piece.from, piece.to),
  avoid: piece.givers.reduce(withName, piece.avoid),
  failures: piece.failures + 1,
});

/** The other pieces stay as they are. */
export const withPiece = (download: Download, piece: Piece): Download => ({
  ...download,
  pieces: download.pieces.map((one) => (one.from === piece.from ? piece : one)),
});

export type Front =
  /** To be written now, up to what a proof commits. */
  | {
      readonly status: 'ready';
      readonly blocks: readonly ReadyBlock[];
      readonly batches: readonly ReadyBatch[];
    }
  | { readonly status: 'waiting' }
  /** The second lowest piece does not stand on the lowest: which one is wrong is not known. */
  | { readonly status: 'parts'; readonly pieces: readonly Piece[] }
  /** So many blocks without a proof of a commit among them. */
  | { readonly status: 'unproved'; readonly height: Height };

export interface ReadyBlock {
  readonly id: BlockId;
  readonly certified: CertifiedBlock;
  readonly commitProof: CommitProof;
}

export interface ReadyBatch {
  readonly digest: BatchDigest;
  readonly bytes: Uint8Array;
}

/** What can be written: from the durable block up, as far as all is here and committed by a verified proof. */
export function frontOf({ durable, pieces }: Download): Front {
  const [lowest] = pieces;
  if (lowest?.segment === undefined) return { status: 'waiting' };
  // What the first block stands on is vouched for by the quorum that certified a block above it.
  if (durable.id !== undefined && lowest.segment.parentId !== durable.id)
    return { status: 'parts', pieces: [lowest] };
  const front = joinedFront(pieces);
  if (front.status === 'parts') return front;
  const { segment, whole } = front;
  const lacking = whole.map((piece) =>
    piece.segment?.blocks.find((block) => lacksOf(piece, block).length > 0),
  );
  const complete = lacking.find((block) => block !== undefined)?.block.header.height;
  const blocks: ReadyBlock[] = [];
  let below = durable.statement ?? rootOf(lowest.segment);
  for (const [index, certified] of segment.blocks.entries()) {
    const { height } = certified.block.header;
    const id = segment.ids[index];
    const commitProof = proofOf(segment, height);
    if (id === undefined || commitProof === undefined || (complete !== undefined && height >= complete))
      break;
    // What no id covers is the parent's to say (SY-8).
    const block = below === undefined ? certified.block : restated(certified.block, below);
    blocks.push({ id, certified: { ...certified, block }, commitProof });
    below = statementOf(block, id);
  }
  if (blocks.length > 0) return { status: 'ready', blocks, batches: batchesOf(blocks, whole) };
  const isFull = pieces.length >= PIECES_MAX && isAllWhole(pieces);
  if (complete === undefined && (isFull || segment.blocks.length >= UNPROVED_BLOCKS_MAX)) {
    return { status: 'unproved', height: segment.to };
  }
  return { status: 'waiting' };
}

/** Lowest pieces that hang together, each but the last whole. */
function joinedFront(
  pieces: readonly Piece[],
):
  | { readonly status: 'joined'; readonly segment: Segment; readonly whole: readonly Piece[] }
  | Extract<Front, { status: 'parts' }> {
  const [lowest, ...others] = pieces;
  if (lowest?.segment === undefined) return { status: 'parts', pieces: [] };
  let segment = lowest.segment;
  const whole = [lowest];
  for (const piece of others) {
    const below = whole.at(-1);
    if (below === undefined || segment.to < below.to || piece.segment === undefined) break;
    if (piece.segment.parentId !== segment.ids.at(-1)) return { status: 'parts', pieces: [...whole, piece] };
    segment = above(segment, piece.segment);
    whole.push(piece);
  }
  return { status: 'joined', segment, whole };
}

/** CS-5: the lowest verified certificate of consecutive rounds over a block above. */
const proofOf = ({ verified }: Segment, height: Height): CommitProof | undefined =>
  verified.find((qc) => qc.round === qc.parentRound + 1 && qc.height > height);

function batchesOf(blocks: readonly ReadyBlock[], pieces: readonly Piece[]): readonly ReadyBatch[] {
  const found = new Map<BatchDigest, Uint8Array>();
  for (const { certified } of blocks) {
    for (const { digest } of certified.block.header.batches) {
      const bytes = pieces.map(({ batches }) => batches.get(digest)).find((one) => one !== undefined);
      if (bytes !== undefined) found.set(digest, bytes);
    }
  }
  return [...found].map(([digest, bytes]) => ({ digest, bytes }));
}

/** Blocks up to there are durable. */
export function written(download: Download, height: Height, id: BlockId): Download {
  const pieces = download.pieces.flatMap((piece) => pieceAbove(piece, height));
  const batchesLeft = download.pieces
    .filter(({ to }) => to <= height)
    .reduce((sum, { left }) => sum + left.size, download.batchesLeft);
  const statement = statementAt(download, height, id);
  const durable = statement === undefined ? { height } : { height, id, statement };
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

function above(lower: Segment, upper: Segment): Segment {
  const verified = [...lower.verified, ...upper.verified].sort((left, right) => left.round - right.round);
  return { ...joined(lower, upper), verified, firm: maxHeight(upper.firm, lower.firm) };
}

const withName = (names: readonly Address[], name: Address): readonly Address[] =>
  names.includes(name) ? names : [...names, name];

/** SY-10: of a block that is not downloaded, as far as the one above it tells; the rest no id covers, and nobody else can say. */
function rootOf({ blocks, parentId }: Segment): VoteStatement | undefined {
  const [first] = blocks;
  if (first === undefined) return undefined;
  const { header, qc } = first.block;
  return { ...qc, epoch: header.epoch, height: previousHeight(header.height), blockId: parentId };
}

function statementAt({ durable, pieces }: Download, height: Height, id: BlockId): VoteStatement | undefined {
  for (const { segment } of pieces) {
    const found = segment?.blocks.find((_, index) => segment.ids[index] === id);
    if (found?.block.header.height === height) return statementOf(found.block, id);
  }
  return durable.statement;
}
