import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applicationPages } from '../../src/node/pages.ts';
import { digestOf } from '../../src/protocol/chain/canonical.ts';
import { browserModules } from '../../src/rpc/browser-modules.ts';
import { pageFile } from '../../src/rpc/pages.ts';
import { startTestServer, type TestServer } from './server.ts';

const PAGES = new Map([
  ['/game', pageFile('text/html; charset=utf-8', '<!doctype html>ö', "default-src 'self'")],
  ['/game/style.css', pageFile('text/css; charset=utf-8', 'p {}')],
]);

describe('pages of a node', () => {
  let rpc: TestServer;
  beforeEach(async () => {
    rpc = await startTestServer({ pages: PAGES });
  });
  afterEach(() => rpc.server.close());

  it('come with their type, policy and no guessing', async () => {
    const { status, text, headers } = await rpc.get('/game');
    expect([status, text]).toEqual([200, '<!doctype html>ö']);
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-length': '17',
      'content-security-policy': "default-src 'self'",
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-cache',
      // It opens no windows: none of another origin has any hold of it.
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    });
    expect((await rpc.get('/game/style.css')).headers.get('content-security-policy')).toBe(
      "default-src 'none'; frame-ancestors 'none'",
    );
  });

  it('are not sent again to who has them', async () => {
    const etag = (await rpc.get('/game')).headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[\w-]{43}"$/);
    for (const header of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const { status, text } = await rpc.get('/game', { 'If-None-Match': header });
      expect([header, status, text]).toEqual([header, 304, '']);
    }
    expect((await rpc.get('/game', { 'If-None-Match': '"other"' })).status).toBe(200);
  });

  it('answer HEAD without a body, and no POST', async () => {
    const head = await fetch(`${rpc.url}/game`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '17', '']);
    expect((await fetch(`${rpc.url}/game`, { method: 'POST', body: '{}' })).status).toBe(404);
    expect((await fetch(`${rpc.url}/game`, { method: 'PUT' })).status).toBe(405);
  });

  it('are a fixed table: nothing else is found by any path', async () => {
    for (const path of [
      '/game/',
      '/game/../game/x',
      '/game/%2e%2e/x',
      '/game/style.css/',
      '/game%00',
      '/constructor',
    ]) {
      expect([path, await statusOf(rpc.url, path)]).toEqual([path, 404]);
    }
  });

  it('stand in the list of what a node answers, if they are documents', async () => {
    const { text } = await rpc.get('/');
    expect(text).toContain('GET  /game\n');
    expect(text).not.toContain('style.css');
  });

  it('are refused to foreign hosts like everything else', async () => {
    expect(await statusOf(rpc.url, '/game', 'evil.example')).toBe(403);
  });
});

/** As it stands: `fetch` would make a path shorter first. */
function statusOf(url: string, path: string, host?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, { path, ...(host === undefined ? {} : { headers: { Host: host } }) }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

describe('modules for a browser', () => {
  let folder = '';
  let root = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'althing-pages-'));
    root = join(folder, 'src');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (files: Readonly<Record<string, string>>): void => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  };
  const collect = (entry: string) => browserModules({ root, entry, prefix: 'game' });
  const textAt = (files: ReturnType<typeof collect>['files'], path: string): string =>
    Buffer.from(files.get(path)?.body ?? []).toString();

  it('are found along their imports, without types, and packages by the import map', () => {
    write({
      'page/main.ts':
        "import { two } from '../two.ts';\nimport type { Never } from './never.ts';\nimport 'pack/part.js';\nconst one: number = two;\n",
      'two.ts': "export const two = 2;\nexport { three } from './three.ts';\n",
      'three.ts': "import './page/main.ts';\nexport const three = 3 as const;\n",
      'node_modules/pack/package.json': '{"name":"pack","exports":{"./part.js":"./lib/part.js"}}',
      'node_modules/pack/lib/part.js':
        "/**\n * import { nothing } from './nothing.js';\n */\nimport {\n  other,\n} from './other.js';\n",
      'node_modules/pack/lib/other.js': 'export const other = 1;\n',
    });
    const { files, importMap, entryPath } = collect('page/main.ts');
    expect([...files.keys()].toSorted()).toEqual([
      '/game/modules/pack/lib/other.js',
      '/game/modules/pack/lib/part.js',
      '/game/page/main.ts',
      '/game/three.ts',
      '/game/two.ts',
    ]);
    expect(entryPath).toBe('/game/page/main.ts');
    expect(JSON.parse(importMap)).toEqual({ imports: { 'pack/part.js': '/game/modules/pack/lib/part.js' } });
    expect(textAt(files, entryPath)).not.toContain('number');
  });

  it('are those that package.json names for browsers', () => {
    write({
      '../package.json': '{"browser":{"./src/hash.ts":"./src/hash-portable.ts"}}',
      'page/main.ts': "import { hash } from '../hash.ts';\nconst one = hash;\n",
      'hash.ts': "export { hash } from 'node:crypto';\n",
      'hash-portable.ts': "export { hash } from './inner.ts';\n",
      'inner.ts': 'export const hash = 1;\n',
    });
    const { files } = collect('page/main.ts');
    expect([...files.keys()].toSorted()).toEqual(['/game/hash.ts', '/game/inner.ts', '/game/page/main.ts']);
    expect(textAt(files, '/game/hash.ts')).toContain('inner.ts');
  });

  it.each([
    ["import { hash } from 'node:crypto';\n", 'no browser has it'],
    ["import '../../outside.ts';\n", 'outside'],
    ["import './missing.ts';\n", 'missing.ts'],
  ])('are refused where a browser could not load them: %s', (source, words) => {
    write({ 'page/main.ts': source, '../outside.ts': '' });
    expect(() => collect('page/main.ts')).toThrow(words);
  });
});

const ALONE = { genesisHash: digestOf(new Uint8Array()), otherNodes: [] };

describe('the page of dice', () => {
  it('is made without a word on the console, and silences nobody else', async () => {
    const words: string[] = [];
    const note = (warning: Error): void => void words.push(warning.message);
    process.on('warning', note);
    applicationPages('dice', ALONE);
    process.emitWarning('another one');
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    expect(words).toEqual(['another one']);
  });

  it('lets the browser load this node alone, run its files alone, and call the named nodes alone', () => {
    const page = applicationPages('dice', { ...ALONE, otherNodes: ['http://127.0.0.1:26667'] }).get('/dice');
    expect(page?.policy).toMatch(/(^|; )default-src 'none'/);
    expect(page?.policy).toMatch(/script-src 'self' 'sha256-[A-Za-z0-9+/=]{44}'(;|$)/);
    expect(page?.policy).toContain("connect-src 'self' http://127.0.0.1:26667;");
    expect(page?.policy).not.toContain('unsafe');
  });

  it('is there for a chain of dice, and for no other', () => {
    expect(applicationPages('kv', ALONE).size).toBe(0);
    expect([...applicationPages('dice', ALONE).keys()]).toEqual(
      expect.arrayContaining([
        '/dice',
        '/dice/style.css',
        '/dice/network.json',
        '/dice/application/dice/page/main.ts',
      ]),
    );
  });
});
