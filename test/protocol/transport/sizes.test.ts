import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wallTime } from '../../../src/base/units.ts';
import type {
  Address,
  BatchDigest,
  BatchReference,
  CertifiedBlock,
  Digest,
  Height,
  QuorumCertificate,
} from '../../../src/protocol/chain/types.ts';
import { KINDS } from '../../../src/protocol/transport/kinds.ts';
import {
  ANSWER_BATCHES_MAX,
  ANSWER_REFERENCES_MAX,
  BLOCKS_MAX,
} from '../../../src/protocol/transport/limits.ts';
import { answerThatFits, blocksThatFit } from '../../../src/protocol/transport/sizes.ts';
import { decode, encode } from '../../../src/transport/codec/codec.ts';
import { chainOf } from '../../transport/support/blocks.ts';

const most = 2 ** 52;
const digest = 'ab'.repeat(32) as Digest;

/** Everything at its widest; no two certificates alike, so that none is left out. */
function widest(references: number, mark = 0): CertifiedBlock {
  const qc = (own: number): QuorumCertificate =>
    ({
      epoch: most,
      round: most,
      height: most,
      blockId: digest,
      parentId: digest,
      parentRound: most,
      signers: new Uint8Array(64).fill(own),
      signature: new Uint8Array(96).fill(mark),
    }) as object as QuorumCertificate;
  const reference = { digest: digest as Digest as BatchDigest, count: most, bytes: most };
  const header = {
    epoch: 0 as never,
    round: most as never,
    height: most as Height,
    parentId: digest as never,
    time: wallTime(most),
    proposer: 'cd'.repeat(20) as Address,
    batches: new Array<BatchReference>(references).fill(reference),
    batchesRoot: digest,
    executed: { height: most as Height, appHash: digest },
    validatorsHash: digest,
    nextValidatorsHash: digest,
    evidenceHash: digest,
    vrfProof: new Uint8Array(96),
  };
  return { block: { header, qc: qc(1) }, qc: qc(2) };
}

const encodes = (blocks: readonly CertifiedBlock[], batches: readonly Uint8Array[] = []): boolean =>
  encode({ kind: 'Blocks', requestId: most, blocks, batches, height: most as Height }).outcome === 'encoded';

