/** The portable BLS engine, in plain JavaScript, and the oracle of the tests: about 30 times slower than blst. Pure. */
import type { WeierstrassPoint } from '@noble/curves/abstract/weierstrass.js';
import { bls12_381 } from '@noble/curves/bls12-381.js';
import { BLS_SIGNATURE_DOMAIN, type BlsEngine } from './engine.ts';
import { createPairingEngine } from './pairing-engine.ts';

const scheme = bls12_381.longSignatures;
const domain = new TextEncoder().encode(BLS_SIGNATURE_DOMAIN);

/** An engine over @noble/curves. */
export function createNobleEngine(): BlsEngine {
  return createPairingEngine({
    name: 'noble',
    publicKeyOf: (secret) => scheme.getPublicKey(secret).toBytes(),
    sign: (secret, message) => scheme.sign(scheme.hash(message, domain), secret).toBytes(),
    // Both check that the point is in its subgroup.
    parsePublicKey: (bytes) => unlessIdentity(bls12_381.G1.Point.fromBytes(bytes)),
    parseSignature: (bytes) => unlessIdentity(scheme.Signature.fromBytes(bytes)),
    addPublicKeys: (keys) => unlessIdentity(sumOf(keys)),
    addSignatures: (signatures) => unlessIdentity(sumOf(signatures))?.toBytes(),
    verifySum: (signed, signature) =>
      scheme.verifyBatch(
        signature,
        signed.map(({ key, message }) => ({ publicKey: key, message: scheme.hash(message, domain) })),
      ),
  });
}

const unlessIdentity = <Field>(point: WeierstrassPoint<Field> | undefined) =>
  point === undefined || point.is0() ? undefined : point;

function sumOf<Field>(points: readonly WeierstrassPoint<Field>[]): WeierstrassPoint<Field> | undefined {
  const [first, ...others] = points;
  return first === undefined ? undefined : others.reduce((sum, point) => sum.add(point), first);
}
