/** What users get by `npm install althing`: a program, libraries with types, a client for the browser. Real npm, real processes. ADR 0002. */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { extname, join } from 'node:path';
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freeBasePort } from '../cluster/support/local-network.ts';
import { openBrowser, PlayerPage } from '../page/support/browser.ts';
import { Installed, type Running } from './support/installed.ts';

const GUIDE = readFileSync(join(import.meta.dirname, '../../docs/client.md'), 'utf8');
const LOCAL = 'http://127.0.0.1:26657';

let installed: Installed;
let server: Server;
let node: Running;
let browser: Browser;
/** The node's RPC, and where the user's page is from. */
let [endpoint, origin] = ['', ''];

beforeAll(async () => {
  installed = await Installed.create();
  server = createServer(({ url = '/' }, response) => {
    response.setHeader('Content-Type', extname(url) === '.js' ? 'text/javascript' : 'text/html');
    response.end(readFileSync(join(installed.folder, url)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  origin = `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}`;
  const home = join(installed.folder, 'home');
  await installed.althing('init', '--home', home);
  const listening = ['--p2p-listen', '127.0.0.1:0', '--rpc-listen', '127.0.0.1:0'];
  const allowed = ['--set', `rpc.allowed_origins=${origin}`];
  node = installed.start('start', '--json', '--home', home, ...listening, ...allowed);
  endpoint = `http://${(await node.says('ready')).rpc_address}`;
  browser = await openBrowser();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await node?.stop();
  server?.close();
  installed?.remove();
});

/** The one block of the guide in that language, for the node of this test. */
function ofGuide(language: string): string {
  const [found, ...more] = [...GUIDE.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))];
  expect([found?.[1], more]).toEqual([expect.stringContaining(LOCAL), []]);
  return (found?.[1] ?? '').replaceAll(LOCAL, endpoint);
}

it('holds what it needs to run, and no source or test', () => {
  expect(installed.files).toContain('dist/cli/main.js');
  expect(installed.files).toContain('dist/client/index.d.ts');
  expect(installed.files).toContain('visualize/dist/index.html');
  const foreign = /^(?:dist\/|visualize\/dist\/|src\/cli\/althing\.mjs$|package\.json$|README\.md$|LICENSE$)/;
  expect(
    installed.files.filter((path) => !foreign.test(path) || /(?<!\.d)\.ts$|\.test\./.test(path)),
  ).toEqual([]);
});

it('brings the program: npx althing --version', async () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
  expect((await installed.althing('--version')).trim()).toBe(version);
});

it('draws the charts of a node without what places them, which it does not bring (RP-7)', async () => {
  expect(await installed.althing('chart', 'round', '--format', 'svg')).toContain(
    '<title id="title-round">The statechart round<',
  );
});

it('brings the client for Node, as the guide shows it: an operation is committed', async () => {
  installed.write('user.js', ofGuide('js'));
  expect(await installed.node('user.js')).toMatch(/^committed at height \d+\n$/);
});

it('brings the client for a browser, as the guide shows it: an operation is committed', async () => {
  installed.write(
    'user.html',
    `<!doctype html><head><link rel="icon" href="data:,">${ofGuide('html')}</head><body>`,
  );
  const user = await PlayerPage.open(browser, `${origin}/user.html`);
  await user.sees('body', 'committed at height');
  expect(user.complaints).toEqual([]);
});

it('brings types for a strict compiler, which finds the one mistake', async () => {
  installed.write(
    'user.ts',
    `import { type Config, loadConfig, startNode } from 'althing';
import { type Application, rehearse } from 'althing/application';
import { connect } from 'althing/client';
import { createSystem } from 'althing/runtime';
const client = connect({ endpoints: ['${endpoint}'] });
export const start = (config: Config, application: Application) =>
  startNode('home', config, { application: { name: 'counters', open: ({ dir }) => (void dir, application) } });
export const mistaken: string = client.pending;
console.log(createSystem, loadConfig, rehearse);
`,
  );
  const compilerSays = await installed.compilerOn('user.ts');
  expect(compilerSays.filter((line) => line.startsWith('user.ts') || line.includes('/althing/'))).toEqual([
    "user.ts(8,14): error TS2322: Type 'number' is not assignable to type 'string'.",
  ]);
});

it('runs a local network of processes, whose nodes serve their pages', async () => {
  const [base, data] = [await freeBasePort(), join(installed.folder, 'network')];
  const words = ['--validators', '1', '--application', 'dice', '--base-port', String(base), '--data', data];
  const network = installed.start('--json', ...words);
  try {
    await network.says('block');
    const player = await PlayerPage.open(browser, `http://127.0.0.1:${base + 1}/dice`);
    await player.sees('#network-name', String(base + 1));
    expect(player.complaints).toEqual([]);
  } finally {
    await network.stop();
  }
}, 60_000);
