/** Two engines for byte strings: Node's Buffer, and plain JavaScript for browsers. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as node from '../../src/base/bytes.ts';
import * as portable from '../../src/base/bytes-portable.ts';

const bytes = fc.uint8Array({ maxLength: 40 });

describe('byte strings', () => {
  it('have the same functions in both engines', () => {
    expect(Object.keys(portable).toSorted()).toEqual(Object.keys(node).toSorted());
  });

  it('are hexadecimal text and back, alike in both engines', () => {
    fc.assert(
      fc.property(bytes, (some) => {
        const text = node.toHex(some);
        expect(portable.toHex(some)).toBe(text);
        expect([portable.fromHex(text), portable.fromHex(text.toUpperCase())]).toEqual([some, some]);
        expect(node.fromHex(text)).toEqual(some);
      }),
    );
    for (const text of ['0', 'g0', '0x', ' 00', '00 '])
      expect([node.fromHex(text), portable.fromHex(text)]).toEqual([undefined, undefined]);
  });

  it('are compared alike in both engines', () => {
    const both = fc.tuple(bytes, bytes, fc.nat(40));
    fc.assert(
      fc.property(both, ([left, right, cut]) => {
        for (const other of [right, left, left.slice(0, cut)]) {
          expect(portable.compareBytes(left, other)).toBe(node.compareBytes(left, other));
          expect(portable.equalBytes(left, other)).toBe(node.equalBytes(left, other));
        }
      }),
    );
  });
});
