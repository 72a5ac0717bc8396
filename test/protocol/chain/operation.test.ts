import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import {
  encodeOperation,
  OPERATION_HEADER_BYTES,
  parseOperation,
} from '../../../src/protocol/chain/operation.ts';
import { ORDINAL_MAX } from '../../../src/protocol/chain/ordinals.ts';
import type { Height } from '../../../src/protocol/chain/types.ts';
import { applicationParts, outcomes, partOf } from '../../../src/protocol/execution/outcome.ts';
import { EXPIRED_CODE, EXPIRES_TOO_LATE_CODE } from '../../../src/protocol/ports/execution.ts';

const height = (value: number): Height => value as Height;

describe('an operation as a transaction (EX-7)', () => {
  it('has one encoding, byte by byte', () => {
    const bytes = encodeOperation({ expiresAtHeight: height(258), nonce: 7n, payload: utf8('a=1') });
    expect(toHex(bytes)).toBe(`00616f7001${'0'.repeat(13)}102${'0'.repeat(15)}7613d31`);
  });

  it('is read as it was written, whatever it says', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: ORDINAL_MAX }),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.uint8Array({ minLength: 1, maxLength: 64 }),
        (expiresAtHeight, nonce, payload) => {
          const content = { expiresAtHeight: height(expiresAtHeight), nonce, payload };
          expect(parseOperation(encodeOperation(content))).toEqual(content);
        },
      ),
    );
  });

  it('is no operation when a byte of the magic differs, when it ends too early, or when its height is none', () => {
    const bytes = encodeOperation({ expiresAtHeight: height(9), nonce: 0n, payload: utf8('x') });
    for (let index = 0; index < 5; index += 1) {
      const other = Uint8Array.from(bytes);
      other[index] = (other[index] ?? 0) ^ 1;
      expect(parseOperation(other)).toBeUndefined();
    }
    for (let length = 0; length <= OPERATION_HEADER_BYTES; length += 1) {
      expect(parseOperation(bytes.subarray(0, length))).toBeUndefined();
    }
    const endless = Uint8Array.from(bytes).fill(255, 5, 13);
    expect(parseOperation(endless)).toBeUndefined();
  });

  it('may lie anywhere in a buffer', () => {
    const bytes = encodeOperation({ expiresAtHeight: height(9), nonce: 3n, payload: utf8('x') });
    const within = new Uint8Array(100);
    within.set(bytes, 31);
    expect(parseOperation(within.subarray(31, 31 + bytes.byteLength))?.nonce).toBe(3n);
  });
});

describe('what the application gets of an operation (EX-7)', () => {
  const D = 10;
  const operation = (expiresAtHeight: number) =>
    encodeOperation({ expiresAtHeight: height(expiresAtHeight), nonce: 0n, payload: utf8('a=1') });

  it.each([
    [5, 5, 'a=1'],
    [5, 6, EXPIRED_CODE],
    [15, 5, 'a=1'],
    [16, 5, EXPIRES_TOO_LATE_CODE],
  ])('expiring at %i, in a block of height %i: %s', (expiresAtHeight, at, expected) => {
    const part = partOf(operation(expiresAtHeight), height(at), D);
    expect(part instanceof Uint8Array ? new TextDecoder().decode(part) : part.code).toBe(expected);
  });

  it('is the whole of any other transaction', () => {
    const transaction = utf8('key=value');
    expect(partOf(transaction, height(1), D)).toBe(transaction);
  });

  it('leaves each result in its place when some are withheld', () => {
    const transactions = [operation(4), utf8('b=1'), operation(9)];
    const given = transactions.map((transaction) => partOf(transaction, height(5), D));
    const ordered = { transactions, hashes: transactions.map((_, index) => `${index}` as never), given };
    expect(applicationParts(ordered).map((part) => new TextDecoder().decode(part))).toEqual(['b=1', 'a=1']);
    const ok = (log: string) => ({
      code: 0,
      data: new Uint8Array(),
      log,
      codespace: '',
      gasWanted: 0n,
      gasUsed: 0n,
      events: [],
    });
    const results = outcomes(ordered, [ok('first'), ok('second')]);
    expect(results?.map(({ result }) => [result.code, result.log])).toEqual([
      [EXPIRED_CODE, 'expired at height 4, this is height 5'],
      [0, 'first'],
      [0, 'second'],
    ]);
  });
});
