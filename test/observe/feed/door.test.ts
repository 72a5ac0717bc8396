/** What a program of this machine that has no token can do to the feed's door: nothing. Rules IN-1, IN-2. */
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Door } from '../../../src/observe/feed/door.ts';
import { serve, TestSource, view } from './support.ts';

const portOf = (address: string): number => Number(address.split(':').at(-1));

/** Says `text`, and never goes: neither end of the connection is closed by it. */
async function say(port: number, text: string): Promise<{ readonly socket: Socket; heard: string }> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  const said = { socket, heard: '' };
  socket.on('data', (data) => {
    said.heard += String(data);
  });
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(text);
  return said;
}

const upgradeOf = (host: string): string =>
  `GET /feed?token=x HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;

describe('who was refused and does not go', () => {
  it('takes nobody his place, and holds no server open that closes (IN-1)', async () => {
    const server = await serve(new TestSource(), { viewersMax: 1 });
    // All places that there are, for viewers and files.
    const held = await Promise.all(
      Array.from({ length: 49 }, () => say(portOf(server.address), upgradeOf(server.address))),
    );
    await vi.waitFor(() => expect(held.every(({ heard }) => heard.includes(' 401 '))).toBe(true));
    const letIn = async (): Promise<unknown> => {
      const viewer = view(server);
      return Promise.race([
        viewer.next(({ type }) => type === 'moment'),
        viewer.closed.then(() => refused()),
      ]);
    };
    const refused = (): never => {
      throw new Error('there was no place');
    };
    await vi.waitFor(letIn, { timeout: 3_000, interval: 100 });
    await say(portOf(server.address), upgradeOf(server.address));
    await server.close();
  });
});

describe('a door', () => {
  it('cuts off who has not said in five seconds what it wants, and looks each second (IN-1)', async () => {
    const door = await Door.open({ host: '127.0.0.1', port: 0, connectionsMax: 4 });
    onTestFinished(() => door.close());
    const { headersTimeout, requestTimeout } = door.server;
    expect([headersTimeout, requestTimeout]).toEqual([5_000, 10_000]);
    expect(Reflect.get(door.server, 'connectionsCheckingInterval')).toBe(1_000);
  });

  it('lets nobody in any more while it closes', async () => {
    const door = await Door.open({ host: '127.0.0.1', port: 0, connectionsMax: 4 });
    let welcomed = 0;
    door.onUpgrade(
      () => undefined,
      (_, socket) => {
        welcomed += 1;
        socket.destroy();
      },
    );
    const late = await say(door.port, 'GET /feed HTTP/1.1\r\n');
    await vi.waitFor(async () => expect(await connectionsOf(door)).toBe(1));
    const closed = door.close();
    late.socket.write('Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await closed;
    expect([welcomed, late.heard]).toEqual([0, expect.stringContaining('503 ')]);
  });

  it('outlives a connection that could not be taken', async () => {
    const door = await Door.open({ host: '127.0.0.1', port: 0, connectionsMax: 4 });
    onTestFinished(() => door.close());
    for (let times = 0; times < 2; times += 1)
      expect(door.server.emit('error', new Error('EMFILE: no file descriptor is left'))).toBe(true);
  });
});

const connectionsOf = (door: Door): Promise<number> =>
  new Promise((resolve) => door.server.getConnections((_, count) => resolve(count)));
