import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { parseBatchDigest } from '../../../src/protocol/chain/parse.ts';
import type { BatchReference, CertifiedBlock, QuorumCertificate } from '../../../src/protocol/chain/types.ts';
import { NONE_VERIFIED } from '../../../src/protocol/consensus/verified.ts';
import { BATCH_HEIGHTS } from '../../../src/protocol/sync/config.ts';
import { CHECKPOINTS_MAX } from '../../../src/protocol/sync/messages.ts';
import {
  batchesFor,
  checkpointHeights,
  composed,
  costOf,
  provenPrefix,
} from '../../../src/protocol/sync/serving.ts';
import { KINDS } from '../../../src/protocol/transport/kinds.ts';
import { chainOf, height, present, world } from '../consensus/fixture.ts';

const place = world();
const { epoch, bls } = place;
const LENGTH = BATCH_HEIGHTS + 12;

function reference(index: number, bytes = 100): BatchReference {
  const digest = parseBatchDigest(digestOf(Buffer.from(`batch ${index}`)));
  if (digest === 'malformed') throw new Error('no digest');
  return { digest, count: 1, bytes };
}

const { blocks, qcs } = chainOf(
  place,
  Array.from({ length: LENGTH }, (_, index) => index + 1),
  (index) => ({ batches: [reference(index)] }),
);
const certified: readonly CertifiedBlock[] = blocks.map((block, index) => ({
  block,
  qc: present(qcs[index], 'QC'),
}));
const forged = ({ block, qc }: CertifiedBlock): CertifiedBlock => ({
  block,
  qc: { ...qc, signature: present(qcs[0], 'QC').signature },
});
const judge = { epoch, bls, verified: NONE_VERIFIED };
const prefixOf = (list: readonly CertifiedBlock[], proofs: readonly QuorumCertificate[] = []) =>
  provenPrefix(judge, list, proofs);
const lengthOf = (list: readonly CertifiedBlock[], proofs: readonly QuorumCertificate[] = []) =>
  prefixOf(list, proofs).blocks.length;

describe('what leaves is proven (SY-8)', () => {
  it('is the whole where its newest certificate holds, by one verification and no second one', () => {
    const before = bls.calls.fastAggregateVerify;
    const first = prefixOf(certified);
    expect(first.blocks.length).toBe(LENGTH);
    expect(bls.calls.fastAggregateVerify).toBe(before + 1);
    provenPrefix({ ...judge, verified: first.verified }, certified, []);
    expect(bls.calls.fastAggregateVerify).toBe(before + 1);
  });

  it('ends at the border of batches where inner certificates were never verified', () => {
    const list = certified.map((one, index) => (index + 1 === BATCH_HEIGHTS ? one : forged(one)));
    expect(lengthOf(list)).toBe(BATCH_HEIGHTS);
  });

  it('leaves out the newest block alone where only its certificate does not hold', () => {
    const list = certified.slice(0, 20).map((one, index) => (index === 19 ? forged(one) : one));
    expect(lengthOf(list)).toBe(19);
  });

  it('is nothing after few tries where none of them holds', () => {
    const before = bls.calls.fastAggregateVerify;
    expect(lengthOf(certified.map(forged))).toBe(0);
    expect(bls.calls.fastAggregateVerify - before).toBeLessThanOrEqual(4);
    expect(lengthOf([])).toBe(0);
  });

  it('reaches the newest block that a proof of commit certifies, with that proof, and tries few others before', () => {
    const list = certified.map(forged);
    const proofs = [20, 40, 100].map((at) => present(qcs[at - 1], 'QC'));
    const before = bls.calls.fastAggregateVerify;
    const { blocks: given, tries } = prefixOf(list, proofs);
    expect(given).toHaveLength(100);
    expect(given.at(-1)?.qc).toBe(proofs[2]);
    expect(given.slice(0, -1)).toEqual(list.slice(0, 99));
    expect(tries).toBe(5);
    expect(bls.calls.fastAggregateVerify - before).toBe(5);
    expect(lengthOf(list.slice(0, 40), proofs)).toBe(40);
    expect(lengthOf(list.slice(0, 39), proofs)).toBe(20);
    expect(lengthOf(list.slice(40, 99), proofs)).toBe(0);
  });

  it('is the longest that can be proven of those, whatever else is spoiled, and never more (SY-8)', () => {
    const rounds = fc.array(fc.nat(LENGTH - 1), { maxLength: 6 });
    fc.assert(
      fc.property(rounds, fc.integer({ min: 1, max: LENGTH - 1 }), fc.nat(LENGTH), (good, from, length) => {
        const list = certified.slice(from, from + length).map(forged);
        const proofs = good.map((at) => present(qcs[at], 'QC'));
        const given = prefixOf(list, proofs).blocks;
        const proving = good.filter((at) => at >= from && at < from + list.length);
        expect(given.length).toBe(proving.length === 0 ? 0 : Math.max(...proving) - from + 1);
      }),
      { numRuns: 60 },
    );
  });

  it('carries in each block the certificate that the block below has, where its id allows it', () => {
    const lying = certified.slice(0, 4).map(({ block, qc }, index) => ({
      block: { ...block, qc: index === 2 ? { ...block.qc, height: height(77) } : block.qc },
      qc,
    }));
    expect(composed(lying)).toEqual(certified.slice(0, 4));
    const apart = [present(certified[0], 'block'), present(certified[2], 'block')];
    expect(composed(apart)).toEqual(apart);
    expect(composed([])).toEqual([]);
  });
});

