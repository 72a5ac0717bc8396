/**
 * The page under load, drawn by software on a machine that others use too: what its main thread has to do, and its memory over a run.
 * `ALTHING_FRAMES=print` prints what was measured, frames a second too, which are 60 where a core is free. IN-1: 240 cells, 50,000 turns/s.
 */
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DevOptions } from '../../visualize/dev/serve.ts';
import { openBrowser } from './support/browser.ts';
import { servePage } from './support/page-server.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

async function withPage<Result>(
  options: DevOptions,
  place: string,
  use: (page: Page) => Promise<Result>,
): Promise<Result> {
  const server = await servePage(options);
  const page = await browser.newPage();
  try {
    await page.setViewport({ width: 1_280, height: 800 });
    await page.goto(`${server.url}${place}`);
    await page.waitForSelector('.pill.open');
    return await use(page);
  } finally {
    await page.close();
    await server.close();
  }
}

interface Frames {
  readonly perSecond: number;
  /** Of the time between two frames. @unit ms */
  readonly median: number;
  readonly p95: number;
}

const framesOf = (page: Page, seconds: number): Promise<Frames> =>
  page.evaluate(async (ms) => {
    const gaps: number[] = [];
    let before = await new Promise<number>(requestAnimationFrame);
    for (const end = before + ms; before < end; ) {
      const now = await new Promise<number>(requestAnimationFrame);
      gaps.push(now - before);
      before = now;
    }
    gaps.sort((left, right) => left - right);
    const at = (share: number): number => gaps[Math.floor(gaps.length * share)] ?? 0;
    return { perSecond: (gaps.length * 1_000) / ms, median: at(0.5), p95: at(0.95) };
  }, seconds * 1_000);

/** What the page's main thread works of each second, by its own clock: what others take of the machine is not in it. */
async function workOf(page: Page, seconds: number): Promise<number> {
  const session = await page.createCDPSession();
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const worked = async (): Promise<number> => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0;
  };
  const before = await worked();
  await wait(seconds * 1_000);
  const share = ((await worked()) - before) / seconds;
  await session.detach();
  return share;
}

/** After a collection of garbage. @unit MB */
async function heapOf(page: Page): Promise<number> {
  const session = await page.createCDPSession();
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  await session.detach();
  return usedSize / 1_048_576;
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('the page under load', () => {
  it.each(['overview', 'diagram'])(
    'has most of its time free at 240 cells and 50,000 turns a second (%s)',
    async (view) => {
      const load = { nodes: 6, cells: 240, turnsPerSecond: 50_000, batchesPerSecond: 2_000 };
      const frames = await withPage({ load }, `&view=${view}`, async (page) => {
        await wait(1_000);
        const [drawn, work] = await Promise.all([framesOf(page, 2), workOf(page, 2)]);
        return { ...drawn, work };
      });
      if (process.env['ALTHING_FRAMES'] === 'print') console.log(view, frames);
      expect(frames.work).toBeLessThan(0.8);
      // It draws; how often is the machine's business.
      expect(frames.perSecond).toBeGreaterThan(2);
    },
  );

  it('takes no more memory as the run goes on', async () => {
    // 20 deltas are a second of run: within seconds its past is as large as it may become.
    const load = { nodes: 4, turnsPerSecond: 50_000, batchesPerSecond: 400 };
    const heaps = await withPage({ load, hurry: 90 }, '', async (page) => {
      const measured: number[] = [];
      for (let times = 0; times < 2; times += 1) {
        await wait(times === 0 ? 4_700 : 2_000);
        measured.push(await heapOf(page));
      }
      return measured;
    });
    if (process.env['ALTHING_FRAMES'] === 'print') console.log(heaps);
    const [early = 0, late = 0] = heaps;
    expect(late).toBeLessThan(early * 1.4);
    expect(late).toBeLessThan(160);
  });
});
