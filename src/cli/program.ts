/**
 * The command line as a whole: which commands there are, and how a run becomes an exit code.
 * Data goes to stdout, all else to stderr; a user's mistake gets a sentence, never a stack trace.
 */
import { Command, CommanderError } from 'commander';
import { VERSION } from '../node/version.ts';
import { withJson } from './command.ts';
import { addBenchCommand } from './commands/bench.ts';
import { addConfigCommand } from './commands/config.ts';
import { addKeyCommands } from './commands/keys.ts';
import { addNetworkCommand } from './commands/network.ts';
import { addReadCommands } from './commands/read.ts';
import { addResetCommand } from './commands/reset.ts';
import { addSetupCommands } from './commands/setup.ts';
import { addStartCommand } from './commands/start.ts';
import { addUseCommands } from './commands/use.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';
import { createOutput } from './output.ts';

/** Where a command leaves an exit code other than 0 when it ends without a failure. */
export interface ExitStatus {
  code: number;
}

/** Runs one command line (without node and script). The exit code. */
export async function runProgram(args: readonly string[]): Promise<number> {
  const status: ExitStatus = { code: EXIT_CODES.ok };
  try {
    await createProgram(status).parseAsync(args, { from: 'user' });
    return status.code;
  } catch (cause) {
    return report(cause, args.includes('--json'));
  }
}

function createProgram(status: ExitStatus): Command {
  const program = new Command('althing')
    .description(
      'A Byzantine-fault-tolerant consensus node made of glass.\nWithout a command: a local network of four validators.',
    )
    .version(VERSION, '-V, --version', 'print the version')
    .addHelpText('after', '\nOptions of the local network: althing network --help')
    .showHelpAfterError('(see `althing --help`)')
    .exitOverride();
  addNetworkCommand(program, status);
  addStartCommand(program, status);
  addSetupCommands(program);
  addReadCommands(program);
  addUseCommands(program);
  addKeyCommands(program);
  addResetCommand(program);
  addConfigCommand(program);
  addBenchCommand(program);
  withJson(program.command('version').description('print the version')).action(
    (options: { json?: boolean }) =>
      createOutput(options.json === true).data({ version: VERSION, node: process.version }, [
        `althing ${VERSION} (Node ${process.version})`,
      ]),
  );
  return program;
}

function report(cause: unknown, json: boolean): number {
  if (cause instanceof CommanderError) {
    const asked = ['commander.helpDisplayed', 'commander.help', 'commander.version'].includes(cause.code);
    // commander has printed its sentence already.
    return asked ? EXIT_CODES.ok : EXIT_CODES.usage;
  }
  const exitCode = cause instanceof CommandFailure ? cause.exitCode : EXIT_CODES.runtime;
  const message = cause instanceof Error ? cause.message : String(cause);
  const words =
    cause instanceof CommandFailure
      ? message
      : `unexpected: ${message} (a defect of Althing: please report it)`;
  process.stderr.write(
    json ? `${JSON.stringify({ error: words, exit_code: exitCode })}\n` : `althing: ${words}\n`,
  );
  if (process.env['ALTHING_DEBUG'] !== undefined && cause instanceof Error)
    process.stderr.write(`${cause.stack}\n`);
  return exitCode;
}
