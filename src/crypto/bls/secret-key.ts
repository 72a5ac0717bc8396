/** What a BLS secret key is, and how one is made from entropy. Pure. draft-irtf-cfrg-bls-signature-05, section 2.3. */
import { expand, extract } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { compareBytes, concatBytes, fromHex, toHex, utf8 } from '../../base/bytes.ts';
import { BLS_SECRET_KEY_BYTES, BLS_SEED_BYTES_MIN } from './engine.ts';

/** r, the order of both groups. @source draft-irtf-cfrg-pairing-friendly-curves-11, section 4.2.1 */
const ORDER = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;
const ORDER_BYTES = bytesOf(ORDER);
const ZERO_BYTES = new Uint8Array(BLS_SECRET_KEY_BYTES);

/** L = ceil(1.5 × ceil(log2 r) / 8). @unit bytes @source draft-irtf-cfrg-bls-signature-05, section 2.3 */
const KEY_MATERIAL_BYTES = 48;
const KEY_INFO = Uint8Array.of(0, KEY_MATERIAL_BYTES);
const SALT = utf8('BLS-SIG-KEYGEN-SALT-');

/** True for 32 big-endian bytes of a number in [1, r). */
export function isSecretKey(secret: Uint8Array): boolean {
  return (
    secret.byteLength === BLS_SECRET_KEY_BYTES &&
    compareBytes(secret, ZERO_BYTES) > 0 &&
    compareBytes(secret, ORDER_BYTES) < 0
  );
}

/** KeyGen with the hashed salt of draft 04 (so also the master key of EIP-2333); undefined for a short seed. */
export function secretKeyFromSeed(seed: Uint8Array): Uint8Array | undefined {
  if (seed.byteLength < BLS_SEED_BYTES_MIN) return undefined;
  const keyMaterial = concatBytes(seed, Uint8Array.of(0));
  for (let salt = sha256(SALT); ; salt = sha256(salt)) {
    const expanded = expand(sha256, extract(sha256, keyMaterial, salt), KEY_INFO, KEY_MATERIAL_BYTES);
    const secret = BigInt(`0x${toHex(expanded)}`) % ORDER;
    if (secret !== 0n) return bytesOf(secret);
  }
}

function bytesOf(scalar: bigint): Uint8Array {
  return fromHex(scalar.toString(16).padStart(2 * BLS_SECRET_KEY_BYTES, '0')) ?? new Uint8Array();
}
