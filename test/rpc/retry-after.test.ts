/** Whoever was told when to come again and comes before that waits for its next refusal until then; nobody else waits. Rule BR-2. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { millis } from '../../src/base/units.ts';
import type { RpcServerOptions } from '../../src/rpc/http-server.ts';
import { Debts, type EarlyCall, RETRY_AFTER } from '../../src/rpc/retry-after.ts';
import { base64Of, startTestServer, type TestServer } from './server.ts';

/** Timers and the two clocks of sender and server. @unit ms */
const SLACK = 15;
const FULL = { code: 'QUEUE_FULL', log: 'Queue full' } as const;

let rpc: TestServer;
let early: EarlyCall[];
const sockets: Socket[] = [];

async function start(options: Partial<RpcServerOptions> = {}): Promise<void> {
  early = [];
  rpc = await startTestServer({ onEarly: (what) => early.push(what), ...options });
  rpc.node.submissionsRefused = FULL;
}
beforeEach(() => start());
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await rpc.server.close();
});

interface Line {
  readonly socket: Socket;
  /** Status and time since the beginning of each answer that came. */
  readonly answers: { readonly status: string; readonly at: number; readonly head: string }[];
  readonly send: (...requests: readonly string[]) => void;
  /** Resolves with the time of the answer with this number. */
  readonly answered: (count: number) => Promise<number>;
}

