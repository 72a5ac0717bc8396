import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundedDigestOf, canonicalText, digestOf } from '../../../src/actors/runtime/digest.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe('a digest', () => {
  it('is the same for equal values, whatever the order of keys and entries', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (fields) => {
        const turned = Object.fromEntries(Object.entries(fields).toReversed());
        expect(digestOf(turned)).toBe(digestOf(fields));
        expect(digestOf(new Map(Object.entries(turned)))).toBe(digestOf(new Map(Object.entries(fields))));
        expect(digestOf(new Set(Object.keys(turned)))).toBe(digestOf(new Set(Object.keys(fields))));
      }),
    );
  });

  it('tells values apart that JSON does not', () => {
    const values = [
      1,
      '1',
      1n,
      null,
      undefined,
      0,
      Number.NaN,
      [],
      {},
      new Map(),
      new Set(),
      bytes(),
      bytes(0),
      true,
    ];
    expect(new Set(values.map(canonicalText)).size).toBe(values.length);
    expect(canonicalText(-0), 'a journal keeps no sign of zero').toBe(canonicalText(0));
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(canonicalText(cycle)).toBe('{"self":<cycle>}');
  });

  it('of a great context reads no more than its bound, and a small one whole', () => {
    const great = (first: number): unknown => ({
      first,
      batches: new Map(
        Array.from({ length: 2_000 }, (_, index) => [index, new Uint8Array(50_000).fill(index)]),
      ),
    });
    const one = great(1);
    expect(boundedDigestOf(one)).toBe(boundedDigestOf(great(1)));
    // Keys are sorted: 'batches' comes first and fills the bound; a small context is seen whole.
    expect(boundedDigestOf({ a: bytes(1), b: 2 })).not.toBe(boundedDigestOf({ a: bytes(2), b: 2 }));
    expect(boundedDigestOf(bytes(...new Array(100).fill(1)))).not.toBe(
      boundedDigestOf(bytes(...new Array(101).fill(1))),
    );
  });
});
