/** `time`: the node's adjusted time, its sources and alerts; once or every second, as text, plot or JSON. */
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { type Command, Option } from 'commander';
import { type TargetOptions, withTarget } from '../command.ts';
import { CommandFailure } from '../failure.ts';
import { createOutput } from '../output.ts';
import { callRpc, type RpcTarget, targetOf } from '../rpc-client.ts';
import { TIME } from '../shapes.ts';
import { stopSignal } from '../signals.ts';
import { type Time, timeLines, timePlotLines } from '../time-lines.ts';

interface TimeOptions extends TargetOptions {
  readonly watch?: boolean;
  readonly plot?: boolean;
}

export function addTimeCommand(program: Command): void {
  withTarget(program.command('time').description('adjusted time, its error bound, its sources and alerts'))
    .option('--watch', 'again every second, until Ctrl-C')
    .addOption(new Option('--plot', 'plot the offsets of the clocks over the last updates').conflicts('json'))
    .action(showTime);
}

/** @unit ms @source the coordinator looks at its clocks as often */
const WATCH_INTERVAL = 1_000;
/** Where the output is no terminal. @unit columns */
const COLUMNS_DEFAULT = 80;

async function showTime(options: TimeOptions): Promise<void> {
  const target = targetOf(options);
  // A node that is not there is a mistake at first, and a node that starts anew later.
  const first = await read(target, options);
  if (options.watch === true) return watch(target, options, first);
  createOutput(options.json === true).data(first, linesOf(first, options));
}

/** The history is for the plot and for programs. */
const read = (target: RpcTarget, { plot, json }: TimeOptions): Promise<Time> =>
  callRpc(target, 'althing_time', plot === true || json === true ? {} : { history: '0' }, TIME);

const columns = (): number => process.stdout.columns ?? COLUMNS_DEFAULT;

const linesOf = (time: Time, { plot }: TimeOptions): readonly string[] =>
  plot === true ? timePlotLines(time, columns()) : timeLines(time, columns());

async function watch(target: RpcTarget, options: TimeOptions, first: Time): Promise<void> {
  const signal = stopSignal();
  const stopped = new Promise<undefined>((resolve) =>
    signal.addEventListener('abort', () => resolve(undefined), { once: true }),
  );
  const output = createOutput(options.json === true);
  const live = process.stdout.isTTY && !output.json;
  if (live) process.stdout.write(CLEARED);
  const show = (lines: readonly string[], print: () => void): void => (live ? redraw(lines) : print());
  const tell = (time: Time | CommandFailure): void => {
    if (time instanceof CommandFailure) show([time.message], () => output.note(time.message));
    else show(linesOf(time, options), () => output.data(time, [...linesOf(time, options), '']));
  };
  tell(first);
  while (!signal.aborted) {
    await sleep(WATCH_INTERVAL, undefined, { signal }).catch(() => undefined);
    const time = await Promise.race([read(target, options).catch(failureOf), stopped]);
    if (time !== undefined && !signal.aborted) tell(time);
  }
}

function failureOf(cause: unknown): CommandFailure {
  if (cause instanceof CommandFailure) return cause;
  throw cause;
}

const CLEARED = '\u001b[2J';
const TOP = '\u001b[H';
const LINE_CLEARED = '\u001b[K';
const REST_CLEARED = '\u001b[J';

/** Over what is there, from the top: a terminal that is cleared at each turn flickers. */
function redraw(lines: readonly string[]): void {
  const rows = process.stdout.rows ?? lines.length + 1;
  const shown = lines.slice(0, rows - 1).map((line) => `${clipped(line, columns())}${LINE_CLEARED}\n`);
  process.stdout.write(`${TOP}${shown.join('')}${REST_CLEARED}`);
}

/** A line that wraps would push the last ones out. */
function clipped(line: string, width: number): string {
  const visible = stripVTControlCharacters(line);
  return visible.length <= width ? line : visible.slice(0, width);
}
