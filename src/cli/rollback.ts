/** `resync --rollback`: works on the files of a stopped node (seed 001: the old chain is retained for a rollback). Boundary: the disk. */
import { loadBlsEngine } from '../crypto/bls/select.ts';
import { loadGenesis } from '../node/config/genesis-file.ts';
import { homePaths } from '../node/config/home.ts';
import { rememberedPossessions } from '../node/config/possessions.ts';
import { type RollbackCode, rollbackSwap } from '../storage/chain-swap.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { CommandFailure, configFailure } from './failure.ts';
import { stoppedHome } from './folders.ts';
import { createOutput } from './output.ts';

/** What the operator can mend without a damaged store. */
const EXIT_CODES_BY_PROBLEM: Partial<Record<RollbackCode, number>> = {
  LOCKED: EXIT_CODES.runtime,
  NO_BACKUP: EXIT_CODES.usage,
};

export async function rollBack(
  given: string | undefined,
  json: boolean,
  confirm: () => Promise<void>,
): Promise<void> {
  const home = stoppedHome(given, 'resync --rollback');
  const paths = homePaths(home);
  const { engine } = await loadBlsEngine();
  const genesis = loadGenesis(paths.genesisFile, rememberedPossessions(engine, paths.possessions));
  if (genesis.status === 'refused') throw configFailure(genesis.problems);
  await confirm();
  const chain = { genesisHash: genesis.hash, chainId: genesis.genesis.chainId };
  const outcome = rollbackSwap(paths, { chain });
  if (outcome.status === 'problem') {
    const { code, path, detail } = outcome;
    throw new CommandFailure(`${path}: ${detail}`, EXIT_CODES_BY_PROBLEM[code] ?? EXIT_CODES.corruptStore);
  }
  const { what, from } = outcome;
  createOutput(json).data({ home, what, from }, [
    what === 'swap'
      ? `the chain that was replaced (${from}) is the chain of ${home} again`
      : `the downloaded chain had not taken its place yet, and is deleted (${from}): the chain of ${home} is as it was`,
    'what was signed since is kept; `althing start` goes on from here',
  ]);
}
