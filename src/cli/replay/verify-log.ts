/** `althing verify-log`: reads every block of every run, and names what is not as it was written. Boundary: disk. Rule RP-2, docs/journal.md. */
import { entriesOf, isFlaw, type JournalFlaw, keyframeOf, type RunReader } from '../../record/run-reader.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { bytesText, createOutput } from '../output.ts';
import { openRun, runLabel, runsAt } from './locate.ts';

interface LogReport {
  readonly run: string;
  readonly bytes: number;
  readonly entries: number;
  readonly keyframes: number;
  readonly flaws: readonly JournalFlaw[];
}

/** The exit code: a journal that was only cut or paused is whole as far as it goes. */
export function verifyLogs(path: string, json: boolean): number {
  const reports = runsAt(path).map((dir) => {
    const run = openRun(dir);
    const report = checkRun(run);
    run.close();
    return report;
  });
  createOutput(json).data(reports, reports.flatMap(linesOf));
  return reports.some(({ flaws }) => flaws.some(isDamage)) ? EXIT_CODES.corruptStore : EXIT_CODES.ok;
}

export const isDamage = ({ kind }: JournalFlaw): boolean =>
  kind === 'damaged' || kind === 'unreadable' || kind === 'missing';

function checkRun(run: RunReader): LogReport {
  const flaws = [...run.flaws];
  let [entries, keyframes] = [0, 0];
  for (const stretch of run.stretches) {
    for (const block of stretch.keyframe === undefined
      ? stretch.keyframes
      : [stretch.keyframe, ...stretch.keyframes]) {
      const read = keyframeOf(block, () => () => undefined);
      keyframes += 1;
      if (isFlaw(read)) flaws.push(read);
    }
    for (const block of stretch.entries) {
      const read = entriesOf(block);
      if (isFlaw(read)) flaws.push(read);
      else entries += read.length;
    }
  }
  return { run: runLabel(run), bytes: run.bytes, entries, keyframes, flaws };
}

const linesOf = ({ run, bytes, entries, keyframes, flaws }: LogReport): readonly string[] => [
  `${run}: ${bytesText(bytes)}, ${entries} entries, ${keyframes} keyframes, ${flaws.some(isDamage) ? 'DAMAGED' : 'whole'}`,
  ...flaws.map(flawLine),
];

/** `file, byte 1234: damaged: …` */
export const flawLine = ({ kind, path, offset, detail }: JournalFlaw): string =>
  `  ${path}, byte ${offset}: ${kind}: ${detail}`;
