/** Blocks as one byte string: reading is total, what is read is written to the same bytes, and keeps none of them. TP-8, TP-9, TP-11. */
import fc from 'fast-check';
import { parseHeight } from '../../../src/protocol/chain/parse.ts';
import { BLOCKS_MAX } from '../../../src/protocol/transport/limits.ts';
import { readChain, writeChain } from '../../../src/transport/codec/chain.ts';
import { decode, encode } from '../../../src/transport/codec/codec.ts';
import { chain as chains } from '../../transport/codec/arbitraries.ts';
import { chainOf } from '../../transport/support/blocks.ts';
import { CHAIN } from '../forms/chain.ts';
import { claim, type Target } from '../target.ts';

function seeds(): readonly Uint8Array[] {
  const honest = [1, 3, 8].map(
    (blocks) => chainOf({ blocks, validators: 4, batches: blocks % 3, batchBytes: 10 }).blocks,
  );
  return [[], ...honest, ...fc.sample(chains, { numRuns: 6, seed: 7 })].flatMap((blocks) => {
    const writing = writeChain(blocks);
    return writing.outcome === 'written' ? [writing.bytes] : [];
  });
}

export const chain: Target = {
  name: 'chain',
  what: 'byte strings of certified blocks into their decoder, and what it gives into the encoder and a frame',
  covers: ['/src/transport/codec/chain', '/src/protocol/transport/sizes'],
  mutations: CHAIN,
  dictionary: [
    [0x00, 0x10, 0, 0, 0, 0, 0, 0],
    [0x00, 0x10, 0, 0, 0, 0, 0, 1],
    [255, 255, 255, 255, 255, 255, 255, 255],
    [1, 80, 0, 0, 0, 0, 1, 96],
    [0, 80, 0, 0, 1, 96, 1, 96],
    [1, 0],
  ].map((bytes) => Uint8Array.from(bytes)),
  bytesMax: 512 * 1024,
  window: 3_000,
  seeds,
  open: async () => ({ run }),
};

function run(bytes: Uint8Array): string {
  const before = Buffer.from(bytes);
  const reading = readChain(bytes);
  claim(before.equals(bytes), 'reading leaves the bytes as they are');
  if (reading.outcome === 'refused') {
    claim(reading.index >= 0 && reading.index <= BLOCKS_MAX, 'a refusal names a block');
    return `refused ${reading.problem}`;
  }
  const { blocks } = reading;
  claim(blocks.length <= BLOCKS_MAX, 'an answer has at most 256 blocks');
  const writing = writeChain(blocks);
  claim(writing.outcome === 'written', 'what was read can be written');
  claim(before.equals(writing.bytes), 'what was read is written to the same bytes');
  claim(
    blocks.every(({ block, qc }) =>
      [block.header.vrfProof, block.qc.signature, qc.signers, qc.signature].every(
        (piece) => piece.buffer !== bytes.buffer,
      ),
    ),
    'what is kept of a block keeps nothing else',
  );
  const height = parseHeight(1);
  if (height === 'malformed') return 'no height';
  const encoding = encode({ kind: 'Blocks', requestId: 1, blocks, batches: [], height });
  claim(encoding.outcome === 'encoded', 'what was read fits a frame');
  claim(decode(encoding.frame.bytes).outcome === 'decoded', 'a frame of what was read is taken');
  const repeated = blocks.some(({ block }, index) => index > 0 && block.qc === blocks[index - 1]?.qc);
  return `read ${blocks.length > 1 ? 'several' : blocks.length}${repeated ? ', linked' : ''}`;
}
