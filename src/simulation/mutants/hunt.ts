/** Puts one mutant into its trial, in a process of its own, and says how it ended. Boundary: processes. Rule SM-8. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Finding, findingFrom } from './finding.ts';
import type { Mutant, Patch } from './mutant.ts';
import { patchesText } from './patches.ts';
import type { TrialName } from './trials.ts';

const LOADER = new URL('./loader.ts', import.meta.url).href;
const TRIAL = fileURLToPath(new URL('./trial.ts', import.meta.url));

/** Seeds that a mutant has, and the time. @unit seeds, ms */
export const SEEDS_MAX = 400;
const TRIAL_MS_MAX = 240_000;

export type Outcome =
  | Finding
  | { readonly status: 'failed'; readonly detail: string; readonly seconds: number };

export const hunt = (mutant: Mutant, seeds = SEEDS_MAX): Promise<Outcome> =>
  playTrial(mutant.trial, [...(mutant.setting ?? []), ...mutant.patches], seeds);

/** The trial with these patches alone: the true source with none. */
export function playTrial(trial: TrialName, patches: readonly Patch[], seeds: number): Promise<Outcome> {
  const started = performance.now();
  const child = spawn(process.execPath, ['--import', LOADER, TRIAL, trial, '1', `${seeds}`], {
    env: { ...process.env, ALTHING_MUTANT: patchesText(patches) },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TRIAL_MS_MAX,
  });
  let said = '';
  let complained = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complained = `${complained}${text}`.slice(-2_000);
  });
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      const seconds = Math.round(performance.now() - started) / 1_000;
      const last = said.trim().split('\n').at(-1) ?? '';
      if (code === 0 && last.startsWith('{')) return resolve({ ...findingFrom(last), seconds });
      const detail = `exit ${code ?? signal}: ${complained.trim()}`;
      return resolve({ status: 'failed', detail, seconds });
    });
  });
}
