/** The page's own way to Stately's inspector: from a feed's server through the page's bridge to the package's receiver. IN-3. */
import { join } from 'node:path';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newToken } from '../../src/observe/feed/access.ts';
import { type FeedServer, startFeedServer } from '../../src/observe/feed/server.ts';
import { pageFile } from '../../src/rpc/pages.ts';
import { ClusterSource } from '../observe/stately/cluster-feed.ts';
import { openBrowser, PlayerPage } from './support/browser.ts';
import { bundled, type InspectorSite, startInspectorSite } from './support/inspector-site.ts';

let browser: Browser;
let site: InspectorSite;
let server: FeedServer;
let source: ClusterSource;
beforeAll(async () => {
  source = new ClusterSource();
  const script = await bundled(join(import.meta.dirname, 'support', 'bridge-page.ts'));
  const html = '<!doctype html><title>bridge</title><script type="module" src="/b.js"></script>';
  const policy = "default-src 'self'; img-src data:";
  const pages = new Map([
    ['/', pageFile('text/html', html, policy, 'same-origin-allow-popups')],
    ['/b.js', pageFile('text/javascript', script)],
  ]);
  [browser, site, server] = await Promise.all([
    openBrowser(),
    startInspectorSite(),
    startFeedServer({ source, host: '127.0.0.1', port: 0, token: newToken(), pages: () => pages }),
  ]);
});
afterAll(() => Promise.all([browser.close(), site.close(), server.close()]));

describe("the page's bridge to Stately's inspector (IN-3)", () => {
  it('tells it every cell, goes on while another window is in front, and looks no more when it is closed', async () => {
    const player = await PlayerPage.open(browser, `${server.url}&inspector=${site.url}`);
    expect(server.viewers()).toBe(0);
    const popup = new Promise<Page | null>((resolve) => player.page.once('popup', resolve));
    await player.press('#open');
    const inspector = await popup;
    if (inspector === null) throw new Error('no window was opened');
    await inspector.bringToFront();
    const shown = () =>
      inspector.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>('[data-status=active]')].map(({ id }) => id).toSorted(),
      );
    const cells = () =>
      source.feed
        .infos()
        .map(({ node, info }) => `validator-${node}/${info.address}`)
        .toSorted();
    const poll = { timeout: 20_000, interval: 120 };
    const isSame = async () => {
      source.tick();
      return JSON.stringify(await shown()) === JSON.stringify(cells());
    };
    await expect.poll(isSame, poll).toBe(true);
    await expect.poll(() => source.watched, poll).toBe(16);
    expect(server.viewers()).toBe(1);
    const before = await inspector.evaluate(() => Number(document.body.dataset['events'] ?? 0));
    for (let count = 0; count < 20; count += 1) source.tick();
    await expect.poll(isSame, poll).toBe(true);
    expect(await inspector.evaluate(() => Number(document.body.dataset['events'] ?? 0))).toBeGreaterThan(
      before + 100,
    );
    await inspector.close();
    await player.sees('#state', 'closed');
    await expect.poll(() => server.viewers(), poll).toBe(0);
    expect(player.complaints).toEqual([]);
  });
});
