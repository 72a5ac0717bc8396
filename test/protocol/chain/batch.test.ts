import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, toHex } from '../../../src/base/bytes.ts';
import { sha256 } from '../../../src/crypto/hash.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_TRANSACTIONS_MAX,
  type BatchView,
  batchDigestOf,
  batchReferenceOf,
  encodeBatch,
  parseBatch,
  transactionsOf,
} from '../../../src/protocol/chain/batch.ts';
import { ORDINAL_MAX } from '../../../src/protocol/chain/ordinals.ts';
import { parseAddress, parseHeight } from '../../../src/protocol/chain/parse.ts';
import type { BatchContent } from '../../../src/protocol/chain/types.ts';

const LIMITS = { batchBytesMax: 4_096, transactionBytesMax: 512 };

function sure<Value>(value: Value | 'malformed'): Value {
  if (value === 'malformed') throw new Error('expected well-formed input');
  return value;
}

const contents: fc.Arbitrary<BatchContent> = fc
  .record({
    author: fc.uint8Array({ minLength: 20, maxLength: 20 }),
    sequence: fc.integer({ min: 0, max: ORDINAL_MAX }),
    expiresAtHeight: fc.integer({ min: 0, max: ORDINAL_MAX }),
    transactions: fc.array(fc.uint8Array({ minLength: 1, maxLength: 100 }), { minLength: 1, maxLength: 30 }),
  })
  .map(({ author, sequence, expiresAtHeight, transactions }) => ({
    author: sure(parseAddress(toHex(author))),
    sequence,
    expiresAtHeight: sure(parseHeight(expiresAtHeight)),
    transactions,
  }));

const contentOf = (view: BatchView): BatchContent => ({
  author: view.author,
  sequence: view.sequence,
  expiresAtHeight: view.expiresAtHeight,
  transactions: transactionsOf(view).map((transaction) => Uint8Array.from(transaction)),
});

describe('the encoding of a batch', () => {
  it('gives back what was encoded, at any offset of a larger buffer', () => {
    fc.assert(
      fc.property(contents, fc.nat(7), (content, offset) => {
        const encoded = encodeBatch(content);
        const shifted = concatBytes(new Uint8Array(offset), encoded).subarray(offset);
        const view = sure(parseBatch(shifted, LIMITS));
        expect(contentOf(view)).toEqual({
          ...content,
          transactions: content.transactions.map((transaction) => Uint8Array.from(transaction)),
        });
        expect(batchReferenceOf(view, batchDigestOf(shifted))).toEqual({
          digest: toHex(sha256(encoded)),
          count: content.transactions.length,
          bytes: encoded.byteLength,
        });
      }),
    );
  });

  it('has one encoding for one content: every other byte string is refused or means something else', () => {
    fc.assert(
      fc.property(contents, fc.nat(), fc.integer({ min: 1, max: 255 }), (content, place, change) => {
        const encoded = encodeBatch(content);
        const at = place % encoded.byteLength;
        encoded[at] = (encoded[at] ?? 0) ^ change;
        const view = parseBatch(encoded, LIMITS);
        if (view !== 'malformed') expect(encodeBatch(contentOf(view))).toEqual(encoded);
      }),
    );
  });

  it('is total: random bytes are malformed and never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const view = parseBatch(bytes, LIMITS);
        if (view !== 'malformed') expect(encodeBatch(contentOf(view))).toEqual(bytes);
      }),
    );
  });

  it('shares the bytes of the batch with its transactions', () => {
    const content = sure(parseAddress('ab'.repeat(20)));
    const encoded = encodeBatch({
      author: content,
      sequence: 1,
      expiresAtHeight: sure(parseHeight(9)),
      transactions: [Uint8Array.of(1, 2, 3)],
    });
    const [transaction] = transactionsOf(sure(parseBatch(encoded, LIMITS)));
    expect(transaction?.buffer).toBe(encoded.buffer);
  });
});

describe('what is no batch', () => {
  const good = encodeBatch({
    author: sure(parseAddress('ab'.repeat(20))),
    sequence: 3,
    expiresAtHeight: sure(parseHeight(7)),
    transactions: [Uint8Array.of(1, 2), Uint8Array.of(3)],
  });
  /** As its author would write it: nothing else of it is wrong. */
  const withEmpty = encodeBatch({
    author: sure(parseAddress('ab'.repeat(20))),
    sequence: 3,
    expiresAtHeight: sure(parseHeight(7)),
    transactions: [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)],
  });
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = Uint8Array.from(good);
    bytes[at] = value;
    return bytes;
  };
  const cases: readonly [string, Uint8Array][] = [
    ['a byte too many', concatBytes(good, Uint8Array.of(0))],
    ['a byte too few', good.subarray(0, -1)],
    ['nothing', new Uint8Array(0)],
    ['a header alone', good.subarray(0, BATCH_HEADER_BYTES)],
    ['another version', changed(0, 2)],
    ['a sequence above 2^52', changed(21, 0xff)],
    ['an expiry above 2^52', changed(29, 0xff)],
    ['no transactions', changed(BATCH_HEADER_BYTES - 1, 0)],
    ['a count that its bytes cannot hold', changed(BATCH_HEADER_BYTES - 4, 0xff)],
    ['an empty transaction', withEmpty],
    ['lengths that leave bytes over', changed(BATCH_HEADER_BYTES + 3, 1)],
    ['a transaction longer than the batch', changed(BATCH_HEADER_BYTES + 2, 1)],
    ['a batch above its limit', new Uint8Array(LIMITS.batchBytesMax + 1)],
  ];
  it.each(cases)('refuses %s', (_, bytes) => {
    expect(parseBatch(bytes, LIMITS)).toBe('malformed');
  });

  it('refuses more transactions than a batch may hold, however small they are', () => {
    const limits = { batchBytesMax: 1_048_576, transactionBytesMax: 512 };
    const of = (count: number): Uint8Array =>
      encodeBatch({
        author: sure(parseAddress('ab'.repeat(20))),
        sequence: 1,
        expiresAtHeight: sure(parseHeight(1)),
        transactions: Array.from({ length: count }, () => Uint8Array.of(1)),
      });
    expect(parseBatch(of(BATCH_TRANSACTIONS_MAX), limits)).not.toBe('malformed');
    expect(parseBatch(of(BATCH_TRANSACTIONS_MAX + 1), limits)).toBe('malformed');
  });

  it('refuses a transaction above its limit', () => {
    const transactions = [new Uint8Array(LIMITS.transactionBytesMax + 1).fill(1)];
    const content = { author: sure(parseAddress('ab'.repeat(20))), sequence: 0, transactions };
    const encoded = encodeBatch({ ...content, expiresAtHeight: sure(parseHeight(1)) });
    expect(parseBatch(encoded, LIMITS)).toBe('malformed');
    expect(parseBatch(encoded, { ...LIMITS, transactionBytesMax: 513 })).not.toBe('malformed');
  });
});
