/** Commands that make homes: init, testnet. What needs cryptography is loaded when they run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { BUILT_IN_DEFAULT, BUILT_IN_NAMES, type BuiltInName } from '../../application/built-in-names.ts';
import { commandLine } from '../called.ts';
import { applicationName, type CommonOptions, wholeNumber, withJson } from '../command.ts';
import { messageOf, usageFailure } from '../failure.ts';
import type { CreatedNetwork } from '../homes.ts';
import { BASE_PORT_DEFAULT, neighboursOf, peerAddressOf, rpcAddressOf } from '../local-network/ports.ts';
import { createOutput, fields, table } from '../output.ts';

interface InitOptions extends CommonOptions {
  readonly home: string;
  readonly moniker: string;
  readonly chainId?: string;
  readonly genesis?: string;
  readonly application?: BuiltInName;
}

interface TestnetOptions extends CommonOptions {
  readonly validators: number;
  readonly output: string;
  readonly basePort: number;
  readonly chainId?: string;
  readonly application?: BuiltInName;
}

/** @unit validators @source the largest set whose certificates fit their frames */
const TESTNET_VALIDATORS_MAX = 512;
const APPLICATION_HELP = `what the new chain runs: ${BUILT_IN_NAMES.join(', ')} (default: ${BUILT_IN_DEFAULT})`;

export function addSetupCommands(program: Command): void {
  withJson(program.command('init').description('make the home of one node: keys, genesis, configuration'))
    .requiredOption('--home <dir>', 'the home to make')
    .option('--moniker <name>', "the node's name", 'althing')
    .option('--chain-id <id>', 'id of the new chain, of which this node is the only validator')
    .option('--application <name>', APPLICATION_HELP, applicationName)
    .option('--genesis <file>', 'join the chain of this genesis file instead of making one')
    .action(init);
  withJson(
    program.command('testnet').description('make the homes of a network of N validators on this machine'),
  )
    .option('--validators <n>', 'how many', wholeNumber(1, TESTNET_VALIDATORS_MAX), 4)
    .requiredOption('--output <dir>', 'where node0, node1, … go')
    .option('--base-port <port>', 'first peer port', wholeNumber(1_024, 65_000), BASE_PORT_DEFAULT)
    .option('--chain-id <id>', 'id of the new chain')
    .option('--application <name>', APPLICATION_HELP, applicationName)
    .action(testnet);
}

async function init(options: InitOptions): Promise<void> {
  const home = {
    path: options.home,
    moniker: options.moniker,
    peerAddress: peerAddressOf(BASE_PORT_DEFAULT, 0),
    rpcAddress: rpcAddressOf(BASE_PORT_DEFAULT, 0),
  };
  if (options.genesis !== undefined && options.chainId !== undefined) {
    throw usageFailure('--chain-id and --genesis exclude each other: the genesis file names the chain');
  }
  if (options.genesis !== undefined && options.application !== undefined) {
    throw usageFailure(
      '--application and --genesis exclude each other: the genesis file names the application',
    );
  }
  const { createHome, createNetwork } = await import('../homes.ts');
  const network =
    options.genesis === undefined
      ? await createNetwork([home], options)
      : await createHome(home, readGenesis(options.genesis), options.genesis);
  createOutput(options.json === true).data(network, [
    ...fields([
      ['chain', network.chainId],
      ['home', options.home],
      ['node id', network.homes[0]?.id ?? ''],
    ]),
    `start it with: ${commandLine(`start --home ${options.home}`)}`,
  ]);
}

async function testnet(options: TestnetOptions): Promise<void> {
  const homes = Array.from({ length: options.validators }, (_, index) => ({
    path: join(options.output, `node${index}`),
    moniker: `node${index}`,
    peerAddress: peerAddressOf(options.basePort, index),
    rpcAddress: rpcAddressOf(options.basePort, index),
    neighbours: neighboursOf(options.basePort, index, options.validators),
  }));
  const { createNetwork } = await import('../homes.ts');
  const network = await createNetwork(homes, { ...options, folder: options.output });
  createOutput(options.json === true).data(network, testnetLines(network, options.output));
}

const testnetLines = (network: CreatedNetwork, output: string): readonly string[] => [
  `chain ${network.chainId}`,
  ...table([['home', 'node id'], ...network.homes.map(({ path, id }) => [path, id])]),
  `start one with: ${commandLine(`start --home ${join(output, 'node0')}`)}`,
  `or all of them: ${commandLine(`--data ${output}`)}`,
];

function readGenesis(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw usageFailure(`--genesis ${path}: ${messageOf(cause)}`);
  }
}
