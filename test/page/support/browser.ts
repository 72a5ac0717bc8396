/** A headless Chromium (Debian's package `chromium`), and what tests do on the page of dice: find, press, wait. */
import { existsSync } from 'node:fs';
import { type Browser, launch, type Page } from 'puppeteer-core';

const CHROMIUM = '/usr/bin/chromium';

export async function openBrowser(): Promise<Browser> {
  if (!existsSync(CHROMIUM))
    throw new Error(
      `${CHROMIUM} is missing: apt-get install --no-install-recommends chromium fonts-dejavu-core`,
    );
  // Chromium has no sandbox for root, which continuous integration is.
  return launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--lang=en-US'] });
}

/** One page, as a player uses it. */
export class PlayerPage {
  readonly page: Page;
  /** What the browser complained of: errors, and breaches of the content policy. */
  readonly complaints: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(30_000);
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      // A node that is down is an error to the browser; that one is the test's own doing.
      const isNetwork = message.text().includes('ERR_CONNECTION');
      if (message.type() === 'error' && !isNetwork) this.complaints.push(message.text());
    });
  }

  static async open(browser: Browser, url: string, width = 1_280, height = 900): Promise<PlayerPage> {
    const player = new PlayerPage(await browser.newPage());
    await player.page.setViewport({ width, height });
    await player.page.goto(url);
    return player;
  }

  /** Presses with the mouse, as soon as it is shown and not disabled. */
  async press(selector: string): Promise<void> {
    await this.page.bringToFront();
    // Not a locator: it waits for frames in which nothing moves, and dice do.
    await this.page.waitForFunction(
      (where) => document.querySelector(`${where}:not(:disabled)`)?.checkVisibility() === true,
      { polling: 50 },
      selector,
    );
    await this.page.click(selector);
  }

  async type(selector: string, text: string): Promise<void> {
    await this.page.bringToFront();
    await this.page.locator(selector).fill(text);
  }

  /** Resolves when the text of what matches holds `part`. */
  async sees(selector: string, part: string): Promise<void> {
    try {
      await this.page.waitForFunction(
        (where, text) =>
          [...document.querySelectorAll<HTMLElement>(where)].some(
            (found) => found.checkVisibility() && found.textContent.includes(text),
          ),
        { polling: 50 },
        selector,
        part,
      );
    } catch (cause) {
      throw new Error(`${selector} never said "${part}"; it says "${await this.textOf(selector)}"`, {
        cause,
      });
    }
  }

  async textOf(selector: string): Promise<string> {
    return this.page.evaluate(
      (where) =>
        [...document.querySelectorAll<HTMLElement>(where)].map((found) => found.textContent).join('\n'),
      selector,
    );
  }

  async comeIn(name: string): Promise<void> {
    await this.type('#name', name);
    await this.press('#register');
    await this.sees('#me', name);
  }

  /** The faces that the reader sees on each seat, by the dice's labels. */
  async dice(): Promise<readonly (readonly string[])[]> {
    return this.page.evaluate(() =>
      [...document.querySelectorAll('.seat:not([hidden])')].map((seat) =>
        [...seat.querySelectorAll('.die')].map((die) => die.getAttribute('aria-label') ?? ''),
      ),
    );
  }
}
