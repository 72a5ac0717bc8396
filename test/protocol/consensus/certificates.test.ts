import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadBlsEngine } from '../../../src/crypto/bls/select.ts';
import { parseEpoch } from '../../../src/protocol/chain/parse.ts';
import { bitmapOf, signersOf } from '../../../src/protocol/chain/signers.ts';
import type { QuorumCertificate, TimeoutCertificate } from '../../../src/protocol/chain/types.ts';
import {
  verifyQC,
  verifyTC,
  verifyViewChange,
  verifyVote,
} from '../../../src/protocol/consensus/certificates.ts';
import {
  NONE_VERIFIED,
  rememberQC,
  VERIFIED_MAX,
  verifyCertificates,
} from '../../../src/protocol/consensus/verified.ts';
import { assembleTC } from '../../../src/protocol/consensus/view-change-book.ts';
import { blockOn, chainOf, present, qcOf, round, tcOf, timeoutBy, voteFor, world } from './fixture.ts';

const codeOf = (verdict: { readonly code: string } | 'valid'): string =>
  verdict === 'valid' ? 'valid' : verdict.code;

describe('a vote (CS-4)', () => {
  const place = world();
  const vote = voteFor(place, blockOn(place, place.epoch.rootQC, 1), 0);
  const judge = (one: typeof vote) => codeOf(verifyVote(place.epoch, place.bls, one));

  it('is valid under its voter’s own signature only', () => {
    expect(judge(vote)).toBe('valid');
    expect(judge({ ...vote, validator: place.addressAt(1) })).toBe('SIGNATURE_INVALID');
    expect(judge({ ...vote, round: round(2) })).toBe('SIGNATURE_INVALID');
  });

  it('is refused before any pairing for another epoch, a stranger, or an impossible link', () => {
    const later = parseEpoch(1);
    if (later === 'malformed') throw new Error('epoch');
    const before = place.bls.calls.verify;
    const stranger = world(undefined, 'elsewhere').addressAt(0);
    expect(judge({ ...vote, epoch: later })).toBe('WRONG_EPOCH');
    expect(judge({ ...vote, validator: stranger })).toBe('UNKNOWN_VALIDATOR');
    expect(judge({ ...vote, parentRound: vote.round })).toBe('LINK_WRONG');
    expect(place.bls.calls.verify).toBe(before);
  });
});

