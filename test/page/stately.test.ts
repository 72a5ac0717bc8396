/** The relay's page in a browser, with a page that speaks the hosted inspector's handshake by the package's receiver. IN-3. */

import axe from 'axe-core';
import type { Browser, Frame, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Relay, startRelay } from '../../src/observe/stately/relay.ts';
import { Sessions } from '../../src/observe/stately/sessions.ts';
import { ClusterFeed } from '../observe/stately/cluster-feed.ts';
import { openBrowser, PlayerPage } from './support/browser.ts';
import { type InspectorSite, startInspectorSite } from './support/inspector-site.ts';

let browser: Browser;
let site: InspectorSite;
beforeAll(async () => {
  [browser, site] = await Promise.all([openBrowser(), startInspectorSite()]);
});
afterAll(() => Promise.all([browser.close(), site.close()]));

let feed: ClusterFeed;
let sessions: Sessions;
let relay: Relay;
beforeEach(() => {
  feed = new ClusterFeed(4);
  sessions = new Sessions({ only: [] });
  sessions.take(feed.hello());
  sessions.take(feed.moment());
});
const opened: PlayerPage[] = [];
afterEach(async () => {
  for (const { page } of opened.splice(0)) await page.close();
  await relay.close('the test is over');
});

/** The relay's page, for an inspector at `inspector`. */
async function open(inspector: URL): Promise<PlayerPage> {
  relay = await startRelay({ sessions, port: 0, inspector, allowedOrigins: [] });
  const player = await PlayerPage.open(browser, relay.pageUrl);
  opened.push(player);
  return player;
}

function tick(): void {
  feed.cluster.advance(50);
  relay.note(sessions.take(feed.delta()));
}

/** State of each cell, by the cluster's own registry. */
const expected = (): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    feed.infos().map(({ node, info: { address, machine, snapshot, status } }) => {
      const value = machine === undefined ? status : (snapshot as { readonly value: unknown }).value;
      return [`validator-${node}/${address}`, value];
    }),
  );

/** State of each cell that runs, as the inspector drew it. */
const shown = (inspector: Page | Frame): Promise<Readonly<Record<string, unknown>>> =>
  inspector.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll('section')]
        .filter(({ dataset }) => dataset['status'] === 'active')
        .map(({ id, dataset }) => [id, JSON.parse(dataset['value'] ?? '')]),
    ),
  );

async function untilWhole(inspector: Page | Frame): Promise<void> {
  const own = expected();
  const end = performance.now() + 20_000;
  while (
    performance.now() < end &&
    JSON.stringify(sorted(await shown(inspector))) !== JSON.stringify(sorted(own))
  )
    await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await shown(inspector)).toEqual(own);
}

const sorted = (values: Readonly<Record<string, unknown>>) =>
  Object.entries(values).toSorted(([left], [right]) => (left < right ? -1 : 1));

async function frameOf({ page }: PlayerPage): Promise<Frame> {
  const handle = await page.waitForSelector('#frame');
  const frame = await handle?.contentFrame();
  if (frame === null || frame === undefined) throw new Error('the page has no frame');
  return frame;
}

const shot = async ({ page }: PlayerPage, name: string): Promise<void> => {
  const folder = process.env['ALTHING_SCREENSHOTS'];
  if (folder !== undefined) await page.screenshot({ path: `${folder}/stately-${name}.png` });
};

describe("the relay's page (IN-3)", () => {
  it('hands every cell of a cluster to the inspector in its frame, and again when that is loaded anew', async () => {
    const player = await open(site.url);
    await player.sees('#state', 'Connected to localhost');
    await untilWhole(await frameOf(player));
    for (let count = 0; count < 20; count += 1) tick();
    await untilWhole(await frameOf(player));
    const frame = await frameOf(player);
    const active = await frame.evaluate(() =>
      [...document.querySelectorAll('section')].map((one) => one.querySelectorAll('.active').length),
    );
    expect(Math.min(...active)).toBeGreaterThan(0);
    await until(() => frame.evaluate(() => Number(document.body.dataset['events']) > 100));
    await player.sees('#count', ' cells, ');
    await shot(player, 'frame');
    await frame.evaluate(() => location.reload());
    tick();
    await untilWhole(await frameOf(player));
    // The token is in no address that the browser keeps; the page can be loaded anew all the same.
    expect(player.page.url()).toBe(new URL('/', relay.pageUrl).href);
    await player.page.reload();
    await player.sees('#state', 'Connected to localhost');
    expect(player.complaints).toEqual([]);
  });

  it('hands them to an inspector in a window of its own, says when that is closed, and comes back', async () => {
    const player = await open(site.url);
    await player.sees('#state', 'Connected');
    const popup = new Promise<Page | null>((resolve) => player.page.once('popup', resolve));
    await player.press('#in-window');
    const inspector = await popup;
    if (inspector === null) throw new Error('no window was opened');
    await player.sees('#state', 'Connected');
    await untilWhole(inspector);
    expect(relay.viewers).toBe(1);
    await inspector.close();
    await player.sees('#state', 'The window was closed');
    await player.press('#in-frame');
    await player.sees('#state', 'Connected');
    await untilWhole(await frameOf(player));
    expect(player.complaints).toEqual([]);
  });

  it('says plainly that there is no way to the inspector, and that the stream is there all the same', async () => {
    const gone = new URL('http://localhost:9/inspect');
    const player = await open(gone);
    await player.sees('#state', 'No inspector');
    await player.sees('#why', 'There is no way to localhost:9: is this machine offline?');
    await player.sees('#stream', 'needs no internet');
    expect(relay.viewers).toBe(0);
    await shot(player, 'offline');
    await player.page.evaluate(axe.source);
    const violations = await player.page.evaluate(async () => {
      const found = await Reflect.get(globalThis, 'axe').run(document, { iframes: false });
      return found.violations.map(({ id }: { readonly id: string }) => id);
    });
    expect(violations).toEqual([]);
  });

  it('says when the stream ends, and why', async () => {
    const player = await open(site.url);
    await player.sees('#state', 'Connected');
    await relay.close('the node has stopped');
    await player.sees('#state', 'The stream has ended: the node has stopped. Trying again…');
  });

  it('hands nothing to a page that took the place of the inspector in its window', async () => {
    const player = await open(site.url);
    await player.sees('#state', 'Connected');
    const popup = new Promise<Page | null>((resolve) => player.page.once('popup', resolve));
    await player.press('#in-window');
    const inspector = await popup;
    if (inspector === null) throw new Error('no window was opened');
    await untilWhole(inspector);
    const elsewhere = new URL(site.url);
    elsewhere.hostname = '127.0.0.1';
    // By the page itself: who types another address leaves the opener behind.
    const goTo = ({ href }: URL) =>
      Promise.all([inspector.waitForNavigation(), inspector.evaluate((to) => location.assign(to), href)]);
    await goTo(elsewhere);
    const count = await player.textOf('#count');
    tick();
    await until(async () => (await player.textOf('#count')) !== count);
    expect(await shown(inspector)).toEqual({});
    // The same page where it belongs is handed all again.
    await goTo(site.url);
    await untilWhole(inspector);
    await inspector.close();
  });
});

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error('not in 10 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
