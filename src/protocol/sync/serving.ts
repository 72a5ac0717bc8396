/**
 * What a node gives to those that catch up: never what a reader would blame it for, never more than a frame takes.
 * Pure. Rules SY-3, SY-8, SY-9, docs/protocol/sync.md.
 */
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { heightPlus } from '../chain/ordinals.ts';
import type { BatchDigest, CertifiedBlock, Height } from '../chain/types.ts';
import type { EpochContext } from '../consensus/epoch.ts';
import { type VerifiedCertificates, verifyCertificates } from '../consensus/verified.ts';
import type { BucketRate } from '../transport/bucket.ts';
import { KINDS } from '../transport/kinds.ts';
import { ANSWER_BATCHES_MAX } from '../transport/limits.ts';
import { certifiedBlockBytes } from '../transport/sizes.ts';
import { BATCH_HEIGHTS } from './config.ts';
import { CHECKPOINTS_MAX, type SyncQuestion } from './messages.ts';
import { OPEN_PER_PEER_MAX } from './questions.ts';

/** Questions for blocks, or chunks of a snapshot, that wait for storage, of all peers; above it the newest is dropped. @unit questions */
export const BLOCKS_WAITING_MAX = 64;
/** Small questions that wait for storage, of all peers; above it the newest is dropped. @unit questions @source two of each of 512 validators */
export const SMALL_WAITING_MAX = 1_024;
/** Questions of one peer that wait; above it its newest is dropped, so that nobody takes all places. @unit questions */
export const WAITING_PER_PEER_MAX: Readonly<Record<'blocks' | 'small', number>> = {
  blocks: 4,
  small: OPEN_PER_PEER_MAX.GetBlockHeight + OPEN_PER_PEER_MAX.GetBlockHash + OPEN_PER_PEER_MAX.GetChain + 1,
};
/** Answers with blocks to one peer; above it its next questions wait. @unit tokens: bytes @source twice 5,000 blocks/s of 3 KB */
export const SERVING_RATE: BucketRate = { ratePerSecond: 32 * 1024 * 1024, burst: 64 * 1024 * 1024 };
/** What an answer costs at least: reading it and verifying its certificate. @unit bytes @source measured: 2 ms at SERVING_RATE */
export const ANSWER_COST_BYTES_MIN = 64 * 1024;
/** Certificates that are tried until one holds. @unit certificates @source chosen: an answer has at most two borders within */
const TRIES_MAX = 4;

/** Which places a question takes. */
export const sizeOf = ({ kind }: SyncQuestion): 'blocks' | 'small' =>
  kind === 'GetBlocks' || kind === 'GetBlock' || kind === 'GetSnapshotChunk' ? 'blocks' : 'small';

/**
 * Length of the longest prefix whose newest certificate holds, among the few where one is likely to: the whole, up to a
 * border of batches, the whole but one. Inner certificates of what was fetched were never verified (SY-8). 0: none of them.
 */
export function provenLength(
  epoch: EpochContext,
  bls: BlsEngine,
  memory: VerifiedCertificates,
  blocks: readonly CertifiedBlock[],
): { readonly length: number; readonly verified: VerifiedCertificates } {
  const borders = blocks.flatMap(({ block }, index) =>
    block.header.height % BATCH_HEIGHTS === 0 ? [index + 1] : [],
  );
  const lengths = new Set([blocks.length, ...borders.reverse(), blocks.length - 1, blocks.length - 2]);
  let verified = memory;
  for (const length of [...lengths].slice(0, TRIES_MAX)) {
    const newest = blocks[length - 1];
    if (newest === undefined) continue;
    const outcome = verifyCertificates(epoch, bls, verified, { qc: newest.qc });
    verified = outcome.verified;
    if (outcome.refusals.length === 0) return { length, verified };
  }
  return { length: 0, verified };
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
