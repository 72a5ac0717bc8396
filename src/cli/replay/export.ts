/** `althing export`: a recorded run as others read it: a log for ShiViz, a regression test, a copy without payloads. Boundary: disk. Rules RP-7, RP-8. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { isDamage } from '../../record/check-run.ts';
import { redactRun } from '../../record/redact.ts';
import { type JournalFlaw, RunReader } from '../../record/run-reader.ts';
import { NotReplayable } from '../../replay/charts.ts';
import { REPLAYED_BY } from '../../replay/replayed-by.ts';
import { hostsOf, shivizLog } from '../../replay/shiviz.ts';
import { readScenario } from '../../simulation/scenario.ts';
import type { ExportOptions } from '../commands/export.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { messageOf, runtimeFailure, usageFailure } from '../failure.ts';
import { createOutput } from '../output.ts';
import { testFile } from '../simulate/findings.ts';
import { runsAt, sessionOf } from './locate.ts';
import { flawLine } from './verify-log.ts';

/** The plan of a recorded simulation, beside its journals. */
export const SCENARIO_FILE = 'scenario.json';

const NOTHING_VIOLATED = 'what a simulation found happens no more';

/** @returns the exit code */
export function exportRuns(path: string, options: ExportOptions): number {
  const { shiviz = false, test = false, redact = false } = options;
  if ([shiviz, test, redact].filter(Boolean).length !== 1)
    throw usageFailure('give one of --shiviz, --test and --redact');
  if (redact) return redactAll(path, options);
  const { text, damage } = shiviz ? shivizOf(path) : { text: testOf(path, options.output), damage: [] };
  if (options.output === undefined) process.stdout.write(text);
  else writeNew(options.output, text);
  for (const flaw of damage) createOutput(options.json === true).note(flawLine(flaw).trim());
  return exitOf(damage);
}

const exitOf = (flaws: readonly JournalFlaw[]): number =>
  flaws.some(isDamage) ? EXIT_CODES.corruptStore : EXIT_CODES.ok;

function writeNew(path: string, text: string): void {
  if (existsSync(path)) throw usageFailure(`--output ${path}: it is there already; name a new file`);
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw runtimeFailure(`--output ${path} cannot be written: ${messageOf(error)}`);
  }
}

/** @returns the log of all that can be read, and what cannot */
function shivizOf(path: string): { readonly text: string; readonly damage: readonly JournalFlaw[] } {
  const { nodes, flaws } = sessionOf(runsAt(path));
  const runs = nodes.flat().map((dir) => new RunReader(dir));
  try {
    const { hosts, flaws: met } = hostsOf(runs, REPLAYED_BY);
    const damage = [...flaws, ...runs.flatMap((run) => run.flaws), ...met].filter(isDamage);
    return { text: shivizLog(hosts), damage };
  } catch (error) {
    if (error instanceof NotReplayable) throw runtimeFailure(error.message);
    throw error;
  } finally {
    for (const run of runs) run.close();
  }
}

function redactAll(path: string, { output, json = false }: ExportOptions): number {
  if (output === undefined) throw usageFailure('--redact: name a new folder for the copy with --output');
  if (existsSync(output)) throw usageFailure(`--output ${output}: it is there already; name a new folder`);
  const redactions = runsAt(path).map((dir) => {
    const from = relative(resolve(path), resolve(dir, '..'));
    try {
      return redactRun(dir, join(output, from));
    } catch (error) {
      throw runtimeFailure(`--output ${output}: no copy of ${dir}: ${messageOf(error)}`);
    }
  });
  createOutput(json).data(
    redactions,
    redactions.flatMap(({ run, entries, flaw }) => [
      `${run}: ${entries} entries, without payloads`,
      ...(flaw === undefined ? [] : [flawLine(flaw)]),
    ]),
  );
  return exitOf(redactions.flatMap(({ flaw }) => flaw ?? []));
}

/** A file for test/simulation that plays the plan, and holds that nothing is violated. */
function testOf(path: string, output: string | undefined): string {
  const file =
    statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? join(path, SCENARIO_FILE) : path;
  if (!existsSync(file))
    throw usageFailure(
      `${file} is not there: give a scenario file, or the folder that \`althing simulate --record\` wrote`,
    );
  const text = readFileSync(file, 'utf8');
  const reading = readScenario(text);
  if (reading.status === 'refused') {
    const [{ path: where, message }] = reading.problems;
    throw usageFailure(`${file}: ${where}: ${message}`);
  }
  return testFile(output ?? 'test/simulation/found.test.ts', reading.plan, NOTHING_VIOLATED);
}
