import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { millis } from '../../src/base/units.ts';
import { receiveTimeouts } from '../../src/rpc/http-server.ts';
import { base64Of, startTestServer, type TestServer } from './server.ts';

let rpc: TestServer;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await rpc.server.close();
});

/** Connects from a loopback address of its own, where the system has more than one; sends what is given. */
async function open(text = '', localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port: Number(new URL(rpc.url).port), host: '127.0.0.1', localAddress });
  sockets.push(socket);
  // What the server closes is a reset here, at times.
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  if (text !== '') socket.write(text);
  return socket;
}

const openMany = (count: number, text: string): Promise<readonly Socket[]> =>
  Promise.all(Array.from({ length: count }, () => open(text)));

const closing = (socket: Socket): Promise<unknown> =>
  socket.closed ? Promise.resolve() : once(socket, 'close');

const HEAD = 'POST / HTTP/1.1\r\nHost: localhost\r\n';

describe('connections without room for one more', () => {
  it.each([
    ['silent', ''],
    ['with half a head', 'GET /livez HTTP/1.1\r\nHost: local'],
    ['with half a body', `${HEAD}Content-Length: 50\r\n\r\n{"id":1`],
    ['with a body that is too large and does not end', `${HEAD}Content-Length: 500000\r\n\r\n{"id":1`],
  ])('%s connections beyond all bounds do not keep /livez from answering', async (_, text) => {
    rpc = await startTestServer({ connectionsMax: 20, connectionsPerAddressMax: 10 });
    await openMany(60, text);
    expect((await rpc.get('/livez')).status).toBe(200);
    expect((await rpc.post({ id: 1, method: 'health' })).status).toBe(200);
  });

  it('the one that has waited for a request longest gives way, not the one that has just been used', async () => {
    rpc = await startTestServer({ connectionsMax: 2, connectionsPerAddressMax: 2 });
    const used = await open();
    const silent = await open();
    used.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(used, 'data');
    await open();
    await closing(silent);
    expect(used.closed).toBe(false);
  });

  it('one that is being answered stays, and when all are, a further one is closed', async () => {
    rpc = await startTestServer({
      connectionsMax: 1,
      connectionsPerAddressMax: 1,
      commitTimeout: millis(2_000),
    });
    rpc.node.hold = true;
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'broadcast_tx_commit',
      params: { tx: base64Of('a=1') },
    });
    const busy = await open(`${HEAD}Content-Length: ${body.length}\r\n\r\n${body}`);
    await expect.poll(() => rpc.node.pending(1).total).toBe(1);
    await closing(await open());
    rpc.node.release();
    const [answer] = await once(busy, 'data');
    expect(String(answer)).toContain('"height":"1"');
  });

  it('one address takes no more than its share: others keep theirs', async () => {
    rpc = await startTestServer({ connectionsMax: 10, connectionsPerAddressMax: 3 });
    const other = await open('', '127.0.0.2');
    await openMany(30, '');
    expect((await rpc.get('/livez')).status).toBe(200);
    expect(other.closed).toBe(false);
  });
});

describe('a request that does not come', () => {
  it('is waited for five seconds for its head, ten in all, and less where a whole call gets less', () => {
    expect(receiveTimeouts(millis(30_000))).toMatchObject({ headersTimeout: 5_000, requestTimeout: 10_000 });
    expect(receiveTimeouts(millis(700))).toMatchObject({ headersTimeout: 700, requestTimeout: 700 });
  });

  it.each([
    ['head', 'GET /livez HTTP/1.1\r\nHost: local'],
    ['body', `${HEAD}Content-Length: 50\r\n\r\n{"id":1`],
  ])('is closed when its %s is late', async (_, text) => {
    rpc = await startTestServer({ requestTimeout: millis(150) });
    const socket = await open(text);
    socket.resume();
    await closing(socket);
    expect((await rpc.get('/livez')).status).toBe(200);
  });
});

describe('the rate of a client', () => {
  const slow = { requestsPerSecond: 1, requestsBurst: 30 };
  const statusOf = async (body: string): Promise<number> => (await rpc.post(body)).status;

  it('is taken for bodies that cannot be read (400), and by their bytes', async () => {
    rpc = await startTestServer(slow);
    const unreadable = `"${'x'.repeat(40_000)}`;
    expect([await statusOf(unreadable), await statusOf(unreadable)]).toEqual([400, 400]);
    // 1 + 9 calls each: the burst has ten left.
    expect([await statusOf(unreadable), await statusOf('{')]).toEqual([400, 429]);
  });

  it('is taken for bodies that are too large (413), as for the largest', async () => {
    rpc = await startTestServer(slow);
    expect([await statusOf('x'.repeat(100_001)), await statusOf('x'.repeat(100_001))]).toEqual([413, 429]);
  });

  it('is taken for each operation that is looked up, alone and in a batch; a burst pays for one call of any size', async () => {
    const operations = Array.from({ length: 800 }, () => ({ id: 'A'.repeat(64), expires_at_height: '5' }));
    const call = { jsonrpc: '2.0', id: 1, method: 'althing_outcomes', params: { operations, wait_ms: '0' } };
    const half = { ...call, params: [operations.slice(400), '0'] };
    rpc = await startTestServer({ requestsPerSecond: 1, requestsBurst: 260 });
    const bodies = [call, [half, half], call].map((body) => JSON.stringify(body));
    const statuses: number[] = [];
    for (const body of bodies) statuses.push(await statusOf(body));
    // 1 + 100 calls, then 2 + 100: the burst has 57 left. Their bytes would be 21 each.
    expect(statuses).toEqual([200, 200, 429]);
    await rpc.server.close();
    rpc = await startTestServer({ requestsPerSecond: 1, requestsBurst: 30 });
    expect([await statusOf(JSON.stringify(call)), await statusOf('{}')]).toEqual([200, 429]);
  });

  it('lets the largest body pass however small the burst is', async () => {
    rpc = await startTestServer({ requestsPerSecond: 1, requestsBurst: 2 });
    const call = { id: 1, method: 'health', params: { pad: 'x'.repeat(90_000) } };
    expect((await rpc.post(call)).status).toBe(200);
  });
});

describe('a body made to be slow', () => {
  it.each([
    ['arrays within arrays', '['.repeat(1_000_000)],
    ['objects within objects', '{"a":'.repeat(200_000)],
    ['nesting behind an escaped quote', `["\\\\\\"",${'['.repeat(100)}`],
    ['a wide array', `[${'1,'.repeat(500_000)}1]`],
    ['many keys', `{${Array.from({ length: 100_000 }, (_, key) => `"${key}":1`).join(',')}}`],
    ['a batch of many empty calls', `[${'{},'.repeat(300_000)}{}]`],
  ])('%s: is refused before it is parsed', async (_, body) => {
    rpc = await startTestServer({ bodyBytesMax: 4_000_000 });
    const { status, text } = await rpc.post(body);
    expect([status, JSON.parse(text).error]).toEqual([
      400,
      expect.objectContaining({
        code: -32600,
        data: expect.stringMatching(/^error unmarshaling request: more than \d+ (values|arrays and objects)/),
      }),
    ]);
  });

  it('brackets, commas and escaped quotes inside strings are text', async () => {
    rpc = await startTestServer();
    const id = `${'[{'.repeat(500)}\\"${','.repeat(2_000)}\\`;
    const { text } = await rpc.post({ id, method: 'health' });
    expect(JSON.parse(text)).toEqual({ jsonrpc: '2.0', id, result: {} });
  });
});
