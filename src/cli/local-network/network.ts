/**
 * A local network: N validators, each a process of its own, on this machine, until it is interrupted; and one page for all of them. Boundary.
 * It reports a validator that dies and lets the others go on; the page, or `althing start --home`, brings one back.
 */
import { flushCompileCache } from 'node:module';
import { EXIT_CODES } from '../exit-codes.ts';
import type { RunnerEvent } from '../node-events.ts';
import { jsonDisplay, liveDisplay, type NetworkDisplay, type NetworkFacts, plainDisplay } from './display.ts';
import { FEEDING_SETTINGS, type NetworkFeed, serveNetworkFeed } from './feed.ts';
import { Validators } from './validators.ts';

export interface LocalNetworkOptions extends Omit<NetworkFacts, 'page'> {
  /** Where its page listens if that is free. */
  readonly pagePort: number;
  readonly json: boolean;
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
}

/** Runs until `signal` is aborted or every validator is gone. The process's exit code. */
export async function runLocalNetwork(options: LocalNetworkOptions): Promise<number> {
  const { homes, signal } = options;
  // What this process has compiled, its children need not compile again.
  flushCompileCache();
  const feed = await serveNetworkFeed({
    ...options,
    port: options.pagePort,
    validators: () => validators,
  });
  const display = chooseDisplay({ ...options, page: feed.url });
  const validators = new Validators({
    homes,
    settings: FEEDING_SETTINGS,
    event: (index, event) => hear(index, event, display, feed),
    ended: (index, end, logFile, isOrdered) => {
      feed.down(index);
      display.ended(index, end, logFile, isOrdered || signal.aborted);
    },
  });
  validators.startAll();
  const interrupted = new Promise<'interrupted'>((resolve) => {
    if (signal.aborted) resolve('interrupted');
    signal.addEventListener('abort', () => resolve('interrupted'), { once: true });
  });
  const outcome = await Promise.race([interrupted, validators.allEnded.then(() => 'all-ended' as const)]);
  if (outcome === 'interrupted') {
    display.say('stopping …');
    await validators.stopAll();
  }
  await feed.close();
  const codes = new Set(validators.ends.map(({ code }) => code));
  if (outcome === 'all-ended') display.say('no validator is left');
  display.close();
  if (outcome === 'interrupted') return EXIT_CODES.ok;
  // Where all failed alike, that is how the network failed.
  const [code] = codes;
  return codes.size === 1 && typeof code === 'number' && code !== EXIT_CODES.ok ? code : EXIT_CODES.runtime;
}

function hear(index: number, event: RunnerEvent, display: NetworkDisplay, feed: NetworkFeed): void {
  if (event.type === 'ready') feed.up(index, event);
  display.event(index, event);
}

function chooseDisplay(options: LocalNetworkOptions & NetworkFacts): NetworkDisplay {
  if (options.json) return jsonDisplay(options);
  return process.stdout.isTTY === true ? liveDisplay(options) : plainDisplay(options);
}
