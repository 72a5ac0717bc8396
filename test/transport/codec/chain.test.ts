import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ORDINAL_MAX } from '../../../src/protocol/chain/ordinals.ts';
import type {
  BatchReference,
  CertifiedBlock,
  Digest,
  Height,
  QuorumCertificate,
} from '../../../src/protocol/chain/types.ts';
import {
  ANSWER_BATCHES_MAX,
  ANSWER_REFERENCES_MAX,
  BLOCKS_MAX,
} from '../../../src/protocol/transport/limits.ts';
import {
  BLOCK_HEAD_BYTES,
  CHAIN_HEAD_BYTES,
  certifiedBlockBytes,
  HEADER_BYTES,
  STATEMENT_BYTES,
} from '../../../src/protocol/transport/sizes.ts';
import { readChain, writeChain } from '../../../src/transport/codec/chain.ts';
import { decode, encode } from '../../../src/transport/codec/codec.ts';
import { chainOf } from '../support/blocks.ts';
import { chain } from './arbitraries.ts';

const written = (blocks: readonly CertifiedBlock[]): Uint8Array => {
  const writing = writeChain(blocks);
  if (writing.outcome === 'refused') throw new Error(JSON.stringify(writing));
  return writing.bytes;
};

const { blocks: honest } = chainOf({ blocks: 4, validators: 4, batches: 2, batchBytes: 100 });

function first(): CertifiedBlock {
  const [block] = honest;
  if (block === undefined) throw new Error('no block');
  return block;
}

/** The encoding with some bytes changed. */
function edited(edit: (bytes: Uint8Array) => void, blocks: readonly CertifiedBlock[] = honest): Uint8Array {
  const bytes = written(blocks).slice();
  edit(bytes);
  return bytes;
}

describe('chain of blocks: round trip (TP-8)', () => {
  it('gives back every list that it writes, in as many bytes as the sizes say', () => {
    fc.assert(
      fc.property(chain, (blocks) => {
        const bytes = written(blocks);
        const reading = readChain(bytes);
        expect(reading).toEqual({ outcome: 'read', blocks });
        if (reading.outcome === 'refused') return;
        const repeated = reading.blocks.map(
          ({ block }, index) => index > 0 && block.qc === reading.blocks[index - 1]?.qc,
        );
        const sizes = blocks.map((one, index) => certifiedBlockBytes(one, repeated[index] === true));
        expect(bytes.byteLength).toBe(sizes.reduce((sum, size) => sum + size, CHAIN_HEAD_BYTES));
      }),
      { numRuns: 200 },
    );
  });

  it('says a certificate once where the next block carries it, though it be another object', () => {
    const [one, two] = honest;
    if (one === undefined || two === undefined) throw new Error('too short');
    const copied = {
      ...two,
      block: { ...two.block, qc: { ...one.qc, signature: one.qc.signature.slice() } },
    };
    const bytes = written([one, copied]);
    expect(bytes).toEqual(written([one, two]));
    const reading = readChain(bytes);
    if (reading.outcome === 'refused') throw new Error(reading.problem);
    expect(reading.blocks[1]?.block.qc).toBe(reading.blocks[0]?.qc);
  });

  it.each([
    ['round', { round: 900 }],
    ['epoch', { epoch: 900 }],
    ['height', { height: 900 }],
    ['parent’s round', { parentRound: 900 }],
    ['block', { blockId: 'ab'.repeat(32) }],
    ['parent', { parentId: 'ab'.repeat(32) }],
    ['signers', { signers: Uint8Array.of(7) }],
    ['signature', { signature: new Uint8Array(96) }],
  ] as const)('says a certificate twice where they differ in their %s alone', (_, change) => {
    const [one, two] = honest;
    if (one === undefined || two === undefined) throw new Error('too short');
    const qc = { ...one.qc, ...change } as QuorumCertificate;
    const blocks = [one, { ...two, block: { ...two.block, qc } }];
    const reading = readChain(written(blocks));
    expect(reading).toEqual({ outcome: 'read', blocks });
  });

  it('has the one layout that is written down: 650 bytes for the first block of four validators', () => {
    const bytes = written(honest.slice(0, 1));
    expect(BLOCK_HEAD_BYTES + HEADER_BYTES + 2 * STATEMENT_BYTES).toBe(452);
    expect(bytes.byteLength).toBe(CHAIN_HEAD_BYTES + 452 + 2 * 48 + 80 + 2 * (1 + 96));
    expect([...bytes.subarray(0, 10)]).toEqual([0, 1, 0, 80, 0, 2, 1, 96, 1, 96]);
    const view = new DataView(bytes.buffer);
    expect(view.getBigUint64(26)).toBe(BigInt(first().block.header.height));
    expect(Buffer.from(bytes).toString('hex', 50, 70)).toBe(first().block.header.proposer);
  });
});

