/** What to do with a run that failed: tell it, make it small, keep it as a scenario file and as a test. Rule SM-6. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, extname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunPlan } from '../../simulation/plan.ts';
import { type RunReport, runPlan } from '../../simulation/run.ts';
import { writeScenario } from '../../simulation/scenario.ts';
import { failsLike, type Shrunk, shrink } from '../../simulation/shrink.ts';
import { messageOf, usageFailure } from '../failure.ts';
import type { PlanSource } from './task.ts';

/** Violations of one run that are told. */
const TOLD_MAX = 3;

/** The command that plays the same run again. */
export function replayCommand(source: PlanSource, scenarioFile?: string): string {
  if (source.kind === 'plan') return `althing simulate --scenario ${scenarioFile ?? 'FILE'}`;
  const { seed, mode, validators, lie } = source;
  return [
    `althing simulate --seeds 1 --from ${seed}`,
    ...(validators === undefined ? [] : [`--nodes ${validators}`]),
    ...(lie === undefined ? [] : [`--lie ${lie}`]),
    ...(mode === 'liveness' ? ['--liveness'] : []),
  ].join(' ');
}

export function violationLines({ plan, violations }: RunReport, replay: string): readonly string[] {
  const more = violations.length - TOLD_MAX;
  return [
    `seed ${plan.seed}: ${violations.length} violation${violations.length === 1 ? '' : 's'}`,
    ...violations.slice(0, TOLD_MAX).map(({ claim, detail }) => `  ${claim}: ${detail}`),
    ...(more > 0 ? [`  … and ${more} more`] : []),
    `  replay: ${replay}`,
  ];
}

export interface ShrinkBounds {
  readonly runsMax: number;
  /** @unit s */
  readonly secondsMax: number;
}

/** The smallest plan found that violates what the first run violated first. */
export function shrinkFinding(
  report: RunReport,
  { runsMax, secondsMax }: ShrinkBounds,
  note: (line: string) => void,
): Shrunk {
  const ends = performance.now() + secondsMax * 1_000;
  const size = (plan: RunPlan): string => `${plan.acts.length} acts in ${plan.durationMs} ms`;
  return shrink(report.plan, {
    fails: failsLike(report, (plan) => runPlan(plan)),
    runsMax,
    isTimeUp: () => performance.now() >= ends,
    progress: (plan, runs) => note(`shrinking: ${size(plan)} after ${runs} runs`),
  });
}

/** The text of a vitest file at `path` that plays the plan and wants no violation. */
export function testFile(path: string, plan: RunPlan, claim: string): string {
  const simulation = fileURLToPath(new URL('../../simulation/', import.meta.url));
  const folder = relative(dirname(resolve(path)), simulation).replaceAll('\\', '/');
  const from = folder.startsWith('.') ? folder : `./${folder}`;
  const extension = extname(import.meta.filename);
  const scenario = writeScenario(plan)
    .replaceAll('\\', '\\\\')
    .replaceAll('`', '\\`')
    .replaceAll('${', '\\${');
  return `/** A run that once failed, shrunk. Written by \`althing simulate --write-test\`. Rule SM-6. */
import { expect, it } from 'vitest';
import { runPlan } from '${from}/run${extension}';
import { readScenario } from '${from}/scenario${extension}';

const SCENARIO = \`${scenario}\`;

it(${JSON.stringify(`${claim} (seed ${plan.seed})`)}, () => {
  const reading = readScenario(SCENARIO);
  expect(reading).toMatchObject({ status: 'read' });
  if (reading.status === 'read') expect(runPlan(reading.plan).violations).toEqual([]);
});
`;
}

/** Writes what is wanted; the lines that say so. */
export function keep(
  plan: RunPlan,
  claim: string,
  files: { readonly scenario?: string; readonly test?: string },
): readonly string[] {
  const lines: string[] = [];
  if (files.scenario !== undefined) {
    const replay = `replay it: althing simulate --scenario ${files.scenario}`;
    lines.push(...written(files.scenario, writeScenario(plan, claim), `scenario: ${files.scenario}`, replay));
  }
  if (files.test !== undefined) {
    lines.push(...written(files.test, testFile(files.test, plan, claim), `test: ${files.test}`));
  }
  return lines;
}

/** Writes a file; the lines that say so, or why not: what was found must be told all the same. */
export function written(file: string, text: string, ...lines: readonly string[]): readonly string[] {
  try {
    writeFileSync(file, text);
    return lines;
  } catch (error) {
    return [`could not write ${file} (${messageOf(error)}): the seed above finds it again`];
  }
}

/** A file that a user named. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw usageFailure(`cannot read the scenario file: ${messageOf(error)}`);
  }
}
