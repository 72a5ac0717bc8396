import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkedHashPairs,
  type HashPairs,
  hashPairs,
  hashPairsPortable,
} from '../../src/crypto/hash-pairs.ts';

const hashed = (engine: HashPairs, pairs: Uint8Array): Buffer => {
  const hashes = Buffer.alloc(pairs.byteLength / 2);
  engine(pairs, hashes);
  return hashes;
};

/** By the definition. */
const expected = (pairs: Uint8Array): Buffer =>
  Buffer.concat(
    Array.from({ length: pairs.byteLength / 64 }, (_, index) =>
      createHash('sha256')
        .update(pairs.subarray(index * 64, index * 64 + 64))
        .digest(),
    ),
  );

describe('hashes of pairs', () => {
  it('are SHA-256 of each 64 bytes, by both engines, however many there are (FIPS 180-4)', () => {
    fc.assert(
      fc.property(fc.nat(90), fc.uint8Array({ minLength: 64, maxLength: 64 }), (count, seed) => {
        const pairs = Uint8Array.from({ length: count * 64 }, (_, at) => (seed[at % 64] ?? 0) + (at >> 6));
        expect(hashed(hashPairs, pairs)).toEqual(expected(pairs));
        expect(hashed(hashPairsPortable, pairs)).toEqual(expected(pairs));
      }),
    );
  });

  it('are taken from the middle of other memory, and written there, beyond which nothing changes', () => {
    const memory = Buffer.alloc(1_000, 7);
    hashPairs(memory.subarray(3, 3 + 128), memory.subarray(501, 501 + 64));
    expect(memory.subarray(501, 565)).toEqual(expected(new Uint8Array(128).fill(7)));
    expect(memory.subarray(0, 501)).toEqual(Buffer.alloc(501, 7));
    expect(memory.subarray(565)).toEqual(Buffer.alloc(435, 7));
  });

  it('come from the native library, where it is made for the platform', () => {
    const isMadeFor = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64'].includes(
      `${process.platform}-${process.arch}`,
    );
    expect(hashPairs !== hashPairsPortable).toBe(isMadeFor);
  });

  it('are not taken from an engine that throws', () => {
    const throwing: HashPairs = () => {
      throw new Error('an unsupported processor');
    };
    expect(checkedHashPairs(throwing)).toBe(hashPairsPortable);
  });

  it.each([1, 2, 8, 16, 33, 1_024])('are not taken from an engine that is wrong for %i pairs', (wrongAt) => {
    const wrong: HashPairs = (pairs, hashes) => {
      hashPairsPortable(pairs, hashes);
      if (pairs.byteLength === wrongAt * 64) hashes[hashes.byteLength - 1] = 255 - (hashes.at(-1) ?? 0);
    };
    expect(checkedHashPairs(wrong)).toBe(hashPairsPortable);
  });

  it('come from the portable engine where there is no other', () => {
    expect(checkedHashPairs(undefined)).toBe(hashPairsPortable);
    expect(checkedHashPairs(hashPairs)).toBe(hashPairs);
  });
});
