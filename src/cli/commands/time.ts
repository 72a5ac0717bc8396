/** `time`: the node's adjusted time, its sources and alerts; once or every second, as text, plot or JSON. */
import { type Command, Option } from 'commander';
import { type TargetOptions, withTarget } from '../command.ts';
import { createOutput } from '../output.ts';
import { callRpc, type RpcTarget, targetOf } from '../rpc-client.ts';
import { TIME } from '../shapes.ts';
import { type Time, timeLines, timePlotLines } from '../time-lines.ts';
import { columns, watchReport } from '../watch.ts';

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

async function showTime(options: TimeOptions): Promise<void> {
  const target = targetOf(options);
  // A node that is not there is a mistake at first, and a node that starts anew later.
  const first = await read(target, options);
  if (options.watch === true) {
    return watchReport(first, {
      json: options.json === true,
      read: () => read(target, options),
      lines: (time) => linesOf(time, options),
    });
  }
  createOutput(options.json === true).data(first, linesOf(first, options));
}

/** The history is for the plot and for programs. */
const read = (target: RpcTarget, { plot, json }: TimeOptions): Promise<Time> =>
  callRpc(target, 'althing_time', plot === true || json === true ? {} : { history: '0' }, TIME);

const linesOf = (time: Time, { plot }: TimeOptions): readonly string[] =>
  plot === true ? timePlotLines(time, columns()) : timeLines(time, columns());
