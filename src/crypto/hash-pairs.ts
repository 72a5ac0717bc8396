/**
 * SHA-256 of many inputs of 64 bytes in one call, for trees of hashes: a native library hashes up to 16 of them side by
 * side; where its binary does not load, or is wrong on this processor, node:crypto takes them one by one. FIPS 180-4.
 */
import { hash } from 'node:crypto';
import { createRequire } from 'node:module';
import { SHA256_BYTES } from './hash.ts';

/** Two hashes. @unit bytes */
export const PAIR_BYTES = 2 * SHA256_BYTES;

/** More than any number of inputs that the library takes side by side, and as many as a tree hashes at once. @unit pairs */
const CHECKED_COUNTS = [...Array.from({ length: 33 }, (_, index) => index + 1), 1_024];

/** Writes the hash of each 64 bytes of `pairs` to `hashes`, which has room for 32 bytes each. They share no memory. */
export type HashPairs = (pairs: Uint8Array, hashes: Uint8Array) => void;

/** One by one: the engine of platforms without the library, and the oracle of the tests. */
export const hashPairsPortable: HashPairs = (pairs, hashes) => {
  for (let at = 0; at < pairs.byteLength; at += PAIR_BYTES) {
    hashes.set(hash('sha256', pairs.subarray(at, at + PAIR_BYTES), 'buffer'), at / 2);
  }
};

/** `engine` where it hashes as FIPS 180-4 says, for each number of pairs; else, and without one, the portable engine. */
export function checkedHashPairs(engine: HashPairs | undefined): HashPairs {
  return engine !== undefined && CHECKED_COUNTS.every((count) => isRightFor(engine, count))
    ? engine
    : hashPairsPortable;
}

function isRightFor(engine: HashPairs, count: number): boolean {
  const pairs = Uint8Array.from({ length: count * PAIR_BYTES }, (_, index) => (index * 167 + count) % 251);
  const [found, expected] = [new Uint8Array(count * SHA256_BYTES), new Uint8Array(count * SHA256_BYTES)];
  hashPairsPortable(pairs, expected);
  try {
    engine(pairs, found);
  } catch {
    return false;
  }
  return Buffer.compare(found, expected) === 0;
}

/** The library, where it has a binary for this platform. */
function loaded(): HashPairs | undefined {
  try {
    const require = createRequire(import.meta.url);
    const library: { readonly hashInto: HashPairs } = require('@chainsafe/hashtree');
    return library.hashInto;
  } catch {
    return undefined;
  }
}

export const hashPairs: HashPairs = checkedHashPairs(loaded());
