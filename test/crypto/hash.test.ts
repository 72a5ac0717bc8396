import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, toHex, utf8 } from '../../src/base/bytes.ts';
import * as native from '../../src/crypto/hash.ts';
import * as noble from '../../src/crypto/hash-noble.ts';

/** FIPS 180-4, examples. */
const SHA256 = [
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
] as const;
const SHA512_ABC =
  'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f';

describe.each([
  ['node:crypto', native],
  ['noble', noble],
])('hashes of %s', (_name, { sha256, sha512 }) => {
  it.each(SHA256)('SHA-256 of %j (FIPS 180-4)', (text, expected) => {
    expect(toHex(sha256(utf8(text)))).toBe(expected);
  });

  it('SHA-512 of "abc" (FIPS 180-4)', () => {
    expect(toHex(sha512(utf8('abc')))).toBe(SHA512_ABC);
  });

  it('hashes no parts as the empty text', () => {
    expect(toHex(sha256())).toBe(SHA256[0][1]);
  });

  it('gives a plain Uint8Array that shares no memory with another hash', () => {
    const [first, second] = [sha256(utf8('a')), sha256(utf8('a'))];
    expect(first.constructor).toBe(Uint8Array);
    first.fill(0);
    expect(second).toEqual(sha256(utf8('a')));
  });
});

describe('both hash engines', () => {
  it('agree on any parts of any size, and parts count as their joined bytes', () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 5 });
    fc.assert(
      fc.property(parts, (list) => {
        const joined = concatBytes(...list);
        expect(native.sha256(...list)).toEqual(noble.sha256(...list));
        expect(native.sha256(...list)).toEqual(native.sha256(joined));
        expect(native.sha512(...list)).toEqual(noble.sha512(joined));
        expect(native.sha256Hex(joined)).toBe(noble.sha256Hex(joined));
        expect(native.sha256Hex(joined)).toBe(toHex(native.sha256(joined)));
      }),
    );
  });
});
