/** `althing export`: what was recorded, for other tools and other people. Rules RP-7, RP-8, docs/journal.md. Boundary. */
import type { Command } from 'commander';
import { type CommonOptions, withJson } from '../command.ts';
import type { ExitStatus } from '../program.ts';

export interface ExportOptions extends CommonOptions {
  readonly shiviz?: boolean;
  readonly test?: boolean;
  readonly redact?: boolean;
  readonly output?: string;
}

export function addExportCommand(program: Command, status: ExitStatus): void {
  withJson(program.command('export').description('a recorded run for other tools and other people'))
    .argument('<path>', 'a run, a journal, a home, the data of a network; with --test a scenario file too')
    .option('--shiviz', 'the messages between its nodes, with vector clocks, as a log for ShiViz')
    .option('--test', 'a simulated run as a test file that fails while it fails')
    .option('--redact', 'a copy of the journals without what users sent: it cannot be replayed')
    .option('--output <path>', 'where it goes: a new file (default: stdout); with --redact a new folder')
    .action(async (path: string, options: ExportOptions) => {
      const { exportRuns } = await import('../replay/export.ts');
      status.code = exportRuns(path, options);
    });
}
