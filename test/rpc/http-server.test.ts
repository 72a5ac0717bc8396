import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { millis } from '../../src/base/units.ts';
import { Endpoint } from '../../src/client/endpoint.ts';
import { base64Of, startTestServer, type TestServer } from './server.ts';

let rpc: TestServer;
beforeEach(async () => {
  rpc = await startTestServer();
});
afterEach(() => rpc.server.close());

async function restart(options: Parameters<typeof startTestServer>[0]): Promise<void> {
  await rpc.server.close();
  rpc = await startTestServer(options);
}

/** `fetch` does not let a caller set Host. */
function getWithHost(url: string, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, { headers: { Host: host } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

describe('JSON-RPC by POST', () => {
  it('answers a call with its id', async () => {
    const { status, text, headers } = await rpc.post({
      jsonrpc: '2.0',
      id: 'a',
      method: 'health',
      params: {},
    });
    expect([status, JSON.parse(text)]).toEqual([200, { jsonrpc: '2.0', id: 'a', result: {} }]);
    expect(headers.get('content-type')).toBe('application/json');
  });

  it('answers a batch in its order, and no notification', async () => {
    const call = { jsonrpc: '2.0', method: 'health' };
    const { text } = await rpc.post([
      { ...call, id: 1 },
      call,
      { ...call, id: 2, method: 'nope' },
      { ...call, id: 3 },
    ]);
    expect(
      JSON.parse(text).map(({ id, error }: { id: number; error?: object }) => [id, error !== undefined]),
    ).toEqual([
      [1, false],
      [2, true],
      [3, false],
    ]);
    expect((await rpc.post(call)).status).toBe(204);
  });

  it('refuses a batch beyond its bound', async () => {
    const { status, text } = await rpc.post(
      Array.from({ length: 11 }, (_, id) => ({ id, method: 'health' })),
    );
    expect(status).toBe(400);
    expect(JSON.parse(text).error.data).toBe('batch request exceeds maximum (10) allowed number of requests');
  });

  it('lets others in between the calls of a batch (BR-2)', async () => {
    rpc.node.applicationInfo = async () => {
      const until = performance.now() + 6;
      while (performance.now() < until);
      throw new Error('it took long');
    };
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += rpc.calls.length > 0 ? 1 : 0;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const { text } = await rpc.post(Array.from({ length: 10 }, (_, id) => ({ id, method: 'abci_info' })));
    isOver = true;
    expect(JSON.parse(text)).toHaveLength(10);
    expect(turns).toBeGreaterThanOrEqual(9);
  });

  it('reads no transactions for headers and sizes', async () => {
    await rpc.call('broadcast_tx_commit', { tx: base64Of('a=1') });
    const { height } = rpc.node.executed();
    rpc.node.block = async () => {
      throw new Error('all transactions of the block were read');
    };
    expect((await rpc.call('blockchain')).result).toMatchObject({ last_height: String(height) });
    expect((await rpc.call('header')).result).toMatchObject({ header: { height: String(height) } });
    expect((await rpc.call('block')).error?.data).toBe('all transactions of the block were read');
  });

  it('answers no more than has a place until it is sent (BR-2), and then there is room again', async () => {
    await restart({ unsentBytesMax: 4_000 });
    rpc.node.applicationInfo = async () => {
      const until = performance.now() + 6;
      while (performance.now() < until);
      return { name: 'n'.repeat(700), version: '1', executed: rpc.node.executed() };
    };
    const batch = Array.from({ length: 10 }, (_, id) => ({ id, method: 'abci_info' }));
    const { length } = (await rpc.post([batch[0]])).text;
    const room = Math.ceil(2_000 / (length - 2));
    for (const _ of ['once', 'again']) {
      const { status, text } = await rpc.post(batch);
      const answers: readonly { readonly error?: { readonly data: string } }[] = JSON.parse(text);
      expect([status, answers.length]).toEqual([200, 10]);
      const refused = answers.flatMap(({ error }) => (error === undefined ? [] : [error.data]));
      expect(refused).toHaveLength(10 - room);
      expect(refused.every((data) => data.startsWith('RATE_LIMITED: too much of your answers'))).toBe(true);
    }
  });

  it("says what is wrong in CometBFT's codes", async () => {
    const error = async (body: unknown): Promise<unknown> => JSON.parse((await rpc.post(body)).text).error;
    expect(await error('{')).toMatchObject({ code: -32700, message: 'Parse error. Invalid JSON' });
    expect(await error([])).toMatchObject({ code: -32600, message: 'Invalid Request' });
    expect(await error({ id: 1, method: 7 })).toMatchObject({ code: -32600 });
    expect(await error({ id: 1, method: 'nope' })).toMatchObject({
      code: -32601,
      message: 'Method not found',
    });
    expect(await error({ id: 1, method: 'block', params: { height: 'x' } })).toEqual({
      code: -32602,
      message: 'Invalid params',
      data: 'error converting json params to arguments: height = "x": expected a string of digits',
    });
    expect(await error({ id: 1, method: 'block', params: ['1', '2'] })).toMatchObject({
      data: 'error converting json params to arguments: expected 1 parameters ([height]), got 2',
    });
    expect(await error({ id: 1, method: 'block', params: { height: '9' } })).toEqual({
      code: -32603,
      message: 'Internal error',
      data: 'height 9 must be less than or equal to the current blockchain height 0',
    });
  });

  it('refuses a body beyond its bound and goes on serving', async () => {
    expect((await rpc.post('x'.repeat(100_001))).status).toBe(413);
    expect((await rpc.get('/health')).status).toBe(200);
  });

  it('refuses a declared length beyond its bound before the body comes', async () => {
    const socket = connect(Number(new URL(rpc.url).port), '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100001\r\n\r\n');
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  it('answers a call that takes too long, and a method that throws', async () => {
    await restart({ requestTimeout: millis(60), commitTimeout: millis(5_000) });
    rpc.node.hold = true;
    const late = await rpc.call('broadcast_tx_commit', { tx: base64Of('a=1') });
    expect(late.error?.data).toBe('"broadcast_tx_commit" took longer than 60 ms');
    rpc.node.applicationInfo = async () => {
      throw new Error('the application is gone');
    };
    expect((await rpc.call('abci_info')).error).toMatchObject({
      code: -32603,
      data: 'the application is gone',
    });
    expect(rpc.calls.at(-1)?.failure).toBeInstanceOf(Error);
  });

  it('is only at "/"', async () => {
    const response = await fetch(`${rpc.url}/status`, { method: 'POST', body: '{}' });
    expect(response.status).toBe(404);
    expect((await fetch(rpc.url, { method: 'DELETE' })).status).toBe(405);
  });
});

describe("methods by GET, with CometBFT's quoting", () => {
  it('takes quoted text and 0x hexadecimal as bytes, and integers bare or quoted', async () => {
    const byText = JSON.parse((await rpc.get('/broadcast_tx_commit?tx="name=ada"')).text);
    expect(byText.result.height).toBe('1');
    const hex = Buffer.from('name=bob').toString('hex');
    const byHex = JSON.parse((await rpc.get(`/broadcast_tx_commit?tx=0x${hex}`)).text);
    expect(byHex.result.height).toBe('2');
    for (const height of ['1', '"1"']) {
      const { result } = JSON.parse((await rpc.get(`/block?height=${height}`)).text);
      expect(result.block.data.txs).toEqual([base64Of('name=ada')]);
    }
    const { id, result } = JSON.parse((await rpc.get('/abci_query?path=""&data="name"')).text);
    expect([id, result.response.value]).toEqual([-1, base64Of('bob')]);
  });

  it('refuses what needs quotes, saying so', async () => {
    const { status, text } = await rpc.get('/broadcast_tx_sync?tx=name');
    expect(status).toBe(400);
    expect(JSON.parse(text).error.data).toBe(
      'error converting http params to arguments: tx = "name": expected "text" in double quotes, or 0x and hexadecimal',
    );
  });

  it('takes an empty value for an absent one', async () => {
    await rpc.get('/broadcast_tx_commit?tx="a=1"');
    expect(JSON.parse((await rpc.get('/block?height=')).text).result.block.header.height).toBe('1');
  });

  it('lists the methods at "/", and answers 404 for others', async () => {
    const { text } = await rpc.get('/');
    expect(text).toContain('GET  /abci_query?path=_&data=_&height=_&prove=_\n');
    expect(text).toContain('POST / althing_submit(operations)\n');
    expect(text).toMatch(/^POST \/ althing_resync\(height, id\), with the token$/m);
    expect((await rpc.get('/nope')).status).toBe(404);
    expect((await rpc.get('/..%2f')).status).toBe(404);
  });
});

describe('who may call', () => {
  it('refuses a foreign Host, which a rebound name would send', async () => {
    expect(await getWithHost(rpc.url, 'evil.example')).toBe(403);
    expect(await getWithHost(rpc.url, 'localhost:26657')).toBe(200);
    expect(await getWithHost(rpc.url, '[::1]:26657')).toBe(200);
    await restart({ allowedHosts: ['node.example'] });
    expect(await getWithHost(rpc.url, 'node.example')).toBe(200);
  });

  it('refuses a foreign Origin, and tells allowed pages so', async () => {
    expect((await rpc.get('/health', { Origin: 'https://evil.example' })).status).toBe(403);
    expect((await rpc.get('/health', { Origin: 'null' })).status).toBe(403);
    await restart({ allowedOrigins: ['https://page.example'] });
    const allowed = await rpc.get('/health', { Origin: 'https://page.example' });
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://page.example');
    expect(allowed.headers.get('access-control-expose-headers')).toBe('Retry-After');
    const preflight = await fetch(rpc.url, {
      method: 'OPTIONS',
      headers: { Origin: 'https://page.example' },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-methods')]).toEqual([
      204,
      'GET, HEAD, POST',
    ]);
  });

  it('lets only the operator change the view, and only by POST', async () => {
    const body = { jsonrpc: '2.0', id: 1, method: 'althing_view_change' };
    for (const headers of [{}, { Authorization: 'Bearer wrong' }, { Authorization: 'secret-token' }]) {
      expect(JSON.parse((await rpc.post(body, { ...headers })).text).error.code).toBe(-32000);
    }
    expect((await rpc.get('/althing_view_change', { Authorization: 'Bearer secret-token' })).status).toBe(
      404,
    );
    expect(rpc.node.viewChangesRequested).toBe(0);
    const { text } = await rpc.post(body, { Authorization: 'Bearer secret-token' });
    expect(JSON.parse(text).result).toEqual({ round: '1' });
    expect(rpc.node.viewChangesRequested).toBe(1);
  });

  it('refuses operator commands altogether without a token', async () => {
    await restart({ adminToken: '' });
    const body = { jsonrpc: '2.0', id: 1, method: 'althing_view_change' };
    expect(JSON.parse((await rpc.post(body, { Authorization: 'Bearer ' })).text).error.code).toBe(-32000);
  });

  it('limits the rate of a client, a batch by its calls', async () => {
    await restart({ requestsPerSecond: 1, requestsBurst: 5 });
    expect((await rpc.post([1, 2, 3, 4].map((id) => ({ id, method: 'health' })))).status).toBe(200);
    expect((await rpc.get('/health')).status).toBe(200);
    const refused = await rpc.get('/health');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect((await rpc.get('/livez')).status).toBe(200);
  });
});

describe('what a node turns away unread (BR-1)', () => {
  const bounds = { timeoutMs: 5_000, answerBytesMax: 10_000, signal: new AbortController().signal };
  const submit = (bytes = 1) =>
    new Endpoint(0, rpc.url).call('althing_submit', { operations: ['A'.repeat(bytes)] }, bounds);

  it('is told in its own words, by which a client knows that a node has spoken and not a proxy', async () => {
    rpc.node.submissionsRefused = { code: 'QUEUE_FULL', log: 'Queue full' };
    expect(await submit()).toMatchObject({
      kind: 'notTaken',
      cause: 'busy',
      detail: expect.stringMatching(/^QUEUE_FULL: /),
    });
    expect(await submit(100_001)).toMatchObject({ kind: 'notTaken', cause: 'tooLarge' });
    await restart({ requestsPerSecond: 1, requestsBurst: 1 });
    await rpc.get('/health');
    expect(await submit()).toMatchObject({ kind: 'notTaken', cause: 'busy' });
    const page = await rpc.post('{}', { Origin: 'https://evil.example' });
    expect([page.status, JSON.parse(page.text).error.data]).toEqual([
      403,
      expect.stringMatching(/^FORBIDDEN: /),
    ]);
  });
});

describe('a node without a place (BR-2)', () => {
  const full = { code: 'QUEUE_FULL', log: 'Queue full: 10 operations are pending' } as const;
  const tx = Buffer.from('a=1').toString('base64');
  const submit = { jsonrpc: '2.0', id: 1, method: 'althing_submit', params: { operations: [tx] } };
  const broadcast = { id: 'x', method: 'broadcast_tx_sync', params: { tx } };

  it('refuses submissions by the first letters of their body, with a code, and asks nobody', async () => {
    rpc.node.submissionsRefused = full;
    for (const body of [submit, broadcast, [broadcast, broadcast]]) {
      const { status, headers, text } = await rpc.post(body);
      expect([status, headers.get('retry-after')]).toEqual([503, '1']);
      expect(JSON.parse(text).error).toEqual({
        code: -32000,
        message: 'Server error',
        data: 'QUEUE_FULL: Queue full: 10 operations are pending',
      });
    }
    expect(rpc.node.submitted).toBe(0);
    expect(rpc.calls.map(({ method, code }) => [method, code])).toEqual([
      ['althing_submit', -32000],
      ['broadcast_tx_sync', -32000],
      ['broadcast_tx_sync', -32000],
    ]);
  });

  it('refuses submissions by GET alike, and answers other questions (BR-2)', async () => {
    rpc.node.submissionsRefused = full;
    for (const method of ['broadcast_tx_sync', 'broadcast_tx_async', 'broadcast_tx_commit']) {
      const { status, headers, text } = await rpc.get(`/${method}?tx="a=1"`);
      expect([status, headers.get('retry-after')]).toEqual([503, '1']);
      expect(JSON.parse(text).error.data).toBe('QUEUE_FULL: Queue full: 10 operations are pending');
    }
    expect([rpc.node.submitted, rpc.calls.length]).toEqual([0, 3]);
    expect((await rpc.get('/status')).status).toBe(200);
  });

  it('answers everything else', async () => {
    rpc.node.submissionsRefused = full;
    // What a caller chose freely is no method.
    const lookalike = { jsonrpc: '2.0', id: '"method":"althing_submit"', method: 'health' };
    const inside = { jsonrpc: '2.0', id: 1, params: { method: 'althing_submit' }, method: 'health' };
    for (const body of [lookalike, inside, { id: 1, method: 'status' }]) {
      expect((await rpc.post(body)).status).toBe(200);
    }
  });

  it('takes them again as soon as there is a place', async () => {
    rpc.node.submissionsRefused = full;
    expect((await rpc.post(submit)).status).toBe(503);
    rpc.node.submissionsRefused = undefined;
    expect((await rpc.post(submit)).status).toBe(200);
    expect(rpc.node.submitted).toBe(1);
  });
});

/** Requests that one connection sends at once, and how each was answered. */
async function pipeline(requests: readonly string[]) {
  const socket = connect(Number(new URL(rpc.url).port), '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  socket.write(requests.join(''));
  const statuses = (): readonly string[] => text.match(/(?<=HTTP\/1\.1 )\d+/g) ?? [];
  await expect.poll(() => statuses().length, { timeout: 10_000 }).toBe(requests.length);
  socket.destroy();
  return { statuses: statuses(), text };
}
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const post = (method: string, params: object = {}): string => {
  const body = JSON.stringify({ id: 1, method, params });
  return `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
};

describe('calls that do not wait for their answers (BR-2)', () => {
  const calls = new Array(20).fill(post('health'));

  it('are under way up to rpc.connections_max of them; the others hear that there is no place', async () => {
    await restart({ connectionsMax: 5 });
    const { statuses, text } = await pipeline(calls);
    expect(statuses.filter((status) => status === '200').length).toBeGreaterThanOrEqual(5);
    expect(new Set(statuses)).toEqual(new Set(['200', '503']));
    expect(text).toContain('QUEUE_FULL: Queue full: too many calls wait for their answers');
  });

  it('of one client are as many as it may have connections: the others are its own affair (429)', async () => {
    await restart({ connectionsMax: 50, connectionsPerAddressMax: 5 });
    const { statuses, text } = await pipeline(calls);
    expect(new Set(statuses)).toEqual(new Set(['200', '429']));
    expect(text).toContain('RATE_LIMITED: too many of your calls wait for their answers');
  });
});

describe('under load (BR-2)', () => {
  /** Each `abci_info` keeps the event loop for so long; how many did. @unit ms */
  function slow(ms: number): () => number {
    let asked = 0;
    const { applicationInfo } = rpc.node;
    rpc.node.applicationInfo = () => {
      asked += 1;
      const until = performance.now() + ms;
      while (performance.now() < until);
      return applicationInfo.call(rpc.node);
    };
    return () => asked;
  }

  it('every call is answered: what waited too long for its turn hears 503, by POST and by GET', async () => {
    await restart({ requestTimeout: millis(400) });
    const asked = slow(40);
    const calls = Array.from({ length: 30 }, (_, at) =>
      at % 2 === 0 ? post('abci_info') : get('/abci_info'),
    );
    const { statuses, text } = await pipeline(calls);
    expect(new Set(statuses)).toEqual(new Set(['200', '503']));
    // Half of 400 ms, and the call under way.
    expect(asked()).toBeLessThanOrEqual(6);
    expect(statuses.filter((status) => status === '200')).toHaveLength(asked());
    expect(text).toContain('QUEUE_FULL: Queue full: the call waited too long for its turn');
    expect(text).toContain('Retry-After: 1');
  });

  it('what a call waits for its turn is part of its time', async () => {
    await restart({ requestTimeout: millis(1_000), commitTimeout: millis(5_000) });
    slow(450);
    rpc.node.hold = true;
    const since = performance.now();
    const { text } = await pipeline([
      post('abci_info'),
      post('broadcast_tx_commit', { tx: base64Of('a=1') }),
      get('/broadcast_tx_commit?tx="a=1"'),
    ]);
    expect(text.match(/took longer than 1000 ms/g)).toHaveLength(2);
    expect(performance.now() - since).toBeLessThan(450 + 1_000);
  });
});

describe('probes', () => {
  it('/livez follows the lag of the event loop', async () => {
    let lag = 5;
    await restart({ loopLag: () => millis(lag), loopLagMax: millis(10) });
    expect((await rpc.get('/livez')).status).toBe(200);
    lag = 11;
    expect([(await rpc.get('/livez')).status, JSON.parse((await rpc.get('/livez')).text)]).toEqual([
      503,
      { status: 'blocked', loop_lag_ms: 11 },
    ]);
  });

  it('/readyz says why not', async () => {
    expect((await rpc.get('/readyz')).status).toBe(200);
    rpc.node.reasons = ['validators with power 10 of 27 are reachable'];
    const { status, text } = await rpc.get('/readyz');
    expect([status, JSON.parse(text).reasons]).toEqual([503, rpc.node.reasons]);
  });

  it('answers 500 with words when the node cannot say', async () => {
    rpc.node.health = () => {
      throw new Error('the store failed (IO)');
    };
    const { status, text } = await rpc.get('/readyz');
    expect([status, JSON.parse(text).error.data]).toEqual([500, 'the store failed (IO)']);
  });

  it('/metrics is text', async () => {
    expect((await rpc.get('/metrics')).text).toBe('metric 1\n');
  });
});

describe('closing', () => {
  it('ends within two seconds although a client holds a connection', async () => {
    const socket = connect(Number(new URL(rpc.url).port), '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{');
    const startedAt = performance.now();
    await rpc.server.close();
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    socket.destroy();
    rpc = await startTestServer();
  });

  it('reports an address that is taken', async () => {
    const taken = new URL(rpc.url).host;
    await expect(startTestServer({ listen: taken })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
