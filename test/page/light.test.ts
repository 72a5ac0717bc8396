/** The light client in a browser: the sources as they are, packages by an import map, and nothing of Node's (noble alone). */
import { join } from 'node:path';
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadBlsEngine } from '../../src/crypto/bls/select.ts';
import { browserModules } from '../../src/rpc/browser-modules.ts';
import { pageFile } from '../../src/rpc/pages.ts';
import { LightNode, lightChain, TRANSACTION_ID, trustedPointOf } from '../client/light/light-node.ts';
import { proofOf } from '../protocol/light/fixture.ts';
import { startTestServer, type TestServer } from '../rpc/server.ts';
import { openBrowser, PlayerPage } from './support/browser.ts';

let browser: Browser;
let server: TestServer;
let node: LightNode;
const trusted = { point: {} };
beforeAll(async () => {
  const { engine } = await loadBlsEngine();
  const chain = lightChain(engine);
  node = new LightNode(chain);
  trusted.point = trustedPointOf(chain);
  const root = join(import.meta.dirname, '..', '..', 'src');
  const { files, importMap, entryPath } = browserModules({
    root,
    entry: 'client/light/index.ts',
    prefix: 'light',
  });
  const html = `<!doctype html><link rel="icon" href="data:,"><script type="importmap">${importMap}</script>
    <script type="module">import * as client from '${entryPath}'; globalThis.client = client;</script>`;
  const policy = "script-src 'self' 'unsafe-inline'; connect-src 'self'";
  const pages = new Map([['/light', pageFile('text/html; charset=utf-8', html, policy)], ...files]);
  server = await startTestServer({ port: node, pages });
  browser = await openBrowser();
}, 120_000);
afterAll(async () => {
  await browser.close();
  await server.server.close();
});

/** What the page says of the chain, or how it was refused. */
async function verified(page: PlayerPage, height = 5): Promise<unknown> {
  await page.page.waitForFunction(() => 'client' in globalThis);
  return page.page.evaluate(
    async ({ trusted, id, height }) => {
      const { LightClient } = Reflect.get(globalThis, 'client');
      const light = new LightClient({ endpoints: [location.origin], trusted, waitMs: 2_000 });
      try {
        const [header, pair, none, transaction] = [
          await light.header(height),
          await light.pair('ada'),
          await light.pair('nobody'),
          await light.transaction(id),
        ];
        return [
          header.id,
          new TextDecoder().decode(pair.value),
          none.value === undefined,
          new TextDecoder().decode(transaction.bytes),
        ];
      } catch (problem) {
        return problem instanceof Error ? `${problem.name}: ${problem.message}` : String(problem);
      }
    },
    { trusted: trusted.point, id: TRANSACTION_ID, height },
  );
}

describe('the light client in a browser', () => {
  it('verifies a header, a pair, an absence and a transaction over an epoch’s end', async () => {
    const page = await PlayerPage.open(browser, `${server.url}/light`);
    const header = proofOf(node.chain.later, 3, 4).path[0].header;
    expect(await verified(page)).toEqual([header.parentId, '1', true, 'ada=1']);
    expect(page.complaints).toEqual([]);
    await page.page.close();
  });

  it('refuses a forged certificate, another epoch, and a path that is cut', async () => {
    const page = await PlayerPage.open(browser, `${server.url}/light`);
    node.lies = {
      header: (proof) => {
        const signature = proofOf(node.chain.later, 0, 1).certificate.signature;
        return { ...proof, certificate: { ...proof.certificate, signature } };
      },
    };
    expect(await verified(page)).toMatch(/^NotProven: .*SIGNATURE_INVALID/);
    node.lies = { epochs: [{ ...node.chain.epochProof, next: node.chain.place.epoch.descriptor }] };
    expect(await verified(page)).toMatch(/^NotProven: .*NEXT_HASH_WRONG/);
    node.lies = { header: ({ path: [first], certificate }) => ({ path: [first], certificate }) };
    expect(await verified(page, 4)).toMatch(/^NotProven: .*PARENT_WRONG/);
    node.lies = {};
    await page.page.close();
  });
});
