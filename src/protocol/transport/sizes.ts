/**
 * How many certified blocks one Blocks message takes: bounds from above, by arithmetic alone, so that whoever
 * answers never makes a frame that is too large (a reply larger than the frame limit). Pure. Rule TP-9.
 */
import type { CertifiedBlock } from '../chain/types.ts';
import { KINDS } from './kinds.ts';
import { BLOCKS_MAX } from './limits.ts';

/** msgpack values of a certified block without batch references, map keys counted. @source held by a test */
export const CERTIFIED_BLOCK_NODES = 71;
/** msgpack values of one batch reference. @source held by a test */
export const BATCH_REFERENCE_NODES = 7;
/** @unit bytes */
const MESSAGE_BYTES = 64;
/** A certified block without references, bitmaps and VRF proof, integers at their widest. @unit bytes */
const CERTIFIED_BLOCK_BYTES = 1_340;
/** @unit bytes */
const BATCH_REFERENCE_BYTES = 105;
const MESSAGE_NODES = 8;

/** Length of the longest prefix of `blocks` that one frame takes. */
export function blocksThatFit(blocks: readonly CertifiedBlock[]): number {
  const { bytesMax, nodesMax } = KINDS.Blocks;
  let bytes = MESSAGE_BYTES;
  let nodes = MESSAGE_NODES;
  let count = 0;
  for (const { block, qc } of blocks) {
    const references = block.header.batches.length;
    bytes += CERTIFIED_BLOCK_BYTES + references * BATCH_REFERENCE_BYTES;
    bytes += block.header.vrfProof.byteLength + block.qc.signers.byteLength + qc.signers.byteLength;
    nodes += CERTIFIED_BLOCK_NODES + references * BATCH_REFERENCE_NODES;
    if (bytes > bytesMax || nodes > nodesMax || count >= BLOCKS_MAX) return count;
    count += 1;
  }
  return count;
}
