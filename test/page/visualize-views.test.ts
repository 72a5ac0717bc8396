/** The views of a run in a real browser: messages in space and time, the chain, the list, and a certificate that the page checks itself. */
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadBlsEngine } from '../../src/crypto/bls/select.ts';
import type { Question, WireEvent } from '../../src/observe/feed/feed.ts';
import { type LoadOptions, LoadRun } from '../../visualize/dev/load.ts';
import type { DevOptions } from '../../visualize/dev/serve.ts';
import { verifiableChain } from '../visualize/support/verifiable-chain.ts';
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
  readonly complaints: readonly string[];
}

async function open(options: DevOptions, view: string): Promise<Opened> {
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
  await page.goto(`${server.url}&view=${view}`);
  await page.waitForSelector('.pill.open');
  return { page, complaints };
}

/** Resolves when what matches says this. */
async function says(page: Page, selector: string, text: string): Promise<void> {
  await page
    .waitForFunction(
      (where, part) =>
        [...document.querySelectorAll(where)].some(({ textContent }) => textContent.includes(part)),
      { polling: 50 },
      selector,
      text,
    )
    .catch(async (cause) => {
      const found = await page.$$eval(selector, (all) => all.map(({ textContent }) => textContent));
      throw new Error(`${selector} never said "${text}", but ${JSON.stringify(found)}`, { cause });
    });
}

/** A run that stands still after its first moment, which holds so many wire events. */
function standing(events: number, options: Partial<LoadOptions> = {}): string {
  const run = new LoadRun(options);
  const [wire, steps]: [WireEvent[], unknown[]] = [[], []];
  while (wire.length < events) {
    const delta = run.advance(50);
    wire.push(...(delta.wire ?? []));
    steps.push(...(delta.steps ?? []));
  }
  return [run.hello(), { ...run.moment(), wire, steps }, run.advance(50)]
    .map((message) => JSON.stringify(message))
    .join('\n');
}

describe('the space-time diagram in a browser', () => {
  it('says what is under the pointer, and shows both ends of what is clicked', async () => {
    const { page, complaints } = await open({ recorded: standing(400) }, 'diagram');
    const plot = await page.waitForSelector('.diagram-plot');
    await plot?.focus();
    await page.keyboard.press('ArrowLeft');
    await says(page, '.ends', 'Sent by');
    await says(page, '.ends', 'Received by');
    expect(
      await page.$eval('.ends-side[data-chosen=true] .ends-cells', (list) => list.childElementCount),
    ).toBe(3);
    const chosen = await page.$eval('.ends-side[data-chosen=true] h3', ({ textContent }) => textContent);
    await page.keyboard.press('ArrowUp');
    await page.waitForFunction(
      (before) => document.querySelector('.ends-side[data-chosen=true] h3')?.textContent !== before,
      {},
      chosen,
    );
    await page.waitForFunction(() => location.hash.includes('message='));
    const box = await plot?.boundingBox();
    let tip: string | undefined;
    for (let x = 300; x < 1_200 && tip === undefined; x += 6) {
      await page.mouse.move((box?.x ?? 0) + x, (box?.y ?? 0) + 200);
      await page.evaluate(() => new Promise(requestAnimationFrame));
      tip = await page.$eval('.diagram-tip', ({ textContent }) => textContent ?? '').catch(() => undefined);
    }
    expect(tip).toMatch(/→|(proposed|voted|committed)/);
    await page.keyboard.press('Escape');
    await page.waitForSelector('.ends', { hidden: true });
    expect(complaints).toEqual([]);
  });

  it('draws 20,000 messages as fast as frames may come, whether all are in sight or a few', async () => {
    const { page } = await open(
      { recorded: standing(40_000, { nodes: 16, batchesPerSecond: 400 }) },
      'diagram',
    );
    await page.waitForFunction(() =>
      document.querySelector('.diagram-families')?.textContent?.includes('batch'),
    );
    const press = async (button: string, times = 1): Promise<void> => {
      for (let each = 0; each < times; each += 1) await page.click(button);
    };
    await press('.diagram-buttons :nth-child(3)');
    await says(page, '.diagram-note', 'bars count messages');
    // Once before, so that the page's code is compiled.
    await frameMs(page);
    const all = await frameMs(page);
    await press('.diagram-buttons :nth-child(2)', 9);
    const few = await frameMs(page);
    if (process.env['ALTHING_FRAMES'] === 'print') console.log({ all, few });
    expect(all).toBeLessThan(FRAME_MS_MAX);
    expect(few).toBeLessThan(FRAME_MS_MAX);
  });
});

/**
 * 12 to 17 ms are measured on a core of its own (`ALTHING_FRAMES=print`), which is a frame's time at 60 Hz. Three times of that: a core half
 * as fast, or one whose caches others empty, is no failure; work that grows with all messages for each of them would be a hundred times. @unit ms
 */
const FRAME_MS_MAX = 50;

