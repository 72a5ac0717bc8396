/**
 * `npm run mutants -- [NAME...]`: each mutant of the rules in its trial, until a checker reports; a table of which seed and
 * claim caught it, how fast. Exit 1 when one survives. `--control`: the trials on the true source, which must be clean.
 */
import { parseArgs } from 'node:util';
import { hunt, type Outcome, playTrial, SEEDS_MAX } from './hunt.ts';
import { MUTANTS } from './list.ts';
import type { Mutant } from './mutant.ts';
import { isTrialName, TRIALS, type TrialName } from './trials.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    control: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '1' },
    seeds: { type: 'string' },
    /** Another trial than the mutant's own, to see whether it sees more. */
    trial: { type: 'string' },
  },
});

const unknown = positionals.filter((name) => ![...MUTANTS.map((one) => one.name), ...TRIALS].includes(name));
if (unknown.length > 0) {
  console.error(
    `no mutant or trial ${unknown.join(', ')}; there are ${MUTANTS.map(({ name }) => name).join(', ')}`,
  );
  process.exit(2);
}

function trialOf({ trial }: Mutant): TrialName {
  return values.trial !== undefined && isTrialName(values.trial) ? values.trial : trial;
}

async function huntAll(): Promise<number> {
  const seeds = Number(values.seeds ?? SEEDS_MAX);
  const chosen = MUTANTS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const ends = await inTurns(chosen, Number(values.jobs), async (mutant) => {
    const outcome = await hunt({ ...mutant, trial: trialOf(mutant) }, seeds);
    if (!values.json) console.log(lineOf(mutant, outcome));
    return { name: mutant.name, rule: mutant.rule, trial: mutant.trial, ...outcome };
  });
  const caught = ends.filter(({ status }) => status === 'caught');
  const times = caught.map(({ seconds }) => seconds).sort((left, right) => left - right);
  const median = times[times.length >> 1] ?? 0;
  if (values.json) console.log(JSON.stringify({ caught: caught.length, total: ends.length, median, ends }));
  else console.log(`${caught.length} of ${ends.length} caught, median ${median.toFixed(1)} s`);
  return caught.length === ends.length ? 0 : 1;
}

/** The true source with each trial's settings: nothing may be found. */
async function control(): Promise<number> {
  const seeds = Number(values.seeds ?? 20);
  const plain: readonly Pick<Mutant, 'trial' | 'setting'>[] = TRIALS.map((trial) => ({ trial }));
  const set = MUTANTS.filter(({ setting }) => setting !== undefined);
  const wanted = (trial: TrialName): boolean => positionals.length === 0 || positionals.includes(trial);
  const ends = await inTurns(
    [...plain, ...set].filter(({ trial }) => wanted(trial)),
    Number(values.jobs),
    async ({ trial, setting = [] }) => {
      const outcome = await playTrial(trial, setting, seeds);
      const shown = outcome.status === 'survived' ? `clean in ${outcome.seeds} seeds` : tellOf(outcome);
      console.log(`${trial.padEnd(12)} ${setting.length > 0 ? '(set) ' : ''}${shown}, ${outcome.seconds} s`);
      return outcome;
    },
  );
  return ends.every(({ status }) => status === 'survived') ? 0 : 1;
}

/** So many at a time, results in order. */
async function inTurns<Item, Result>(
  items: readonly Item[],
  jobs: number,
  run: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) {
      const item = items[at];
      if (item !== undefined) results[at] = await run(item);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, jobs) }, worker));
  return results;
}

function lineOf(mutant: Mutant, outcome: Outcome): string {
  const end = outcome.status === 'caught' ? 'caught  ' : 'SURVIVED';
  const seconds = outcome.seconds.toFixed(1).padStart(6);
  return `${end} ${mutant.name.padEnd(36)} ${mutant.trial.padEnd(10)} ${seconds} s  ${tellOf(outcome)}`;
}

function tellOf(outcome: Outcome): string {
  switch (outcome.status) {
    case 'caught':
      return `seed ${outcome.seed}: ${outcome.claim}: ${outcome.detail.slice(0, 160)}`;
    case 'survived':
      return `${outcome.seeds} seeds`;
    case 'failed':
      return outcome.detail;
  }
}

process.exitCode = values.control ? await control() : await huntAll();
