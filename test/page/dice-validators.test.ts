/** Dice on four validators, each a process: two pages play, and the validator that serves one of them is killed. DC-1 to DC-6, BR-1. */
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../cluster/support/local-network.ts';
import { Validators } from '../cluster/support/validators.ts';
import { openBrowser, PlayerPage } from './support/browser.ts';

const SERVES_ADA = 0;
const SERVES_BOB = 1;
const VALIDATORS = [0, 1, 2, 3];

let browser: Browser;
let validators: Validators;
beforeAll(async () => {
  browser = await openBrowser();
  validators = await Validators.create({ application: 'dice' });
  for (const index of VALIDATORS) validators.start(index);
  await eventually('blocks are committed', 30_000, async () =>
    ((await validators.network.height(SERVES_ADA)) ?? 0) > 1 ? true : undefined,
  );
});
afterAll(async () => {
  await browser.close();
  await validators.remove();
});

const pageAt = (index: number, seat: string): Promise<PlayerPage> =>
  PlayerPage.open(browser, `http://${validators.network.rpcOf(index)}/dice?seat=${seat}`);

async function shot({ page }: PlayerPage, name: string): Promise<void> {
  const folder = process.env['ALTHING_SCREENSHOTS'];
  if (folder === undefined) return;
  await page.bringToFront();
  await page.screenshot({ path: `${folder}/${name}.png` });
}

describe('dice on four validators', () => {
  it('is played in two pages, and goes on while the validator of one of them is killed', async () => {
    const ada = await pageAt(SERVES_ADA, 'ada');
    await ada.comeIn('Ada');
    await ada.press('.choice label:has([name=seats][value="2"])');
    await ada.press('#open-table');
    await ada.sees('#table-title', 'Ada’s table');
    const bob = await pageAt(SERVES_BOB, 'bob');
    await bob.comeIn('Bob');
    await bob.press('#join-1');
    await bob.sees('#seats', 'Ada');
    for (const round of [1, 2, 3]) {
      await ada.press('#roll');
      await bob.sees('#phase', 'roll, or lose your ante');
      if (round === 2) await validators.kill(SERVES_BOB);
      await bob.press('#roll');
      await bob.sees('#rounds', `#${round}`);
      await ada.sees('#rounds', `#${round}`);
      expect(await ada.dice()).toEqual(await bob.dice());
      await shot(round === 2 ? bob : ada, `validators-round-${round}`);
    }
    await bob.sees('#notice', 'does not answer. You are playing on through');
    validators.start(SERVES_BOB);
    const tip = (await validators.network.height(SERVES_ADA)) ?? 0;
    await eventually('the killed validator is back', 30_000, async () =>
      ((await validators.network.height(SERVES_BOB)) ?? 0) > tip ? true : undefined,
    );
    expect([...ada.complaints, ...bob.complaints]).toEqual([]);
  });
});
