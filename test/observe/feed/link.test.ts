/** A connection to a feed, as a viewer: whatever the other end says or does, it is told in words, and nothing throws. Rules IN-1 to IN-3. */
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { FeedLink, feedAddress, type LinkEnd } from '../../../src/observe/feed/link.ts';
import type { FeedUpdate } from '../../../src/observe/feed/source.ts';
import { HELLO, serve, TestSource } from './support.ts';

/** A server that says `words` to whoever comes. */
async function saying(words: string): Promise<URL> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => void server.close());
  server.on('connection', (socket) => socket.send(words));
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  return new URL(`http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/`);
}

function follow(address: URL, take: (update: FeedUpdate) => void = () => undefined) {
  const { promise: ended, resolve } = Promise.withResolvers<LinkEnd>();
  const ends: LinkEnd[] = [];
  const link = new FeedLink(address, {
    take,
    ended: (end) => {
      ends.push(end);
      resolve(end);
    },
  });
  onTestFinished(() => link.close());
  return { link, ended, ends };
}

describe('a connection to a feed', () => {
  it('ends, with the words, when the other end is no feed, or one of another version', async () => {
    for (const [words, detail] of [
      ['not JSON', 'this is no feed: it said "not JSON"'],
      ['{"type":"other"}', 'this is no feed'],
      ['null', 'this is no feed'],
      [JSON.stringify({ ...HELLO, version: 9 }), 'speaks version 9 of the feed'],
      ['{"type":"refused","code":"STALLED","detail":"read","isLast":true}', 'STALLED: read'],
    ] as const) {
      const { ended, ends } = follow(await saying(words));
      expect(await ended).toMatchObject({ status: 'refused', detail: expect.stringContaining(detail) });
      await new Promise((resolve) => setImmediate(resolve));
      expect(ends).toHaveLength(1);
    }
  });

  it('ends, with the words, when what it tells cannot be taken', async () => {
    const { ended } = follow(await saying(JSON.stringify(HELLO)), () => {
      throw new Error('a chart without states');
    });
    expect(await ended).toMatchObject({ detail: expect.stringContaining('a chart without states') });
  });

  it('answers what was asked when it is closed at this end: nobody waits for what cannot come', async () => {
    const source = new TestSource();
    source.ask = () => new Promise(() => undefined);
    const told: FeedUpdate[] = [];
    const server = await serve(source);
    const { link, ends } = follow(new URL(server.url), (update) => void told.push(update));
    await vi.waitFor(() => expect(told).toHaveLength(2));
    const answered = link.ask({ kind: 'block', node: 0, height: 1 });
    link.close();
    expect(await answered).toMatchObject({ status: 'refused', code: 'GONE' });
    expect(ends).toEqual([]);
  });

  it('tells once it is open what was wanted last before', async () => {
    const source = new TestSource();
    const server = await serve(source);
    const { link } = follow(new URL(server.url));
    for (let count = 0; count < 20; count += 1) link.watch([{ node: 0, address: `cell${count}` }]);
    await vi.waitFor(() => expect(source.watched).toEqual([{ node: 0, address: 'cell19' }]));
    expect(source.watches).toBe(1);
  });

  it('is at the feed of the page that is printed, with its token', () => {
    expect(feedAddress(new URL('http://127.0.0.1:1/#token=a-b')).href).toBe(
      'ws://127.0.0.1:1/feed?token=a-b',
    );
    expect(feedAddress(new URL('https://x.example/y#token=c')).href).toBe('wss://x.example/feed?token=c');
  });
});
