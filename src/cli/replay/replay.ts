/** `althing replay`: verifies runs, or plays them together to where they stop, and says what is there. Boundary: disk, stdin. Rules RP-4, RP-5. */
import { canonicalText } from '../../actors/runtime/index.ts';
import { PURE_FUNCTIONS } from '../../node/recording.ts';
import { ChartsDiffer, NODE_CHARTS } from '../../replay/charts.ts';
import { Playback, type Stop } from '../../replay/playback.ts';
import { type Verification, verifyRun } from '../../replay/verify.ts';
import type { ReplayCommandOptions } from '../commands/replay.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { runtimeFailure, usageFailure } from '../failure.ts';
import { createOutput } from '../output.ts';
import { openRun, runLabel, runsAt, sessionOf } from './locate.ts';
import { showPage } from './page.ts';
import { breakpointOf, cellLines, stopLines, trackData, trackTable } from './show.ts';
import { stepThrough } from './stepper.ts';
import { INSTANT_FORMS, instantOf } from './times.ts';
import { flawLine, isDamage } from './verify-log.ts';

export const REPLAYED_BY = { charts: NODE_CHARTS, pure: PURE_FUNCTIONS };

/** @returns the exit code */
export async function replayRuns(path: string, options: ReplayCommandOptions): Promise<number> {
  const runs = runsAt(path);
  try {
    if (options.verify === true) return verifyAll(runs, options.json === true);
    if (options.page === true) return await showPage(path, sessionOf(runs), REPLAYED_BY, options);
    const playback = new Playback(sessionOf(runs), REPLAYED_BY);
    const stop = playTo(playback, options);
    if (options.step === true) await stepThrough(playback, process.stdin, process.stdout);
    else show(playback, stop, options);
    playback.close();
    return stop?.kind === 'divergence' ? EXIT_CODES.runtime : EXIT_CODES.ok;
  } catch (error) {
    if (error instanceof ChartsDiffer) throw runtimeFailure(`${path}: ${error.message}`);
    throw error;
  }
}

function verifyAll(runs: readonly string[], json: boolean): number {
  const results = runs.map((dir) => {
    const run = openRun(dir);
    const verified = verifyRun(run, REPLAYED_BY, () => performance.now());
    run.close();
    return { label: runLabel(run), verified };
  });
  createOutput(json).data(
    results.map(({ label, verified }) => ({ run: label, ...verified })),
    results.flatMap(({ label, verified }) => verificationLines(label, verified)),
  );
  if (results.some(({ verified }) => verified.divergence !== undefined)) return EXIT_CODES.runtime;
  return results.some(({ verified }) => verified.flaws.some(isDamage))
    ? EXIT_CODES.corruptStore
    : EXIT_CODES.ok;
}

function verificationLines(label: string, { turns, messages, divergence, flaws, tookMs }: Verification) {
  const speed = Math.round((messages * 1_000) / Math.max(tookMs, 1)).toLocaleString('en');
  const counts = `${messages.toLocaleString('en')} messages in ${turns.toLocaleString('en')} turns, ${speed} messages/s`;
  const lines = [`${label}: ${counts}, ${divergence === undefined ? '0 divergences' : 'DIVERGED'}`];
  if (divergence !== undefined) {
    const { turn, expected, got } = divergence;
    lines.push(`  turn ${turn}`, `  expected ${wordsOf(expected)}`, `  got      ${wordsOf(got)}`);
  }
  return [...lines, ...flaws.map(flawLine)];
}

const wordsOf = (value: unknown): string =>
  typeof value === 'string' ? value : canonicalText(value).slice(0, 400);

/** @throws CommandFailure for an expression or time that is not understood */
function playTo(playback: Playback, options: ReplayCommandOptions): Stop | undefined {
  const { from, to } = playback.span;
  const until = options.until === undefined ? to : instantOf(options.until, from);
  if (until === undefined) throw usageFailure(`--until ${options.until}: give ${INSTANT_FORMS}`);
  const isStill = options.step === true && options.until === undefined && options.break === undefined;
  return isStill ? undefined : playback.play(until, breakpointOf(options.break));
}

function show(
  playback: Playback,
  stop: Stop | undefined,
  { json = false, cell }: ReplayCommandOptions,
): void {
  const value = {
    at: new Date(playback.at).toISOString(),
    stop: stop ?? null,
    nodes: playback.lanes.map(({ player }) => trackData(player, cell)),
  };
  createOutput(json).data(value, [
    ...stopLines(playback, stop),
    ...trackTable(playback),
    ...(cell === undefined ? [] : playback.lanes.flatMap(({ player }) => cellLines(player, cell))),
  ]);
}