describe('bounds of an answer (TP-9)', () => {
  it('reads no more batches than a frame takes by what the headers say', () => {
    const half = Math.floor(KINDS.Blocks.bytesMax / 2);
    const { blocks: large } = chainOf(place, [1, 2, 3], (index) => ({ batches: [reference(index, half)] }));
    const list = large.map((block, index) => ({ block, qc: present(certified[index], 'block').qc }));
    expect(batchesFor(list)).toEqual({ digests: [reference(0).digest, reference(1).digest], blocks: 2 });
    expect(batchesFor(certified)).toMatchObject({ digests: { length: LENGTH }, blocks: LENGTH });
    const twice = [...list.slice(0, 1), ...list.slice(0, 1)];
    expect(batchesFor(twice)).toEqual({ digests: [reference(0).digest], blocks: 2 });
    const huge = chainOf(place, [1], () => ({ batches: [reference(0, 4 * half)] })).blocks;
    const alone = huge.map((block) => ({ block, qc: present(qcs[0], 'QC') }));
    expect(batchesFor(alone)).toEqual({ digests: [], blocks: 1 });
  });

  it('charges an answer by its bytes, and at least what a small one costs', () => {
    expect(costOf([], [])).toBe(64 * 1024);
    expect(costOf(certified, [])).toBeGreaterThan(costOf([], []) - 1);
    expect(costOf([], [new Uint8Array(1_000_000)])).toBe(1_000_000);
  });

  it('names the same checkpoints as a node that is a little ahead: they can be compared (SY-9)', () => {
    const mine = new Set(checkpointHeights(height(1), height(50_000)));
    const theirs = checkpointHeights(height(1), height(50_700));
    expect(theirs.filter((at) => mine.has(at)).length).toBeGreaterThan(90);
  });

  it('spreads checkpoints over base..tip: both of them, rising, never more than 128 (SY-9)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3_000 }),
        fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 2 ** 50 })),
        (base, span) => {
          const heights = checkpointHeights(height(base), height(base + span));
          expect(heights[0]).toBe(base);
          expect(heights.at(-1)).toBe(base + span);
          expect(heights.length).toBeLessThanOrEqual(CHECKPOINTS_MAX);
          expect(heights.length).toBeGreaterThanOrEqual(Math.min(span + 1, CHECKPOINTS_MAX / 4));
          const steps = heights.slice(1).map((at, index) => at - (heights[index] ?? at));
          expect(steps.every((step) => step >= 1)).toBe(true);
        },
      ),
    );
  });
});
