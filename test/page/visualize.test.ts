/** The page in a real browser, before a made-up run: what it shows, how it is used, that anybody can. IN-1, docs/page.md. */
import axe from 'axe-core';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DevOptions, DevServer } from '../../visualize/dev/serve.ts';
import { openBrowser } from './support/browser.ts';
import { servePage } from './support/page-server.ts';

let browser: Browser;
const closing: (() => Promise<void>)[] = [];
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface Opened {
  readonly page: Page;
  readonly server: DevServer;
  /** What the browser complained of: errors, breaches of the content policy. */
  readonly complaints: string[];
}

async function open(options: DevOptions, place = '', theme = 'light'): Promise<Opened> {
  const server = await servePage(options);
  closing.push(() => server.close());
  const page = await browser.newPage();
  closing.push(() => page.close());
  page.setDefaultTimeout(20_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.setViewport({ width: 1_280, height: 800 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
  await page.goto(`${server.url}${place}`);
  await says(page, '.pill.open', 'turns/s');
  return { page, server, complaints };
}

/** Resolves when what matches says this. */
async function says(page: Page, selector: string, text: string): Promise<void> {
  try {
    await page.waitForFunction(
      (where, part) =>
        [...document.querySelectorAll<HTMLElement>(where)].some(({ textContent }) =>
          textContent.includes(part),
        ),
      { polling: 50 },
      selector,
      text,
    );
  } catch (cause) {
    const found = await page.$$eval(selector, (all) => all.map(({ textContent }) => textContent));
    throw new Error(`${selector} never said "${text}", but ${JSON.stringify(found)}`, { cause });
  }
}

const textOf = (page: Page, selector: string): Promise<string> =>
  page.$eval(selector, ({ textContent }) => textContent ?? '');

/** For whoever looks, where ALTHING_SCREENSHOTS names a folder. */
async function shot(page: Page, name: string): Promise<void> {
  const folder = process.env['ALTHING_SCREENSHOTS'];
  if (folder !== undefined) await page.screenshot({ path: `${folder}/${name}.png` });
}

/** What axe-core finds, by rule and place. */
async function findings(page: Page): Promise<readonly string[]> {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { violations } = await (window as unknown as { axe: typeof axe }).axe.run();
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id} ${target}: ${failureSummary}`),
    );
  });
}

const VIEWS = [
  'Overview',
  'Space-time',
  'Chain',
  'Cells',
  'Statechart',
  'Messages',
  'Health',
  'Control',
  'Verify',
];

describe('the page of a run', () => {
  it.each(['light', 'dark'])(
    'shows each of its views by its key, and keeps nobody out (%s)',
    async (theme) => {
      const { page, complaints } = await open({}, '', theme);
      const found: Record<string, readonly string[]> = {};
      for (const [place, view] of VIEWS.entries()) {
        await page.keyboard.type(String(place + 1));
        await says(page, '.tabs [aria-current=page]', view);
        await page.waitForSelector(`main[aria-label="${view}"] > :not(h2)`);
        await new Promise((resolve) => setTimeout(resolve, 120));
        await shot(page, `${theme}-${place + 1}`);
        const faults = await findings(page);
        if (faults.length > 0) found[view] = faults;
      }
      expect(found).toEqual({});
      expect(complaints).toEqual([]);
    },
  );

  it('takes the token out of the address, and keeps what is selected there, so that links and reloads work', async () => {
    const { page, complaints } = await open({}, '&view=chart&node=1&cell=node/consensus/safety');
    await says(page, '.cell-aside h2', 'bravo node/consensus/safety');
    expect(new URL(page.url()).hash).toBe('#view=chart&node=1&cell=node/consensus/safety');
    await page.reload();
    await says(page, '.cell-aside h2', 'bravo node/consensus/safety');
    await page.keyboard.press('Digit4');
    await page.waitForFunction(() => location.hash === '#view=cells&node=1&cell=node/consensus/safety');
    expect(complaints).toEqual([]);
  });

  it('stops at an instant, steps, goes back in time, and follows again, by keys', async () => {
    const { page, complaints } = await open({});
    const instant = (): Promise<string> => textOf(page, '.instant time');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await page.keyboard.press('Space');
    await page.waitForSelector('.live[aria-pressed=false]');
    const stopped = await instant();
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(await instant()).toBe(stopped);
    await page.keyboard.press('ArrowLeft');
    await page.waitForFunction(
      (before) => document.querySelector('.instant time')?.textContent !== before,
      {},
      stopped,
    );
    const back = await instant();
    expect(back < stopped).toBe(true);
    await page.keyboard.press('ArrowRight');
    await says(page, '.instant time', stopped);
    expect(new URL(page.url()).hash).toMatch(/at=\d+/);
    await page.keyboard.press('BracketRight');
    await page.waitForFunction(
      () => document.querySelector<HTMLSelectElement>('.speed select')?.value === '2',
    );
    await page.keyboard.press('Space');
    await page.waitForSelector('.play[aria-label=Pause]');
    await page.keyboard.press('Home');
    await page.waitForSelector('.live[aria-pressed=false]');
    await page.keyboard.press('KeyL');
    await says(page, '.instant', 'now');
    expect(complaints).toEqual([]);
  });

  it('finds a cell by its name, and tells its keys', async () => {
    const { page, complaints } = await open({});
    await page.keyboard.press('Slash');
    await page.type('.finder input', 'mempool char');
    await says(page, '.found [aria-selected=true]', 'charlie node/consensus/mempool');
    expect(await findings(page)).toEqual([]);
    await page.keyboard.press('Enter');
    await says(page, '.cell-aside h2', 'charlie node/consensus/mempool');
    await says(page, '.line[aria-selected=true]', 'mempool');
    await page.keyboard.press('?');
    await says(page, '.help-dialog[open]', 'quorum certificate');
    expect(await findings(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.waitForSelector('.help-dialog:not([open])');
    expect(complaints).toEqual([]);
  });
});

describe('the trees of the page', () => {
  it('are walked by arrows, folded, filtered, and open the chart of a cell', async () => {
    const { page, complaints } = await open({}, '&view=cells&node=0&cell=node/storage');
    await says(page, '.line[aria-selected=true]', 'storage');
    await page.focus('.tree');
    await page.keyboard.press('ArrowDown');
    await says(page, '.line[aria-selected=true]', 'network');
    await page.keyboard.press('ArrowLeft');
    await page.waitForSelector('.line[aria-selected=true][aria-expanded=false]');
    await page.keyboard.press('ArrowDown');
    await says(page, '.line[aria-selected=true]', 'time');
    await page.type('.cell-filter input', 'delta view');
    await says(page, '.line .text', 'view-change');
    const names = await page.$$eval('.line .name', (all) => all.map(({ textContent }) => textContent));
    expect(names).toEqual(['delta', 'node', 'consensus', 'view-change']);
    await page.click('.line:last-child');
    await page.focus('.tree');
    await page.keyboard.press('Enter');
    await says(page, '.cell-aside h2', 'delta node/consensus/view-change');
    await page.waitForSelector('.state-box.active');
    expect(complaints).toEqual([]);
  });

  it('make rows only of what is in sight, of thousands of cells', async () => {
    const { page } = await open({ load: { nodes: 16 } }, '&view=cells');
    for (const node of await page.$$('.node-line .fold')) await node.click();
    await page.waitForSelector('.line');
    expect(await page.$$eval('.line', ({ length }) => length)).toBeLessThan(80);
  });
});

describe('the chart of a cell', () => {
  it('lights the active states, tells why by guards and refusals, and leads to the instant of a transition', async () => {
    const { page, complaints } = await open({}, '&view=chart&node=0&cell=node/consensus/safety');
    await page.waitForSelector('.state-box.active');
    await says(page, '.last', 'event');
    await page.click('.parts button:nth-child(3)');
    await says(page, '.transitions', 'ROUND_ALREADY_VOTED');
    await page.click('.parts button:nth-child(4)');
    await says(page, '.facts', 'lastVotedRound');
    await page.click('.parts button:nth-child(2)');
    await page.click('.transitions li:nth-child(5) button');
    await page.waitForSelector('.live[aria-pressed=false]');
    expect(complaints).toEqual([]);
  });

  it('says of a boundary actor that it has none', async () => {
    const { page } = await open({}, '&view=chart&node=0&cell=node/storage');
    await says(page, '.chart .empty', 'it touches the world');
  });

  it('is a list when the page knows no picture of it', async () => {
    const root = {
      id: 'other',
      key: 'other',
      type: 'compound',
      tags: [],
      entry: [],
      exit: [],
      transitions: [],
      states: [
        {
          id: 'other.on',
          key: 'on',
          type: 'atomic',
          tags: [],
          entry: [],
          exit: [],
          states: [],
          transitions: [],
        },
      ],
    } as const;
    const charts = [{ hash: 'ff', id: 'safety', root }];
    const { page } = await open({ load: { charts } }, '&view=chart&node=0&cell=node/consensus/safety');
    await says(page, '.list-state.active', 'on (active)');
  });
});

describe('control', () => {
  it('kills a validator only after it was asked again, and says what will follow', async () => {
    const ordered: unknown[] = [];
    const { page } = await open({ onOrder: (control) => ordered.push(control) }, '&view=control');
    await page.click('.validators tbody tr:nth-child(3) .danger');
    await says(page, '.confirm', 'Kill charlie?');
    await says(page, '.confirm', 'The others go on: they have power 30, and a quorum is 27.');
    expect(await findings(page)).toEqual([]);
    await page.click('.confirm .button');
    expect(ordered).toEqual([]);
    await page.click('.validators tbody tr:nth-child(3) .danger');
    await page.click('.confirm .danger');
    await says(page, '.orders li', 'done');
    await page.click('.submit-form [type=submit]');
    await says(page, '.orders li', 'submit “name=ada” to alfa');
    expect(ordered).toEqual([
      { kind: 'kill', node: 2 },
      { kind: 'submit', node: 0, transaction: 'name=ada' },
    ]);
  });

  it('says how it could be had where it is not permitted', async () => {
    const { page } = await open({ load: { controls: [] } }, '&view=control');
    await says(page, 'main .empty', 'This page may only look');
  });
});

describe('the page on little room', () => {
  it.each([390, 853])('keeps all within reach, and nothing lies over another (%i px)', async (width) => {
    const { page, complaints } = await open({ load: { nodes: 16 } }, '&view=control');
    await page.setViewport({ width, height: 700 });
    await page.waitForFunction((to) => innerWidth === to, {}, width);
    const placed = await page.evaluate(() => {
      const boxOf = (where: string) => document.querySelector(where)?.getBoundingClientRect();
      const right = (where: string): number =>
        Math.max(...[...document.querySelectorAll(where)].map((one) => one.getBoundingClientRect().right));
      return {
        right: right('.header > button, .nodes, .pill, .tabs, .time-bar > *, .card, .orders'),
        page: document.documentElement.scrollWidth,
        gap: (boxOf('.orders')?.top ?? 0) - (boxOf('.control-forms')?.bottom ?? 0),
      };
    });
    expect(placed.right).toBeLessThanOrEqual(width);
    expect(placed.page).toBeLessThanOrEqual(width);
    expect(placed.gap).toBeGreaterThanOrEqual(0);
    expect(complaints).toEqual([]);
  });
});

describe('the connection of the page', () => {
  it('is tried again by itself when the server goes and comes, and the page says so meanwhile', async () => {
    const { page, server } = await open({});
    const port = Number(new URL(server.url).port);
    await server.close();
    await says(page, '.notice', 'What you see is as it was at');
    const again = await servePage({ port });
    closing.push(() => again.close());
    await page.waitForSelector('.pill.open');
    expect(await page.$('.notice')).toBeNull();
  });

  it('says what to do when its token is of another start', async () => {
    const { page, server } = await open({});
    await page.goto(server.url.replace(/token=.*/, 'token=older'));
    await page.reload();
    await says(page, '.notice.bad', 'Open the address that the terminal printed');
  });
});
