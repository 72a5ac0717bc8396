/**
 * Ed25519 in plain JavaScript: the portable engine and the oracle of `ed25519.ts`, with the same strictness. Pure.
 * RFC 8032, section 5.1; sB = R + kA is checked on encodings, without the cofactor.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { equalBytes, toHex } from '../base/bytes.ts';
import { sha512 } from './hash-noble.ts';

const { Point } = ed25519;
const ORDER = Point.Fn.ORDER;

/** True for the canonical encoding of a point of the prime-order subgroup other than the identity. About 0.5 ms. */
export function isEd25519PublicKey(publicKey: Uint8Array): boolean {
  return pointOf(publicKey) !== undefined;
}

/** The 32-byte public key; undefined unless `secret` has 32 bytes. */
export const ed25519PublicKeyOf = (secret: Uint8Array): Uint8Array | undefined =>
  secret.byteLength === 32 ? ed25519.getPublicKey(secret) : undefined;

/** A 64-byte signature; undefined unless `secret` has 32 bytes. */
export const ed25519Sign = (secret: Uint8Array, message: Uint8Array): Uint8Array | undefined =>
  secret.byteLength === 32 ? ed25519.sign(message, secret) : undefined;

/** False for a signature that is not right, and for malformed bytes of any kind. Never throws. */
export function ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.byteLength !== 64) return false;
  const key = pointOf(publicKey);
  const r = signature.subarray(0, 32);
  const s = scalarOf(signature.subarray(32));
  if (key === undefined || s >= ORDER) return false;
  const k = scalarOf(sha512(r, publicKey, message)) % ORDER;
  const expected = Point.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(k));
  return equalBytes(expected.toBytes(), r);
}

function pointOf(publicKey: Uint8Array) {
  if (publicKey.byteLength !== 32) return undefined;
  try {
    const point = Point.fromBytes(publicKey, false);
    return !point.is0() && point.isTorsionFree() ? point : undefined;
  } catch {
    return undefined;
  }
}

const scalarOf = (littleEndian: Uint8Array): bigint => BigInt(`0x${toHex(littleEndian.toReversed())}`);
