/** `althing verify-log`: reads every block of every run, and names what is not as it was written. Boundary: disk. Rule RP-2, docs/journal.md. */
import { checkRun, isDamage, type RunCheck } from '../../record/check-run.ts';
import type { JournalFlaw } from '../../record/run-reader.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { bytesText, createOutput } from '../output.ts';
import { runsAt } from './locate.ts';

/** The exit code: a journal that was only cut or paused is whole as far as it goes. */
export function verifyLogs(path: string, json: boolean): number {
  const checks = runsAt(path).map(checkRun);
  createOutput(json).data(checks, checks.flatMap(linesOf));
  return checks.some(({ flaws }) => flaws.some(isDamage)) ? EXIT_CODES.corruptStore : EXIT_CODES.ok;
}

const linesOf = ({ run, bytes, segments, entries, keyframes, flaws }: RunCheck): readonly string[] => [
  `${run}: ${bytesText(bytes)} in ${segments} segment${segments === 1 ? '' : 's'}, ${entries.toLocaleString('en')} entries, ${keyframes} keyframes, ${flaws.some(isDamage) ? 'DAMAGED' : 'whole'}`,
  ...flaws.map(flawLine),
];

/** `file, byte 1234: damaged: …` */
export const flawLine = ({ kind, path, offset, detail }: JournalFlaw): string =>
  `  ${path}, byte ${offset}: ${kind}: ${detail}`;
