/**
 * Ed25519 over node:crypto with cached KeyObjects. Pure but for the bounded caches. RFC 8032, section 5.1.
 * Keys are raw 32 bytes. Stricter than the RFC where libraries differ, so that every engine answers alike: a
 * public key must be canonical and of prime order, and the signature must be the one without the cofactor.
 * `ed25519-noble.ts` has the same functions in plain JavaScript.
 */
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as nodeSign,
  verify as nodeVerify,
} from 'node:crypto';
import { concatBytes, fromHex } from '../base/bytes.ts';
import { isEd25519PublicKey } from './ed25519-noble.ts';
import { sha256 } from './hash.ts';
import { createRecentCache } from './recent-cache.ts';

/** The seed of RFC 8032, section 5.1.5. @unit bytes */
export const ED25519_SECRET_KEY_BYTES = 32;
/** @unit bytes @source RFC 8032, section 5.1.5 */
export const ED25519_PUBLIC_KEY_BYTES = 32;
/** @unit bytes @source RFC 8032, section 5.1.6 */
export const ED25519_SIGNATURE_BYTES = 64;

/** @unit keys @source four validator sets of 1,024, about 1 KB each */
const ED25519_PUBLIC_KEYS_CACHED_MAX = 4096;
/** A process signs with its own key; a simulation with everyone's. @unit keys */
const ED25519_SECRET_KEYS_CACHED_MAX = 64;

/** DER around a raw key. @source RFC 8410, sections 4 and 7 */
const PKCS8_PREFIX = fromHex('302e020100300506032b657004220420') ?? new Uint8Array();
const SPKI_PREFIX = fromHex('302a300506032b6570032100') ?? new Uint8Array();

const publicKeys = createRecentCache<KeyObject | undefined>(ED25519_PUBLIC_KEYS_CACHED_MAX);
const secretKeys = createRecentCache<SecretKeyPair>(ED25519_SECRET_KEYS_CACHED_MAX);

interface SecretKeyPair {
  readonly secret: KeyObject;
  readonly publicKey: Uint8Array;
}

/** The 32-byte public key; undefined unless `secret` has 32 bytes. */
export const ed25519PublicKeyOf = (secret: Uint8Array): Uint8Array | undefined =>
  pairOf(secret)?.publicKey.slice();

/** A 64-byte signature, the same for the same inputs; undefined unless `secret` has 32 bytes. */
export function ed25519Sign(secret: Uint8Array, message: Uint8Array): Uint8Array | undefined {
  const pair = pairOf(secret);
  return pair === undefined ? undefined : new Uint8Array(nodeSign(null, message, pair.secret));
}

/** False for a signature that is not right, and for malformed bytes of any kind. Never throws. */
export function ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.byteLength !== ED25519_SIGNATURE_BYTES) return false;
  if (publicKey.byteLength !== ED25519_PUBLIC_KEY_BYTES) return false;
  const key = publicKeys.of(publicKey, publicKeyObject);
  return key !== undefined && nodeVerify(null, message, key, signature);
}

/** PKCS #8 DER of a secret key, for TLS (TP-1); undefined unless `secret` has 32 bytes. */
export const ed25519Pkcs8 = (secret: Uint8Array): Uint8Array | undefined =>
  secret.byteLength === ED25519_SECRET_KEY_BYTES ? concatBytes(PKCS8_PREFIX, secret) : undefined;

/** The raw key in a SubjectPublicKeyInfo, as a certificate carries it (TP-1); undefined for any other kind of key. */
export function ed25519PublicKeyOfSpki(spki: Uint8Array): Uint8Array | undefined {
  if (spki.byteLength !== SPKI_PREFIX.byteLength + ED25519_PUBLIC_KEY_BYTES) return undefined;
  if (SPKI_PREFIX.some((byte, offset) => spki[offset] !== byte)) return undefined;
  const publicKey = new Uint8Array(spki.subarray(SPKI_PREFIX.byteLength));
  return isEd25519PublicKey(publicKey) ? publicKey : undefined;
}

/** Cached under the hash of the secret: the cache's keys are then no secrets. */
function pairOf(secret: Uint8Array): SecretKeyPair | undefined {
  const der = ed25519Pkcs8(secret);
  return der === undefined ? undefined : secretKeys.of(sha256(secret), () => secretKeyPair(der));
}

function secretKeyPair(der: Uint8Array): SecretKeyPair {
  const secret = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(secret).export({ format: 'der', type: 'spki' });
  return { secret, publicKey: new Uint8Array(spki.subarray(SPKI_PREFIX.byteLength)) };
}

function publicKeyObject(publicKey: Uint8Array): KeyObject | undefined {
  if (!isEd25519PublicKey(publicKey)) return undefined;
  const der = Buffer.from(concatBytes(SPKI_PREFIX, publicKey));
  return createPublicKey({ key: der, format: 'der', type: 'spki' });
}
