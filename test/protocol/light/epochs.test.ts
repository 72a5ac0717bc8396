import { describe, expect, it } from 'vitest';
import type { EpochDescriptor, EpochProof } from '../../../src/protocol/chain/types.ts';
import { validatorSet } from '../../../src/protocol/chain/validator-set.ts';
import { verifyEpochProof, verifyEpochs } from '../../../src/protocol/light/epochs.ts';
import { verifyProvenHeader } from '../../../src/protocol/light/headers.ts';
import { VALIDATORS_MAX } from '../../../src/protocol/transport/limits.ts';
import { chainOf, epochNumber, present, world } from '../consensus/fixture.ts';
import { endingChain, epochProofOf, nextOf, proofOf, trustedOf, worldAfter } from './fixture.ts';

const place = world();
const trusted = trustedOf(place);
const seven = world([1n, 1n, 1n, 1n, 1n, 1n, 1n], 'seven');
const next = nextOf(place, seven);
const proof = epochProofOf(place, next);

const codeOf = (one: EpochProof, by = trusted): string => {
  const verdict = verifyEpochProof(by, place.bls, one);
  return verdict.status === 'proven' ? 'proven' : verdict.refusal.code;
};
/** A proof whose last header does state this descriptor, whatever it is. */
const stating = (descriptor: EpochDescriptor): EpochProof => epochProofOf(place, descriptor);