describe('chain of blocks: one encoding only (TP-8)', () => {
  it('takes a changed byte string only if it is the encoding of what it reads from it', () => {
    let taken = 0;
    fc.assert(
      fc.property(
        chain,
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 3 }),
        fc.constantFrom(0, 0, 0, 0, -1, 1),
        (blocks, edits, growth) => {
          const before = written(blocks);
          const bytes = new Uint8Array(Math.max(0, before.byteLength + growth));
          bytes.set(before.subarray(0, bytes.byteLength));
          for (const [place, value] of edits) {
            // The first bytes, where flags and lengths are, more often than the others.
            bytes[(value % 2 === 0 ? place % 12 : place) % bytes.byteLength] = value;
          }
          const reading = readChain(bytes);
          if (reading.outcome === 'refused') return;
          taken += 1;
          expect(written(reading.blocks)).toEqual(bytes);
        },
      ),
      { numRuns: 2_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it('refuses a certificate that is said twice', () => {
    const [one, two] = honest;
    if (one === undefined || two === undefined) throw new Error('too short');
    const other = { ...two.block.qc, signature: new Uint8Array(96).fill(200) };
    const bytes = written([one, { ...two, block: { ...two.block, qc: other } }]);
    const at = Buffer.from(bytes).lastIndexOf(Buffer.alloc(96, 200));
    bytes.set(one.qc.signature, at);
    expect(readChain(bytes)).toEqual({ outcome: 'refused', index: 1, problem: 'a certificate twice' });
  });

  it('refuses bytes after the last block, and an end at any place before it', () => {
    const bytes = written(honest);
    const longer = new Uint8Array(bytes.byteLength + 1);
    longer.set(bytes);
    expect(readChain(longer)).toMatchObject({ index: 4, problem: 'bytes after the last block' });
    for (let length = 0; length < bytes.byteLength; length += 1) {
      expect(readChain(bytes.subarray(0, length)).outcome).toBe('refused');
    }
  });
});

describe('chain of blocks: bounds (TP-9, TP-11)', () => {
  const refusals: readonly (readonly [string, string, (bytes: Uint8Array) => void])[] = [
    ['more blocks than one answer has', 'more than 256 blocks', (bytes) => bytes.set([1, 1], 0)],
    ['flags that do not exist', 'unknown flags', (bytes) => bytes.set([4], 2)],
    ['a first block that repeats', 'repeats no certificate', (bytes) => bytes.set([1], 2)],
    ['a VRF proof of 97 bytes', 'VRF proof too long', (bytes) => bytes.set([97], 3)],
    ['1,001 batches in a block', 'too many batches', (bytes) => bytes.set([3, 0xe9], 4)],
    ['a parent’s bitmap of 65 bytes', 'too many signers', (bytes) => bytes.set([65], 6)],
    [
      'a parent’s signature of 95 bytes',
      'expected a signature of 96 bytes or none',
      (bytes) => bytes.set([95], 7),
    ],
    ['a bitmap of 65 bytes', 'too many signers', (bytes) => bytes.set([65], 8)],
    ['a signature of 95 bytes', 'expected a signature of 96 bytes or none', (bytes) => bytes.set([95], 9)],
    ['an epoch above 2^52', 'a number above 2^52', (bytes) => bytes.set([0, 0x10, 0, 0, 0, 0, 0, 1], 10)],
    ['a round of 2^64 - 1', 'a number above 2^52', (bytes) => bytes.fill(255, 18, 26)],
    ['lengths that claim what is not there', 'truncated', (bytes) => bytes.set([3, 0xe8], 4)],
  ];
  it.each(refusals)('refuses %s', (_, problem, edit) => {
    expect(readChain(edited(edit))).toEqual({ outcome: 'refused', index: 0, problem });
  });

  it('takes a number of 2^52, and refuses one that follows a good block', () => {
    const most = { ...first(), qc: { ...first().qc, height: ORDINAL_MAX as Height } };
    expect(readChain(written([most]))).toEqual({ outcome: 'read', blocks: [most] });
    const at = written(honest.slice(0, 1)).byteLength + BLOCK_HEAD_BYTES;
    expect(readChain(edited((bytes) => bytes.fill(255, at, at + 8)))).toMatchObject({ index: 1 });
  });

  it('refuses a first block that repeats a certificate and has none', () => {
    const second = written(honest).subarray(written(honest.slice(0, 1)).byteLength);
    expect(readChain(Buffer.concat([Uint8Array.of(0, 3), second]))).toEqual({
      outcome: 'refused',
      index: 0,
      problem: 'repeats no certificate',
    });
  });

  it('refuses a repeated certificate with lengths of its own', () => {
    const second = written(honest.slice(0, 1)).byteLength;
    for (const place of [4, 5]) {
      expect(readChain(edited((bytes) => bytes.set([place === 4 ? 1 : 96], second + place)))).toMatchObject({
        index: 1,
        problem: 'repeats no certificate',
      });
    }
  });

  it('refuses more batches in all than an answer names, at both ends', () => {
    const reference: BatchReference = {
      digest: 'ab'.repeat(32) as Digest as BatchReference['digest'],
      count: 1,
      bytes: 1,
    };
    const naming = (count: number): CertifiedBlock => ({
      ...first(),
      block: {
        ...first().block,
        header: { ...first().block.header, batches: new Array<BatchReference>(count).fill(reference) },
      },
    });
    const full = new Array<CertifiedBlock>(8).fill(naming(1_000));
    const fits = [...full, naming(ANSWER_REFERENCES_MAX - 8_000)];
    expect(readChain(written(fits))).toMatchObject({ outcome: 'read' });
    const problem = 'too many batches in all';
    expect(writeChain([...fits, naming(1)])).toEqual({ outcome: 'refused', index: 9, problem });
    const bytes = Buffer.concat([written(fits), written([naming(1)]).subarray(CHAIN_HEAD_BYTES)]);
    bytes.writeUInt16BE(10, 0);
    expect(readChain(bytes)).toEqual({ outcome: 'refused', index: 9, problem });
  });

  const unwritable: readonly (readonly [string, (one: CertifiedBlock) => CertifiedBlock])[] = [
    ['capital letters', (one) => ({ ...one, qc: { ...one.qc, blockId: 'AB'.repeat(32) as never } })],
    ['a digest of 63 letters', (one) => ({ ...one, qc: { ...one.qc, blockId: 'a'.repeat(63) as never } })],
    ['a digest of 66 letters', (one) => ({ ...one, qc: { ...one.qc, blockId: 'a'.repeat(66) as never } })],
    ['letters beyond ASCII', (one) => ({ ...one, qc: { ...one.qc, parentId: 'þ'.repeat(64) as never } })],
    ['a negative number', (one) => ({ ...one, qc: { ...one.qc, round: -1 as never } })],
    ['a fraction', (one) => ({ ...one, qc: { ...one.qc, round: 0.5 as never } })],
    ['a number above 2^52', (one) => ({ ...one, qc: { ...one.qc, epoch: (ORDINAL_MAX + 1) as never } })],
    ['a signature of 95 bytes', (one) => ({ ...one, qc: { ...one.qc, signature: new Uint8Array(95) } })],
    ['a bitmap of 65 bytes', (one) => ({ ...one, qc: { ...one.qc, signers: new Uint8Array(65) } })],
  ];
  it.each(unwritable)('does not write what it would not read: %s', (_, change) => {
    expect(writeChain([first(), change(first())])).toMatchObject({ outcome: 'refused', index: 1 });
    const message = {
      kind: 'Blocks',
      requestId: 1,
      blocks: [change(first())],
      batches: [],
      height: 1 as Height,
    } as const;
    expect(encode(message)).toMatchObject({ refusal: { code: 'SCHEMA', kind: 'Blocks', path: 'blocks.0' } });
  });

  it('does not write more blocks than one answer has', () => {
    expect(writeChain(new Array<CertifiedBlock>(BLOCKS_MAX + 1).fill(first())).outcome).toBe('refused');
  });

  it('ends every byte string in an outcome, without a throw', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 300 }),
        fc.uint8Array({ maxLength: 1_500, size: 'max' }),
        fc.boolean(),
        (count, body, quiet) => {
          const bytes = Buffer.concat([Uint8Array.of(count >> 8, count & 255), quiet ? body.fill(0) : body]);
          expect(['read', 'refused']).toContain(readChain(bytes).outcome);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('what is kept of an answer', () => {
  const { blocks, batches } = chainOf({ blocks: 128, validators: 100, batches: 1, batchBytes: 8_000 });

  const decoded = (given: readonly Uint8Array[], of = blocks) => {
    const encoding = encode({
      kind: 'Blocks',
      requestId: 1,
      blocks: of,
      batches: given,
      height: 1 as Height,
    });
    if (encoding.outcome === 'refused') throw new Error(JSON.stringify(encoding.refusal));
    const { bytes } = encoding.frame;
    const decoding = decode(bytes);
    if (decoding.outcome !== 'decoded' || decoding.message.kind !== 'Blocks') throw new Error('not blocks');
    return { bytes, message: decoding.message };
  };

  it('does not keep its frame: a block’s bytes keep less than 512 of others, a batch’s less than its own length', () => {
    const { bytes, message } = decoded(batches.map((batch) => batch.bytes));
    expect(bytes.byteLength).toBeGreaterThan(1_000_000);
    expect(message.batches).toEqual(batches.map((batch) => batch.bytes));
    for (const { block, qc } of message.blocks) {
      for (const piece of [
        block.header.vrfProof,
        block.qc.signers,
        block.qc.signature,
        qc.signers,
        qc.signature,
      ]) {
        expect(piece.constructor).toBe(Uint8Array);
        expect(piece.buffer.byteLength - piece.byteLength).toBeLessThan(512);
      }
    }
    for (const batch of message.batches) expect(batch.buffer.byteLength).toBeLessThan(2 * batch.byteLength);
  });

  it('leaves a batch that is half of its frame where it is', () => {
    const large = new Uint8Array(400_000).fill(5);
    const { bytes, message } = decoded([large], blocks.slice(0, 1));
    expect(message.batches[0]?.buffer).toBe(bytes.buffer);
    expect(bytes.byteLength).toBeLessThan(2 * large.byteLength);
  });

  it('takes 1,024 batches, and refuses one more and an empty one', () => {
    const tiny = new Array<Uint8Array>(ANSWER_BATCHES_MAX).fill(Uint8Array.of(1));
    expect(decoded(tiny).message.batches).toHaveLength(ANSWER_BATCHES_MAX);
    for (const wrong of [[...tiny, Uint8Array.of(1)], [new Uint8Array()]]) {
      expect(
        encode({ kind: 'Blocks', requestId: 1, blocks: [], batches: wrong, height: 1 as Height }),
      ).toMatchObject({
        refusal: { code: 'SCHEMA', path: 'batches' },
      });
    }
  });
});
