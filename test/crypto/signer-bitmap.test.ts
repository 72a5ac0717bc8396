import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  countSigners,
  parseSignerBitmap,
  signerBitmap,
  signerBitmapBytes,
} from '../../src/crypto/signer-bitmap.ts';

const setOfSigners = fc.integer({ min: 0, max: 200 }).chain((size) =>
  fc.record({
    size: fc.constant(size),
    indices: size === 0 ? fc.constant([]) : fc.uniqueArray(fc.integer({ min: 0, max: size - 1 })),
  }),
);

describe('the bitmap of signers', () => {
  it('has one bit a member, the lowest first', () => {
    expect(signerBitmap(10, [0, 3, 9])).toEqual(Uint8Array.of(0b1001, 0b10));
    expect([0, 1, 8, 9].map(signerBitmapBytes)).toEqual([0, 1, 1, 2]);
  });

  it('gives back the signers it was made of, ascending and counted once', () => {
    fc.assert(
      fc.property(setOfSigners, ({ size, indices }) => {
        const bitmap = signerBitmap(size, [...indices, ...indices]);
        const sorted = indices.toSorted((left, right) => left - right);
        expect(parseSignerBitmap(bitmap, size)).toEqual(sorted);
        expect(countSigners(bitmap, size)).toBe(indices.length);
      }),
    );
  });

  it('has one encoding: whatever parses is encoded to the same bytes', () => {
    const input = fc.tuple(fc.uint8Array({ maxLength: 4 }), fc.integer({ min: 0, max: 32 }));
    fc.assert(
      fc.property(input, ([bitmap, size]) => {
        const indices = parseSignerBitmap(bitmap, size);
        expect(countSigners(bitmap, size)).toBe(indices?.length);
        if (indices === undefined) {
          expect(bitmap.length !== signerBitmapBytes(size) || size % 8 !== 0).toBe(true);
        } else {
          expect(signerBitmap(size, indices)).toEqual(bitmap);
        }
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['too short', Uint8Array.of(1), 9],
    ['too long', Uint8Array.of(1, 0), 8],
    ['empty', new Uint8Array(), 4],
    ['with a bit beyond the set', Uint8Array.of(0b1_0000), 4],
    ['with the last bit beyond the set', Uint8Array.of(0, 0b1000_0000), 15],
  ])('is refused when %s', (_name, bitmap, size) => {
    expect(parseSignerBitmap(bitmap, size)).toBeUndefined();
    expect(countSigners(bitmap, size)).toBeUndefined();
  });

  it.each([-1, 4, 1.5, Number.NaN])('cannot name member %d of four', (index) => {
    expect(() => signerBitmap(4, [index])).toThrow('a signer is a member of its set');
  });
});
