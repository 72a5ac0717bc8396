import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { batchDigestOf, encodeBatch } from '../../../src/protocol/chain/batch.ts';
import { verifyTransaction } from '../../../src/protocol/light/transactions.ts';
import { height, world } from '../consensus/fixture.ts';

const author = world().addressAt(0);
const batchOf = (...texts: readonly string[]) =>
  encodeBatch({ author, sequence: 1, expiresAtHeight: height(9), transactions: texts.map(utf8) });
const [first, second] = [batchOf('a', 'b'), batchOf('c')];
const reference = (bytes: Uint8Array) => ({
  digest: batchDigestOf(bytes),
  count: 1,
  bytes: bytes.byteLength,
});
const header = { batches: [reference(first), reference(second)] };

const codeOf = (batch: number, bytes: Uint8Array, index: number) => {
  const verdict = verifyTransaction(header, { batch, bytes, index });
  return verdict.status === 'proven' ? new TextDecoder().decode(verdict.transaction) : verdict.refusal.code;
};

describe('a transaction of a block', () => {
  it('is the one at its place in a batch that the header names', () => {
    expect([codeOf(0, first, 0), codeOf(0, first, 1), codeOf(1, second, 0)]).toEqual(['a', 'b', 'c']);
  });

  it('is in no other batch, at no other place, and in no bytes that are none', () => {
    expect(codeOf(0, second, 0)).toBe('BATCH_DIGEST_WRONG');
    expect(codeOf(2, second, 0)).toBe('BATCH_NOT_NAMED');
    expect(codeOf(0.5, second, 0)).toBe('BATCH_NOT_NAMED');
    expect(codeOf(1, second, 1)).toBe('TRANSACTION_NOT_HELD');
    expect(codeOf(1, second, -1)).toBe('TRANSACTION_NOT_HELD');
    const none = utf8('no batch');
    const verdict = verifyTransaction({ batches: [reference(none)] }, { batch: 0, bytes: none, index: 0 });
    expect(verdict).toMatchObject({ refusal: { code: 'BATCH_MALFORMED' } });
  });
});
