import axe from 'axe-core';
import type { Browser } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Gambler } from '../application/dice/game.ts';
import { openBrowser, PlayerPage } from './support/browser.ts';
import { type DiceNetwork, type Lie, startDiceNetwork } from './support/dice-chain.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

let network: DiceNetwork;
const pages: PlayerPage[] = [];
beforeEach(async () => {
  network = await startDiceNetwork(4, { patience_heights: 120 });
});
afterEach(async () => {
  const complaints = pages.flatMap((page) => page.complaints);
  for (const { page } of pages.splice(0)) await page.close();
  await network.close();
  expect(complaints).toEqual([]);
});

async function open(seat: string, node = 0, width?: number): Promise<PlayerPage> {
  const page = await PlayerPage.open(
    browser,
    `${network.origins[node]}/dice?seat=${network.origins[0]}-${seat}`,
    width,
  );
  pages.push(page);
  return page;
}

/** Ada has opened a table of two, and Bob sits there too. */
async function adaAndBob(bobsNode = 0): Promise<{ readonly ada: PlayerPage; readonly bob: PlayerPage }> {
  const ada = await open('ada');
  await ada.comeIn('Ada');
  await shot(ada, 'open-form');
  await ada.press('.choice label:has([name=seats][value="2"])');
  await ada.press('#open-table');
  await ada.sees('#table-title', 'Ada’s table');
  const bob = await open('bob', bobsNode);
  await bob.comeIn('Bob');
  await bob.press('#join-1');
  await bob.sees('#seats', 'Ada');
  return { ada, bob };
}

const shot = async ({ page }: PlayerPage, name: string): Promise<void> => {
  const folder = process.env['ALTHING_SCREENSHOTS'];
  if (folder === undefined) return;
  await page.bringToFront();
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: false });
};

/** Tables in another phase; seats whose part is `due` have committed. */
function liesOf(from: string, to: string, due: string): Lie {
  const committed = JSON.stringify({ kind: 'committed', commitment: 'ab'.repeat(32) });
  const reworded = (answer: unknown): unknown =>
    JSON.parse(
      JSON.stringify(answer)
        .replaceAll(`"${from}"`, `"${to}"`)
        .replaceAll(JSON.stringify({ kind: due }), committed),
    );
  return (path, answer) => {
    if (path === '/table') return reworded(answer);
    const lobby = network.chain.game.lobby();
    // Always new, so that it is looked at.
    return path === '/tables' ? reworded({ ...lobby, version: lobby.version + 1_000 }) : answer;
  };
}

