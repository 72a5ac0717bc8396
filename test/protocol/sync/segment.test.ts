/** Which answers of peers may be used. Rules SY-3, SY-8, SY-14; CS-5. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchDigestOf } from '../../../src/protocol/chain/batch.ts';
import type { CertifiedBlock, QuorumCertificate } from '../../../src/protocol/chain/types.ts';
import { verifyQC } from '../../../src/protocol/consensus/certificates.ts';
import { NONE_VERIFIED } from '../../../src/protocol/consensus/verified.ts';
import {
  above,
  checkDescent,
  idAt,
  type Judge,
  joined,
  PROOF_TRIES_MAX,
  proven,
  type SegmentCheck,
  verifySegment,
  withoutBatches,
} from '../../../src/protocol/sync/segment.ts';
import {
  blockOn,
  chainOf,
  epochNumber,
  height,
  idOf,
  present,
  qcOf,
  round,
  world,
} from '../consensus/fixture.ts';

const place = world();
const judge: Judge = { epoch: place.epoch, bls: place.bls, verified: NONE_VERIFIED };
const bytesAt = (index: number) => Uint8Array.of(7, index, 7);

function certifiedIn(rounds: readonly number[]): readonly CertifiedBlock[] {
  const { blocks, qcs } = chainOf(place, rounds, (index) => ({
    batches: [{ digest: batchDigestOf(bytesAt(index)), count: 1, bytes: 3 }],
  }));
  return blocks.map((block, index) => ({ block, qc: present(qcs[index], 'QC') }));
}

const chain = certifiedIn([1, 2, 3, 4, 5, 6, 7, 8]);
const all = (from = 1, limit = 8, proofs: readonly QuorumCertificate[] = []) => ({
  from: height(from),
  limit,
  proofs,
});
const check = (blocks: readonly CertifiedBlock[], question = all(), batches: readonly Uint8Array[] = []) =>
  verifySegment(judge, question, { blocks, batches });
const codeOf = (outcome: SegmentCheck) => (outcome.status === 'refused' ? outcome.code : outcome.status);
const segmentOf = (outcome: SegmentCheck) => {
  if (outcome.status !== 'verified') throw new Error(codeOf(outcome));
  return outcome.segment;
};
const spoiled = (qc: QuorumCertificate): QuorumCertificate => ({
  ...qc,
  signature: qc.signature.map((byte) => byte ^ 1),
});
const with_ = (at: number, change: (one: CertifiedBlock) => CertifiedBlock) =>
  chain.map((one, index) => (index === at ? change(one) : one));

describe('a segment by height (SY-8, validateBlock)', () => {
  it('is verified by one certificate, its newest, however many blocks it has', () => {
    const before = place.bls.calls.fastAggregateVerify;
    const segment = segmentOf(check(chain));
    expect(place.bls.calls.fastAggregateVerify - before).toBe(1);
    expect(segment).toMatchObject({ from: 1, to: 8, firm: 7, parentId: place.epoch.rootQC.blockId });
    expect(segment.verified).toEqual([chain[7]?.qc]);
    expect(segment.ids).toEqual(chain.map(({ block }) => idOf(place, block)));
  });

  it('does not look at the signatures of inner certificates, nor give them out as verified', () => {
    const inner = with_(3, ({ block, qc }) => ({ block, qc: spoiled(qc) }));
    expect(segmentOf(check(inner)).verified).toEqual([chain[7]?.qc]);
  });

  it('is refused when the newest certificate does not hold', () => {
    expect(codeOf(check(with_(7, ({ block, qc }) => ({ block, qc: spoiled(qc) }))))).toBe(
      'BLOCKS_NOT_CERTIFIED',
    );
    const weak = with_(7, ({ block, qc }) => ({ block, qc: { ...qc, signers: Uint8Array.of(1) } }));
    expect(codeOf(check(weak))).toBe('BLOCKS_NOT_CERTIFIED');
  });

  it('verifies a certificate once, and again only when it is forgotten (CS-13)', () => {
    const { verified } = check(chain);
    const before = place.bls.calls.fastAggregateVerify;
    expect(codeOf(verifySegment({ ...judge, verified }, all(), { blocks: chain, batches: [] }))).toBe(
      'verified',
    );
    expect(place.bls.calls.fastAggregateVerify).toBe(before);
  });

  it.each([
    ['a gap', [...chain.slice(0, 3), ...chain.slice(4)], 'BLOCKS_NOT_GAPLESS'],
    ['the wrong order', [chain[1], chain[0]], 'BLOCKS_NOT_GAPLESS'],
    ['another beginning', chain.slice(1), 'BLOCKS_NOT_GAPLESS'],
    ['nothing', [], 'BLOCKS_NOT_GAPLESS'],
    ['a block twice', [chain[0], chain[0]], 'BLOCKS_NOT_GAPLESS'],
  ] as const)('is refused with %s', (_, blocks, code) => {
    expect(codeOf(check(blocks.flatMap((one) => one ?? [])))).toBe(code);
  });

  it('is refused with more blocks than were asked for', () => {
    expect(codeOf(check(chain, all(1, 7)))).toBe('BAD_BLOCKS');
    expect(codeOf(check(chain.slice(0, 7), all(1, 7)))).toBe('verified');
  });

  it('is refused when a certificate states another block', () => {
    const swapped = with_(2, ({ block }) => ({ block, qc: present(chain[4], 'block').qc }));
    expect(codeOf(check(swapped))).toBe('CERTIFICATE_OF_ANOTHER_BLOCK');
    const moved = with_(2, ({ block, qc }) => ({ block, qc: { ...qc, parentRound: round(0) } }));
    expect(codeOf(check(moved))).toBe('CERTIFICATE_OF_ANOTHER_BLOCK');
  });

  it('is refused when the certificate inside a block states another parent than the one below it', () => {
    // The id covers the round of that certificate only: the rest must be compared.
    const lying = with_(3, ({ block, qc }) => ({
      block: { ...block, qc: { ...block.qc, parentRound: round(0) } },
      qc,
    }));
    expect(codeOf(check(lying))).toBe('BLOCKS_NOT_GAPLESS');
    const other = with_(3, ({ block, qc }) => ({
      block: { ...block, qc: { ...block.qc, blockId: place.epoch.rootQC.blockId } },
      qc,
    }));
    expect(codeOf(check(other))).toBe('BLOCKS_PARENT_DIFFERS');
  });

  it('is not understood, and nobody is blamed for it, where its validators are not known here', () => {
    const ofNext = ({ block, qc }: CertifiedBlock): CertifiedBlock => ({
      block: { ...block, header: { ...block.header, epoch: epochNumber(1) } },
      qc: { ...qc, epoch: epochNumber(1) },
    });
    const later = with_(3, ofNext);
    expect(codeOf(check(later)), 'of two epochs: nobody who serves gives that (CS-16)').toBe(
      'BLOCKS_SPAN_EPOCHS',
    );
    expect(check(later.map(ofNext)).status).toBe('notUnderstood');
    const last = present(later[3], 'block');
    const byId = { id: last.qc.blockId, limit: 8 };
    expect(checkDescent(place.epoch, byId, { blocks: [last], batches: [] })).toEqual({
      status: 'notUnderstood',
    });
  });

  it('is refused when it was signed by another network', () => {
    const elsewhere = world(undefined, 'elsewhere');
    const { blocks, qcs } = chainOf(elsewhere, [1, 2]);
    const foreign = blocks.map((block, index) => ({ block, qc: present(qcs[index], 'QC') }));
    expect(codeOf(check(foreign))).toBe('CERTIFICATE_OF_ANOTHER_BLOCK');
  });

  it('hands out the newest certificate of consecutive rounds too: only that one commits (CS-5)', () => {
    const gaps = certifiedIn([1, 2, 3, 5, 7]);
    const segment = segmentOf(check(gaps));
    expect(segment.verified).toEqual([gaps[2]?.qc, gaps[4]?.qc]);
    expect(segment.firm).toBe(2);
  });

  it('takes the proof that the child carries when the other was not signed, and blames nobody for it', () => {
    const gaps = certifiedIn([1, 2, 3, 5, 7]).map(({ block, qc }, index) => ({
      block,
      qc: index === 2 ? spoiled(qc) : qc,
    }));
    const segment = segmentOf(check(gaps));
    expect(segment.verified).toEqual([gaps[3]?.block.qc, gaps[4]?.qc]);
    expect(segment.firm).toBe(2);
  });

  it('tries a bounded number of proofs, and is good without one: the next batch commits', () => {
    const rounds = [1, 2, 3, 4, 5, 6, 7, 9];
    const bad = certifiedIn(rounds).map(({ block, qc }, index, blocks) => ({
      block: index === 0 ? block : { ...block, qc: spoiled(block.qc) },
      qc: index === blocks.length - 1 ? qc : spoiled(qc),
    }));
    const before = place.bls.calls.fastAggregateVerify;
    const segment = segmentOf(check(bad));
    expect(segment.verified).toEqual([bad[7]?.qc]);
    expect(segment.firm).toBe(0);
    expect(place.bls.calls.fastAggregateVerify - before).toBe(1 + 2 * PROOF_TRIES_MAX);
  });
});

describe('a segment below a verified proof of commit (SY-3)', () => {
  const proof = present(chain[5], 'block').qc;

  it('ends with the block that the proof commits: no other certificate is needed', () => {
    const before = place.bls.calls.fastAggregateVerify;
    const unsigned = chain.slice(0, 5).map(({ block, qc }) => ({ block, qc: spoiled(qc) }));
    const segment = segmentOf(check(unsigned, all(1, 5, [proof])));
    expect(segment).toMatchObject({ to: 5, firm: 5, verified: [proof] });
    expect(place.bls.calls.fastAggregateVerify).toBe(before);
  });

  it('is refused when it has another block at that height, certified as that may be', () => {
    const low = present(chain[3], 'block');
    const orphan = blockOn(place, low.qc, 9);
    const fork = [...chain.slice(0, 4), { block: orphan, qc: qcOf(place, orphan) }];
    expect(codeOf(check(fork))).toBe('verified');
    expect(codeOf(check(fork, all(1, 8, [proof])))).toBe('CONTRADICTS_COMMITTED');
  });

  it('is judged by its own certificate when it ends below or above', () => {
    expect(segmentOf(check(chain.slice(0, 3), all(1, 8, [proof]))).verified).toEqual([chain[2]?.qc]);
    expect(segmentOf(check(chain, all(1, 8, [proof])))).toMatchObject({ firm: 7 });
    expect(
      codeOf(
        check(
          with_(7, ({ block, qc }) => ({ block, qc: spoiled(qc) })),
          all(1, 8, [proof]),
        ),
      ),
    ).toBe('BLOCKS_NOT_CERTIFIED');
  });
});

describe('bytes of batches', () => {
  it('hash to the digests that the blocks name, in any number', () => {
    const segment = segmentOf(check(chain, all(), [bytesAt(0), bytesAt(5)]));
    expect(segment.batches.map(({ digest }) => digest)).toEqual([bytesAt(0), bytesAt(5)].map(batchDigestOf));
    const bare = withoutBatches(segment);
    expect(bare.batches).toEqual([]);
    expect(segment.bytes - bare.bytes).toBe(6);
  });

  it.each([
    ['that no block names', [bytesAt(9)]],
    ['that came twice', [bytesAt(0), bytesAt(0)]],
    ['changed by a bit', [Uint8Array.of(7, 0, 6)]],
    ['more than are named', Array.from({ length: 9 }, (_, index) => bytesAt(index % 8))],
  ])('%s make the answer worth nothing', (_, batches) => {
    expect(codeOf(check(chain, all(), batches))).toBe('BATCH_NOT_NAMED');
  });
});

describe('a descent by id (CS-12)', () => {
  const id = idOf(place, present(chain[5], 'block').block);
  const down = (blocks: readonly CertifiedBlock[], limit = 8) =>
    checkDescent(place.epoch, { id, limit }, { blocks, batches: [] });

  it('needs no signature: the id vouches for the block and all its ancestors', () => {
    const before = place.bls.calls.fastAggregateVerify;
    const unsigned = chain.slice(2, 6).map(({ block, qc }) => ({ block, qc: spoiled(qc) }));
    expect(down(unsigned)).toMatchObject({ status: 'linked', links: { from: 3, to: 6 } });
    expect(place.bls.calls.fastAggregateVerify).toBe(before);
  });

  it('is refused when it ends with another block, has gaps, or is longer than was asked for', () => {
    expect(down(chain.slice(2, 5))).toEqual({ status: 'refused', code: 'NOT_THE_WANTED_BLOCK' });
    expect(down([present(chain[2], 'b'), present(chain[5], 'b')])).toEqual({
      status: 'refused',
      code: 'BLOCKS_NOT_GAPLESS',
    });
    expect(down(chain.slice(0, 6), 5)).toEqual({ status: 'refused', code: 'BAD_BLOCKS' });
  });

  it('joins what is below it, and is proven by what vouches for its top', () => {
    const upper = checkDescent(place.epoch, { id, limit: 8 }, { blocks: chain.slice(3, 6), batches: [] });
    if (upper.status !== 'linked') throw new Error(upper.status);
    const lowerId = upper.links.parentId;
    const lower = checkDescent(
      place.epoch,
      { id: lowerId, limit: 8 },
      { blocks: chain.slice(0, 3), batches: [] },
    );
    if (lower.status !== 'linked') throw new Error(lower.status);
    const whole = joined(lower.links, upper.links);
    expect(whole).toMatchObject({ from: 1, to: 6, parentId: place.epoch.rootQC.blockId });
    expect(whole.blocks).toEqual(chain.slice(0, 6));
    const target = present(chain[5], 'b').qc;
    expect(proven(judge, whole, [target]).segment).toMatchObject({ firm: 5, verified: [target] });
  });
});

it('keeps what is above a height, with its ids and its parent', () => {
  const segment = segmentOf(check(chain, all(), [bytesAt(0)]));
  const rest = present(above(segment, height(3)), 'rest');
  expect(rest).toMatchObject({ from: 4, to: 8, parentId: segment.ids[2] });
  expect(rest.blocks).toEqual(chain.slice(3));
  expect(rest.ids).toEqual(segment.ids.slice(3));
  expect(idAt(rest, height(4))).toBe(segment.ids[3]);
  expect(idAt(rest, height(3))).toBeUndefined();
  expect(above(segment, height(0))).toBe(segment);
  expect(above(segment, height(8))).toBeUndefined();
});

it('is total, and gives out only certificates that hold, whatever the rounds and whatever was spoiled (SY-8)', () => {
  const steps = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(steps, fc.array(fc.nat(40)), (gaps, bad) => {
      let at = 0;
      const rounds = gaps.map((gap) => {
        at += gap;
        return at;
      });
      const blocks = certifiedIn(rounds).map(({ block, qc }, index) => ({
        block: bad.includes(2 * index) && index > 0 ? { ...block, qc: spoiled(block.qc) } : block,
        qc: bad.includes(2 * index + 1) ? spoiled(qc) : qc,
      }));
      const outcome = check(blocks, all(1, blocks.length));
      const newestIsBad = bad.includes(2 * blocks.length - 1);
      expect(outcome.status).toBe(newestIsBad ? 'refused' : 'verified');
      if (outcome.status !== 'verified') return;
      const { verified, firm } = outcome.segment;
      for (const qc of verified) expect(verifyQC(place.epoch, place.bls, qc)).toBe('valid');
      expect(verified.map((qc) => qc.round)).toEqual(verified.map((qc) => qc.round).sort((a, b) => a - b));
      const commits = verified.filter((qc) => qc.round === qc.parentRound + 1).map((qc) => qc.height - 1);
      expect(firm).toBe(Math.max(0, ...commits));
    }),
    { numRuns: 200 },
  );
});
