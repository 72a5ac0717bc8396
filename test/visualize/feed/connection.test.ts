/** Against a real server of the same machine. */
import { createServer, type Server } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebSocket as Socket, WebSocketServer } from 'ws';
import type { FeedMessage } from '../../../src/observe/feed/feed.ts';
import { Connection, type ConnectionState } from '../../../visualize/src/feed/connection.ts';
import { heard } from '../support/run.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Served {
  readonly origin: string;
  readonly server: Server;
  /** Those that came, in order. */
  readonly viewers: Socket[];
}

/** Takes a viewer with the token `right`, and does with it what the test wants. */
async function served(greet: (viewer: Socket) => void, port = 0): Promise<Served> {
  const server = createServer((_, response) => response.end('the page'));
  const sockets = new WebSocketServer({ noServer: true });
  const viewers: Socket[] = [];
  server.on('upgrade', (request, socket, head) => {
    if (request.url !== '/feed?token=right') return socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    return sockets.handleUpgrade(request, socket, head, (viewer) => {
      viewers.push(viewer);
      greet(viewer);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  closing.push(() => {
    for (const viewer of viewers) viewer.terminate();
    server.closeAllConnections();
    server.close();
  });
  return { origin: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, server, viewers };
}

function connected(origin: string, token = 'right') {
  const states: ConnectionState[] = [];
  const messages: FeedMessage[] = [];
  const connection = new Connection(origin, token, {
    state: (state) => states.push(state),
    message: (message) => messages.push(message),
  });
  closing.push(() => connection.close());
  connection.open();
  return { connection, states, messages };
}

const { hello, moment } = heard(0);

describe('the connection of the page', () => {
  it('hears what it is told, and asks', async () => {
    const asked: string[] = [];
    const { origin } = await served((viewer) => {
      viewer.on('message', (data) => asked.push(String(data)));
      for (const message of [hello, moment]) viewer.send(JSON.stringify(message));
    });
    const { connection, states, messages } = connected(origin);
    expect(connection.send({ type: 'pause' })).toBe(false);
    await expect.poll(() => messages.map(({ type }) => type)).toEqual(['hello', 'moment']);
    expect(connection.send({ type: 'pause' })).toBe(true);
    await expect.poll(() => asked).toEqual(['{"type":"pause"}']);
    expect(states.map(({ status }) => status)).toEqual(['connecting', 'open']);
  });

  it('comes again by itself, less often while nobody answers', async () => {
    const { origin, server, viewers } = await served(() => undefined);
    const { states } = connected(origin);
    await expect.poll(() => viewers.length).toBe(1);
    const waits = (): readonly number[] =>
      states.flatMap((state) => (state.status === 'waiting' ? [state.retryInMs] : []));
    server.close();
    viewers[0]?.close(1001, 'the node stops');
    await expect.poll(waits, { timeout: 3_000 }).toEqual([250, 500]);
    expect(states).toContainEqual(
      expect.objectContaining({ why: 'the connection was closed: the node stops' }),
    );
    await served((viewer) => viewer.send(JSON.stringify(hello)), Number(new URL(origin).port));
    await expect.poll(() => states.at(-1)?.status, { timeout: 3_000 }).toBe('open');
  });

  it('says the last words of a server that closes, and comes again, less often while it hears no others', async () => {
    const last = { type: 'refused', code: 'STALLED', detail: 'nothing was read for 15 s', isLast: true };
    const { origin, viewers } = await served((viewer) => {
      viewer.send(JSON.stringify(viewers.length === 3 ? hello : last));
      if (viewers.length < 3) viewer.close(1013, 'STALLED');
    });
    const { states } = connected(origin);
    await expect.poll(() => viewers.length, { timeout: 3_000 }).toBe(3);
    const waits = states.flatMap((state) => (state.status === 'waiting' ? [state] : []));
    expect(waits.map(({ retryInMs }) => retryInMs)).toEqual([250, 500]);
    expect(waits[0]?.why).toBe('the connection was closed: nothing was read for 15 s');
    await expect.poll(() => states.at(-1)?.status).toBe('open');
  });

  it('gives up, and says what to do, when its token is of another start', async () => {
    const { origin } = await served(() => undefined);
    const { states } = connected(origin, 'wrong');
    await expect.poll(() => states.at(-1)).toMatchObject({ status: 'refused', code: 'REFUSED' });
  });

  it.each([
    ['a feed of another version', { ...hello, version: 99 }, 'OTHER_VERSION'],
    ['what is no message', { type: 'hullo' }, 'UNKNOWN_MESSAGE'],
  ])('ends by name at %s', async (_, message, code) => {
    const { origin, viewers } = await served((viewer) => viewer.send(JSON.stringify(message)));
    const { states } = connected(origin);
    await expect.poll(() => states.at(-1)).toMatchObject({ status: 'refused', code });
    await expect.poll(() => viewers[0]?.readyState).toBe(3);
  });
});
