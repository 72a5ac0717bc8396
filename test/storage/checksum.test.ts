import crc from 'crc-32';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../src/storage/checksum.ts';

describe('CRC-32 (ST-6)', () => {
  it('is that of the check value', () => {
    expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926);
  });

  it('is what another implementation says, also continued in pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5_000 }), fc.nat(5_000), (bytes, cut) => {
        expect(crc32(bytes)).toBe(crc.buf(bytes, 0) >>> 0);
        expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(crc32(bytes));
      }),
    );
  });
});
