import { describe, expect, it } from 'vitest';
import { loadBlsEngine } from '../../../src/crypto/bls/select.ts';
import { batchDigestOf } from '../../../src/protocol/chain/batch.ts';
import { epochHashOf, evidenceHashOf } from '../../../src/protocol/chain/canonical.ts';
import { bitmapOf } from '../../../src/protocol/chain/signers.ts';
import type { HeaderLink, ProvenHeader } from '../../../src/protocol/chain/types.ts';
import { BLOCKS_MAX } from '../../../src/protocol/consensus/block-tree.ts';
import { verifyProvenHeader } from '../../../src/protocol/light/headers.ts';
import { PROOF_PATH_MAX, type ProvenFacts, type TrustedEpoch } from '../../../src/protocol/light/types.ts';
import { chainOf, epochNumber, height, idOf, present, qcOf, round, world } from '../consensus/fixture.ts';
import { endingChain, nextOf, proofOf, trustedOf } from './fixture.ts';

const place = world([1n, 1n, 1n, 1n, 1n]);
const trusted = trustedOf(place);
/** Rounds 4, 7 and 8 failed: nothing of 3, 5 and 6 is committed before QC(10) has come. */
const chain = chainOf(place, [1, 2, 3, 5, 6, 9, 10]);

const judge = (proof: ProvenHeader, by: TrustedEpoch = trusted) => verifyProvenHeader(by, place.bls, proof);
const codeOf = (proof: ProvenHeader, by: TrustedEpoch = trusted): string => {
  const verdict = judge(proof, by);
  return verdict.status === 'proven' ? 'proven' : verdict.refusal.code;
};
const factsOf = (proof: ProvenHeader): ProvenFacts => {
  const verdict = judge(proof);
  if (verdict.status === 'refused') throw new Error(verdict.refusal.code);
  return verdict.facts;
};
/** The proof with one link changed. */
const withLink = (
  { path, certificate }: ProvenHeader,
  index: number,
  change: (link: HeaderLink) => HeaderLink,
) => {
  const [first, ...others] = path.map((link, at) => (at === index ? change(link) : link));
  return { path: [present(first, 'first'), ...others] as const, certificate };
};
const pathOf = (links: readonly HeaderLink[]): ProvenHeader['path'] => {
  const [first, ...others] = links;
  return [present(first, 'first'), ...others];
};

