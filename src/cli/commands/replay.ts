/** `althing replay`, `verify-log` and `diff`: what journals say, repeated, checked and compared. Rules RP-2, RP-4 to RP-6, docs/journal.md. Boundary. */
import type { Command } from 'commander';
import { type CommonOptions, wholeNumber, withJson } from '../command.ts';
import type { ExitStatus } from '../program.ts';

export interface ReplayCommandOptions extends CommonOptions {
  readonly verify?: boolean;
  readonly until?: string;
  readonly break?: string;
  readonly step?: boolean;
  readonly cell?: string;
  readonly page?: boolean;
  readonly port?: number;
}

export function addReplayCommands(program: Command, status: ExitStatus): void {
  withJson(program.command('replay').description('repeat a recorded run, to the identical state'))
    .argument('<path>', 'a run, a journal, a home, or the data of a network: the newest run of each node')
    .option('--verify', 'compare every digest of every run there; exit code 1 at the first divergence')
    .option('--until <time>', 'stop there: +30s from the beginning, or a time like 2026-11-23T10:00:00Z')
    .option(
      '--break <expression>',
      'stop where it holds: round > 7, state sync-coordinator = syncing, refusal …',
    )
    .option('--cell <address>', 'show what this cell knows where the replay stops')
    .option('--step', 'then go on by hand: commands from stdin, `help` lists them')
    .option('--page', 'show it in a page of its own, until Ctrl-C; prints the address')
    .option('--port <number>', 'of the page (default: a free one)', wholeNumber(0, 65_535))
    .action(async (path: string, options: ReplayCommandOptions) => {
      // Loaded when it is wanted: it holds all charts of a node.
      const { replayRuns } = await import('../replay/replay.ts');
      status.code = await replayRuns(path, options);
    });
  withJson(program.command('verify-log').description('check every byte of a journal'))
    .argument('<path>', 'a run, a journal, a home, or the data of a network')
    .action(async (path: string, options: CommonOptions) => {
      const { verifyLogs } = await import('../replay/verify-log.ts');
      status.code = verifyLogs(path, options.json === true);
    });
  withJson(program.command('diff').description('the first place where two recorded runs part'))
    .argument('<left>', 'a run, a journal, a home, or the data of a network')
    .argument('<right>', 'another')
    .addHelpText(
      'after',
      [
        '',
        'Lives of one node with the same draws (a simulation, repeated) are compared input by input: the first message, timer or result that one has',
        'and the other has not, and the cell that took it. Others are compared by what they committed: the first height with two blocks.',
        'Exit code 1 when they differ.',
      ].join('\n'),
    )
    .action(async (left: string, right: string, options: CommonOptions) => {
      const { diffRuns } = await import('../replay/diff.ts');
      status.code = diffRuns(left, right, options.json === true);
    });
}