/** What the main thread works to zoom and draw a frame, by its own clock: what others take of the machine is not in it. @unit ms */
async function frameMs(page: Page): Promise<number> {
  const session = await page.createCDPSession();
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const worked = async (): Promise<number> => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN;
  };
  const before = await worked();
  const frames = 30;
  await page.evaluate(async (count) => {
    const host = document.querySelector('.diagram-plot');
    for (let frame = 0; frame < count; frame += 1) {
      const deltaY = frame % 2 === 0 ? 4 : -4;
      host?.dispatchEvent(new WheelEvent('wheel', { deltaY, clientX: 700, clientY: 300, cancelable: true }));
      await new Promise(requestAnimationFrame);
    }
  }, frames);
  const took = ((await worked()) - before) * 1_000;
  await session.detach();
  return took / frames;
}

describe('the list of messages in a browser', () => {
  it('has 20,000 rows, of which those in sight are in the page; filters; decodes', async () => {
    const answer = (question: Question) =>
      question.kind === 'message'
        ? { kind: 'Vote', message: { round: 4, validator: 'c0ffee' }, encoded: '0102', bytes: 2 }
        : undefined;
    const recorded = standing(40_000, { batchesPerSecond: 400, faults: true });
    const { page, complaints } = await open({ recorded, answer }, 'messages');
    await page.waitForFunction(() => document.querySelectorAll('.messages-list tbody tr').length > 20);
    const [rows, inPage] = await page.$eval('.messages-list table', (table) => [
      Number(table.getAttribute('aria-rowcount')),
      table.querySelectorAll('tbody tr').length,
    ]);
    expect(rows).toBeGreaterThan(17_000);
    expect(inPage).toBeLessThan(100);
    await page.select('.messages-filter [aria-label=Verdict]', 'refused');
    await says(page, '.messages-list tbody', '⊘ refused');
    await page.focus('.messages-list');
    await page.keyboard.press('End');
    await says(page, '.messages-chosen', 'VOTE_FOR_OLD_ROUND');
    await says(page, '.messages-chosen .plain', 'c0ffee');
    expect(complaints).toEqual([]);
  });
});

describe('the chain in a browser', () => {
  it('shows the transactions of a chosen block with their results', async () => {
    const transactions = [
      { hash: 'aa', bytes: 8, shown: 'name=ada', code: 0 },
      { hash: 'bb', bytes: 8, shown: 'name=eve', code: 3, log: 'not yours' },
    ];
    const answer = (question: Question) =>
      question.kind === 'block'
        ? { header: { height: question.height }, batches: [], transactions, transactionsTotal: 2 }
        : undefined;
    const { page, complaints } = await open({ recorded: standing(400), answer }, 'chain');
    await page.waitForSelector('.chain-box.is-executed');
    expect(await page.$$eval('.chain-box.is-forked', (boxes) => boxes.length)).toBe(0);
    await page.$eval('.chain-box.is-executed', (box) => box instanceof HTMLElement && box.click());
    await says(page, '.chain-transactions li', 'okname=ada');
    await says(page, '.chain-transactions li', 'code 3name=evenot yours');
    expect(complaints).toEqual([]);
  });
});

describe('a certificate in a browser', () => {
  it('is verified by the page itself, and refused when one bit is turned over', async () => {
    const chain = verifiableChain((await loadBlsEngine()).engine);
    const answer = (question: Question) =>
      question.kind === 'certificate' ? chain.answer(question.height) : undefined;
    const { page, complaints } = await open({ answer }, 'verify');
    await page.type('.verify-form input', '3');
    await page.click('.verify-go');
    // The pointer is on the button still.
    const apart = await page.$eval('.verify-go', (button) => {
      const { color, backgroundColor } = getComputedStyle(button);
      const [ink = [], ground = []] = [color, backgroundColor].map(
        (text) => text.match(/[\d.]+/g)?.slice(0, 3) ?? [],
      );
      return ink.reduce(
        (sum, part, place) => sum + Math.abs(Number(part) - Number(ground[place] ?? part)),
        0,
      );
    });
    expect(apart).toBeGreaterThan(300);
    await says(page, '.verify-outcome', 'Proven: height 3 is committed');
    expect(await page.$$eval('.verify-checks > .is-passed', (checks) => checks.length)).toBe(10);
    await page.click('.verify-tamper button:nth-child(2)');
    await says(page, '.verify-outcome', 'Refused, as it must be');
    await says(page, '.verify-checks > .is-failed', 'SIGNATURE_INVALID');
    await page.click('.verify-tamper button:nth-child(1)');
    await says(page, '.verify-bytes', 'byte');
    await says(page, '.verify-outcome', 'Refused, as it must be');
    await page.click('.verify-tamper button:nth-child(3)');
    await says(page, '.verify-outcome', 'Proven: height 3 is committed');
    expect(complaints).toEqual([]);
  });
});
