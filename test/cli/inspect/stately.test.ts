/** `althing inspect --stately` over real sockets: a feed's server of a simulated cluster, and the receiver of Stately's package. IN-3. */
import { createWebSocketReceiver } from '@statelyai/inspect';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { inspectByStately } from '../../../src/cli/inspect/stately.ts';
import { newToken } from '../../../src/observe/feed/access.ts';
import { type FeedServer, startFeedServer } from '../../../src/observe/feed/server.ts';
import type { FeedSource } from '../../../src/observe/feed/source.ts';
import { HOSTED_INSPECTOR } from '../../../src/observe/stately/messages.ts';
import { ClusterSource } from '../../observe/stately/cluster-feed.ts';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function serve(source: FeedSource): Promise<FeedServer> {
  const server = await startFeedServer({
    ...{ source, host: '127.0.0.1', port: 0, token: newToken(), pages: () => new Map() },
  });
  ends.push(() => server.close());
  return server;
}

/** The command, and what it says. */
function run(feed: () => Promise<URL>) {
  const controller = new AbortController();
  const notes: string[] = [];
  const said = Promise.withResolvers<{ readonly page: string; readonly stream: string }>();
  const isAddresses = (value: unknown): value is { readonly page: string; readonly stream: string } =>
    typeof value === 'object' && value !== null && 'page' in value && 'stream' in value;
  const output = {
    json: true,
    data: (value: unknown) => isAddresses(value) && said.resolve(value),
    note: (line: string) => void notes.push(line),
  };
  const done = inspectByStately({
    ...{ feed, port: 0, inspector: new URL(HOSTED_INSPECTOR), allowedOrigins: [], only: [] },
    ...{ signal: controller.signal, output },
  });
  ends.push(async () => {
    controller.abort();
    await done.catch(() => undefined);
  });
  return { done, notes, addresses: said.promise, stop: () => controller.abort() };
}

/** The package's receiver: contexts of the sessions that are active, and how many events came. */
function receive(server: string) {
  const contexts = new Map<string, { readonly view?: unknown }>();
  const seen = { events: 0, contexts };
  createWebSocketReceiver({ server }).subscribe((message) => {
    if (message.type === '@xstate.event') seen.events += 1;
    else if ('status' in message.snapshot && message.snapshot.status === 'active')
      contexts.set(message.sessionId, 'context' in message.snapshot ? message.snapshot.context : {});
    else contexts.delete(message.sessionId);
  });
  return seen;
}

const poll = { timeout: 10_000, interval: 20 };

describe('althing inspect --stately (IN-3)', () => {
  it('tells a receiver every cell of the feed, the events of all, and the contexts of those it watches', async () => {
    const source = new ClusterSource();
    const server = await serve(source);
    const { addresses, done, stop } = run(async () => new URL(server.url));
    const seen = receive((await addresses).stream);
    await expect.poll(() => [source.watched, seen.contexts.size > 0], poll).toEqual([16, true]);
    for (let count = 0; count < 20; count += 1) source.tick();
    const names = source.feed.infos().map(({ node, info }) => `validator-${node}/${info.address}`);
    await expect.poll(() => [...seen.contexts.keys()].toSorted(), poll).toEqual(names.toSorted());
    await expect.poll(() => seen.events, poll).toBeGreaterThan(200);
    expect(seen.contexts.get('validator-3/node/consensus/safety')?.view).toMatchObject({
      record: { lastVotedRound: expect.any(Number) },
    });
    expect(seen.contexts.get('validator-3/node/sync/herald')?.view).toBeUndefined();
    stop();
    await done;
    await expect.poll(() => server.viewers(), poll).toBe(0);
  });

  it('ends the cells of a node that goes away, waits for it, and tells those of its next start', async () => {
    const source = new ClusterSource();
    const first = await serve(source);
    let server = first;
    const { addresses, notes } = run(async () => new URL(server.url));
    const { contexts } = receive((await addresses).stream);
    const cells = source.feed.infos().length;
    await expect.poll(() => contexts.size, poll).toBe(cells);
    await first.close();
    await expect.poll(() => contexts.size, poll).toBe(0);
    expect(notes.join()).toContain('looking for it again');
    server = await serve(source);
    await expect.poll(() => contexts.size, poll).toBe(cells);
  });

  it('says why there is no feed at the beginning, and ends', async () => {
    const { url } = await serve(new ClusterSource());
    const failure = (address: string) =>
      run(async () => new URL(address)).done.then(
        () => 'it went on',
        (cause: unknown) => (cause instanceof Error ? cause.message : ''),
      );
    expect(await failure(url.replace(/token=.*/, 'token=wrong'))).toContain('TOKEN_WRONG');
    expect(await failure('http://127.0.0.1:9/#token=x')).toContain('127.0.0.1:9 cannot be reached');
    const other = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    ends.push(async () => other.close());
    const sayings = ['what', '{"type":"hello","version":99}', '{"type":"moment"}'];
    other.on('connection', (socket) => socket.send(sayings.shift() ?? ''));
    await new Promise((resolve) => other.once('listening', resolve));
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const strange = `http://127.0.0.1:${port}/`;
    expect(await failure(strange)).toBe('this is no feed: it said "what"');
    expect(await failure(strange)).toContain('the node speaks version 99 of the feed, this program 1');
    expect(await failure(strange)).toContain('the feed said what this program cannot read');
  });
});