describe('answers with blocks (TP-9)', () => {
  for (const references of [0, 1, 10, 31, 33, 100, 1_000]) {
    it(`are never too large and never much smaller than they could be, with ${references} batches a block`, () => {
      const blocks = Array.from({ length: BLOCKS_MAX + 10 }, (_, index) => widest(references, index % 251));
      const count = blocksThatFit(blocks);
      expect(count).toBeGreaterThan(0);
      expect(count).toBeLessThanOrEqual(BLOCKS_MAX);
      expect(encodes(blocks.slice(0, count))).toBe(true);
      // The bound is near: a few more do not fit.
      expect(encodes(blocks.slice(0, Math.ceil(count * 1.05) + 1))).toBe(false);
    });
  }

  it('take 256 blocks of two batches of 3 KiB each, and of 512 validators', () => {
    const { blocks, batches } = chainOf({ blocks: 256, validators: 512, batches: 2, batchBytes: 3_072 });
    const answer = answerThatFits(blocks, batches);
    expect(answer.blocks).toBe(256);
    expect(answer.batches).toHaveLength(512);
    expect(encodes(blocks, answer.batches)).toBe(true);
  });

  it('have the batches of all their blocks, in order; one more block would not fit', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 4, max: 60_000 }),
        (count, perBlock, batchBytes) => {
          const { blocks, batches } = chainOf({
            blocks: count,
            validators: 4,
            batches: perBlock,
            batchBytes,
          });
          const answer = answerThatFits(blocks, [...batches].reverse());
          expect(answer.batches).toHaveLength(answer.blocks * perBlock);
          expect(answer.batches.every((bytes, place) => bytes === batches[place]?.bytes)).toBe(true);
          const taken = blocks.slice(0, answer.blocks);
          expect(encodes(taken, answer.batches)).toBe(true);
          if (answer.blocks === count) return;
          expect((answer.blocks + 1) * perBlock * batchBytes).toBeGreaterThan(
            KINDS.Blocks.bytesMax - 1_100 * (answer.blocks + 1) - 1_000,
          );
        },
      ),
      { numRuns: 30 },
    );
  }, 30_000);

  it('begin with a block whose batches are too large for one frame, with as many of them as fit', () => {
    const { blocks, batches } = chainOf({ blocks: 2, validators: 4, batches: 3, batchBytes: 900_000 });
    const answer = answerThatFits(blocks, batches);
    expect(answer.blocks).toBe(1);
    expect(answer.batches.map((bytes) => batches.findIndex((one) => one.bytes === bytes))).toEqual([0, 1]);
    expect(encodes(blocks.slice(0, 1), answer.batches)).toBe(true);
    const whole = new Uint8Array(2 * 1024 * 1024 - 64);
    const alone = batches.slice(0, 1).map((one) => ({ digest: one.digest, bytes: whole }));
    expect(answerThatFits(blocks, alone)).toEqual({ blocks: 1, batches: [] });
  });

  it('reckon with the head of each batch, and with certificates that no block repeats', () => {
    for (let batchBytes = 3_900; batchBytes < 4_200; batchBytes += 40) {
      const { blocks, batches } = chainOf({ blocks: 1, validators: 4, batches: 600, batchBytes });
      const answer = answerThatFits(blocks, batches);
      expect(answer.batches.length).toBeLessThan(600);
      expect([batchBytes, encodes(blocks, answer.batches)]).toEqual([batchBytes, true]);
    }
    const { blocks, batches } = chainOf({ blocks: 256, validators: 512, batches: 2, batchBytes: 3_700 });
    const apart = blocks.map(({ block, qc }) => ({ block, qc: { ...qc, signature: new Uint8Array(96) } }));
    const answer = answerThatFits(apart, batches);
    expect(answer.blocks).toBeLessThan(256);
    expect(encodes(apart.slice(0, answer.blocks), answer.batches)).toBe(true);
  });

  it('leave out what is not held, say a batch once, and none that no block names', () => {
    const { blocks, batches } = chainOf({ blocks: 3, validators: 4, batches: 1, batchBytes: 10 });
    const [one, two, three] = batches;
    if (one === undefined || two === undefined || three === undefined) throw new Error('too few');
    const foreign = { digest: digest as Digest as BatchDigest, bytes: new Uint8Array(5) };
    expect(answerThatFits([...blocks, ...blocks], [foreign, three, one])).toEqual({
      blocks: 6,
      batches: [one.bytes, three.bytes],
    });
  });

  it('have at most 1,024 batches', () => {
    const { blocks, batches } = chainOf({ blocks: 256, validators: 4, batches: 10, batchBytes: 10 });
    const answer = answerThatFits(blocks, batches);
    expect(answer.blocks).toBe(102);
    expect(answer.batches).toHaveLength(1_020);
    const { blocks: one, batches: many } = chainOf({
      blocks: 2,
      validators: 4,
      batches: 1_000,
      batchBytes: 10,
    });
    expect(answerThatFits(one, many).blocks).toBe(1);
    expect(ANSWER_BATCHES_MAX).toBeLessThan(KINDS.Blocks.nodesMax - 16);
  });

  it('cost less than 10 ms of CPU to decode, also the dearest (TP-11)', () => {
    for (const references of [0, 2, 32, 1_000]) {
      const all = Array.from({ length: BLOCKS_MAX }, (_, index) => widest(references, index % 251));
      const blocks = all.slice(0, blocksThatFit(all));
      const batches = new Array<Uint8Array>(ANSWER_BATCHES_MAX).fill(new Uint8Array(500));
      const encoding = encode({ kind: 'Blocks', requestId: 1, blocks, batches, height: 1 as Height });
      if (encoding.outcome === 'refused') throw new Error(encoding.refusal.code);
      let best = Number.POSITIVE_INFINITY;
      for (let run = 0; run < 10; run += 1) {
        const before = process.threadCpuUsage();
        expect(decode(encoding.frame.bytes).outcome).toBe('decoded');
        const { user, system } = process.threadCpuUsage(before);
        best = Math.min(best, (user + system) / 1_000);
      }
      expect(best).toBeLessThan(10);
    }
  });

  it('are 0 blocks of nothing, and never name more batches than a frame may', () => {
    expect(blocksThatFit([])).toBe(0);
    expect(answerThatFits([], [])).toEqual({ blocks: 0, batches: [] });
    const all = new Array<CertifiedBlock>(40).fill(widest(1_000));
    expect(blocksThatFit(all)).toBe(Math.floor(ANSWER_REFERENCES_MAX / 1_000));
    expect(KINDS.Proposal.nodesMax).toBeGreaterThan(1_000 * 7 + 100);
  });
});
