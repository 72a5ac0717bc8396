/** Mutations of a chain of blocks that leave it one, or nearly: blocks dropped, doubled, moved, taken from another, certificates said again. */
import {
  BLOCK_HEAD_BYTES,
  CHAIN_HEAD_BYTES,
  HEADER_BYTES,
  REFERENCE_BYTES,
  STATEMENT_BYTES,
} from '../../../src/protocol/transport/sizes.ts';
import type { Mutation } from '../mutate.ts';

/** The byte strings of the blocks, as far as they are whole. */
function blocksIn(bytes: Uint8Array): readonly Uint8Array[] {
  const blocks: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = CHAIN_HEAD_BYTES;
  while (at + BLOCK_HEAD_BYTES <= bytes.byteLength && blocks.length < 256) {
    const end = at + lengthAt(view, at);
    if (end > bytes.byteLength) break;
    blocks.push(bytes.subarray(at, end));
    at = end;
  }
  return blocks;
}

function lengthAt(view: DataView, at: number): number {
  const [flags, vrf] = [view.getUint8(at), view.getUint8(at + 1)];
  const pieces = [4, 5, 6, 7].reduce((sum, place) => sum + view.getUint8(at + place), 0);
  const statements = (flags === 0 ? 2 : 1) * STATEMENT_BYTES;
  return (
    BLOCK_HEAD_BYTES + HEADER_BYTES + statements + view.getUint16(at + 2) * REFERENCE_BYTES + vrf + pieces
  );
}

const joined = (blocks: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat([Uint8Array.of(blocks.length >> 8, blocks.length & 255), ...blocks]);

const ofBlocks =
  (change: (blocks: Uint8Array[], from: Parameters<Mutation>[1], donor: Uint8Array) => void): Mutation =>
  (input, draws, { donor }) => {
    const blocks = [...blocksIn(input)];
    if (blocks.length === 0) return input;
    change(blocks, draws, donor);
    return joined(blocks.slice(0, 300));
  };

const dropped = ofBlocks((blocks, { below }) => blocks.splice(below(blocks.length), 1));
const doubled = ofBlocks((blocks, { below, pick }) =>
  blocks.splice(below(blocks.length), 0, pick(blocks) ?? new Uint8Array()),
);
const grown = ofBlocks((blocks, { below }) => {
  for (let left = below(5); left > 0; left -= 1) blocks.push(...blocks.slice(0, 100));
});
const spliced = ofBlocks((blocks, { below, pick }, donor) => {
  const other = pick(blocksIn(donor));
  if (other !== undefined) blocks.splice(below(blocks.length + 1), below(2), other);
});

/** The first certificate of a block that repeats one is written out, as the one before or as the block's own. */
const saidAgain = ofBlocks((blocks, { below }) => {
  const index = below(blocks.length);
  const [block, before] = [blocks[index], blocks[below(2) === 0 ? index - 1 : index]];
  if (block === undefined || before === undefined || block[0] !== 1) return;
  const [signers = 0, signature = 0] = [before[6], before[7]];
  const statementAt = before.byteLength - signers - signature;
  const ownAt = BLOCK_HEAD_BYTES + HEADER_BYTES + (before[0] === 0 ? STATEMENT_BYTES : 0);
  const head = block.slice(0, BLOCK_HEAD_BYTES);
  head.set([0], 0);
  head.set([signers, signature], 4);
  const vrf = block[1] ?? 0;
  const ownBytes = (block[6] ?? 0) + (block[7] ?? 0);
  const bytesAt = block.byteLength - ownBytes - vrf;
  blocks[index] = Buffer.concat([
    head,
    block.subarray(BLOCK_HEAD_BYTES, BLOCK_HEAD_BYTES + HEADER_BYTES),
    before.subarray(ownAt, ownAt + STATEMENT_BYTES),
    block.subarray(BLOCK_HEAD_BYTES + HEADER_BYTES, bytesAt + vrf),
    before.subarray(statementAt),
    block.subarray(bytesAt + vrf),
  ]);
});

/** A flag or length of one block. */
const headChanged = ofBlocks((blocks, { below, pick }) => {
  const index = below(blocks.length);
  const block = blocks[index]?.slice();
  if (block === undefined) return;
  block[below(BLOCK_HEAD_BYTES)] = pick([0, 1, 2, 64, 65, 80, 95, 96, 97, 255]) ?? 0;
  blocks[index] = block;
});

const countChanged: Mutation = (input, { below }) => {
  const bytes = input.slice();
  bytes.set([below(2), below(256)].slice(0, bytes.byteLength), 0);
  return bytes;
};

export const CHAIN: readonly Mutation[] = [
  dropped,
  doubled,
  grown,
  spliced,
  saidAgain,
  headChanged,
  countChanged,
];

/** The key `blocks` of a Blocks message. */
const KEY = Uint8Array.of(0xa6, ...Buffer.from('blocks'));

/** One of them to the blocks in a frame, whose length then says the truth again. */
export const blocksChanged: Mutation = (input, draws, from) => {
  const inner = blocksOf(input);
  if (inner === undefined) return input;
  const donor = blocksOf(from.donor)?.bytes ?? new Uint8Array();
  const changed = draws.pick(CHAIN)?.(inner.bytes, draws, { ...from, donor }) ?? inner.bytes;
  return Buffer.concat([
    input.subarray(0, inner.at),
    binaryHead(changed.byteLength),
    changed,
    input.subarray(inner.end),
  ]);
};

function blocksOf(frame: Uint8Array): { at: number; bytes: Uint8Array; end: number } | undefined {
  const key = Buffer.from(frame).indexOf(KEY);
  if (key < 0) return undefined;
  const at = key + KEY.byteLength;
  const width = WIDTHS.get(frame[at] ?? 0);
  if (width === undefined) return undefined;
  const length = [...frame.subarray(at + 1, at + 1 + width)].reduce((sum, byte) => sum * 256 + byte, 0);
  const start = at + 1 + width;
  const end = start + length;
  return end > frame.byteLength ? undefined : { at, bytes: frame.subarray(start, end), end };
}

const WIDTHS: ReadonlyMap<number, number> = new Map([
  [0xc4, 1],
  [0xc5, 2],
  [0xc6, 4],
]);

function binaryHead(length: number): Uint8Array {
  const head = Buffer.alloc(5);
  if (length < 0x100) return Uint8Array.of(0xc4, length);
  head.writeUInt32BE(length, 1);
  return length < 0x10000
    ? Uint8Array.of(0xc5, ...head.subarray(3))
    : Uint8Array.of(0xc6, ...head.subarray(1));
}
