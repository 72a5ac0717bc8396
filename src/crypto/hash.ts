/**
 * SHA-256 and SHA-512 over node:crypto. Pure. FIPS 180-4.
 * `hash-noble.ts` has the same functions in plain JavaScript: what a browser gets in its place (`browser` of package.json), and
 * the oracle of the tests.
 */
import { createHash, hash } from 'node:crypto';
import { concatBytes } from '../base/bytes.ts';

export { SHA256_BYTES, SHA512_BYTES } from './hash-noble.ts';

/** Up to here parts are joined and hashed in one call. @unit bytes @source measured: bench/crypto.bench.ts */
const ONE_SHOT_BYTES_MAX = 4096;

/** SHA-256 of the parts joined, 32 bytes. Joining loses where a part ends: callers fix or write its length. */
export const sha256 = (...parts: readonly Uint8Array[]): Uint8Array => digestOf('sha256', parts);

/** SHA-256 as 64 lower-case hex letters: a third of the time of `sha256` and its text. @source bench/mempool.bench.ts */
export const sha256Hex = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex');

/** SHA-512 of the parts joined, 64 bytes. */
export const sha512 = (...parts: readonly Uint8Array[]): Uint8Array => digestOf('sha512', parts);

function digestOf(algorithm: 'sha256' | 'sha512', parts: readonly Uint8Array[]): Uint8Array {
  const [first, ...others] = parts;
  if (first !== undefined && others.length === 0) return new Uint8Array(hash(algorithm, first, 'buffer'));
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
  if (length <= ONE_SHOT_BYTES_MAX) return new Uint8Array(hash(algorithm, concatBytes(...parts), 'buffer'));
  const state = createHash(algorithm);
  for (const part of parts) state.update(part);
  return new Uint8Array(state.digest());
}