describe('a QC', () => {
  const place = world([1n, 1n, 1n, 1n, 1n]);
  const block = blockOn(place, place.epoch.rootQC, 1);
  const qc = qcOf(place, block, [0, 1, 2, 3]);
  const judge = (one: QuorumCertificate) => codeOf(verifyQC(place.epoch, place.bls, one));
  const bits = (...indices: number[]) =>
    bitmapOf(
      place.epoch.set,
      indices.map((index) => place.addressAt(index)),
    );

  it('of n = 5 needs 4 signers', () => {
    expect(judge(qc)).toBe('valid');
    expect(judge(qcOf(place, block, [0, 1, 2]))).toBe('QUORUM_NOT_REACHED');
    expect(judge(qcOf(place, block, [0, 1, 2, 3, 4]))).toBe('valid');
  });

  it('of a random power distribution is valid exactly when its signers reach Q(W)', () => {
    const powers = fc.array(fc.bigInt({ min: 1n, max: 20n }), { minLength: 1, maxLength: 7 });
    fc.assert(
      fc.property(powers, fc.infiniteStream(fc.boolean()), (given, choice) => {
        const other = world(given);
        const chosen = given.map((_, index) => index).filter(() => choice.next().value === true);
        if (chosen.length === 0) return;
        const proposed = blockOn(other, other.epoch.rootQC, 1);
        const power = chosen.reduce((sum, index) => sum + (given[index] ?? 0n), 0n);
        const verdict = verifyQC(other.epoch, other.bls, qcOf(other, proposed, chosen));
        expect(codeOf(verdict)).toBe(power >= other.epoch.set.quorumPower ? 'valid' : 'QUORUM_NOT_REACHED');
      }),
      { numRuns: 60 },
    );
  });

  it('has its bitmap checked before any pairing: length, bits beyond the set, quorum', () => {
    const before = place.bls.calls.fastAggregateVerify;
    expect(judge({ ...qc, signers: new Uint8Array(0) })).toBe('SIGNERS_MALFORMED');
    expect(judge({ ...qc, signers: new Uint8Array(2).fill(1) })).toBe('SIGNERS_MALFORMED');
    expect(judge({ ...qc, signers: Uint8Array.of(0b111_1111) })).toBe('SIGNERS_MALFORMED');
    expect(judge({ ...qc, signers: bits(0) })).toBe('QUORUM_NOT_REACHED');
    expect(judge({ ...qc, parentRound: qc.round })).toBe('LINK_WRONG');
    expect(place.bls.calls.fastAggregateVerify).toBe(before);
  });

  it('cannot count one signer three times: a bitmap names each once', () => {
    const vote = voteFor(place, block, 0);
    const thrice = present(
      place.bls.aggregateSignatures([vote.signature, vote.signature, vote.signature]),
      'sum',
    );
    expect(judge({ ...qc, signers: bits(0), signature: thrice })).toBe('QUORUM_NOT_REACHED');
    expect(judge({ ...qc, signature: thrice })).toBe('SIGNATURE_INVALID');
  });

  it('is refused when anything that it states was changed', () => {
    expect(judge({ ...qc, round: round(2) })).toBe('SIGNATURE_INVALID');
    expect(judge({ ...qc, blockId: qc.parentId })).toBe('SIGNATURE_INVALID');
    expect(judge({ ...qc, parentId: qc.blockId })).toBe('SIGNATURE_INVALID');
    expect(judge({ ...qc, signers: bits(0, 1, 2, 4) })).toBe('SIGNATURE_INVALID');
  });

  it('of round 0 is valid for the genesis id only, and without a signature', () => {
    const { rootQC } = place.epoch;
    expect(judge(rootQC)).toBe('valid');
    expect(judge({ ...rootQC, blockId: qc.blockId })).toBe('ROOT_CERTIFICATE_WRONG');
    expect(judge({ ...rootQC, height: qc.height })).toBe('ROOT_CERTIFICATE_WRONG');
    expect(judge({ ...rootQC, signature: qc.signature })).toBe('ROOT_CERTIFICATE_WRONG');
    expect(judge({ ...qc, round: round(0) })).toBe('ROOT_CERTIFICATE_WRONG');
    expect(judge({ ...rootQC, round: round(1) })).not.toBe('valid');
  });
});

