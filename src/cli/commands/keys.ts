/** Commands about a home's identity: keys, show-node-id, show-validator. They show what others may see, never a secret. */
import type { Command } from 'commander';
import { toHex } from '../../base/bytes.ts';
import { homePaths } from '../../node/config/home.ts';
import type { NodeIdentity } from '../../storage/key-store.ts';
import { type CommonOptions, withJson } from '../command.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { createOutput, fields } from '../output.ts';

interface HomeOptions extends CommonOptions {
  readonly home: string;
}

const withHome = (command: Command): Command =>
  withJson(command).requiredOption('--home <dir>', "the node's home");

export function addKeyCommands(program: Command): void {
  withHome(
    program.command('keys').description('the public keys of a home, and where its key files are'),
  ).action(showKeys);
  withHome(
    program.command('show-node-id').description("the node's id, as others write it in p2p.peers"),
  ).action(showNodeId);
  withHome(
    program.command('show-validator').description('what a genesis file says of this validator'),
  ).action(showValidator);
  withHome(
    program
      .command('rotate-key')
      .description(
        'a new consensus key beside those of a home; prints what the chain has to be told (CS-16)',
      ),
  ).action(rotateKey);
}

async function showKeys(options: HomeOptions): Promise<void> {
  const { keys } = homePaths(options.home);
  const shown = publicKeys(await identityOf(options.home));
  createOutput(options.json === true).data(
    { ...shown, directory: keys },
    fields([
      ...Object.entries(shown).map(([name, value]) => [name.replaceAll('_', ' '), value] as const),
      ['directory', keys],
    ]),
  );
}

async function showNodeId(options: HomeOptions): Promise<void> {
  const { nodeId } = await identityOf(options.home);
  createOutput(options.json === true).data({ node_id: nodeId }, [nodeId]);
}

/** An entry of `validators` in a genesis file, to be given a power and a name by whoever makes the file. */
async function showValidator(options: HomeOptions): Promise<void> {
  const shown = publicKeys(await identityOf(options.home));
  createOutput(options.json === true).data(shown, [JSON.stringify(shown, undefined, 2)]);
}

/** The node reads it at its next start, and signs with it from the epoch on whose set has it. */
async function rotateKey(options: HomeOptions): Promise<void> {
  const { loadBlsEngine } = await import('../../crypto/bls/select.ts');
  const { readPassphrase } = await import('../../node/config/passphrase.ts');
  const { describeKeyProblem } = await import('../../storage/key-problems.ts');
  const { addConsensusKey } = await import('../../storage/key-store.ts');
  const { engine } = await loadBlsEngine();
  const passphrase = readPassphrase(process.env);
  const result = addConsensusKey(homePaths(options.home).keys, {
    engine,
    ...(passphrase === undefined ? {} : { passphrase }),
  });
  if (result.status === 'refused')
    throw new CommandFailure(describeKeyProblem(result.problem), EXIT_CODES.badConfig);
  const shown = publicKeys(result.identity);
  const output = createOutput(options.json === true);
  output.data(shown, [JSON.stringify(shown, undefined, 2)]);
  output.note(
    'start the node again, so that it holds the new key, and only then tell the chain (docs/operator-guide.md)',
  );
}

const publicKeys = (identity: NodeIdentity) => ({
  address: identity.nodeId,
  node_key: toHex(identity.nodeKey),
  consensus_key: toHex(identity.consensusKey),
  possession_proof: toHex(identity.possession),
});

async function identityOf(home: string): Promise<NodeIdentity> {
  const { describeKeyProblem } = await import('../../storage/key-problems.ts');
  const { loadIdentity } = await import('../../storage/key-store.ts');
  const result = loadIdentity(homePaths(home).keys);
  if (result.status === 'ready') return result.identity;
  throw new CommandFailure(describeKeyProblem(result.problem), EXIT_CODES.badConfig);
}