/** Both players have sent their reveals since. */
async function eventuallyRevealed(since: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (network.chain.given.slice(since).filter((kind) => kind === 'reveal').length >= 2) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the dice stay closed: ${network.chain.given.join(', ')}`);
}

describe('the page of dice', () => {
  it('plays rounds between two pages of one browser by clicks alone, and reveals by itself (DC-5, DC-6)', async () => {
    const { ada, bob } = await adaAndBob();
    await shot(ada, 'seated');
    for (const round of [1, 2]) {
      await ada.press('#roll');
      await bob.sees('#phase', 'roll, or lose your ante');
      if (round === 1) await shot(bob, 'urgent');
      await bob.press('#roll');
      await bob.sees('#rounds', `#${round}`);
      await ada.sees('#rounds', `#${round}`);
      const seats = network.chain.game.table().rounds[0]?.seats ?? [];
      expect(await bob.dice()).toEqual(seats.map(({ dice }) => dice.map(String)));
      expect(await ada.dice()).toEqual(await bob.dice());
    }
    await shot(ada, 'result');
    expect(await ada.textOf('#rounds')).toContain('✓ dice checked');
    expect(await ada.textOf('#log')).toMatch(/Show the dice of round 2\s*committed at height \d+, \d+ ms/);
    const keys = network.chain.game.table().table.seats.map(({ key }) => key);
    expect(network.chain.game.chips(keys)).toBe(10_000_000);
  });

  it('goes on through another node when the one that served it dies in the middle of a round, and says so', async () => {
    const { ada, bob } = await adaAndBob();
    await ada.press('#roll');
    await bob.sees('#phase', 'roll, or lose your ante');
    await network.kill(0);
    await bob.press('#roll');
    await bob.sees('#rounds', '#1');
    await bob.sees('#notice', 'does not answer. You are playing on through');
    await ada.sees('#rounds', '#1');
    await bob.press('#network-pill');
    await bob.sees('#endpoints [data-status=down]', 'does not answer');
    await shot(bob, 'node-down');
    expect(network.chain.game.table().rounds[0]?.seats.map(({ part }) => part)).toEqual([
      'revealed',
      'revealed',
    ]);
    const link = await bob.page.$eval('#endpoints a', (anchor) => anchor.getAttribute('href') ?? '');
    const moved = await PlayerPage.open(browser, link);
    pages.push(moved);
    await moved.sees('#handover-offered', 'Bob');
    expect(moved.page.url()).not.toContain('#');
    await moved.press('#handover-use');
    await moved.sees('#me', 'Bob');
  });

  it('knows an operation that a node took with it into its grave: it is committed once (DC-2)', async () => {
    const ada = await open('ada');
    await ada.type('#name', 'Ada');
    network.chain.holds = true;
    await ada.press('#register');
    await ada.sees('#log', 'on its way');
    await network.kill(0);
    network.chain.holds = false;
    await ada.sees('#me', 'Ada');
    await ada.sees('#log', 'committed at height');
    expect(network.chain.game.lobby().house.players).toBe(1);
  });

  it('opens the dice also when it was loaded anew after rolling (DC-5)', async () => {
    const { ada, bob } = await adaAndBob();
    await ada.press('#roll');
    await bob.sees('#phase', 'roll, or lose your ante');
    await ada.page.reload();
    await ada.sees('#table-title', 'Ada’s table');
    await bob.press('#roll');
    await ada.sees('#rounds', '#1');
    expect(network.chain.game.table().rounds[0]?.seats.map(({ part }) => part)).toEqual([
      'revealed',
      'revealed',
    ]);
  });

  it('keeps its dice closed when the node in use lies that all have rolled, and opens them when they have (DC-6)', async () => {
    const { ada, bob } = await adaAndBob();
    await ada.press('#roll');
    await bob.sees('#phase', 'roll, or lose your ante');
    network.corrupt(0, liesOf('committing', 'revealing', 'due'));
    await ada.sees('#phase', 'All are locked in.');
    await ada.sees('#notice', 'says that all have rolled, and the other nodes do not say so');
    await shot(ada, 'lying-node');
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(network.chain.given).not.toContain('reveal');
    network.corrupt(0, (_, answer) => answer);
    await bob.press('#roll');
    await ada.sees('#rounds', '#1');
    expect(network.chain.given.filter((kind) => kind === 'reveal')).toHaveLength(2);
  });

  it('opens its dice also when the node in use hides that all have rolled, and where the player sits (DC-6)', async () => {
    const { ada, bob } = await adaAndBob(1);
    await ada.press('#roll');
    await ada.sees('#log', 'committed at height');
    await ada.sees('#roll', 'Locked in');
    const hides = liesOf('revealing', 'committing', '');
    network.corrupt(0, (path, answer) => (path === '/player' ? null : hides(path, answer)));
    const before = network.chain.given.length;
    await bob.press('#roll');
    await eventuallyRevealed(before);
    network.corrupt(0, (_, answer) => answer);
    await ada.sees('#rounds', '#1');
  });

  it('uses the key of a link only when its player says so, and keeps the one before (DC-5)', async () => {
    const bob = await open('bob');
    await bob.comeIn('Bob');
    const ada = await open('ada');
    await ada.comeIn('Ada');
    const link = await bob.page.$eval('#endpoints a', (anchor) => anchor.getAttribute('href') ?? '');
    const stranger = ada.page.url() + new URL(link).hash;
    expect(stranger).toContain('#key=');
    await ada.page.goto(stranger);
    await ada.sees('#handover-offered', 'Bob');
    await ada.sees('#handover-own', 'Ada');
    await shot(ada, 'handover');
    await ada.press('#handover-keep');
    await ada.sees('#me', 'Ada');
    await ada.page.reload();
    await ada.sees('#me', 'Ada');
    expect(await ada.page.$eval('#handover', (dialog) => dialog.hasAttribute('open'))).toBe(false);
    await ada.page.goto(stranger);
    await ada.press('#handover-use');
    await ada.sees('#me', 'Bob');
    expect(ada.page.url()).not.toContain('#');
    await ada.sees('#earlier-keys', 'Ada');
    await shot(ada, 'earlier-keys');
    await ada.press('#earlier-keys button');
    await ada.sees('#me', 'Ada');
    await ada.sees('#earlier-keys', 'Bob');
  });

  it('shows a hostile name as the text that it is', async () => {
    const eve = await open('eve');
    const name = '<img src=x onerror=alert(1)>';
    await eve.comeIn(name);
    await eve.type('#open-title', '"><script>alert(1)</script>');
    await eve.press('#open-table');
    await eve.sees('#table-title', '"><script>alert(1)</script>');
    await eve.sees('#seats', name);
    expect(await eve.page.$$('#seats img, main script, #me img')).toEqual([]);
  });

  it('seats six on a phone, and watches them without a seat', async () => {
    const { game } = network.chain;
    const names = ['Ada', 'Bob', 'Cleo', 'Dmitri', 'Eve', 'Frideswide the very long named'];
    const players = names.map((name, index) => new Gambler(game, index + 1).register(name));
    const [first, ...others] = players;
    first?.must({ kind: 'open', title: 'Six', seats: 6, ante: 5, stake: 400 });
    for (const player of others) player.must({ kind: 'join', table: 1, stake: 400 });
    const watcher = await open('watcher', 0, 360);
    await watcher.press('#look-1');
    await watcher.sees('#seats', 'Frideswide');
    for (const player of players.slice(0, 5)) player.commit();
    await watcher.sees('#phase', 'Waiting for Frideswide the very long named to roll.');
    players[5]?.commit();
    for (const player of players.slice(0, 2)) player.reveal();
    await watcher.sees('#phase', 'All are locked in.');
    await shot(watcher, 'six-360');
    await watcher.page.setViewport({ width: 1_280, height: 800 });
    await shot(watcher, 'six-1280');
    for (const player of players.slice(2)) player.reveal();
    await watcher.sees('#rounds', '✓ dice checked');
    const faces = game.table().rounds[0]?.seats.map(({ dice }) => dice.map(String));
    expect(await watcher.dice()).toEqual(faces);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    await shot(watcher, 'six-result-1280');
    await watcher.page.setViewport({ width: 360, height: 800 });
    await shot(watcher, 'six-result-360');
    const overflow = await watcher.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
  });

  it("says in a player's words what is wrong", async () => {
    const ada = await open('ada');
    await ada.type('#name', 'a\u202eb');
    await ada.press('#register');
    await ada.sees('#name-problem', 'invisible letter');
  });

  it('says that no node answers', async () => {
    const ada = await open('ada');
    await ada.comeIn('Ada');
    for (const index of [0, 1, 2, 3]) await network.kill(index);
    await ada.sees('#notice', 'No node of the network answers');
    await ada.sees('#network-name', 'no node answers');
  });
});