describe('a TC (CS-8)', () => {
  const place = world();
  const { rootQC } = place.epoch;
  const { qcs } = chainOf(place, [1, 2]);
  const [first, second] = [present(qcs[0], 'QC'), present(qcs[1], 'QC')];
  const tc = tcOf(place, 3, [first, second, rootQC]);
  const judge = (one: TimeoutCertificate) => codeOf(verifyTC(place.epoch, place.bls, one));
  const [top, middle, low] = tc.groups;

  it('groups its signers by high-QC round, falling, and carries the best QC', () => {
    expect(tc.groups.map(({ highQcRound }) => highQcRound)).toEqual([2, 1, 0]);
    expect(tc.highQC).toBe(second);
    expect(tc.groups.map(({ signers }) => signersOf(place.epoch.set, signers))).toEqual(
      [1, 0, 2].map((index) => [place.validators[index]]),
    );
    expect(judge(tc)).toBe('valid');
  });

  it('is verified by one aggregate over its groups, and its high QC by one more', () => {
    const { aggregateVerify, fastAggregateVerify } = { ...place.bls.calls };
    judge(tc);
    expect(place.bls.calls.aggregateVerify - aggregateVerify).toBe(1);
    expect(place.bls.calls.fastAggregateVerify - fastAggregateVerify).toBe(1);
  });

  it('is refused before any pairing when its groups are wrong', () => {
    const before = { ...place.bls.calls };
    if (middle === undefined || low === undefined) throw new Error('three groups');
    expect(judge({ ...tc, groups: [middle, top, low] })).toBe('GROUPS_NOT_FALLING');
    expect(judge({ ...tc, groups: [top, { ...middle, highQcRound: round(2) }, low] })).toBe(
      'GROUPS_NOT_FALLING',
    );
    expect(judge({ ...tc, groups: [top, { ...middle, signers: top.signers }, low] })).toBe('SIGNER_TWICE');
    expect(judge({ ...tc, groups: [top, middle] })).toBe('QUORUM_NOT_REACHED');
    expect(judge({ ...tc, groups: [top, middle, { ...low, signers: new Uint8Array(0) }] })).toBe(
      'SIGNERS_MALFORMED',
    );
    expect(judge({ ...tc, highQC: first })).toBe('HIGH_QC_NOT_OF_GROUPS');
    expect(judge({ ...tc, groups: [middle, low] })).toBe('HIGH_QC_NOT_OF_GROUPS');
    expect(judge({ ...tc, round: round(2) })).toBe('HIGH_QC_NOT_BELOW_ROUND');
    expect(place.bls.calls).toEqual(before);
  });

  it('is refused when a signer’s high-QC round was lowered (pitfall: TC signed over the round only)', () => {
    const lowered = tcOf(place, 3, [first, first, rootQC]);
    expect(judge(lowered)).toBe('valid');
    expect(judge({ ...lowered, signature: tc.signature })).toBe('SIGNATURE_INVALID');
  });

  it('is refused with a high QC that no quorum signed', () => {
    const forged = { ...second, signature: first.signature };
    expect(judge({ ...tc, highQC: forged })).toBe('SIGNATURE_INVALID');
  });
});

describe('a ViewChange (CS-7)', () => {
  const place = world();
  const { rootQC } = place.epoch;
  const { blocks, qcs } = chainOf(place, [1]);
  const [block, qc] = [present(blocks[0], 'block'), present(qcs[0], 'QC')];
  const judge = (one: ReturnType<typeof timeoutBy>) => codeOf(verifyViewChange(place.epoch, place.bls, one));

  it('is justified by the QC or TC of the round before', () => {
    expect(judge(timeoutBy(place, 0, { round: 2, highQC: qc }))).toBe('valid');
    const lastTC = tcOf(place, 2, [qc, qc, rootQC]);
    expect(judge(timeoutBy(place, 0, { round: 3, highQC: qc, lastTC }))).toBe('valid');
    expect(judge(timeoutBy(place, 0, { round: 3, highQC: qc }))).toBe('ROUND_NOT_JUSTIFIED');
    expect(judge(timeoutBy(place, 0, { round: 4, highQC: qc, lastTC }))).toBe('ROUND_NOT_JUSTIFIED');
    expect(judge(timeoutBy(place, 0, { round: 1, highQC: qc }))).toBe('HIGH_QC_NOT_BELOW_ROUND');
  });

  it('carries its sender’s own vote of that round, or none', () => {
    const mine = voteFor(place, blockOn(place, qc, 2), 0);
    const another = voteFor(place, blockOn(place, qc, 2), 1);
    expect(judge(timeoutBy(place, 0, { round: 2, highQC: qc, lastVote: mine }))).toBe('valid');
    expect(judge(timeoutBy(place, 0, { round: 2, highQC: qc, lastVote: another }))).toBe(
      'LAST_VOTE_NOT_OF_SENDER',
    );
    const older = voteFor(place, block, 0);
    expect(judge(timeoutBy(place, 0, { round: 2, highQC: qc, lastVote: older }))).toBe(
      'LAST_VOTE_NOT_OF_SENDER',
    );
  });

  it('is refused unsigned, or signed for another high-QC round', () => {
    const message = timeoutBy(place, 0, { round: 2, highQC: qc });
    expect(judge({ ...message, signature: new Uint8Array(96) })).toBe('SIGNATURE_INVALID');
    expect(judge({ ...message, validator: place.addressAt(1) })).toBe('SIGNATURE_INVALID');
    const other = timeoutBy(place, 0, {
      round: 2,
      highQC: rootQC,
      lastTC: tcOf(place, 1, [rootQC, rootQC, rootQC]),
    });
    expect(judge({ ...other, highQC: qc })).toBe('SIGNATURE_INVALID');
  });
});

