/**
 * What a node gives to those that catch up: never what a reader would blame it for, never more than a frame takes.
 * Pure. Rules SY-3, SY-8, SY-9, docs/protocol/sync.md.
 */
import { heightPlus } from '../chain/ordinals.ts';
import type {
  BatchDigest,
  BlockId,
  CertifiedBlock,
  CommitProof,
  EncodedChange,
  Epoch,
  EpochChange,
  Height,
} from '../chain/types.ts';
import { type VerifiedCertificates, verifyCertificates } from '../consensus/verified.ts';
import { encodeEpochProof } from '../light/encoding.ts';
import type { BucketRate } from '../transport/bucket.ts';
import { KINDS } from '../transport/kinds.ts';
import { ANSWER_BATCHES_MAX, GUESTS_MAX, VALIDATORS_MAX } from '../transport/limits.ts';
import { certifiedBlockBytes } from '../transport/sizes.ts';
import { BATCH_HEIGHTS } from './config.ts';
import { CHECKPOINTS_MAX, EPOCHS_BYTES_MAX, type SyncQuestion } from './messages.ts';
import { OPEN_PER_PEER_MAX } from './questions.ts';
import type { Judge } from './segment.ts';

/** Questions for blocks, chunks of a snapshot or ends of epochs, that are read at once, of all peers; the others wait in a queue. @unit questions @source chosen: 64 answers of 2 MiB */
export const BLOCKS_READ_MAX = 64;
/** Questions of one peer that wait or are read; above it its newest is dropped. @unit questions @source what an honest peer has open, and as much that it gave up */
export const WAITING_PER_PEER_MAX: Readonly<Record<'blocks' | 'small', number>> = {
  blocks: 4,
  small: OPEN_PER_PEER_MAX.GetBlockHeight + OPEN_PER_PEER_MAX.GetBlockHash + OPEN_PER_PEER_MAX.GetChain + 1,
};
/** Answers with blocks to one peer; above it its next questions wait. @unit tokens: bytes @source twice 5,000 blocks/s of 3 KB */
export const SERVING_RATE: BucketRate = { ratePerSecond: 32 * 1024 * 1024, burst: 64 * 1024 * 1024 };
/** What an answer costs at least: reading it and verifying its certificate. @unit bytes @source measured: 2 ms at SERVING_RATE */
export const ANSWER_COST_BYTES_MIN = 64 * 1024;
/** Peers whose share is remembered. @unit peers @source all that can be connected */
export const PEERS_MAX = VALIDATORS_MAX + GUESTS_MAX;
/** Questions of all peers that wait or are read, those that have left too; above it the newest is dropped. @unit questions @source four of each of 512 validators */
export const WAITING_MAX = 2_048;
/** Certificates that are tried until one holds, beside the one that has committed a block here. @unit certificates @source chosen: an answer has at most two borders within */
const TRIES_MAX = 4;

/** Which places a question takes. */
export const sizeOf = ({ kind }: SyncQuestion): 'blocks' | 'small' =>
  kind === 'GetBlocks' || kind === 'GetBlock' || kind === 'GetSnapshotChunk' || kind === 'GetEpochs'
    ? 'blocks'
    : 'small';

/** Committed blocks as they are given: what a block says of its parent's certificate is what this node holds as that. */
export const composed = (blocks: readonly CertifiedBlock[]): readonly CertifiedBlock[] =>
  blocks.map((one, index) => {
    const below = blocks[index - 1]?.qc;
    const { header, qc } = one.block;
    // These two are all that a block's id covers of it: a reader compares the rest.
    const isParent = below?.blockId === header.parentId && below.round === qc.round;
    return isParent ? { ...one, block: { ...one.block, qc: below } } : one;
  });

/** CS-16: no answer spans two epochs, so that one set judges all of it. By height up to the last block of the first one's epoch. */
export function firstEpochOf(blocks: readonly CertifiedBlock[]): readonly CertifiedBlock[] {
  const end = blocks.findIndex(({ block }) => block.header.epoch !== blocks[0]?.block.header.epoch);
  return end < 0 ? blocks : blocks.slice(0, end);
}

/** As above, by id: down to the first block of the newest one's epoch. */
export function lastEpochOf(blocks: readonly CertifiedBlock[]): readonly CertifiedBlock[] {
  const other = blocks.findLastIndex(({ block }) => block.header.epoch !== blocks.at(-1)?.block.header.epoch);
  return blocks.slice(other + 1);
}

export interface Proven {
  /** A prefix, perhaps with another certificate of its newest; empty where none was found that can be proven. */
  readonly blocks: readonly CertifiedBlock[];
  readonly verified: VerifiedCertificates;
  /** Certificates that were looked at. */
  readonly tries: number;
}

