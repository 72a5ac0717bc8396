/**
 * Proof that whoever names a public key holds its secret: what keeps rogue keys out of a validator set. Pure
 * but for a bounded cache of answers: one validator set is admitted again at each start and each epoch.
 * draft-irtf-cfrg-bls-signature-05, section 3.3. Both engines use it: blst's binding has its one domain built in.
 */
import { bls12_381 } from '@noble/curves/bls12-381.js';
import { concatBytes } from '../../base/bytes.ts';
import { createRecentCache } from '../recent-cache.ts';
import { BLS_POSSESSION_DOMAIN, BLS_PUBLIC_KEY_BYTES, BLS_SIGNATURE_BYTES } from './engine.ts';

/** Answers kept: four validator sets of 1,024. @unit proofs @source 4,096 × about 250 bytes = 1 MB */
const ANSWERS_MAX = 4096;
const answers = createRecentCache<boolean>(ANSWERS_MAX);

const scheme = bls12_381.longSignatures;
const domain = new TextEncoder().encode(BLS_POSSESSION_DOMAIN);

/** The proof for a valid secret key, 96 bytes. About 10 ms, once in a key's life. */
export function possessionProof(secret: Uint8Array): Uint8Array {
  const publicKey = scheme.getPublicKey(secret).toBytes();
  return scheme.sign(scheme.hash(publicKey, domain), secret).toBytes();
}

/** True when `proof` is that of `publicKey`; false for whatever does not parse. About 16 ms the first time. */
export function isPossessionProof(publicKey: Uint8Array, proof: Uint8Array): boolean {
  if (publicKey.byteLength !== BLS_PUBLIC_KEY_BYTES || proof.byteLength !== BLS_SIGNATURE_BYTES) return false;
  return answers.of(concatBytes(publicKey, proof), () => verified(publicKey, proof));
}

function verified(publicKey: Uint8Array, proof: Uint8Array): boolean {
  try {
    const key = bls12_381.G1.Point.fromBytes(publicKey);
    const signature = scheme.Signature.fromBytes(proof);
    if (key.is0() || signature.is0()) return false;
    return scheme.verify(signature, scheme.hash(publicKey, domain), key);
  } catch {
    return false;
  }
}