describe('with real BLS12-381 signatures', () => {
  it('votes, QCs, timeouts and TCs hold, and forged ones do not', async () => {
    const { engine } = await loadBlsEngine();
    const place = world([2n, 1n, 1n, 3n], 'real', engine);
    const block = blockOn(place, place.epoch.rootQC, 1);
    const qc = qcOf(place, block, [0, 1, 3]);
    expect(verifyVote(place.epoch, place.bls, voteFor(place, block, 2))).toBe('valid');
    expect(verifyQC(place.epoch, place.bls, qc)).toBe('valid');
    const alone = voteFor(place, block, 3);
    expect(codeOf(verifyQC(place.epoch, place.bls, { ...qc, signature: alone.signature }))).toBe(
      'SIGNATURE_INVALID',
    );
    const tc = tcOf(place, 2, [qc, place.epoch.rootQC, qc, place.epoch.rootQC]);
    expect(verifyTC(place.epoch, place.bls, tc)).toBe('valid');
    expect(codeOf(verifyTC(place.epoch, place.bls, { ...tc, signature: qc.signature }))).toBe(
      'SIGNATURE_INVALID',
    );
    const timeout = timeoutBy(place, 1, { round: 2, highQC: qc });
    expect(codeOf(verifyViewChange(place.epoch, place.bls, timeout))).toBe('valid');
  });
});

describe('verified certificates (CS-13)', () => {
  const place = world();
  const { qcs } = chainOf(place, [1, 2]);
  const [first, second] = [present(qcs[0], 'QC'), present(qcs[1], 'QC')];

  it('are verified once', () => {
    const tc = tcOf(place, 3, [first, second, second]);
    const once = verifyCertificates(place.epoch, place.bls, NONE_VERIFIED, { qc: second, tc });
    expect(once).toMatchObject({ qc: second, tc, refusals: [] });
    const before = { ...place.bls.calls };
    const again = verifyCertificates(place.epoch, place.bls, once.verified, { qc: second, tc });
    expect(again).toMatchObject({ qc: second, tc, refusals: [] });
    expect(place.bls.calls).toEqual(before);
  });

  it('are not taken for verified when one byte differs', () => {
    const { verified } = verifyCertificates(place.epoch, place.bls, NONE_VERIFIED, { qc: first });
    const forged = { ...first, signature: second.signature };
    expect(verifyCertificates(place.epoch, place.bls, verified, { qc: forged })).toMatchObject({
      refusals: [{ code: 'SIGNATURE_INVALID' }],
    });
  });

  it('hand out a valid high QC of a wrong TC, and not the TC', () => {
    const tc = { ...tcOf(place, 3, [first, second, second]), signature: new Uint8Array(96) };
    const outcome = verifyCertificates(place.epoch, place.bls, NONE_VERIFIED, { qc: first, tc });
    expect(outcome.qc).toBe(second);
    expect(outcome.tc).toBeUndefined();
    expect(outcome.refusals.map(({ code }) => code)).toEqual(['SIGNATURE_INVALID']);
  });

  it('hold back a TC whose high QC no quorum signed', () => {
    const forged = { ...second, signature: first.signature };
    const tc = { ...tcOf(place, 3, [first, second, second]), highQC: forged };
    const outcome = verifyCertificates(place.epoch, place.bls, NONE_VERIFIED, { qc: first, tc });
    expect(outcome.qc).toBe(first);
    expect(outcome.tc).toBeUndefined();
  });

  it('are remembered up to a bound', () => {
    let memory = NONE_VERIFIED;
    for (let value = 1; value <= VERIFIED_MAX + 20; value += 1) {
      memory = rememberQC(place.epoch.domain, memory, { ...first, round: round(value) });
    }
    expect(memory.digests.length).toBe(VERIFIED_MAX);
  });

  it('assemble no TC from nothing', () => {
    expect(assembleTC(place.epoch, place.bls, [])).toBeUndefined();
  });
});