describe.each([
  { name: 'a desk', width: 1_280 },
  { name: 'a phone', width: 360 },
])('on $name', ({ name, width }) => {
  it.each(['light', 'dark'])(
    'is legible and operable in %s, by axe-core, and fits the width',
    async (scheme) => {
      const { ada, bob } = await adaAndBob();
      await ada.page.setViewport({ width, height: 800 });
      await ada.page.emulateMediaFeatures([
        { name: 'prefers-color-scheme', value: scheme },
        { name: 'prefers-reduced-motion', value: 'reduce' },
      ]);
      const check = async (what: string): Promise<void> => {
        await shot(ada, `${what}-${width}-${scheme}`);
        await ada.page.bringToFront();
        await ada.page.evaluate(axe.source);
        const found = await ada.page.evaluate(async () => {
          const { violations } = await Reflect.get(globalThis, 'axe').run(document, {
            resultTypes: ['violations'],
          });
          return violations.map(
            (violation: { id: string; nodes: { html: string; failureSummary: string }[] }) => [
              violation.id,
              ...violation.nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`),
            ],
          );
        });
        expect({ name, what, found }).toEqual({ name, what, found: [] });
        const overflow = await ada.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(overflow).toBeLessThanOrEqual(0);
      };
      await check('table');
      await ada.press('#roll');
      await bob.sees('#phase', 'roll, or lose your ante');
      await bob.press('#roll');
      await ada.sees('#rounds', '#1');
      await check('round');
      await ada.press('#to-lobby');
      await ada.sees('#tables', 'Ada’s table');
      await check('lobby');
      const newcomer = await open('newcomer', 0, width);
      await newcomer.sees('#welcome', 'call you');
      await shot(newcomer, `welcome-${width}-${scheme}`);
    },
  );
});
