/** The relay over real sockets, read by the receiver of Stately's own package. IN-2, IN-3. */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { createConnection } from 'node:net';
import { createWebSocketReceiver, type StatelyInspectionEvent } from '@statelyai/inspect';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createMachine } from 'xstate';
import { STATELY_VERSION } from '../../../src/observe/stately/messages.ts';
import { type Relay, startRelay } from '../../../src/observe/stately/relay.ts';
import { Sessions } from '../../../src/observe/stately/sessions.ts';
import { ClusterFeed } from './cluster-feed.ts';

const INSPECTOR = new URL('https://stately.ai/inspect');
const running: Relay[] = [];
afterEach(async () => {
  for (const relay of running.splice(0)) await relay.close('the test is over');
});

async function start(allowedOrigins: readonly string[] = []) {
  const sessions = new Sessions({ only: [] });
  const relay = await startRelay({ sessions, port: 0, inspector: INSPECTOR, allowedOrigins });
  running.push(relay);
  return { relay, sessions, url: new URL(relay.pageUrl) };
}

/** A cluster of four whose cells the relay tells. */
async function startCluster() {
  const { relay, sessions, url } = await start();
  const feed = new ClusterFeed(4);
  relay.note(sessions.take(feed.hello()));
  relay.note(sessions.take(feed.moment()));
  let told = 0;
  const tick = (): void => {
    feed.cluster.advance(50);
    const changes = sessions.take(feed.delta());
    told += changes.registered.length + changes.changed.length + changes.events.length;
    relay.note(changes);
  };
  return { relay, sessions, url, feed, tick, told: () => told };
}

/** What the package's receiver has heard, by session. */
function read(server: string) {
  const actors = new Map<string, Extract<StatelyInspectionEvent, { type: '@xstate.actor' }>>();
  const values = new Map<string, unknown>();
  const active = new Set<string>();
  createWebSocketReceiver({ server }).subscribe((event) => {
    if (event.type === '@xstate.event') return;
    if (event.type === '@xstate.actor') actors.set(event.sessionId, event);
    const { status, value }: { status?: string; value?: unknown } = event.snapshot;
    values.set(event.sessionId, value);
    if (status === 'active') active.add(event.sessionId);
    else active.delete(event.sessionId);
  });
  return { actors, values, active };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not in 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Status and text of what a server answers to the opening of a WebSocket. */
const refusal = (url: string, headers: Readonly<Record<string, string>> = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers });
    socket.on('error', () => undefined);
    socket.on('open', () => {
      socket.terminate();
      resolve('open');
    });
    socket.on('unexpected-response', (_request, response) => {
      response.setEncoding('utf8');
      response.on('data', (text: string) => resolve(`${response.statusCode} ${text.trim()}`));
      response.on('error', reject);
    });
  });

const get = (url: URL, headers: Readonly<Record<string, string>> = {}, method = 'GET') =>
  new Promise<{ readonly status: number; readonly policy: string; readonly body: string }>(
    (resolve, reject) => {
      request(url, { headers, method }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          body += text;
        });
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            policy: String(response.headers['content-security-policy']),
            body,
          }),
        );
      })
        .on('error', reject)
        .end();
    },
  );

