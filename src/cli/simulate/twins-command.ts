/** What `simulate --twins` does: generated scenarios, or those of a set; the unsafe ones are told and kept. Rule SM-6. */
import { readTwinsSet, type TwinsScenario, writeTwinsSet } from '../../simulation/twins/index.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { usageFailure } from '../failure.ts';
import type { Output } from '../output.ts';
import type { ExitStatus } from '../program.ts';
import { exitCodeOf } from '../signals.ts';
import { readText, written } from './findings.ts';
import { mergeTwins, playTwins, replayTwins, split, type TwinsRange, twinsLines } from './twins.ts';
import { twinsProcess } from './worker-pool.ts';

export interface TwinsFlags {
  readonly pairs: number;
  readonly seeds: number;
  readonly from: number;
  readonly nodes?: number;
  readonly rounds: number;
  readonly jobs: number;
  readonly json?: boolean;
  readonly scenario?: string;
  readonly writeScenario?: string;
}

/** Refused where agreement is not promised. */
function requirePairs(pairs: number, validators: number): void {
  const most = Math.floor((validators - 1) / 3);
  if (pairs <= most) return;
  throw usageFailure(
    `--twins ${pairs}: of ${validators} validators at most ${most} may run twice, or agreement is not promised; give more --nodes`,
  );
}

/** Scenarios `from` to `from + seeds − 1` of the generator's list, or all of a set. */
export async function runTwinsCommand(
  flags: TwinsFlags,
  stop: AbortSignal,
  output: Output,
  status: ExitStatus,
): Promise<void> {
  const { pairs, seeds, from, nodes = 4, rounds, jobs, json, scenario: file } = flags;
  const set = file === undefined ? undefined : readSet(file);
  if (set === undefined) requirePairs(pairs, nodes);
  const range: TwinsRange = { validators: nodes, pairs, rounds, from, count: seeds };
  const replayOf = (number: number): string =>
    file === undefined
      ? replayTwins(range, number)
      : `althing simulate --twins ${pairs} --scenario ${file} # its scenario ${number}`;
  const isLive = process.stderr.isTTY && json !== true;
  const progress = (played: number): boolean => {
    if (isLive && played % 100 === 0) process.stderr.write(`\r\u001B[K${played} scenarios`);
    return stop.aborted;
  };
  const started = performance.now();
  const report =
    jobs === 1 || set !== undefined
      ? await playTwins(range, progress, set)
      : mergeTwins(await Promise.all(split(range, jobs).map((part) => twinsProcess(part, stop))));
  if (isLive) process.stderr.write('\r\u001B[K');
  const seconds = (performance.now() - started) / 1_000;
  const wanted = set?.length ?? seeds;
  const stopped = report.scenarios < wanted;
  const lines = [
    ...twinsLines(report, seconds, replayOf),
    ...(stopped ? [`stopped after ${report.scenarios} of ${wanted}`] : []),
  ];
  const findings = report.findings.map((one) => ({ ...one, replay: replayOf(one.number) }));
  output.data({ ...report, findings, seconds, stopped }, [...lines, ...keepFirst(flags, report.findings)]);
  if (report.unsafe > 0) status.code = EXIT_CODES.runtime;
  else if (stopped) status.code = exitCodeOf(stop.reason);
}

function readSet(file: string): readonly TwinsScenario[] {
  const reading = readTwinsSet(readText(file));
  if (reading.status === 'read') return reading.scenarios;
  throw usageFailure(reading.problems.map((problem) => `${file}: ${problem}`).join('\n'));
}

function keepFirst(
  { writeScenario: file, pairs }: TwinsFlags,
  [first]: readonly { readonly scenario: TwinsScenario; readonly violations: readonly { claim: string }[] }[],
): readonly string[] {
  if (file === undefined || first === undefined) return [];
  const replay = `replay it: althing simulate --twins ${pairs} --scenario ${file}`;
  const text = writeTwinsSet([first.scenario], first.violations[0]?.claim);
  return written(file, text, `scenario: ${file}`, replay);
}
