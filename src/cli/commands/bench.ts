/** `bench`: what a local network of validators does on this machine, in figures; and where their time goes. */
import { tmpdir } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import type { ConfigOverride } from '../../node/config/load.ts';
import type { TimeReport } from '../bench/profile.ts';
import type { BenchOptions, BenchResult } from '../bench/result.ts';
import { type CommonOptions, collectSetting, collectText, wholeNumber, withJson } from '../command.ts';
import { usageFailure } from '../failure.ts';
import { createOutput, type Output } from '../output.ts';
import { stopSignal } from '../signals.ts';

interface BenchFlags extends CommonOptions {
  readonly validators: number;
  readonly seconds: number;
  readonly rate: number | 'max';
  readonly batch: number;
  readonly lanes: number;
  readonly window: number;
  readonly finalityRate: number;
  readonly runs: number;
  readonly dir: string;
  readonly set?: readonly ConfigOverride[];
  readonly nodeFlag?: readonly string[];
  readonly profile?: boolean;
  readonly profileDir?: string;
  readonly write?: boolean;
}

export function addBenchCommand(program: Command): void {
  withJson(
    program
      .command('bench')
      .description('throughput, finality, memory of a fresh local network on this machine'),
  )
    .option('--seconds <n>', 'measured time of a run', wholeNumber(1, 86_400), 30)
    .option(
      '--rate <n|max>',
      'transactions/s sent whatever is answered, or as much as commits',
      rateOf,
      'max',
    )
    .option('--runs <n>', 'runs, each with a new network; the medians are told', wholeNumber(1, 100), 1)
    .option('--dir <dir>', 'where the homes are for the time of a run', tmpdir())
    .option('--validators <n>', 'validators, each a process', wholeNumber(1, 64), 4)
    .option('--batch <n>', 'transactions in one request', wholeNumber(1, 10_000), 200)
    .option('--lanes <n>', 'requests under way to each validator', wholeNumber(1, 500), 8)
    .option('--window <n>', 'with max: transactions under way', wholeNumber(1, 1_000_000), 20_000)
    .option('--finality-rate <n>', 'transactions/s of the finality probes', wholeNumber(1, 10_000), 20)
    .option(
      '--set <section.key=value>',
      "a value of the validators' configuration; repeatable",
      collectSetting,
    )
    .option('--node-flag <flag>', 'a flag of Node for the validators; repeatable', collectText)
    .option('--profile', 'also record where the validators spend their time; costs some')
    .option('--profile-dir <dir>', 'keep the .cpuprofile files there')
    .option('--write', 'store the result as bench/results/<date>-network.json')
    .action(runBenchCommand);
}

async function runBenchCommand(flags: BenchFlags): Promise<void> {
  const { runBench } = await import('../bench/run.ts');
  const { circumstances } = await import('../bench/machine.ts');
  const { reportLines, summaryOf } = await import('../bench/report.ts');
  const { TRANSACTION_BYTES } = await import('../bench/payload.ts');
  const output = createOutput(flags.json === true);
  const options = optionsOf(flags);
  const signal = stopSignal();
  await ensureFolder(flags.dir);
  const at = circumstances(flags.dir);
  const profiling = await profilingOf(flags);
  const runs: BenchResult['runs'][number][] = [];
  for (let index = 0; index < flags.runs; index += 1) {
    if (flags.runs > 1) output.note(`run ${index + 1} of ${flags.runs}`);
    const nodeFlags = [...(flags.nodeFlag ?? []), ...profiling.nodeFlags];
    runs.push(
      await runBench(options, nodeFlags, { signal, note: output.note, measured: profiling.measured }),
    );
  }
  const result: BenchResult = {
    kind: 'network',
    circumstances: at,
    options: { ...options, transaction_bytes: TRANSACTION_BYTES },
    summary: summaryOf(runs),
    runs,
  };
  const time = profiling.report();
  const lines = [...reportLines(result), ...(time === undefined ? [] : await timeLines(time))];
  output.data(time === undefined ? result : { ...result, time: shortened(time) }, lines);
  if (flags.write === true) await store(result, output);
}

