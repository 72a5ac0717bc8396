import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { accessRules, ruleOnViewer } from '../../../src/observe/feed/access.ts';
import { PAGE_FOLDER, pageFiles } from '../../../src/observe/feed/page-files.ts';
import { delta, HELLO, MOMENT, serve, TestSource, TOKEN, upgrade, view } from './support.ts';

/** Of the page, asked for under another name. */
const statusOf = (address: string, host: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    get(`http://${address}/`, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).once('error', reject);
  });

const portOf = (address: string): string => address.split(':').at(-1) ?? '';

describe('the door of the feed', () => {
  it('lets in who has the token of this start, from its own page or from no page (IN-2)', async () => {
    const server = await serve(new TestSource());
    expect(server.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(server.url).toBe(`http://${server.address}/#token=${TOKEN}`);
    const port = portOf(server.address);
    for (const origin of [`http://127.0.0.1:${port}`, `http://localhost:${port}`]) {
      const viewer = view(server, { origin });
      await viewer.next(({ type }) => type === 'moment');
      expect(viewer.heard).toEqual([HELLO, MOMENT]);
    }
    await view(server).next(({ type }) => type === 'moment');
    expect(server.viewers()).toBe(3);
  });

  it('refuses a foreign Host, which is how a rebound name arrives (IN-2, CVE-2018-7160)', async () => {
    const server = await serve(new TestSource());
    const port = portOf(server.address);
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1',
      `127.0.0.1:1${port}`,
      `localhost.evil.example:${port}`,
    ]) {
      expect(await upgrade(server, [`Host: ${host}`])).toMatch(/^HTTP\/1\.1 403 .*HOST_NOT_ALLOWED/s);
      expect(await statusOf(server.address, host)).toBe(403);
    }
    expect(await upgrade(server, [`Host: localhost:${port}`])).toMatch(/^HTTP\/1\.1 101 /);
  });

  it('refuses a foreign Origin, with the right token too (IN-2, CVE-2025-24010)', async () => {
    const source = new TestSource();
    const server = await serve(source);
    const port = portOf(server.address);
    const host = `Host: 127.0.0.1:${port}`;
    const foreign = [
      'https://evil.example',
      'null',
      `https://127.0.0.1:${port}`,
      'http://127.0.0.1',
      `http://127.0.0.1:${port}.evil.example`,
    ];
    for (const origin of foreign) {
      expect(await upgrade(server, [host, `Origin: ${origin}`])).toMatch(
        /^HTTP\/1\.1 403 .*ORIGIN_NOT_ALLOWED/s,
      );
    }
    expect(source.takers.size).toBe(0);
  });

  it('refuses who has no token, or a wrong one, and says where it is found (IN-2)', async () => {
    const server = await serve(new TestSource());
    const host = [`Host: ${server.address}`];
    expect(await upgrade(server, host, '/feed')).toMatch(
      /^HTTP\/1\.1 401 .*TOKEN_MISSING: .*althing inspect/s,
    );
    for (const token of [
      'x',
      `${TOKEN}x`,
      TOKEN.slice(1),
      TOKEN.slice(0, -1),
      encodeURIComponent('\u0000'),
    ]) {
      expect(await upgrade(server, host, `/feed?token=${token}`)).toMatch(
        /401 .*(TOKEN_WRONG|TOKEN_MISSING)/s,
      );
    }
    expect(await upgrade(server, [...host, `Authorization: Bearer ${TOKEN}`], '/feed')).toMatch(/ 101 /);
    expect(await upgrade(server, host, `/other?token=${TOKEN}`)).toMatch(/403 .*NO_SUCH_PATH/s);
  });

  it('takes names that its operator adds, with a port where it is another door (IN-2)', async () => {
    const server = await serve(new TestSource(), { allowedHosts: ['node.example', 'tunnel.example:8443'] });
    const port = portOf(server.address);
    for (const host of [`node.example:${port}`, 'tunnel.example:8443']) {
      expect(await upgrade(server, [`Host: ${host}`, `Origin: http://${host}`])).toMatch(/ 101 /);
    }
    expect(await upgrade(server, ['Host: node.example:8443'])).toMatch(/ 403 /);
  });

  it('is known by the names that browsers write at the port of HTTP itself (IN-2)', () => {
    const rules = accessRules({ host: '127.0.0.1', port: 80 }, ['node.example'], TOKEN);
    const viewer = (host: string, origin: string) => ruleOnViewer({ host, origin }, TOKEN, rules);
    expect(viewer('127.0.0.1', 'http://127.0.0.1')).toBeUndefined();
    expect(viewer('Node.Example', 'http://node.example')).toBeUndefined();
    expect(viewer('localhost:80', 'http://localhost')).toBeUndefined();
    for (const host of ['localhost.', 'localhost:8080', 'a@localhost', 'localhost:80:80', 'evil.example'])
      expect(viewer(host, 'http://localhost')).toMatchObject({ code: 'HOST_NOT_ALLOWED' });
  });

  it('lets in thirty-two at once and then eight a second: each is told everything first', async () => {
    let now = 0;
    const source = new TestSource();
    const server = await serve(source, { now: () => now });
    for (let count = 0; count < 32; count += 1) {
      const viewer = view(server);
      await viewer.next(({ type }) => type === 'moment');
      viewer.socket.terminate();
      await viewer.closed;
    }
    const early = view(server);
    expect(await early.next(() => true)).toMatchObject({ type: 'refused', code: 'TOO_OFTEN', isLast: true });
    expect(await early.closed).toEqual({ code: 1013, reason: 'TOO_OFTEN' });
    now = 125;
    await view(server).next(({ type }) => type === 'moment');
  });

  it('lets in no more viewers than it may, and one again when one has gone', async () => {
    const source = new TestSource();
    const server = await serve(source, { viewersMax: 2 });
    const viewers = [view(server), view(server)];
    for (const viewer of viewers) await viewer.next(({ type }) => type === 'moment');
    const third = view(server);
    expect(await third.next(() => true)).toMatchObject({
      type: 'refused',
      code: 'TOO_MANY_VIEWERS',
      isLast: true,
    });
    expect(await third.closed).toEqual({ code: 1013, reason: 'TOO_MANY_VIEWERS' });
    viewers[0]?.socket.close();
    await vi.waitFor(() => expect(server.viewers()).toBe(1));
    await view(server).next(({ type }) => type === 'moment');
    expect(source.takers.size).toBe(2);
  });

  it('serves the files of the page and no others, with a policy that lets nothing else in (IN-2)', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'page-'));
    mkdirSync(join(folder, 'assets'));
    writeFileSync(join(folder, 'index.html'), '<!doctype html>the page');
    writeFileSync(join(folder, 'assets', 'a.js'), '1');
    const server = await serve(new TestSource(), { pages: (listening) => pageFiles(folder, listening) });
    const load = (path: string) => fetch(`http://${server.address}${path}`);
    const page = await load('/');
    expect([page.status, await page.text()]).toEqual([200, '<!doctype html>the page']);
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(`connect-src 'self' ws://127.0.0.1:${portOf(server.address)}`);
    // It opens Stately's inspector, and whoever opens it has no hold of it.
    expect(page.headers.get('cross-origin-opener-policy')).toBe('same-origin-allow-popups');
    const script = await load('/assets/a.js');
    expect(script.headers.get('content-type')).toMatch(/javascript/);
    expect(script.headers.get('cross-origin-resource-policy')).toBe('same-origin');
    for (const path of ['/assets', '/..%2f..%2fetc/passwd', '/assets/%2e%2e/index.html.bak']) {
      expect((await load(path)).status).toBe(404);
    }
    expect((await fetch(`http://${server.address}/`, { method: 'POST' })).status).toBe(405);
  });

  it('listens at no port when its page cannot be read', async () => {
    let port = 0;
    const pages = (listening: { readonly port: number }): never => {
      port = listening.port;
      throw new Error('EACCES: index.html');
    };
    await expect(serve(new TestSource(), { pages })).rejects.toThrow('EACCES');
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow('fetch failed');
  });

  it('says how to build the page where it is not built', async () => {
    const server = await serve(new TestSource(), {
      pages: (listening) => pageFiles(join(PAGE_FOLDER, 'nowhere'), listening),
    });
    expect(await (await fetch(`http://${server.address}/`)).text()).toContain('npm run page');
  });
});

