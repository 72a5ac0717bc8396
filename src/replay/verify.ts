/** Plays a run to its end and compares each digest, draw and result with the recorded one. Deterministic but for the time that it takes. Rule RP-4. */
import type { Divergence } from '../actors/runtime/index.ts';
import type { JournalFlaw, RunReader } from '../record/run-reader.ts';
import { Player, type PlayerOptions } from './player.ts';

export interface Verification {
  readonly turns: number;
  /** Messages that cells processed. */
  readonly messages: number;
  readonly divergence: Divergence | undefined;
  /** Of the journal; a damaged one is verified up to the damage. */
  readonly flaws: readonly JournalFlaw[];
  readonly tookMs: number;
}

/** @throws ChartsDiffer; Error naming what this program has not got */
export function verifyRun(
  run: RunReader,
  options: Pick<PlayerOptions, 'charts' | 'pure'>,
  now: () => number,
): Verification {
  const player = new Player(run, options);
  const begun = now();
  player.finish();
  const tookMs = now() - begun;
  const flaw = player.flaw();
  const { turns, processed } = player.system.counters();
  return {
    turns,
    messages: processed,
    divergence: player.divergence(),
    flaws: flaw === undefined ? run.flaws : [...run.flaws, flaw],
    tookMs,
  };
}
