/** What of a download can be written: joined, committed by a verified proof, with its batches. Pure and total. Rules SY-8 to SY-10; CS-5, docs/protocol/sync.md. */
import { restated, statementOf } from '../chain/canonical.ts';
import type { Address, BatchDigest, BlockId, CertifiedBlock, CommitProof, Height } from '../chain/types.ts';
import type { Seam } from './chain-dispute.ts';
import {
  above,
  type Download,
  isAllWhole,
  lacksOf,
  PIECES_MAX,
  type Piece,
  seamOf,
  UNPROVED_BLOCKS_MAX,
} from './chain-download.ts';
import type { Segment } from './segment.ts';

export type Front =
  /** To be written now, up to what a proof commits. */
  | {
      readonly status: 'ready';
      /** What they stand on, where the store does not know: it is not written (SY-10). */
      readonly root?: ReadyBlock;
      readonly blocks: readonly ReadyBlock[];
      readonly batches: readonly ReadyBatch[];
    }
  | { readonly status: 'waiting' }
  /** The second lowest piece does not stand on the lowest: which one is wrong is not known. */
  | { readonly status: 'parts'; readonly seam: Seam }
  /** The lowest does not stand on what is written, which is committed. */
  | { readonly status: 'contradicts'; readonly height: Height; readonly giver: Address }
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
export function frontOf({ durable, pieces, target }: Download): Front {
  const [lowest] = pieces;
  if (lowest?.segment === undefined) return { status: 'waiting' };
  // What the first block stands on is vouched for by the quorum that certified a block above it.
  if (durable.id !== undefined && lowest.segment.parentId !== durable.id && lowest.givers !== undefined)
    return { status: 'contradicts', height: durable.height, giver: lowest.givers.lowest };
  const front = joinedFront(lowest, lowest.segment, pieces.slice(1));
  if (front.status === 'parts') return front;
  const { segment, whole } = front;
  const lacking = whole.map((piece) =>
    piece.segment?.blocks.find((block) => lacksOf(piece, block).length > 0),
  );
  const complete = lacking.find((block) => block !== undefined)?.block.header.height;
  const blocks: ReadyBlock[] = [];
  let below = durable.statement;
  // CS-16: the block that ends an epoch, and those below it, may be committed by one above it that is in no chain.
  const closing = segment.ids.at(-1) === target.id ? target.proof : undefined;
  for (const [index, certified] of segment.blocks.entries()) {
    const { height } = certified.block.header;
    const id = segment.ids[index];
    const commitProof = proofOf(segment, height) ?? closing;
    if (id === undefined || commitProof === undefined || (complete !== undefined && height >= complete))
      break;
    // What no id covers is the parent's to say (SY-8); the root's own is not written.
    const block = below === undefined ? certified.block : restated(certified.block, below);
    blocks.push({ id, certified: { ...certified, block }, commitProof });
    below = statementOf(block, id);
  }
  const [root, ...upper] = durable.id === undefined ? blocks : [];
  if (root !== undefined && upper.length > 0)
    return { status: 'ready', root, blocks: upper, batches: batchesOf(upper, whole) };
  if (root === undefined && blocks.length > 0)
    return { status: 'ready', blocks, batches: batchesOf(blocks, whole) };
  const isFull = pieces.length >= PIECES_MAX && isAllWhole(pieces);
  if (complete === undefined && (isFull || segment.blocks.length >= UNPROVED_BLOCKS_MAX)) {
    return { status: 'unproved', height: segment.to };
  }
  return { status: 'waiting' };
}

/** Lowest pieces that hang together, each but the last whole. */
function joinedFront(
  lowest: Piece,
  from: Segment,
  others: readonly Piece[],
):
  | { readonly status: 'joined'; readonly segment: Segment; readonly whole: readonly Piece[] }
  | Extract<Front, { status: 'parts' }> {
  let segment = from;
  let below = lowest;
  const whole = [lowest];
  for (const piece of others) {
    if (segment.to < below.to || piece.segment === undefined || piece.givers === undefined) break;
    const { parentId } = piece.segment;
    const seam = seamOf(below, { parentId, giver: piece.givers.lowest });
    if (seam !== undefined) return { status: 'parts', seam };
    segment = above(segment, piece.segment);
    below = piece;
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