describe('a proven header (CS-5)', () => {
  it('is proven by the QC of its child in the very next round', () => {
    const facts = factsOf(proofOf(chain, 0, 1));
    expect(facts.header).toEqual(chain.blocks[0]?.header);
    expect(facts.id).toBe(idOf(place, present(chain.blocks[0], 'block')));
    expect(facts.endsEpoch).toBe(false);
  });

  it('is proven over headers whose children came rounds later', () => {
    expect(codeOf(proofOf(chain, 2, 4))).toBe('proven');
    expect(codeOf(proofOf(chain, 0, 6))).toBe('proven');
  });

  it('is not proven by a certificate that skips a round', () => {
    expect(codeOf(proofOf(chain, 2, 3))).toBe('NOT_CONSECUTIVE');
    expect(codeOf(proofOf(chain, 4, 5))).toBe('NOT_CONSECUTIVE');
  });

  it('is proven by a quorum alone, each signer counted once', () => {
    const proof = proofOf(chain, 0, 1);
    const child = present(chain.blocks[1], 'child');
    const { set } = place.epoch;
    const four = bitmapOf(set, [0, 1, 2, 3].map(place.addressAt));
    expect(codeOf({ ...proof, certificate: qcOf(place, child, [0, 1, 2]) })).toBe('QUORUM_NOT_REACHED');
    expect(codeOf({ ...proof, certificate: qcOf(place, child, [1, 2, 3, 4]) })).toBe('proven');
    // The signature of three under the names of four, and of five.
    const three = qcOf(place, child, [0, 1, 2]);
    expect(codeOf({ ...proof, certificate: { ...three, signers: four } })).toBe('SIGNATURE_INVALID');
    const all = Uint8Array.of(0b11111);
    expect(codeOf({ ...proof, certificate: { ...proof.certificate, signers: all } })).toBe(
      'SIGNATURE_INVALID',
    );
  });

  it('has no signers beyond the set, in a bitmap that is the set’s', () => {
    const proof = proofOf(chain, 0, 1);
    const signers = [Uint8Array.of(0b101111), Uint8Array.of(0b1111, 0), new Uint8Array(0)];
    const codes = signers.map((bits) =>
      codeOf({ ...proof, certificate: { ...proof.certificate, signers: bits } }),
    );
    expect(codes).toEqual(['SIGNERS_MALFORMED', 'SIGNERS_MALFORMED', 'SIGNERS_MALFORMED']);
  });

  it('is refused with a forged certificate, and before any pairing where hashes suffice', () => {
    const proof = proofOf(chain, 0, 1);
    const forged = { ...proof.certificate, signature: proofOf(chain, 1, 2).certificate.signature };
    expect(codeOf({ ...proof, certificate: forged })).toBe('SIGNATURE_INVALID');
    const before = place.bls.calls.fastAggregateVerify;
    expect(codeOf({ ...proof, certificate: proofOf(chain, 1, 2).certificate })).toBe('PARENT_WRONG');
    expect(codeOf(withLink(proof, 0, (link) => ({ ...link, parentRound: round(1) })))).toBe('ROUND_WRONG');
    expect(place.bls.calls.fastAggregateVerify).toBe(before);
  });

  it('is refused without a header, with one missing, with two exchanged, and with too many', () => {
    const whole = proofOf(chain, 2, 6);
    const { path, certificate } = whole;
    expect(path).toHaveLength(4);
    expect(codeOf({ path: pathOf(path.slice(0, -1)), certificate })).toBe('PARENT_WRONG');
    expect(codeOf({ path: pathOf([...path.slice(0, 1), ...path.slice(2)]), certificate })).toBe(
      'PARENT_WRONG',
    );
    const [a, b, ...rest] = path;
    expect(codeOf({ path: pathOf([present(b, 'second'), a, ...rest]), certificate })).toBe('PARENT_WRONG');
    const long = pathOf(Array.from({ length: PROOF_PATH_MAX + 1 }, () => a));
    expect(codeOf({ path: long, certificate })).toBe('PATH_LENGTH_WRONG');
  });

  it('is refused for every field of every header that is not as it was signed', () => {
    const proof = proofOf(chain, 2, 4);
    const other = evidenceHashOf([]);
    const batch = { digest: batchDigestOf(new Uint8Array(0)), count: 1, bytes: 1 };
    const changes: ((link: HeaderLink) => HeaderLink)[] = [
      (link) => ({ ...link, header: { ...link.header, height: height(link.header.height + 1) } }),
      (link) => ({ ...link, header: { ...link.header, round: round(link.header.round + 1) } }),
      (link) => ({
        ...link,
        header: { ...link.header, executed: { ...link.header.executed, height: height(9) } },
      }),
      (link) => ({
        ...link,
        header: { ...link.header, nextValidatorsHash: other },
      }),
      (link) => ({
        ...link,
        header: { ...link.header, batches: [batch] },
      }),
      (link) => ({ ...link, header: { ...link.header, vrfProof: Uint8Array.of(1) } }),
    ];
    for (const change of changes)
      for (const index of [0, 1]) expect(codeOf(withLink(proof, index, change))).not.toBe('proven');
  });

  it('is refused by whoever trusts another chain, another epoch or another set', () => {
    const proof = proofOf(chain, 0, 1);
    const domain = { ...trusted.domain, chainId: 'other' };
    expect(codeOf(proof, { ...trusted, domain })).toBe('PARENT_WRONG');
    const later = { ...trusted.descriptor, epoch: epochNumber(1) };
    expect(codeOf(proof, { ...trusted, descriptor: later })).toBe('WRONG_EPOCH');
    const stale = { ...trusted.descriptor, passedOver: [place.addressAt(0)] };
    expect(codeOf(proof, { ...trusted, descriptor: stale })).toBe('EPOCH_HASH_WRONG');
    const fewer = { ...trusted.descriptor, validators: world([1n, 1n, 1n, 1n]).epoch.set };
    expect(codeOf(proof, { ...trusted, descriptor: fewer })).toBe('EPOCH_HASH_WRONG');
  });

  it('is never of round 0, and the block that opens an epoch proves nothing of itself', () => {
    const proof = proofOf(chain, 0, 1);
    const zero = withLink(proof, 0, (link) => ({ ...link, header: { ...link.header, round: round(0) } }));
    expect(codeOf(zero)).toBe('ROUND_WRONG');
    expect(codeOf({ ...proof, certificate: place.epoch.rootQC })).toBe('PARENT_WRONG');
  });

  it('has room for as many headers as a node can commit at once', () => {
    expect(PROOF_PATH_MAX).toBe(BLOCKS_MAX);
  });

  it('is proven with blst as with the simulator’s signatures', async () => {
    const { engine } = await loadBlsEngine();
    const real = world([3n, 1n, 1n], 'real', engine);
    const signed = chainOf(real, [1, 2]);
    const verdict = verifyProvenHeader(trustedOf(real), engine, proofOf(signed, 0, 1));
    expect(verdict.status).toBe('proven');
    const signature = present(signed.qcs[0], 'QC').signature;
    const forged = { ...proofOf(signed, 0, 1), certificate: { ...present(signed.qcs[1], 'QC'), signature } };
    expect(verifyProvenHeader(trustedOf(real), engine, forged).status).toBe('refused');
  });
});

describe('a header that states the next epoch (CS-16)', () => {
  const next = nextOf(place, world([1n, 1n, 1n, 1n, 1n, 1n], 'next'));
  const ending = endingChain(place, [1, 2, 3, 4, 5], 2, next);

  it('is the end of its epoch; what stands above that is in no chain, whoever signed it', () => {
    const [before, end] = [proofOf(ending, 1, 2), proofOf(ending, 2, 3)].map(factsOf);
    expect([before?.endsEpoch, end?.endsEpoch]).toEqual([false, true]);
    expect(codeOf(proofOf(ending, 3, 4))).toBe('NOT_IN_CHAIN');
    expect(factsOf(proofOf(ending, 2, 4)).endsEpoch).toBe(true);
  });

  it('is proven by what stands above it, however long, and so is the header before it', () => {
    const late = endingChain(place, [1, 3, 5, 7, 8], 1, next);
    expect(codeOf(proofOf(late, 1, 4))).toBe('proven');
    expect(codeOf(proofOf(late, 0, 4))).toBe('proven');
  });

  it('does not change its mind above the end', () => {
    const back = [...ending.blocks];
    const third = present(back[3], 'block');
    const changed = {
      ...third,
      header: { ...third.header, nextValidatorsHash: epochHashOf(trusted.descriptor) },
    };
    const top = qcOf(place, changed);
    const proof = {
      path: pathOf([
        ...proofOf(ending, 2, 3).path,
        { header: changed.header, parentRound: changed.qc.round },
      ]),
      certificate: top,
    };
    expect(codeOf(proof)).toBe('NEXT_EPOCH_CHANGED');
  });
});
