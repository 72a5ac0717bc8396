import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Called, Endpoint } from '../../src/client/endpoint.ts';

let origin = '';
beforeAll(async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  origin = `http://127.0.0.1:${bound !== null && typeof bound === 'object' ? bound.port : ''}`;
  // Nobody listens there any more.
  await new Promise((resolve) => server.close(resolve));
});
afterEach(() => vi.unstubAllGlobals());

function asked(): Promise<Called> {
  const { signal } = new AbortController();
  return new Endpoint(0, `${origin}/`).call(
    'status',
    {},
    { timeoutMs: 5_000, answerBytesMax: 1_000, signal },
  );
}

describe('a node that does not answer', () => {
  it('may be one that does not allow the page, where the client runs in one of another origin', async () => {
    vi.stubGlobal('location', { origin: 'http://shop.example' });
    expect(await asked()).toMatchObject({
      detail: expect.stringMatching(/, or its rpc\.allowed_origins lacks http:\/\/shop\.example$/),
    });
  });

  it('is only told as such outside of a page, and in its own', async () => {
    for (const location of [undefined, { origin }]) {
      vi.stubGlobal('location', location);
      const answer = await asked();
      expect(answer).toMatchObject({ kind: 'notTaken', detail: expect.stringContaining('ECONNREFUSED') });
      expect(JSON.stringify(answer)).not.toContain('allowed_origins');
    }
  });
});
