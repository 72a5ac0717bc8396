/** `--watch`: a report again every second, over itself on a terminal, one after the other elsewhere, until Ctrl-C. Boundary: stdout. */
import { CommandFailure } from './failure.ts';
import { clipped, createOutput } from './output.ts';
import { pause } from './pause.ts';
import { stopSignal } from './signals.ts';

export interface Watched<Report> {
  readonly json: boolean;
  readonly read: () => Promise<Report>;
  readonly lines: (report: Report) => readonly string[];
}

/** @unit ms @source the cells look at their clocks as often */
export const WATCH_INTERVAL = 1_000;
/** Where the output is no terminal. @unit columns */
const COLUMNS_DEFAULT = 80;

export const columns = (): number => process.stdout.columns ?? COLUMNS_DEFAULT;

/** Outlives a node that does not answer for a while, and says so. */
export async function watchReport<Report>(
  first: Report,
  { json, read, lines }: Watched<Report>,
): Promise<void> {
  const signal = stopSignal();
  const stopped = new Promise<undefined>((resolve) =>
    signal.addEventListener('abort', () => resolve(undefined), { once: true }),
  );
  const output = createOutput(json);
  const live = process.stdout.isTTY && !output.json;
  if (live) process.stdout.write(CLEARED);
  const show = (shown: readonly string[], print: () => void): void => (live ? redraw(shown) : print());
  const tell = (report: Report | CommandFailure): void => {
    if (report instanceof CommandFailure) show([report.message], () => output.note(report.message));
    else show(lines(report), () => output.data(report, [...lines(report), '']));
  };
  tell(first);
  while (!signal.aborted) {
    await pause(WATCH_INTERVAL, signal);
    const report = await Promise.race([read().catch(failureOf), stopped]);
    if (report !== undefined && !signal.aborted) tell(report);
  }
}

/** What a command can say; anything else is a defect. */
export function failureOf(cause: unknown): CommandFailure {
  if (cause instanceof CommandFailure) return cause;
  throw cause;
}

const CLEARED = '\u001b[2J';
const TOP = '\u001b[H';
const LINE_CLEARED = '\u001b[K';
const REST_CLEARED = '\u001b[J';

/** Over what is there, from the top: a terminal that is cleared at each turn flickers. A line that wraps would push the last ones out. */
function redraw(lines: readonly string[]): void {
  const rows = process.stdout.rows ?? lines.length + 1;
  const shown = lines.slice(0, rows - 1).map((line) => `${clipped(line, columns())}${LINE_CLEARED}\n`);
  process.stdout.write(`${TOP}${shown.join('')}${REST_CLEARED}`);
}
