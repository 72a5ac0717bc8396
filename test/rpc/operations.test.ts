/** `althing_submit` and `althing_outcomes` over real HTTP: strict in what they take, definite in what they answer (BR-1, BR-2). */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { millis } from '../../src/base/units.ts';
import { transactionHashOf } from '../../src/protocol/chain/batch.ts';
import { encodeOperation } from '../../src/protocol/chain/operation.ts';
import type { Height } from '../../src/protocol/chain/types.ts';
import { MemoryNode } from './memory-node.ts';
import { base64Of, startTestServer, type TestServer } from './server.ts';

const held = { node: new MemoryNode() };
let rpc: TestServer;
beforeEach(async () => {
  held.node = new MemoryNode();
  rpc = await startTestServer({ port: held.node, requestTimeout: millis(1_000) });
});
afterEach(() => rpc.server.close());

const idOf = (text: string): string => transactionHashOf(new Uint8Array(Buffer.from(text))).toUpperCase();
const submit = (texts: readonly string[]) => rpc.call('althing_submit', { operations: texts.map(base64Of) });
const outcomes = (ids: readonly string[], expiry: number | string, wait = 0) =>
  rpc.call('althing_outcomes', {
    operations: ids.map((id) => ({ id, expires_at_height: expiry })),
    wait_ms: wait,
  });

describe('althing_submit', () => {
  it('accepts or refuses each by itself, and says which refusals may be different elsewhere', async () => {
    await submit(['a=1']);
    const { result } = await submit(['a=1', 'b=2', 'full', 'nonsense', 'unchecked', '']);
    expect(result).toMatchObject({
      height: '1',
      expires_at_height_max: '1001',
      operations: [
        { id: idOf('a=1'), status: 'accepted', known: true },
        { id: idOf('b=2'), status: 'accepted', known: false },
        { status: 'refused', code: 'MEMPOOL_FULL', retryable: true, may_be_held: false },
        {
          id: idOf('nonsense'),
          status: 'refused',
          code: 'CHECK_FAILED',
          log: 'expected key=value',
          retryable: false,
          may_be_held: false,
        },
        { status: 'refused', code: 'NOT_CHECKED', retryable: true },
        { status: 'refused', code: 'EMPTY', retryable: false },
      ],
    });
  });

  it.each(['STORAGE_FAILED', 'NOT_ANSWERED'] as const)(
    'says after %s that the bytes may be held all the same',
    async (code) => {
      held.node.submit = async (transactions) =>
        transactions.map((transaction) => ({
          ...{ status: 'refused', hash: transactionHashOf(transaction), code, log: 'no' },
        }));
      const { result } = await submit(['a=1']);
      expect(result).toMatchObject({ operations: [{ code, retryable: true, may_be_held: true }] });
    },
  );

  it('says by which height each may execute, by its own bytes (EX-7)', async () => {
    const payload = new Uint8Array(Buffer.from('a=1'));
    const operation = encodeOperation({ expiresAtHeight: 77 as Height, nonce: 1n, payload });
    const { result } = await rpc.call('althing_submit', {
      operations: [Buffer.from(operation).toString('base64'), base64Of('b=2')],
    });
    expect(result).toMatchObject({ operations: [{ expires_at_height: '77' }, { expires_at_height: null }] });
  });

  it.each([
    ['a text', 'AAAA'],
    ['a list with a number', [1]],
    ['a list with what is no base64', ['AAAA', 'A']],
    ['more than 1,000', Array.from({ length: 1_001 }, () => 'AAAA')],
  ])('refuses %s in place of operations', async (_, operations) => {
    const { error } = await rpc.call('althing_submit', { operations });
    expect(error?.data).toMatch(/operations = .*: expected at most 1000 base64 strings/);
  });

  it('refuses a call without operations', async () => {
    expect((await rpc.call('althing_submit', {})).error?.data).toContain('operations are missing');
  });
});