describe("the package's own receiver (IN-3)", () => {
  it('speaks the version whose messages these are', () => {
    const manifest = createRequire(import.meta.url)
      .resolve('@statelyai/inspect')
      .replace(/dist.*$/, 'package.json');
    expect(JSON.parse(readFileSync(manifest, 'utf8'))).toMatchObject({ version: STATELY_VERSION });
  });

  it('reads definition and state of every cell of a cluster, from the start and after 10,000 messages', async () => {
    const { relay, feed, sessions, tick, told } = await startCluster();
    const early = read(relay.streamUrl);
    await until('the first viewer is there', () => relay.viewers === 1);
    while (told() < 10_000) {
      tick();
      if (told() % 40 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const late = read(relay.streamUrl);
    const expected = new Map(
      feed.infos().map(({ node, info }) => [`validator-${node}/${info.address}`, info] as const),
    );
    expect(expected.size).toBe(sessions.size);
    for (const { actors, values, active } of [late, early]) {
      const isWhole = () =>
        active.size === expected.size && [...expected.keys()].every((id) => active.has(id));
      await until('every cell was told', isWhole);
      for (const [id, { machine, snapshot, status }] of expected) {
        const own = machine === undefined ? status : (snapshot as { readonly value: unknown }).value;
        await until(
          `${id} is in ${JSON.stringify(own)}`,
          () => JSON.stringify(values.get(id)) === JSON.stringify(own),
        );
        const definition = JSON.parse(actors.get(id)?.definition ?? '{}');
        expect(createMachine(definition).id).toBe(machine?.id ?? 'cell');
      }
    }
  });

  it('is told that cells ended when the node is gone, and reads the ones after it', async () => {
    const { relay, sessions, feed } = await startCluster();
    const reader = read(relay.streamUrl);
    await until('all is told', () => reader.active.size === sessions.size);
    const nothing = { cells: [], chains: [], health: [], wire: [], steps: [] } as const;
    relay.note(sessions.take({ type: 'moment', at: 1, ...nothing }));
    await until('all is ended', () => reader.active.size === 0);
    relay.note(sessions.take(feed.moment()));
    await until('all is told again', () => reader.active.size === feed.infos().length);
  });
});

describe('the relay against what is not of this machine (IN-2)', () => {
  it('refuses a foreign Host, a foreign Origin and a wrong token, each with its reason', async () => {
    const { relay, url } = await start();
    const { streamUrl } = relay;
    expect(await refusal(streamUrl)).toBe('open');
    expect(await refusal(streamUrl, { origin: url.origin })).toBe('open');
    expect(await refusal(streamUrl.replace('127.0.0.1', 'localhost'))).toBe('open');
    expect(await refusal(streamUrl, { host: `evil.example:${url.port}` })).toMatch(/^403 host "evil/);
    expect(await refusal(streamUrl, { host: '127.0.0.1' })).toMatch(/^403 host/);
    expect(await refusal(streamUrl, { origin: 'https://evil.example' })).toMatch(
      /^403 pages of "https:\/\/evil.*--allow-origin/,
    );
    expect(await refusal(streamUrl, { origin: 'null' })).toMatch(/^403 pages of "null"/);
    expect(await refusal(streamUrl.replace(/token=.*/, 'token=wrong'))).toMatch(
      /^401 the token is (missing|of another)/,
    );
    expect(await refusal(streamUrl.replace(/\?.*/, ''))).toMatch(/^401 the token is (missing|of another)/);
    expect(await refusal(streamUrl.replace('/stream', '/other'))).toMatch(/^404/);
    expect((await get(url, { host: 'evil.example' })).status).toBe(403);
  });

  it('lets a page of a named origin read', async () => {
    const { relay } = await start(['http://localhost:5173']);
    expect(await refusal(relay.streamUrl, { origin: 'http://localhost:5173' })).toBe('open');
    expect(await refusal(relay.streamUrl, { origin: 'http://localhost:5174' })).toMatch(/^403/);
  });

  it('serves its page under a policy that lets in the inspector alone, and nothing else', async () => {
    const { url } = await start();
    const { status, policy, body } = await get(url);
    expect(status).toBe(200);
    expect(body).toContain('content="https://stately.ai/inspect"');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain('frame-src https://stately.ai https://*.stately.ai;');
    expect((await get(new URL('/../../etc/passwd', url))).status).toBe(404);
    expect((await get(url, {}, 'POST')).status).toBe(405);
    for (const [, path = ''] of body.matchAll(/(?:src|href)="(\/[^"]+)"/g))
      expect((await get(new URL(path, url))).status, path).toBe(200);
  });

  it('lets 16 viewers read, tells the next one, and survives one that says too much', async () => {
    const { relay, url } = await start();
    const open = (): Promise<WebSocket> =>
      new Promise((resolve) => {
        const socket = new WebSocket(relay.streamUrl);
        socket.on('open', () => resolve(socket));
      });
    const sockets = await Promise.all(Array.from({ length: 16 }, open));
    expect(await refusal(relay.streamUrl)).toMatch(/^503 16 viewers/);
    sockets[0]?.send('x'.repeat(100_000));
    await until('the loud one is let go', () => relay.viewers === 15);
    expect(await refusal(relay.streamUrl)).toBe('open');
    const raw = createConnection(Number(url.port), '127.0.0.1');
    raw.on('error', () => undefined).resume();
    raw.write('GET /stream HTTP/1.1\r\nUpgrade: websocket\r\n\u0000\r\n\r\n');
    await new Promise((resolve) => raw.once('close', resolve));
    expect((await get(url)).status).toBe(200);
    for (const socket of sockets) socket.terminate();
  });

  it('tells its viewers why it ends', async () => {
    const { relay } = await start();
    const socket = new WebSocket(relay.streamUrl);
    await new Promise((resolve) => socket.once('open', resolve));
    const closed = new Promise((resolve) => socket.once('close', (_code, reason) => resolve(String(reason))));
    await relay.close('the node has stopped');
    expect(await closed).toBe('the node has stopped');
  });
});

describe('a viewer that does not read (IN-1)', () => {
  it('costs no more than its share of the registry, and is told the newest state when it reads again', async () => {
    const { relay, tick, sessions, told } = await startCluster();
    const socket = new WebSocket(relay.streamUrl);
    const values = new Map<string, unknown>();
    socket.on('message', (data) => {
      const { sessionId, snapshot } = JSON.parse(String(data));
      if (snapshot?.status === 'active') values.set(sessionId, snapshot.context.cell.accepted);
      else if (snapshot !== undefined) values.delete(sessionId);
    });
    await until('it is told first', () => values.size > 0);
    socket.pause();
    while (told() < 20_000) {
      tick();
      if (told() % 40 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    socket.resume();
    await until('it is told all', () =>
      [...sessions.all].every(({ id, row }) => values.get(id) === row.accepted),
    );
    expect(values.size).toBe(sessions.size);
    socket.terminate();
  });
});
