/** Totality by fast-check, where no test of the module itself has it: whatever comes, a value or the named refusal. SM-11. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DamagedData } from '../../src/storage/checksum.ts';
import { decodeBlock, decodeCommitted, decodeQc, decodeRecord } from '../../src/storage/codec.ts';
import { pack } from '../../src/storage/packed.ts';
import { decodeResults, readEntries } from '../../src/storage/results.ts';
import { HELLO_HEADER, judgeHello, plainBinding } from '../../src/transport/handshake.ts';
import { describeSelf } from '../transport/support/pair.ts';

type Leaf = number | string | boolean | null | Uint8Array;
const leaf: fc.Arbitrary<Leaf> = fc.oneof(
  fc.maxSafeInteger(),
  fc.string({ maxLength: 8 }),
  fc.constantFrom(null, true, 0, -1, 2 ** 52),
  fc.constantFrom(32, 20, 96, 0).map((length) => new Uint8Array(length)),
);
/** Rows in the store's manner: nested arrays of numbers, texts and byte strings of the lengths that it uses. */
const row = fc
  .array(fc.oneof(leaf, fc.array(leaf, { maxLength: 14 })), { maxLength: 14 })
  .map((value) => pack(value));

describe('readers of stored rows (ST-6)', () => {
  const readers = { decodeBlock, decodeCommitted, decodeQc, decodeRecord, decodeResults, readEntries };
  for (const [name, read] of Object.entries(readers)) {
    it(`${name} gives a value or damage`, () => {
      fc.assert(
        fc.property(fc.oneof(row, fc.uint8Array({ maxLength: 200 })), (bytes) => {
          try {
            read(bytes, 'row');
          } catch (error) {
            expect(error).toBeInstanceOf(DamagedData);
          }
        }),
        { numRuns: 500 },
      );
    });
  }
});

describe(`the judge of ${HELLO_HEADER} headers (TP-1)`, () => {
  it('ends any header in a refusal with a name, unless it is proven', () => {
    const context = {
      self: describeSelf(0),
      from: 'dialer',
      binding: plainBinding(),
      certificateKey: undefined,
      expectedPeer: undefined,
    } as const;
    const header = fc.oneof(fc.string(), fc.base64String(), fc.constant(undefined));
    fc.assert(
      fc.property(header, (given) => {
        expect(judgeHello(given, context)).toMatchObject({ outcome: 'refused' });
      }),
    );
  });
});
