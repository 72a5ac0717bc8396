import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { envelope, readBody } from '../../src/rpc/json-rpc.ts';
import { METHODS } from '../../src/rpc/methods.ts';
import { fromJsonParams, fromQuery, type ParameterList } from '../../src/rpc/parameters.ts';
import { startTestServer, type TestServer } from './server.ts';

let rpc: TestServer;
beforeAll(async () => {
  rpc = await startTestServer();
  for (const text of ['a=1', 'b=2', 'c=3'])
    await rpc.call('broadcast_tx_commit', { tx: Buffer.from(text).toString('base64') });
});
afterAll(() => rpc.server.close());

const LIST: ParameterList = [
  { name: 'height', type: 'integer' },
  { name: 'path', type: 'text' },
  { name: 'prove', type: 'bool' },
  { name: 'tx', type: 'bytes' },
  { name: 'data', type: 'hex' },
  { name: 'list', type: 'bytesList' },
  { name: 'operations', type: 'operations' },
];

/** Values near what methods expect, and far from it. */
const value = fc.oneof(
  fc.jsonValue(),
  fc.integer().map(String),
  fc.bigInt().map(String),
  fc.base64String(),
  fc.string().map((text) => Buffer.from(text).toString('hex')),
  fc.constantFrom('-1', '0', '1', '2', '99999999999999999999', '', '__proto__', true, 1.5, -0),
);
const methodName = fc.oneof(fc.constantFrom(...METHODS.keys()), fc.string());
const params = fc.oneof(
  fc.array(value, { maxLength: 5 }),
  fc.dictionary(
    fc.constantFrom(
      'height',
      'hash',
      'tx',
      'path',
      'data',
      'page',
      'per_page',
      'minHeight',
      'prove',
      'list',
      'operations',
    ),
    value,
  ),
  fc.jsonValue(),
);

describe('requests of any kind', () => {
  it('are read without a throw, and answered with their own id', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), fc.integer({ min: 1, max: 5 }), (text, batchMax) => {
        const body = readBody(text, batchMax);
        if (body.kind === 'batch') expect(body.entries.length).toBeLessThanOrEqual(batchMax);
        if (body.kind === 'unreadable') expect(body.error.data).not.toBe('');
        expect(envelope(1, { result: text })).toEqual({ jsonrpc: '2.0', id: 1, result: text });
      }),
    );
  });

  it('give typed arguments or a sentence, never both, never a throw', () => {
    const typeNames = {
      integer: 'number',
      text: 'string',
      bool: 'boolean',
      bytes: 'object',
      hex: 'object',
      bytesList: 'object',
      operations: 'object',
    } as const;
    fc.assert(
      fc.property(params, (given) => {
        const usable = typeof given === 'object' && given !== null ? given : {};
        const conversions = [
          fromJsonParams(LIST, usable),
          fromQuery(
            LIST,
            new URLSearchParams({ height: JSON.stringify(given) ?? '', tx: JSON.stringify(given) ?? '' }),
          ),
        ];
        for (const conversion of conversions) {
          if (!conversion.ok) {
            expect(conversion.problem).toMatch(/^error converting (json|http) params to arguments: /);
            continue;
          }
          for (const { name, type } of LIST) {
            const found = Object.entries(conversion.values).find(([key]) => key === name)?.[1];
            if (found !== undefined) expect(typeof found).toBe(typeNames[type]);
          }
        }
      }),
    );
  });

  it('get an answer from the server: a result, or an error with words', async () => {
    await fc.assert(
      fc.asyncProperty(methodName, params, async (method, given) => {
        const { status, text } = await rpc.post({ jsonrpc: '2.0', id: 7, method, params: given });
        const answer = JSON.parse(text);
        expect([status, answer.id]).toEqual([200, 7]);
        expect('result' in answer !== 'error' in answer).toBe(true);
        if ('error' in answer) expect(answer.error.data).not.toBe('');
      }),
      { numRuns: 400 },
    );
    expect(rpc.calls.filter(({ failure }) => failure !== undefined)).toEqual([]);
  });

  it('get words with every 4xx and 5xx by GET', async () => {
    const query = fc.dictionary(
      fc.constantFrom('height', 'hash', 'tx', 'path', 'data', 'page', 'limit'),
      fc.string(),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...METHODS.keys()), query, async (method, given) => {
        const { status, text } = await rpc.get(`/${method}?${new URLSearchParams(given)}`);
        const answer = JSON.parse(text);
        if (status === 200) expect(answer).toHaveProperty('result');
        else expect(answer.error.data).not.toBe('');
      }),
      { numRuns: 300 },
    );
    expect(rpc.calls.filter(({ failure }) => failure !== undefined)).toEqual([]);
  });

  it('of raw bytes leave the server serving', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const response = await fetch(rpc.url, { method: 'POST', body: Buffer.from(bytes) });
        await response.text();
        expect([200, 204, 400]).toContain(response.status);
      }),
      { numRuns: 200 },
    );
    expect((await rpc.get('/health')).status).toBe(200);
  });
});
