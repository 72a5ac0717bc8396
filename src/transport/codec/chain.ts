/**
 * Certified blocks as one byte string: fixed places, big-endian, and one encoding of each list, so that nothing has to be
 * encoded again to prove it. What a block keeps is copied out of the frame, a few hundred bytes a block. Never throws on
 * foreign bytes; allocates for what is there, never for what is claimed. Rules TP-8, TP-9, TP-11, docs/protocol/transport.md.
 */
import type { CertifiedBlock } from '../../protocol/chain/types.ts';
import {
  ANSWER_REFERENCES_MAX,
  BLOCKS_MAX,
  EVIDENCE_PER_BLOCK_MAX,
} from '../../protocol/transport/limits.ts';
import { CHAIN_HEAD_BYTES, certifiedBlockBytes } from '../../protocol/transport/sizes.ts';
import { ChainReader } from './chain-reader.ts';
import { problemOfLengths, sameCertificate } from './chain-shape.ts';
import { ChainWriter } from './chain-writer.ts';

/** Where and why blocks were not taken. */
export interface ChainRefusal {
  readonly outcome: 'refused';
  /** Of the block, from 0; the number of blocks for what is behind them. */
  readonly index: number;
  readonly problem: string;
}
export type ChainWriting = { readonly outcome: 'written'; readonly bytes: Uint8Array } | ChainRefusal;
export type ChainReading =
  | { readonly outcome: 'read'; readonly blocks: readonly CertifiedBlock[] }
  | ChainRefusal;

const refused = (index: number, problem: string): ChainRefusal => ({ outcome: 'refused', index, problem });

/** The one encoding of `blocks`; refused when `readChain` would refuse it. */
export function writeChain(blocks: readonly CertifiedBlock[]): ChainWriting {
  if (blocks.length > BLOCKS_MAX) return refused(BLOCKS_MAX, `more than ${BLOCKS_MAX} blocks`);
  let length = CHAIN_HEAD_BYTES;
  let references = 0;
  const repeated: boolean[] = [];
  for (const [index, certified] of blocks.entries()) {
    const problem = problemOf(certified);
    if (problem !== undefined) return refused(index, problem);
    references += certified.block.header.batches.length;
    if (references > ANSWER_REFERENCES_MAX) return refused(index, 'too many batches in all');
    const before = blocks[index - 1];
    repeated[index] = before !== undefined && sameCertificate(before.qc, certified.block.qc);
    length += certifiedBlockBytes(certified, repeated[index] === true);
  }
  const writer = new ChainWriter(length);
  writer.count(blocks.length);
  for (const [index, certified] of blocks.entries()) {
    writer.block(certified, repeated[index] === true);
    if (writer.problem !== undefined) return refused(index, writer.problem);
  }
  return { outcome: 'written', bytes: writer.bytes };
}

/** The blocks that `bytes` encodes. Total: anything but the one encoding of a list of blocks is refused. */
export function readChain(bytes: Uint8Array): ChainReading {
  const reader = new ChainReader(bytes);
  const count = reader.count();
  if (count > BLOCKS_MAX) return refused(0, `more than ${BLOCKS_MAX} blocks`);
  const blocks: CertifiedBlock[] = [];
  for (let index = 0; index < count; index += 1) {
    const certified = reader.block(blocks[index - 1]?.qc);
    if (typeof certified === 'string') return refused(index, certified);
    blocks.push(certified);
  }
  return reader.isAtEnd ? { outcome: 'read', blocks } : refused(count, 'bytes after the last block');
}

/** What is wrong with the lengths of a block. */
function problemOf({ block, qc }: CertifiedBlock): string | undefined {
  const { header, qc: parent, evidence = [] } = block;
  if (evidence.length > EVIDENCE_PER_BLOCK_MAX) return 'too much evidence';
  return problemOfLengths({
    vrfProof: header.vrfProof.byteLength,
    references: header.batches.length,
    parentSigners: parent.signers.byteLength,
    parentSignature: parent.signature.byteLength,
    signers: qc.signers.byteLength,
    signature: qc.signature.byteLength,
  });
}