async function open(localAddress = '127.0.0.1'): Promise<Line> {
  const socket = connect({ port: Number(new URL(rpc.url).port), host: '127.0.0.1', localAddress });
  sockets.push(socket);
  socket.on('error', () => undefined);
  const answers: Line['answers'] = [];
  socket.on('data', (chunk: Buffer) => {
    const at = performance.now();
    for (const answer of chunk.toString().split(/(?=HTTP\/1\.1 )/)) {
      const head = answer.slice(0, answer.indexOf('\r\n\r\n'));
      answers.push({ status: head.slice(9, 12), at, head });
    }
  });
  await once(socket, 'connect');
  return {
    ...{ socket, answers },
    send: (...requests) => void socket.write(requests.join('')),
    answered: async (count) => {
      await expect.poll(() => answers.length, { timeout: 5_000, interval: 2 }).toBeGreaterThanOrEqual(count);
      return answers[count - 1]?.at ?? Number.NaN;
    },
  };
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const post = (body: object): string => {
  const text = JSON.stringify(body);
  return `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
};
const SUBMIT = post({ id: 1, method: 'althing_submit', params: { operations: [base64Of('a=1')] } });
const statuses = ({ answers }: Line): readonly string[] => answers.map(({ status }) => status);

/** A connection that has just been refused. */
async function refused(): Promise<Line & { readonly refusedAt: number }> {
  const line = await open();
  line.send(SUBMIT);
  return { ...line, refusedAt: await line.answered(1) };
}

describe('a call before Retry-After has passed', () => {
  it('hears its refusal when it has, and so does the next one', async () => {
    const line = await refused();
    line.send(SUBMIT);
    const second = await line.answered(2);
    expect(second - line.refusedAt).toBeGreaterThan(RETRY_AFTER - SLACK);
    line.send(get('/broadcast_tx_sync?tx="a=1"'));
    expect((await line.answered(3)) - second).toBeGreaterThan(RETRY_AFTER - SLACK);
    expect([statuses(line), early]).toEqual([
      ['503', '503', '503'],
      ['held', 'held'],
    ]);
  });

  it('beyond the rate of its client waits as well', async () => {
    await rpc.server.close();
    await start({ requestsPerSecond: 0.1, requestsBurst: 1 });
    const line = await open();
    line.send(get('/health'));
    await line.answered(1);
    line.send(SUBMIT);
    const first = await line.answered(2);
    line.send(SUBMIT);
    expect((await line.answered(3)) - first).toBeGreaterThan(RETRY_AFTER - SLACK);
    expect(statuses(line)).toEqual(['200', '429', '429']);
  });

  it('is served at once where there is a place, and so is every other question', async () => {
    const line = await refused();
    line.send(get('/health'));
    await line.answered(2);
    rpc.node.submissionsRefused = undefined;
    line.send(SUBMIT);
    expect((await line.answered(3)) - line.refusedAt).toBeLessThan(RETRY_AFTER / 2);
    expect([statuses(line), early]).toEqual([['503', '200', '200'], []]);
  });

  it('is answered within rpc.request_timeout_ms all the same', async () => {
    await rpc.server.close();
    await start({ requestTimeout: millis(300) });
    const line = await refused();
    line.send(SUBMIT);
    expect((await line.answered(2)) - line.refusedAt).toBeLessThan(RETRY_AFTER / 2);
    expect(early).toEqual(['held']);
  });

  it('and leaves is forgotten: what comes after it is served', async () => {
    const line = await refused();
    line.send(SUBMIT);
    await expect.poll(() => early).toEqual(['held']);
    line.socket.destroy();
    await sleep(RETRY_AFTER);
    expect((await rpc.get('/health')).status).toBe(200);
  });
});

describe('nobody waits', () => {
  it('who comes when Retry-After has passed', async () => {
    const line = await refused();
    await sleep(RETRY_AFTER);
    const sentAt = performance.now();
    line.send(SUBMIT);
    expect((await line.answered(2)) - sentAt).toBeLessThan(RETRY_AFTER / 2);
    expect(early).toEqual([]);
  });

  it('whose calls were there before the refusal: together on one connection, or on several', async () => {
    const lines = await Promise.all([open(), open(), open()]);
    const sentAt = performance.now();
    for (const line of lines) line.send(SUBMIT, SUBMIT, SUBMIT);
    for (const line of lines) expect((await line.answered(3)) - sentAt).toBeLessThan(RETRY_AFTER / 2);
    expect(early).toEqual([]);
  });

  it('on another connection that was open already, or from another address', async () => {
    const other = await open();
    const line = await refused();
    line.socket.destroy();
    await sleep(50);
    const stranger = await open('127.0.0.2');
    for (const each of [other, stranger]) {
      each.send(SUBMIT);
      expect((await each.answered(1)) - line.refusedAt).toBeLessThan(RETRY_AFTER / 2);
    }
    expect(early).toEqual([]);
  });
});

describe('what comes before Retry-After has passed buys nothing', () => {
  it('by pipelining: one call waits, of the others none is answered, the connection is closed', async () => {
    const line = await refused();
    line.send(SUBMIT, SUBMIT, get('/broadcast_tx_sync?tx="a=1"'), SUBMIT);
    await once(line.socket, 'close');
    expect(performance.now() - line.refusedAt).toBeGreaterThan(RETRY_AFTER - SLACK);
    expect([statuses(line), early]).toEqual([
      ['503', '503'],
      ['held', 'closed', 'closed', 'closed'],
    ]);
    expect(line.answers[1]?.head).toMatch(/^Connection: close$/im);
  });

  it('by sending on: while a call waits nothing more is read of its connection', async () => {
    const line = await refused();
    line.send(SUBMIT);
    await expect.poll(() => early).toEqual(['held']);
    for (let time = 0; time < 20; time += 1) {
      line.send(SUBMIT);
      await sleep(5);
    }
    expect([rpc.calls.length, early]).toEqual([2, ['held']]);
    await line.answered(2);
    // Then it is: one of them waits.
    await expect.poll(() => early.slice(0, 2)).toEqual(['held', 'held']);
  });

  it('by half a request behind it, which has to be read', async () => {
    const line = await refused();
    line.send(get('/broadcast_tx_sync?tx="a=1"'), SUBMIT.slice(0, -5));
    await sleep(50);
    line.send(SUBMIT.slice(-5));
    for (let time = 0; time < 10; time += 1) {
      line.send(SUBMIT);
      await sleep(5);
    }
    expect([rpc.calls.length, early]).toEqual([2, ['held']]);
  });

  it('by a new connection in place of the old one', async () => {
    const line = await refused();
    line.socket.destroy();
    await sleep(50);
    const [next, other] = [await open(), await open()];
    next.send(SUBMIT);
    expect((await next.answered(1)) - line.refusedAt).toBeGreaterThan(RETRY_AFTER - SLACK);
    // The old one was one.
    other.send(SUBMIT);
    await other.answered(1);
    expect(early).toEqual(['held']);
  });

  it('by keeping others out: a connection whose call waits gives way where there is no room', async () => {
    await rpc.server.close();
    await start({ connectionsMax: 2, connectionsPerAddressMax: 2 });
    const lines = await Promise.all([refused(), refused()]);
    for (const line of lines) line.send(SUBMIT);
    await expect.poll(() => early).toEqual(['held', 'held']);
    const next = await open();
    next.send(get('/livez'));
    await next.answered(1);
    expect(performance.now() - lines[0].refusedAt).toBeLessThan(RETRY_AFTER / 2);
    await expect.poll(() => lines.filter(({ socket }) => socket.closed)).toHaveLength(1);
  });
});

it('a server that closes answers those that wait at once, and leaves no timer behind', async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const line = await refused();
  line.send(SUBMIT);
  await expect.poll(() => early).toEqual(['held']);
  const withOne = timers();
  await rpc.server.close();
  expect(timers()).toBeLessThan(withOne);
  expect(await line.answered(2)).toBeLessThan(line.refusedAt + RETRY_AFTER / 2);
  expect(line.answers[1]?.head).toMatch(/^Connection: close$/im);
  await start();
});

describe('refusals of connections that were closed', () => {
  it('are each taken over once, while they have not passed', () => {
    const debts = new Debts({ clientsMax: 10, perClientMax: 10 });
    debts.leave('one', 100);
    debts.leave('one', 200);
    expect(debts.take('other', 300)).toBeUndefined();
    expect([debts.take('one', 300), debts.take('one', 300), debts.take('one', 300)]).toEqual([
      200,
      100,
      undefined,
    ]);
    debts.leave('one', 400);
    expect(debts.take('one', 400 + RETRY_AFTER)).toBeUndefined();
  });

  it('are bounded for each client, and so are the clients: the oldest are forgotten', () => {
    const debts = new Debts({ clientsMax: 2, perClientMax: 2 });
    for (const at of [1, 2, 3]) debts.leave('one', at);
    expect([debts.take('one', 5), debts.take('one', 5), debts.take('one', 5)]).toEqual([3, 2, undefined]);
    debts.leave('two', 3);
    debts.leave('three', 3);
    debts.leave('two', 4);
    debts.leave('four', 4);
    expect(['two', 'three', 'four'].map((client) => debts.take(client, 5))).toEqual([4, undefined, 4]);
  });
});
