/**
 * From one trusted epoch to the next: the old validators committed the block that names the new ones. Pure and total.
 * Rules CS-15, CS-16, docs/protocol/light-client.md.
 */
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { epochHashOf } from '../chain/canonical.ts';
import { nextEpoch } from '../chain/ordinals.ts';
import type { Address, EpochDescriptor, EpochProof } from '../chain/types.ts';
import { powerOf, validatorSet } from '../chain/validator-set.ts';
import { VALIDATORS_MAX } from '../transport/limits.ts';
import { verifyProvenHeader } from './headers.ts';
import type { LightRefusal, ProvenFacts, TrustedEpoch } from './types.ts';

export type EpochVerdict =
  /** `last` is the block that ended the epoch. */
  | { readonly status: 'proven'; readonly trusted: TrustedEpoch; readonly last: ProvenFacts }
  | { readonly status: 'refused'; readonly refusal: LightRefusal };

export type EpochsVerdict =
  | { readonly status: 'proven'; readonly trusted: TrustedEpoch }
  /** `trusted` is the last epoch that was proven; `index` the place of the proof that was not. */
  | {
      readonly status: 'refused';
      readonly trusted: TrustedEpoch;
      readonly index: number;
      readonly refusal: LightRefusal;
    };

/**
 * The epoch after `trusted`. Its consensus keys' proofs of possession are not asked for: whoever admits a validator checks
 * them (CS-16), and of the quorum that signed the hash of the set more than two thirds are honest by the same assumption
 * on which every other fact here stands.
 */
export function verifyEpochProof(
  trusted: TrustedEpoch,
  bls: BlsEngine,
  { last, next }: EpochProof,
): EpochVerdict {
  const descriptor = checkedDescriptor(next);
  if ('code' in descriptor) return { status: 'refused', refusal: descriptor };
  const expectedEpoch = nextEpoch(trusted.descriptor.epoch);
  if (next.epoch !== expectedEpoch) {
    const refusal = { code: 'NEXT_EPOCH_WRONG', epoch: next.epoch, expected: expectedEpoch } as const;
    return { status: 'refused', refusal };
  }
  const { nextValidatorsHash: expected, epoch, height } = last.path[0].header;
  const hash = epochHashOf(descriptor);
  if (hash !== expected) return { status: 'refused', refusal: { code: 'NEXT_HASH_WRONG', hash, expected } };
  const verdict = verifyProvenHeader(trusted, bls, last);
  if (verdict.status === 'refused') return verdict;
  if (!verdict.facts.endsEpoch)
    return { status: 'refused', refusal: { code: 'EPOCH_NOT_ENDED', epoch, height } };
  return { status: 'proven', trusted: { domain: trusted.domain, descriptor }, last: verdict.facts };
}

/** One proof after the other; where one is refused, those before it still hold. Two pairings each. */
export function verifyEpochs(
  from: TrustedEpoch,
  bls: BlsEngine,
  proofs: readonly EpochProof[],
): EpochsVerdict {
  let trusted = from;
  for (const [index, proof] of proofs.entries()) {
    const verdict = verifyEpochProof(trusted, bls, proof);
    if (verdict.status === 'refused') return { ...verdict, trusted, index };
    trusted = verdict.trusted;
  }
  return { status: 'proven', trusted };
}

/** The descriptor with a set that was made here, whatever the given one says of its power and hash. */
function checkedDescriptor({
  epoch,
  validators,
  seed,
  passedOver,
}: EpochDescriptor): EpochDescriptor | LightRefusal {
  const count = validators.validators.length;
  if (count > VALIDATORS_MAX)
    return { code: 'VALIDATORS_TOO_MANY', validators: count, limit: VALIDATORS_MAX };
  const set = validatorSet(validators.validators);
  if ('code' in set) return { code: 'NEXT_VALIDATORS_WRONG', problem: set };
  // CS-15: whoever leads no round is of less power than J(W), else nobody honest might be left to lead.
  const power = passedOver.reduce((sum, address) => sum + powerOf(set, address), 0n);
  const areKnown = passedOver.every((address) => set.indexByAddress.has(address));
  if (!areKnown || !isRising(passedOver) || power >= set.honestPower)
    return { code: 'PASSED_OVER_WRONG', power, limit: set.honestPower };
  return { epoch, validators: set, seed, passedOver };
}

const isRising = (addresses: readonly Address[]): boolean =>
  addresses.every((address, index) => index === 0 || (addresses[index - 1] ?? '') < address);