/**
 * The longest prefix whose newest certificate holds, among the few where one is likely to. Inner certificates of what was
 * fetched were never verified (SY-8); `proofs`, which have committed these blocks or those below them, were.
 */
export function provenPrefix(
  { epoch, bls, verified: memory }: Judge,
  blocks: readonly CertifiedBlock[],
  proofs: readonly CommitProof[],
): Proven {
  const proving = new Map(proofs.map((proof) => [proof.blockId, proof]));
  let verified = memory;
  let tries = 0;
  for (const length of lengthsToTry(blocks, proving)) {
    const newest = blocks[length - 1];
    if (newest === undefined) continue;
    const qc = proving.get(newest.qc.blockId) ?? newest.qc;
    const outcome = verifyCertificates(epoch, bls, verified, { qc });
    verified = outcome.verified;
    tries += 1;
    if (outcome.refusals.length === 0)
      return { blocks: [...blocks.slice(0, length - 1), { ...newest, qc }], verified, tries };
  }
  return { blocks: [], verified, tries };
}

/** Longest first: the whole, the whole but one or two, up to a border of batches, up to what a proof certifies. */
function lengthsToTry(
  blocks: readonly CertifiedBlock[],
  proving: ReadonlyMap<BlockId, CommitProof>,
): readonly number[] {
  const borders = blocks.flatMap(({ block }, index) =>
    block.header.height % BATCH_HEIGHTS === 0 ? [index + 1] : [],
  );
  const known = blocks.findLastIndex(({ qc }) => proving.has(qc.blockId)) + 1;
  const likely = new Set([blocks.length, ...borders.reverse(), blocks.length - 1, blocks.length - 2]);
  const tried = [...likely].filter((length) => length > known).slice(0, TRIES_MAX);
  return [...tried, known].sort((left, right) => right - left);
}

export interface BatchesToRead {
  /** In the order in which the blocks name them, each once, as many as a frame can take. */
  readonly digests: readonly BatchDigest[];
  /** Length of the prefix of the blocks of which they are all that is named; the first block is always in it. */
  readonly blocks: number;
}

export function batchesFor(blocks: readonly CertifiedBlock[]): BatchesToRead {
  const digests = new Set<BatchDigest>();
  let room: number = KINDS.Blocks.bytesMax;
  for (const [index, { block }] of blocks.entries()) {
    for (const { digest, bytes } of block.header.batches) {
      if (digests.has(digest)) continue;
      room -= bytes;
      if (room < 0 || digests.size >= ANSWER_BATCHES_MAX) {
        return { digests: [...digests], blocks: Math.max(1, index) };
      }
      digests.add(digest);
    }
  }
  return { digests: [...digests], blocks: blocks.length };
}

/** The first of them, gapless, as many as one answer takes; `bytes` of their encodings. CS-16. */
export function changesThatFit(
  from: Epoch,
  changes: readonly EpochChange[],
): { readonly changes: readonly EncodedChange[]; readonly bytes: number } {
  let bytes = 0;
  const fitting: EncodedChange[] = [];
  for (const { qc, proof: given } of changes) {
    const proof = encodeEpochProof(given);
    const length = proof.byteLength;
    const isNext = qc.epoch === from + fitting.length;
    if (!isNext || (fitting.length > 0 && bytes + length > EPOCHS_BYTES_MAX)) break;
    bytes += length;
    fitting.push({ qc, proof });
  }
  return { changes: fitting, bytes };
}

/** What an answer costs its asker's allowance. @unit bytes */
export function costOf(blocks: readonly CertifiedBlock[], batches: readonly Uint8Array[]): number {
  const ofBlocks = blocks.reduce((sum, block) => sum + certifiedBlockBytes(block, false), 0);
  const ofBatches = batches.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return Math.max(ANSWER_COST_BYTES_MIN, ofBlocks + ofBatches);
}

/**
 * Base, tip, and between them the multiples of a power of two, so that nodes of different heights name the same ones. At most
 * CHECKPOINTS_MAX, rising.
 */
export function checkpointHeights(base: Height, tip: Height): readonly Height[] {
  let stride = 1;
  while (Math.floor(tip / stride) - Math.floor(base / stride) > CHECKPOINTS_MAX - 2) stride *= 2;
  const heights = [base];
  for (let at = (Math.floor(base / stride) + 1) * stride; at < tip; at += stride)
    heights.push(heightPlus(base, at - base));
  return tip > base ? [...heights, tip] : heights;
}
