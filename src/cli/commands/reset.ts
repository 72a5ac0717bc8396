/** `reset`: deletes a home's chain and application state, so that the node gets them again; keeps what it has signed. */
import { rmSync } from 'node:fs';
import type { Command } from 'commander';
import { homePaths } from '../../node/config/home.ts';
import { type CommonOptions, withJson } from '../command.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { CommandFailure, messageOf, runtimeFailure } from '../failure.ts';
import { requireHome } from '../folders.ts';
import { createOutput } from '../output.ts';

interface ResetOptions extends CommonOptions {
  readonly home: string;
  readonly force?: boolean;
}

export function addResetCommand(program: Command): void {
  withJson(
    program
      .command('reset')
      .description('delete the chain of a stopped node; keeps keys and what it has signed'),
  )
    .requiredOption('--home <dir>', "the node's home")
    .option('--force', 'forget what it has signed too: only for keys that never sign again on this chain')
    .action(reset);
}

async function reset({ home, force, json }: ResetOptions): Promise<void> {
  const { data, applicationData, resyncData, keys } = homePaths(home);
  requireHome(home);
  const { resetChainData } = await import('../../storage/reset.ts');
  const outcome = resetChainData(data, { keepSafetyRecord: force !== true, witnessDir: keys });
  if (outcome.status === 'problem') {
    const words = `${outcome.path}: ${outcome.detail}`;
    throw outcome.code === 'LOCKED'
      ? runtimeFailure(words)
      : new CommandFailure(words, EXIT_CODES.corruptStore);
  }
  // A new chain that waits for the next start would take the place of what is to be synced.
  for (const dir of [applicationData, resyncData]) {
    try {
      rmSync(dir, { recursive: true, force: true });
    } catch (cause) {
      throw runtimeFailure(`${dir}: ${messageOf(cause)}`);
    }
  }
  const { recordVersion } = outcome;
  createOutput(json === true).data({ home, record_version: recordVersion }, [
    `the chain of ${home} is deleted; the node gets it again from its peers`,
    recordVersion === 0 ? 'there is no safety record' : `the safety record is kept (number ${recordVersion})`,
  ]);
}