describe('the proof of an epoch (CS-16)', () => {
  it('leads to the epoch that the last header names', () => {
    const verdict = verifyEpochProof(trusted, place.bls, proof);
    expect(verdict).toMatchObject({ status: 'proven', last: { endsEpoch: true } });
    if (verdict.status === 'refused') return;
    expect(verdict.trusted.descriptor).toEqual(next);
    expect(verdict.trusted.domain).toBe(trusted.domain);
  });

  it('leads over several epochs, whose headers are then proven under their own validators alone', () => {
    const second = worldAfter(seven, place, proof);
    const third = worldAfter(place, second, epochProofOf(second, nextOf(second, place)));
    const proofs = [proof, epochProofOf(second, nextOf(second, place))];
    const verdict = verifyEpochs(trusted, both, proofs);
    expect(verdict.status).toBe('proven');
    expect(verdict.trusted.descriptor.epoch).toBe(2);
    const header = proofOf(chainOf(third, [1, 2]), 0, 1);
    expect(verifyProvenHeader(verdict.trusted, both, header).status).toBe('proven');
    expect(verifyProvenHeader(trusted, both, header)).toMatchObject({ refusal: { code: 'WRONG_EPOCH' } });
  });

  it('of which one is missing or twice is refused at its place, and those before it hold', () => {
    const second = worldAfter(seven, place, proof);
    const after = epochProofOf(second, nextOf(second, place));
    expect(verifyEpochs(trusted, both, [after])).toMatchObject({ status: 'refused', index: 0, trusted });
    const twice = verifyEpochs(trusted, both, [proof, proof]);
    expect(twice).toMatchObject({ status: 'refused', index: 1, refusal: { code: 'NEXT_EPOCH_WRONG' } });
    expect(twice.trusted.descriptor.epoch).toBe(1);
    expect(verifyEpochs(trusted, both, [])).toEqual({ status: 'proven', trusted });
  });

  it('is refused where the next set, its seed or its leaders are not as the header names them', () => {
    const six = world([1n, 1n, 1n, 1n, 1n, 1n], 'six').epoch.set;
    expect(codeOf({ ...proof, next: { ...next, validators: six } })).toBe('NEXT_HASH_WRONG');
    expect(codeOf({ ...proof, next: { ...next, seed: place.epoch.domain.genesisHash } })).toBe(
      'NEXT_HASH_WRONG',
    );
    expect(codeOf({ ...proof, next: { ...next, passedOver: [seven.addressAt(0)] } })).toBe('NEXT_HASH_WRONG');
    const heavier = seven.epoch.set.validators.map((one, index) => ({
      ...one,
      power: index === 0 ? 2n : 1n,
    }));
    const other = validatorSet(heavier);
    if ('code' in other) throw new Error(other.code);
    expect(codeOf({ ...proof, next: { ...next, validators: other } })).toBe('NEXT_HASH_WRONG');
    // A set whose power and hash are claimed, and not of its validators.
    const claimed = { ...seven.epoch.set, validators: other.validators };
    expect(codeOf({ ...proof, next: { ...next, validators: claimed } })).toBe('NEXT_HASH_WRONG');
  });

  it('is refused for a set that consensus cannot run with, though a quorum signed it', () => {
    const twice = [...seven.epoch.set.validators, present(seven.validators[0], 'one')];
    const set = { ...seven.epoch.set, validators: twice };
    expect(codeOf(stating({ ...next, validators: set }))).toBe('NEXT_VALIDATORS_WRONG');
    const empty = { ...seven.epoch.set, validators: [] };
    expect(codeOf(stating({ ...next, validators: empty }))).toBe('NEXT_VALIDATORS_WRONG');
    const [one] = seven.validators;
    const many = {
      ...seven.epoch.set,
      validators: Array.from({ length: VALIDATORS_MAX + 1 }, () => present(one, 'one')),
    };
    expect(codeOf(stating({ ...next, validators: many }))).toBe('VALIDATORS_TOO_MANY');
  });

  it('is refused where too much power leads no round, or a stranger, or in no order (CS-15)', () => {
    const [a, b, c] = [0, 1, 2].map(seven.addressAt).map((address) => present(address, 'address'));
    if (a === undefined || b === undefined || c === undefined) throw new Error('addresses');
    expect(codeOf(stating({ ...next, passedOver: [a, b] }))).toBe('proven');
    expect(codeOf(stating({ ...next, passedOver: [a, b, c] }))).toBe('PASSED_OVER_WRONG');
    expect(codeOf(stating({ ...next, passedOver: [b, a] }))).toBe('PASSED_OVER_WRONG');
    expect(codeOf(stating({ ...next, passedOver: [a, a] }))).toBe('PASSED_OVER_WRONG');
    expect(codeOf(stating({ ...next, passedOver: [place.addressAt(0)] }))).toBe('PASSED_OVER_WRONG');
  });

  it('is refused for any epoch but the next one', () => {
    expect(codeOf(stating({ ...next, epoch: epochNumber(0) }))).toBe('NEXT_EPOCH_WRONG');
    expect(codeOf(stating({ ...next, epoch: epochNumber(2) }))).toBe('NEXT_EPOCH_WRONG');
  });

  it('is refused where the header does not end its epoch, or the old validators did not commit it', () => {
    const chain = chainOf(place, [1, 2]);
    expect(codeOf({ last: proofOf(chain, 0, 1), next })).toBe('NEXT_HASH_WRONG');
    const skipping = endingChain(place, [1, 2, 4], 1, next);
    expect(codeOf({ last: proofOf(skipping, 1, 2), next })).toBe('NOT_CONSECUTIVE');
    const strangers = worldAfter(seven, place, proof);
    const { epoch, hash } = place.epoch;
    const theirs = { ...strangers, epoch: { ...strangers.epoch, epoch, hash, rootQC: place.epoch.rootQC } };
    const signedByThem = proofOf(endingChain(theirs, [1, 2, 3], 1, next), 1, 2);
    expect(codeOf({ last: signedByThem, next })).toBe('SIGNERS_MALFORMED');
  });
});

/** Verifies for both worlds: the simulator's engines know their own keys only. */
const both = {
  ...place.bls,
  fastAggregateVerify: (...given: Parameters<typeof place.bls.fastAggregateVerify>) =>
    place.bls.fastAggregateVerify(...given) || seven.bls.fastAggregateVerify(...given),
};
