/** Which BLS engine this machine runs: blst where its binary loads, noble elsewhere. Loads a native module. */
import { createBlstEngine } from './blst.ts';
import type { BlsEngine } from './engine.ts';
import { createNobleEngine } from './noble.ts';

/** The engine to use; `fallbackReason` says why it is not the first choice, for the log. */
export interface BlsEngineChoice {
  readonly engine: BlsEngine;
  readonly fallbackReason?: string;
}

/** blst, or noble when there is no binary for this platform. Never rejects. */
export async function loadBlsEngine(): Promise<BlsEngineChoice> {
  try {
    return { engine: createBlstEngine(await import('@chainsafe/blst')) };
  } catch (error) {
    return { engine: createNobleEngine(), fallbackReason: describe(error) };
  }
}

const describe = (error: unknown): string =>
  `@chainsafe/blst did not load on ${process.platform}-${process.arch} (${error instanceof Error ? error.message : String(error)}); BLS runs in JavaScript, about 30 times slower`;