describe('a viewer', () => {
  it('is answered, and told what is wrong with what it sends; nothing of it throws (IN-1)', async () => {
    const source = new TestSource();
    const viewer = view(await serve(source));
    await viewer.next(({ type }) => type === 'moment');
    viewer.say({ type: 'watch', cells: [{ node: 0, address: 'node/x' }] });
    viewer.say({ type: 'ask', id: 7, question: { kind: 'block', node: 0, height: 3 } });
    expect(await viewer.next(({ type }) => type === 'answer')).toMatchObject({
      id: 7,
      answer: { height: 3 },
    });
    expect(source.watched).toEqual([{ node: 0, address: 'node/x' }]);
    const refusals: readonly (readonly [unknown, string, string])[] = [
      ['{', 'MALFORMED', 'not JSON'],
      ['[]', 'MALFORMED', ''],
      ['null', 'MALFORMED', ''],
      [{ type: 'nonsense' }, 'MALFORMED', 'type'],
      [{ type: 'watch', cells: Array(17).fill({ node: 0, address: 'a' }) }, 'MALFORMED', 'cells'],
      [{ type: 'watch', cells: [{ node: -1, address: 'a' }] }, 'MALFORMED', 'cells.0.node'],
      [
        { type: 'ask', id: 8, question: { kind: 'block', node: 0, height: 1.5 } },
        'MALFORMED',
        'question.height',
      ],
      [{ type: 'ask', id: 9, question: { kind: '__proto__', node: 0 } }, 'MALFORMED', 'question'],
      [{ type: 'order', id: 10, control: { kind: 'stop', node: 0 } }, 'READ_ONLY', 'allow_control'],
      [{ type: 'seek', at: 1 }, 'LIVE', 'live'],
    ];
    for (const [message, code, words] of refusals) {
      viewer.heard.length = 0;
      viewer.say(message);
      const refused = await viewer.next(({ type }) => type === 'refused');
      expect(refused).toMatchObject({ code, isLast: false });
      expect('detail' in refused ? refused.detail : '').toContain(words);
    }
    viewer.socket.send(Uint8Array.of(1, 2, 3));
    expect(await viewer.next((one) => one.type === 'refused' && one.detail.includes('binary'))).toBeDefined();
    // After all that it is told what happens, as before.
    source.tell(delta(5));
    expect(await viewer.next(({ type }) => type === 'delta')).toEqual(delta(5));
  });

  it('that sends too much at once, or too often, is closed with a reason', async () => {
    const server = await serve(new TestSource());
    const great = view(server);
    await great.next(({ type }) => type === 'moment');
    great.say('x'.repeat(300_000));
    expect((await great.closed).code).toBe(1009);
    const quick = view(server);
    await quick.next(({ type }) => type === 'moment');
    for (let count = 0; count < 300; count += 1) quick.say({ type: 'pause' });
    expect(await quick.closed).toEqual({ code: 1008, reason: 'TOO_MANY_MESSAGES' });
    // Reading a long one costs by its length: five of 200 KB at once are too many.
    const long = view(server);
    await long.next(({ type }) => type === 'moment');
    for (let count = 0; count < 5; count += 1) long.say(`[${'0,'.repeat(100_000)}0]`);
    expect(await long.closed).toEqual({ code: 1008, reason: 'TOO_MANY_MESSAGES' });
  });

  it('is told in some words what is wrong, however long its message is', async () => {
    const viewer = view(await serve(new TestSource()));
    await viewer.next(({ type }) => type === 'moment');
    const keys = Array.from({ length: 10_000 }, (_, index) => [`key${index}`, 1]);
    viewer.say({ type: 'pause', ...Object.fromEntries(keys) });
    const refused = await viewer.next(({ type }) => type === 'refused');
    expect(refused).toMatchObject({ code: 'MALFORMED', detail: expect.stringContaining('"key0"') });
    expect(JSON.stringify(refused).length).toBeLessThan(500);
  });

  it('is told when answering fails; the process goes on', async () => {
    const source = new TestSource();
    source.ask = () => Promise.reject(new Error('the disk is gone'));
    const viewer = view(await serve(source));
    await viewer.next(({ type }) => type === 'moment');
    viewer.say({ type: 'ask', id: 3, question: { kind: 'block', node: 0, height: 1 } });
    expect(await viewer.next(({ type }) => type === 'refused')).toMatchObject({
      ...{ id: 3, code: 'FAILED', detail: 'the disk is gone' },
    });
  });

  it('is asked to read its answers before it is given more (IN-1)', async () => {
    const source = new TestSource();
    // More than the sockets of this machine hold.
    const answer = 'x'.repeat(16_000_000);
    let asked = 0;
    source.ask = async () => {
      asked += 1;
      return { status: 'done', answer };
    };
    const viewer = view(await serve(source));
    await viewer.next(({ type }) => type === 'moment');
    const ask = (id: number): void =>
      viewer.say({ type: 'ask', id, question: { kind: 'block', node: 0, height: 1 } });
    let codes: readonly string[] = [];
    // A look in between stops hearing it altogether: then it asks again.
    for (let id = 1; !codes.includes('NOT_READ'); id += 2) {
      viewer.socket.pause();
      const before = asked;
      ask(id);
      await vi.waitFor(() => expect(asked).toBe(before + 1), { interval: 1 });
      ask(id + 1);
      viewer.socket.resume();
      await viewer.next((one) => (one.type === 'answer' || one.type === 'refused') && one.id === id + 1);
      codes = viewer.heard.flatMap((one) => (one.type === 'refused' ? [one.code] : []));
    }
    expect(codes).toEqual(['NOT_READ']);
  });

  it('has a bounded number of questions open', async () => {
    const source = new TestSource();
    source.ask = () => new Promise(() => undefined);
    const viewer = view(await serve(source));
    await viewer.next(({ type }) => type === 'moment');
    for (let id = 0; id < 17; id += 1)
      viewer.say({ type: 'ask', id, question: { kind: 'block', node: 0, height: 1 } });
    expect(await viewer.next(({ type }) => type === 'refused')).toMatchObject({
      id: 16,
      code: 'TOO_MANY_QUESTIONS',
    });
  });

  it('that stops reading costs bounded memory, and is told the newest and what was left out when it goes on (IN-1)', async () => {
    const source = new TestSource();
    const server = await serve(source);
    const viewer = view(server);
    await viewer.next(({ type }) => type === 'moment');
    viewer.socket.pause();
    const wire = (at: number) =>
      Array.from({ length: 1_000 }, (_, index) => ({
        ...{ id: `${at}/${index}`, node: 0, turn: at, direction: 'sent' as const, peer: 1, at },
        kind: 'x'.repeat(200),
      }));
    const before = process.memoryUsage().heapUsed;
    const TOLD = 400;
    for (let at = 2; at <= TOLD; at += 1) {
      source.tell(delta(at, { wire: wire(at), cells: [row(at)] }));
      if (at % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100 * 2 ** 20);
    await new Promise((resolve) => setTimeout(resolve, 60));
    viewer.socket.resume();
    const last = await viewer.next((one) => one.type === 'delta' && one.at === TOLD);
    const deltas = viewer.heard.flatMap((one) => (one.type === 'delta' ? [one] : []));
    expect(deltas.length).toBeLessThan(TOLD / 2);
    const told = deltas.reduce((sum, one) => sum + (one.wire?.length ?? 0), 0);
    const dropped = deltas.reduce((sum, one) => sum + one.dropped, 0);
    expect(dropped).toBeGreaterThan(0);
    expect(told + dropped).toBe((TOLD - 1) * 1_000);
    expect(deltas.reduce((sum, one) => sum + one.turns, 0)).toBe(TOLD - 1);
    expect(last).toMatchObject({ cells: [{ processed: TOLD }], wire: expect.any(Array) });
    // Not heard while it did not read, and heard again.
    viewer.say({ type: 'ask', id: 1, question: { kind: 'block', node: 0, height: 1 } });
    expect(await viewer.next(({ type }) => type === 'answer')).toMatchObject({ id: 1 });
  });
});

describe('a viewer that never reads again', () => {
  it('is closed with a reason after its time, and costs nothing from then on (IN-1)', async () => {
    const source = new TestSource();
    let now = 0;
    const server = await serve(source, { now: () => now });
    const viewer = view(server);
    await viewer.next(({ type }) => type === 'moment');
    viewer.socket.pause();
    const wire = [
      { node: 0, id: 'x'.repeat(1_000_000), turn: 1, direction: 'sent' as const, peer: 1, at: 1, kind: 'x' },
    ];
    for (let at = 2; at < 60; at += 1) source.tell(delta(at, { wire }));
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(source.takers.size).toBe(1);
    now = 15_100;
    await vi.waitFor(() => expect(source.takers.size).toBe(0));
    viewer.socket.resume();
    expect([1013, 1006]).toContain((await viewer.closed).code);
    await vi.waitFor(() => expect(server.viewers()).toBe(0));
  });
});

const row = (processed: number) => ({
  ...{ node: 0, address: 'a', kind: 'machine' as const, status: 'running' as const, incarnation: 1 },
  ...{ restarts: 0, accepted: processed, processed, queued: 0, postponed: 0, lost: {} },
});
