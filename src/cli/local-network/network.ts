/**
 * A local network: N validators, each a process of its own, on this machine, until it is interrupted. Boundary.
 * It reports a validator that dies and lets the others go on; `althing start --home` brings one back.
 */
import { flushCompileCache } from 'node:module';
import { EXIT_CODES } from '../exit-codes.ts';
import type { RunnerEvent } from '../node-events.ts';
import { jsonDisplay, liveDisplay, type NetworkDisplay, type NetworkFacts, plainDisplay } from './display.ts';
import { type ProcessEnd, startValidatorProcess, type ValidatorProcess } from './validator-process.ts';

export interface LocalNetworkOptions extends NetworkFacts {
  readonly json: boolean;
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
}

/** What a validator gets to end by itself before it is killed; all together end within 5 s. @unit ms */
const STOP_GRACE = 4_500;

/** Runs until `signal` is aborted or every validator is gone. The process's exit code. */
export async function runLocalNetwork(options: LocalNetworkOptions): Promise<number> {
  const { homes, signal } = options;
  // What this process has compiled, its children need not compile again.
  flushCompileCache();
  const display = chooseDisplay(options);
  const { processes, ends } = startAll(homes, display, signal);
  const interrupted = new Promise<'interrupted'>((resolve) => {
    if (signal.aborted) resolve('interrupted');
    signal.addEventListener('abort', () => resolve('interrupted'), { once: true });
  });
  const outcome = await Promise.race([interrupted, ends.then(() => 'all-ended' as const)]);
  if (outcome === 'interrupted') {
    display.say('stopping …');
    await Promise.all(processes.map((validator) => validator.stop(STOP_GRACE)));
  }
  const codes = new Set((await ends).map(({ code }) => code));
  if (outcome === 'all-ended') display.say('no validator is left');
  display.close();
  if (outcome === 'interrupted') return EXIT_CODES.ok;
  // Where all failed alike, that is how the network failed.
  const [code] = codes;
  return codes.size === 1 && typeof code === 'number' && code !== EXIT_CODES.ok ? code : EXIT_CODES.runtime;
}

function startAll(
  homes: readonly string[],
  display: NetworkDisplay,
  signal: AbortSignal,
): { readonly processes: readonly ValidatorProcess[]; readonly ends: Promise<readonly ProcessEnd[]> } {
  const processes = homes.map((home, index) =>
    startValidatorProcess(index, home, (event: RunnerEvent) => display.event(index, event)),
  );
  const ends = processes.map(async (validator) => {
    const end = await validator.ended;
    display.ended(validator.index, end, validator.logFile, signal.aborted);
    return end;
  });
  return { processes, ends: Promise.all(ends) };
}

function chooseDisplay(options: LocalNetworkOptions): NetworkDisplay {
  if (options.json) return jsonDisplay(options);
  return process.stdout.isTTY === true ? liveDisplay(options) : plainDisplay(options);
}
