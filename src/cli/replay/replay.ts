/** `althing replay`: verifies runs, or plays them together to where they stop, and says what is there. Boundary: disk, stdin. Rules RP-4, RP-5. */
import { isDamage } from '../../record/check-run.ts';
import type { JournalFlaw } from '../../record/run-reader.ts';
import { NotReplayable } from '../../replay/charts.ts';
import { Playback, type Stop } from '../../replay/playback.ts';
import { REPLAYED_BY } from '../../replay/replayed-by.ts';
import type { ReplayCommandOptions } from '../commands/replay.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { runtimeFailure, usageFailure } from '../failure.ts';
import { createOutput } from '../output.ts';
import { runsAt, sessionOf } from './locate.ts';
import { showPage } from './page.ts';
import { breakpointOf, cellLines, stopLines, trackData, trackTable } from './show.ts';
import { stepThrough } from './stepper.ts';
import { INSTANT_FORMS, instantOf } from './times.ts';
import { flawLine } from './verify-log.ts';
import { verifyRuns } from './verify-runs.ts';

/** @returns the exit code */
export async function replayRuns(path: string, options: ReplayCommandOptions): Promise<number> {
  refuseMixed(options);
  const runs = runsAt(path);
  try {
    if (options.verify === true) return await verifyRuns(runs, options.json === true);
    const session = sessionOf(runs);
    if (options.page === true) return await showPage(path, session, REPLAYED_BY, options);
    const playback = new Playback(session.nodes, REPLAYED_BY);
    const stop = playTo(playback, options);
    // Nodes that were stopped in order have no cells at their end: shown is what they were before.
    if (stop?.kind === 'end' && options.until === undefined) playback.seek(playback.lastWhole);
    if (options.step === true) await stepThrough(playback, process.stdin, process.stdout);
    const damage = [...session.flaws, ...playback.lanes.flatMap((lane) => lane.flaws())].filter(isDamage);
    if (options.step !== true) show(playback, stop, damage, options);
    playback.close();
    if (stop?.kind === 'divergence') return EXIT_CODES.runtime;
    return damage.length > 0 ? EXIT_CODES.corruptStore : EXIT_CODES.ok;
  } catch (error) {
    if (error instanceof NotReplayable) throw runtimeFailure(`${path}: ${error.message}`);
    throw error;
  }
}

/** Options that say nothing together are a mistake, and none is left out in silence. */
const NOT_TOGETHER = [
  ['verify', ['until', 'break', 'cell', 'step', 'page']],
  ['page', ['break', 'cell', 'step']],
  ['step', ['cell', 'json']],
] as const satisfies readonly (readonly [
  keyof ReplayCommandOptions,
  readonly (keyof ReplayCommandOptions)[],
])[];

/** @throws CommandFailure */
function refuseMixed(options: ReplayCommandOptions): void {
  for (const [one, others] of NOT_TOGETHER) {
    const other = others.find((name) => options[name] !== undefined);
    if (options[one] !== undefined && other !== undefined)
      throw usageFailure(`--${one} and --${other} do not go together: give one of them`);
  }
  if (options.break?.trim() === '') throw usageFailure('--break: give a condition, or leave it out');
}

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
  damage: readonly JournalFlaw[],
  { json = false, cell }: ReplayCommandOptions,
): void {
  const value = {
    at: new Date(playback.at).toISOString(),
    stop: stop ?? null,
    nodes: playback.lanes.map(({ player }) => trackData(player, cell)),
    damage,
  };
  createOutput(json).data(value, [
    ...stopLines(playback, stop),
    ...trackTable(playback),
    ...(cell === undefined ? [] : playback.lanes.flatMap(({ player }) => cellLines(player, cell))),
    ...damage.map(flawLine),
  ]);
}
