/** SHA-256 and SHA-512 in plain JavaScript: the portable engine and the oracle of `hash.ts`. Pure. FIPS 180-4. */
import { sha256 as nobleSha256, sha512 as nobleSha512 } from '@noble/hashes/sha2.js';
import { toHex } from '../base/bytes.ts';

/** @unit bytes @source FIPS 180-4 */
export const SHA256_BYTES = 32;
/** @unit bytes @source FIPS 180-4 */
export const SHA512_BYTES = 64;

/** SHA-256 of the parts joined, 32 bytes. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const state = nobleSha256.create();
  for (const part of parts) state.update(part);
  return state.digest();
}

/** SHA-256 as 64 lower-case hex letters. */
export const sha256Hex = (bytes: Uint8Array): string => toHex(nobleSha256(bytes));

/** SHA-512 of the parts joined, 64 bytes. */
export function sha512(...parts: readonly Uint8Array[]): Uint8Array {
  const state = nobleSha512.create();
  for (const part of parts) state.update(part);
  return state.digest();
}
