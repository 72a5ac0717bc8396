/** From a certificate's bitmap to validators and back: one bit a validator, in the set's order. Pure. CS "Arithmetic". */
import { parseSignerBitmap, signerBitmap } from '../../crypto/signer-bitmap.ts';
import type { Malformed } from './parse.ts';
import type { Address, Power, Validator, ValidatorSet } from './types.ts';
import { totalPowerOf } from './validator-set.ts';

/** The validators that `bitmap` names, each once; 'malformed' unless its length is the set's and no bit lies beyond. */
export function signersOf(set: ValidatorSet, bitmap: Uint8Array): readonly Validator[] | Malformed {
  const indices = parseSignerBitmap(bitmap, set.validators.length);
  if (indices === undefined) return 'malformed';
  return indices.flatMap((index) => set.validators[index] ?? []);
}

/** Power of the validators that `bitmap` names. */
export function powerOfSigners(set: ValidatorSet, bitmap: Uint8Array): Power | Malformed {
  const signers = signersOf(set, bitmap);
  return signers === 'malformed' ? 'malformed' : totalPowerOf(signers);
}

/** The bitmap that names `addresses`; those that are not in the set are left out. */
export function bitmapOf(set: ValidatorSet, addresses: Iterable<Address>): Uint8Array {
  const indices = [...addresses].flatMap((address) => set.indexByAddress.get(address) ?? []);
  return signerBitmap(set.validators.length, indices);
}