describe('althing_outcomes', () => {
  it('tells height, place and result of what is committed, and no end of what is not', async () => {
    await submit(['a=1']);
    const { result } = await outcomes([idOf('a=1'), idOf('b=2')], '50');
    expect(result).toMatchObject({
      height: '1',
      outcomes: [
        { id: idOf('a=1'), status: 'committed', height: '1', index: 0, result: { code: 0, data: null } },
        { id: idOf('b=2'), status: 'pending' },
      ],
    });
  });

  it('says expired where a height above the expiry is executed without it', async () => {
    await submit(['a=1', 'b=2']);
    const { result } = await outcomes([idOf('c=3')], 1);
    expect(result).toMatchObject({ outcomes: [{ id: idOf('c=3'), status: 'expired', height: '2' }] });
  });

  it('waits for an end, and answers when one comes', async () => {
    held.node.hold = true;
    await submit(['a=1', 'b=2']);
    const waiting = outcomes([idOf('a=1')], 50, 60_000);
    await expect.poll(() => held.node.waiting).toBe(1);
    held.node.release();
    expect((await waiting).result).toMatchObject({ outcomes: [{ status: 'committed', height: '1' }] });
  });

  it('says so where there is no place to wait: what it tells is as true', async () => {
    held.node.hold = true;
    held.node.isCrowded = true;
    await submit(['a=1']);
    expect((await outcomes([idOf('a=1')], 50, 60_000)).result).toMatchObject({
      crowded: true,
      outcomes: [{ id: idOf('a=1'), status: 'pending' }],
    });
    held.node.isCrowded = false;
    expect((await outcomes([idOf('a=1')], 50)).result).toMatchObject({ crowded: false });
  });

  it('answers before rpc.request_timeout_ms, however long the client would wait', async () => {
    const { result } = await outcomes([idOf('a=1')], 50, 60_000);
    expect(result).toMatchObject({ outcomes: [{ status: 'pending' }] });
  });

  it('holds nothing for a client that is gone', async () => {
    const gone = new AbortController();
    const params = { operations: [{ id: idOf('a=1'), expires_at_height: 50 }], wait_ms: 60_000 };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'althing_outcomes', params });
    const lost = fetch(rpc.url, { method: 'POST', body, signal: gone.signal }).catch(() => 'gone');
    await expect.poll(() => held.node.waiting).toBe(1);
    gone.abort();
    expect(await lost).toBe('gone');
    await expect.poll(() => held.node.waiting).toBe(0);
  });

  it('takes 1,000 operations in one call, also where a batch may have few', async () => {
    const ids = Array.from({ length: 1_000 }, (_, index) => idOf(`k${index}`));
    const wide = await startTestServer({
      port: held.node,
      bodyBytesMax: 1_000_000,
      batchRequestsMax: 1,
    });
    const operations = ids.map((id) => ({ id, expires_at_height: '50' }));
    const { result } = await wide.call('althing_outcomes', { operations, wait_ms: '0' });
    await wide.server.close();
    expect(result?.['outcomes']).toHaveLength(1_000);
  });

  it.each([
    ['what is no list', {}],
    ['an entry that is null', [null]],
    ['an id that is too short', [{ id: 'AB', expires_at_height: 5 }]],
    ['an expiry that is missing', [{ id: 'A'.repeat(64) }]],
    ['an expiry below 0', [{ id: 'A'.repeat(64), expires_at_height: -5 }]],
    ['more than 1,000', Array.from({ length: 1_001 }, () => ({ id: 'A'.repeat(64), expires_at_height: 5 }))],
  ])('refuses %s', async (_, operations) => {
    const wide = await startTestServer({ port: held.node, bodyBytesMax: 1_000_000 });
    const { error } = await wide.call('althing_outcomes', { operations, wait_ms: '0' });
    await wide.server.close();
    expect(error?.data).toContain('expected at most 1000 objects');
  });
});
