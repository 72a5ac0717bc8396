import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { decodeBlock, decodeCommitted, encodeBlock, encodeCommitted } from '../../src/storage/codec.ts';
import { pack } from '../../src/storage/packed.ts';
import { RowWriter } from '../../src/storage/row-writer.ts';
import { batch, chain, committed } from './fixtures.ts';

const packr = new Packr({ useRecords: false, copyBuffers: true });
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('the row writer', () => {
  it('writes numbers, texts, bytes, flags and arrays as msgpackr does: rows of older programs stay readable', () => {
    const ordinal = fc.oneof(
      fc.nat(300),
      fc.integer({ min: 65_000, max: 66_000 }),
      fc.integer({ min: 2 ** 32 - 3, max: 2 ** 32 + 3 }),
      fc.maxSafeNat(),
    );
    const length = fc.constantFrom(0, 1, 32, 255, 256, 65_535, 65_536);
    const field = fc.oneof(
      ordinal,
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      fc.boolean(),
      fc.string({ unit: 'grapheme', maxLength: 100 }),
      fc.constantFrom(31, 32, 255, 256, 65_535, 65_536).map((size) => 'x'.repeat(size)),
      length.map((size) => new Uint8Array(size).fill(7)),
    );
    fc.assert(
      fc.property(fc.array(field, { maxLength: 20 }), fc.boolean(), (fields, asText) => {
        const row = new RowWriter(2_000_000).array(fields.length);
        for (const one of fields) {
          if (typeof one === 'number') row.integer(one);
          else if (typeof one === 'bigint') row.bigint(one);
          else if (typeof one === 'boolean') row.flag(one);
          else if (typeof one === 'string') row.text(one);
          else if (asText) row.hex(hex(one));
          else row.bytes(one);
        }
        expect(hex(row.written)).toBe(hex(pack(fields)));
      }),
      { numRuns: 200 },
    );
  });

  it('refuses what has no room, rather than cut it off', () => {
    expect(() => new RowWriter(4).bytes(new Uint8Array(4))).toThrow(RangeError);
    expect(() => new RowWriter(4).integer(2 ** 40)).toThrow(RangeError);
    expect(() => new RowWriter(4).hex('00'.repeat(4))).toThrow(RangeError);
    expect(() => new RowWriter(4).text('four')).toThrow(RangeError);
    expect(() => new RowWriter(20).bigint(2n ** 64n)).toThrow(RangeError);
  });
});

describe('rows of blocks', () => {
  const batches = Array.from({ length: 70 }, (_, at) => batch(`codec ${at}`, 300 * (at + 1)));
  const blocks = [...chain(3), ...chain(1, () => batches)];

  it('are what msgpackr writes of the same fields', () => {
    for (const made of blocks) {
      for (const row of [encodeBlock(made.block), encodeCommitted(committed(made))]) {
        expect(hex(packr.pack(packr.unpack(row)))).toBe(hex(row));
      }
    }
  });

  it('are read as they were written', () => {
    for (const made of blocks) {
      expect(decodeBlock(encodeBlock(made.block), 'block')).toEqual(made.block);
      expect(decodeCommitted(encodeCommitted(committed(made)), 'block')).toEqual(committed(made));
    }
  });
});
