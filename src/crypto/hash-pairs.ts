/**
 * SHA-256 of many inputs of 64 bytes in one call, for trees of hashes: a native library hashes up to 16 of them side by
 * side; where its binary does not load, or is wrong on this processor, node:crypto takes them one by one. FIPS 180-4.
 */
import { hash } from 'node:crypto';
import { createRequire } from 'node:module';
import { SHA256_BYTES } from './hash.ts';

/** Two hashes. @unit bytes */
export const PAIR_BYTES = 2 * SHA256_BYTES;

/** As many as a tree hashes at once. @unit pairs */
const CHECKED_PAIRS = 1_024;
/** More than any number of inputs that the library takes side by side. @unit pairs */
const SIDE_BY_SIDE_MAX = 33;

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
  return engine !== undefined && isRight(engine) ? engine : hashPairsPortable;
}

function isRight(engine: HashPairs): boolean {
  const pairs = new Uint8Array(CHECKED_PAIRS * PAIR_BYTES);
  for (let index = 0; index < pairs.length; index += 1) pairs[index] = (index * 167) % 251;
  const expected = Buffer.alloc(CHECKED_PAIRS * SHA256_BYTES);
  hashPairsPortable(pairs, expected);
  const counts = [...Array.from({ length: SIDE_BY_SIDE_MAX }, (_, index) => index + 1), CHECKED_PAIRS];
  try {
    return counts.every((count) => {
      const found = Buffer.alloc(count * SHA256_BYTES);
      engine(pairs.subarray(0, count * PAIR_BYTES), found);
      return found.equals(expected.subarray(0, found.length));
    });
  } catch {
    return false;
  }
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
