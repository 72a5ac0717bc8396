/** What a block adds that nobody chose: the output of its proposer's VRF (CS-17), hashed. Pure. Rule OR-5, docs/ordering.md. */
import { digestOf } from '../chain/canonical.ts';
import { digestBytes } from '../chain/parse.ts';
import type { Digest } from '../chain/types.ts';

/**
 * SHA-256 of the VRF's output; of the block's id where the chain has no VRF, which its proposer can choose by trying.
 * @param vrfOutput of the header's proof, never the proof itself: its maker can write one output's proof in many ways
 */
export const randomnessOf = (blockId: Digest, vrfOutput: Uint8Array | undefined): Digest =>
  digestOf(vrfOutput ?? digestBytes(blockId));
