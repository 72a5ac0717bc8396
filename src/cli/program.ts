/**
 * The command line as a whole: which commands there are, and how a run becomes an exit code.
 * Data goes to stdout, all else to stderr; a user's mistake gets a sentence, never a stack trace.
 */
import { Command, CommanderError } from 'commander';
import { StartRefused } from '../node/config/start-refused.ts';
import { VERSION } from '../node/version.ts';
import { withJson } from './command.ts';
import { addApplicationCommand } from './commands/application.ts';
import { addBenchCommand } from './commands/bench.ts';
import { addBridgeCommand } from './commands/bridge.ts';
import { addChartCommand } from './commands/chart.ts';
import { addConfigCommand } from './commands/config.ts';
import { addExportCommand } from './commands/export.ts';
import { addInspectCommand } from './commands/inspect.ts';
import { addKeyCommands } from './commands/keys.ts';
import { addLedgerCommands } from './commands/ledger.ts';
import { addNetworkCommand } from './commands/network.ts';
import { addReadCommands } from './commands/read.ts';
import { addReplayCommands } from './commands/replay.ts';
import { addResetCommand } from './commands/reset.ts';
import { addResyncCommand } from './commands/resync.ts';
import { addSetupCommands } from './commands/setup.ts';
import { addShardsCommands } from './commands/shards.ts';
import { addSimulateCommand } from './commands/simulate.ts';
import { addStartCommand } from './commands/start.ts';
import { addSyncCommand } from './commands/sync.ts';
import { addTimeCommand } from './commands/time.ts';
import { addUseCommands } from './commands/use.ts';
import { addVerifyCommand } from './commands/verify.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { CommandFailure, messageOf } from './failure.ts';
import { createOutput } from './output.ts';

/** Where a command leaves an exit code other than 0 when it ends without a failure. */
export interface ExitStatus {
  code: number;
}

/** Runs one command line (without node and script). The exit code. */
export async function runProgram(args: readonly string[]): Promise<number> {
  const status: ExitStatus = { code: EXIT_CODES.ok };
  const end = args.indexOf('--');
  const json = (end === -1 ? args : args.slice(0, end)).includes('--json');
  try {
    await createProgram(status, json).parseAsync(args, { from: 'user' });
    return status.code;
  } catch (cause) {
    return report(cause, json);
  }
}

function createProgram(status: ExitStatus, json: boolean): Command {
  const program = new Command('althing')
    .description(
      'A Byzantine-fault-tolerant consensus node made of glass.\nWithout a command: a local network of four validators.',
    )
    .version(VERSION, '-V, --version', 'print the version')
    .addHelpText('after', '\nOptions of the local network: althing network --help')
    .showHelpAfterError(json ? false : '(see `althing --help`)')
    .exitOverride();
  // With --json `report` says it instead. Before the commands: they take it over.
  if (json) program.configureOutput({ outputError: () => undefined });
  addNetworkCommand(program, status);
  addStartCommand(program, status);
  addSetupCommands(program);
  addReadCommands(program);
  addTimeCommand(program);
  addInspectCommand(program);
  addBridgeCommand(program);
  addSyncCommand(program);
  addUseCommands(program);
  addVerifyCommand(program);
  addKeyCommands(program);
  addLedgerCommands(program);
  addShardsCommands(program, status);
  addResetCommand(program);
  addResyncCommand(program);
  addApplicationCommand(program);
  addConfigCommand(program);
  addChartCommand(program);
  addBenchCommand(program);
  addSimulateCommand(program, status);
  addReplayCommands(program, status);
  addExportCommand(program, status);
  withJson(program.command('version').description('print the version')).action(
    (options: { json?: boolean }) =>
      createOutput(options.json === true).data({ version: VERSION, node: process.version }, [
        `althing ${VERSION} (Node ${process.version})`,
      ]),
  );
  return program;
}

function report(thrown: unknown, json: boolean): number {
  const cause =
    thrown instanceof StartRefused ? new CommandFailure(thrown.message, EXIT_CODES.badConfig) : thrown;
  if (cause instanceof CommanderError) {
    const asked = ['commander.helpDisplayed', 'commander.help', 'commander.version'].includes(cause.code);
    if (asked) return EXIT_CODES.ok;
    // commander has printed its sentence already.
    if (json) writeFailure(cause.message.replace(/^error: /, ''), EXIT_CODES.usage, json);
    return EXIT_CODES.usage;
  }
  const exitCode = cause instanceof CommandFailure ? cause.exitCode : EXIT_CODES.runtime;
  const message = messageOf(cause);
  const words =
    cause instanceof CommandFailure
      ? message
      : `unexpected: ${message} (a defect of Althing: please report it)`;
  writeFailure(words, exitCode, json);
  if (process.env['ALTHING_DEBUG'] !== undefined && cause instanceof Error)
    process.stderr.write(`${cause.stack}\n`);
  return exitCode;
}

function writeFailure(words: string, exitCode: number, json: boolean): void {
  process.stderr.write(
    json ? `${JSON.stringify({ error: words, exit_code: exitCode })}\n` : `althing: ${words}\n`,
  );
}
