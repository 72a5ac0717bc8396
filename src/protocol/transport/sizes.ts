/**
 * The layout of certified blocks in a Blocks message in bytes, and how many of them and of their batches one message
 * takes: bounds from above, by arithmetic alone, so that whoever answers never makes a frame that is too large (a reply
 * larger than the frame limit). Pure. Rules TP-9, docs/protocol/transport.md.
 */
import type { BatchDigest, Block, CertifiedBlock, Evidence } from '../chain/types.ts';
import { KINDS } from './kinds.ts';
import { ANSWER_BATCHES_MAX, ANSWER_REFERENCES_MAX, BLOCKS_MAX } from './limits.ts';

/** The number of blocks. @unit bytes */
export const CHAIN_HEAD_BYTES = 2;
/** Flags and lengths of a block. @unit bytes */
export const BLOCK_HEAD_BYTES = 8;
/** A header's five ordinals, its proposer and six digests. @unit bytes */
export const HEADER_BYTES = 5 * 8 + 20 + 6 * 32;
/** What a QC states: four ordinals and two ids. @unit bytes */
export const STATEMENT_BYTES = 4 * 8 + 2 * 32;
/** How many evidence, and of each its kind. @unit bytes */
export const EVIDENCE_COUNT_BYTES = 1;
const EVIDENCE_KIND_BYTES = 1;
const BLS_SIGNATURE_BYTES = 96;
/** What a vote states, its voter, its signature. @unit bytes */
const VOTE_BYTES = STATEMENT_BYTES + 20 + BLS_SIGNATURE_BYTES;
/** Three ordinals, the validator, its signature. @unit bytes */
const TIMEOUT_BYTES = 3 * 8 + 20 + BLS_SIGNATURE_BYTES;
/** By kind. @unit bytes */
export const EVIDENCE_BYTES: Readonly<Record<Evidence['kind'], number>> = {
  DoubleVote: EVIDENCE_KIND_BYTES + 2 * VOTE_BYTES,
  QcHiding: EVIDENCE_KIND_BYTES + VOTE_BYTES + TIMEOUT_BYTES,
};
/** A digest and two ordinals. @unit bytes */
export const REFERENCE_BYTES = 32 + 2 * 8;

/** Everything of a Blocks message but blocks and batches, integers and heads at their widest. @unit bytes @source held by a test */
const MESSAGE_BYTES = 64;
/** msgpack's longest head of a byte string. @unit bytes */
const BATCH_HEAD_BYTES = 5;

/** Length of a block and its QC; `repeated`: its parent's QC is the one before, and is left out. @unit bytes */
export function certifiedBlockBytes({ block, qc }: CertifiedBlock, repeated: boolean): number {
  const { header, qc: parent } = block;
  return (
    BLOCK_HEAD_BYTES +
    HEADER_BYTES +
    STATEMENT_BYTES +
    header.batches.length * REFERENCE_BYTES +
    header.vrfProof.byteLength +
    qc.signers.byteLength +
    qc.signature.byteLength +
    evidenceBytes(block) +
    (repeated ? 0 : STATEMENT_BYTES + parent.signers.byteLength + parent.signature.byteLength)
  );
}

/** Nothing for a block without. @unit bytes */
const evidenceBytes = ({ evidence }: Block): number =>
  evidence === undefined
    ? 0
    : evidence.reduce((sum, { kind }) => sum + EVIDENCE_BYTES[kind], EVIDENCE_COUNT_BYTES);

/** Length of the longest prefix of `blocks` that one frame takes, without batches. */
export const blocksThatFit = (blocks: readonly CertifiedBlock[]): number => answerThatFits(blocks, []).blocks;

export interface Answer {
  /** Length of the prefix of the blocks. */
  readonly blocks: number;
  /** Bytes of the batches that they name, in the order in which they name them, each once. */
  readonly batches: readonly Uint8Array[];
}

/**
 * The longest prefix of `blocks` that fits one frame with those of `batches` that it names. Where the first block's batches
 * do not fit with it, it goes alone with as many of them as do.
 */
export function answerThatFits(
  blocks: readonly CertifiedBlock[],
  batches: readonly { readonly digest: BatchDigest; readonly bytes: Uint8Array }[],
): Answer {
  const held = new Map(batches.map(({ digest, bytes }) => [digest, bytes]));
  const taken: Uint8Array[] = [];
  let room = KINDS.Blocks.bytesMax - MESSAGE_BYTES - CHAIN_HEAD_BYTES;
  let references = 0;
  for (const [count, certified] of blocks.entries()) {
    const named = certified.block.header.batches;
    room -= certifiedBlockBytes(certified, false);
    references += named.length;
    if (room < 0 || references > ANSWER_REFERENCES_MAX || count >= BLOCKS_MAX)
      return { blocks: count, batches: taken };
    const own: Uint8Array[] = [];
    for (const { digest } of named) {
      const bytes = held.get(digest);
      if (bytes === undefined) continue;
      room -= bytes.byteLength + BATCH_HEAD_BYTES;
      if (room < 0 || taken.length + own.length >= ANSWER_BATCHES_MAX) {
        return count === 0 ? { blocks: 1, batches: own } : { blocks: count, batches: taken };
      }
      own.push(bytes);
      held.delete(digest);
    }
    taken.push(...own);
  }
  return { blocks: blocks.length, batches: taken };
}