/** @throws CommandFailure where there can be none */
async function ensureFolder(dir: string): Promise<void> {
  const { mkdirSync } = await import('node:fs');
  try {
    mkdirSync(dir, { recursive: true });
  } catch (error) {
    throw usageFailure(`--dir ${dir}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const optionsOf = (flags: BenchFlags): BenchOptions => ({
  directory: flags.dir,
  validators: flags.validators,
  seconds: flags.seconds,
  rate: flags.rate,
  batch: flags.batch,
  lanes: flags.lanes,
  window: flags.window,
  finalityRate: flags.finalityRate,
  settings: (flags.set ?? []).map(({ path, text }) => `${path}=${text}`),
});

interface Profiling {
  readonly nodeFlags: readonly string[];
  readonly measured: (from: number, to: number) => void;
  readonly report: () => TimeReport | undefined;
}

/** Functions told of a profile. */
const FUNCTIONS_SHOWN = 10;

/** The profiles of all runs are read together, in the window of the last one when there is only one. */
async function profilingOf({ profile, profileDir, runs }: BenchFlags): Promise<Profiling> {
  if (profile !== true && profileDir === undefined) {
    return { nodeFlags: [], measured: () => undefined, report: () => undefined };
  }
  const { mkdirSync, mkdtempSync, rmSync } = await import('node:fs');
  const { join, resolve } = await import('node:path');
  const { readProfiles, whereTimeGoes } = await import('../bench/profile.ts');
  const kept = profileDir === undefined ? undefined : resolve(profileDir);
  if (kept !== undefined) mkdirSync(kept, { recursive: true });
  const directory = kept ?? mkdtempSync(join(tmpdir(), 'althing-profile-'));
  let window: { readonly from: number; readonly to: number } | undefined;
  return {
    nodeFlags: ['--cpu-prof', '--cpu-prof-dir', directory],
    measured: (from, to) => {
      window = { from, to };
    },
    report: () => {
      const report = whereTimeGoes(readProfiles(directory), runs === 1 ? window : undefined);
      if (kept === undefined) rmSync(directory, { recursive: true, force: true });
      return report;
    },
  };
}

async function timeLines(time: TimeReport): Promise<readonly string[]> {
  const { inWords, percent } = await import('../bench/profile.ts');
  const busy = time.busyMs / Math.max(1, time.busyMs + time.idleMs);
  return [
    '',
    `where the validators' time goes (busy ${percent(busy).trim()} of the threads' time):`,
    ...inWords(time, FUNCTIONS_SHOWN),
    '',
    'by part of the program, natives and libraries counted to whoever called them:',
    ...time.parts.map(({ name, share }) => `${percent(share)}  ${name}`),
  ];
}

const shortened = (time: TimeReport): TimeReport => ({
  ...time,
  functions: time.functions.slice(0, FUNCTIONS_SHOWN),
});

async function store(result: BenchResult, output: Output): Promise<void> {
  const { mkdirSync, writeFileSync } = await import('node:fs');
  const { join } = await import('node:path');
  const directory = join('bench', 'results');
  mkdirSync(directory, { recursive: true });
  const name = `${result.circumstances.date.replaceAll(':', '').slice(0, 17)}Z-network.json`;
  writeFileSync(join(directory, name), `${JSON.stringify(result, undefined, 2)}\n`);
  output.note(`stored as ${join(directory, name)}`);
}

const RATE = wholeNumber(1, 10_000_000);
const rateOf = (raw: string): number | 'max' => {
  if (raw === 'max') return 'max';
  try {
    return RATE(raw);
  } catch {
    throw new InvalidArgumentError('give a whole number of transactions/s, or max.');
  }
};
