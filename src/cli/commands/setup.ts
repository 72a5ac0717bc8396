/** Commands that make homes: init, testnet. What needs cryptography is loaded when they run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { BUILT_IN_DEFAULT, BUILT_IN_NAMES } from '../../application/built-in-names.ts';
import { commandLine } from '../called.ts';
import { type CommonOptions, collectText, wholeNumber, withJson } from '../command.ts';
import { messageOf, usageFailure } from '../failure.ts';
import type { CreatedNetwork } from '../homes.ts';
import { type LeadershipOptions, leadershipOf, type Ordering, withLeadership } from '../leadership.ts';
import { BASE_PORT_DEFAULT, neighboursOf, peerAddressOf, rpcAddressOf } from '../local-network/ports.ts';
import {
  ADDRESS_HELP,
  type ApplicationOptions,
  addressesOf,
  IN_PROCESS,
  newApplication,
} from '../new-application.ts';
import { createOutput, fields, table } from '../output.ts';

interface InitOptions extends CommonOptions, LeadershipOptions, ApplicationOptions {
  readonly home: string;
  readonly moniker: string;
  readonly chainId?: string;
  readonly genesis?: string;
  readonly full?: boolean;
  readonly peer?: readonly string[];
}

interface TestnetOptions extends CommonOptions, LeadershipOptions, ApplicationOptions {
  readonly validators: number;
  readonly full: number;
  readonly output: string;
  readonly basePort: number;
  readonly chainId?: string;
}

/** @unit validators @source the largest set whose certificates fit their frames */
const TESTNET_VALIDATORS_MAX = 512;
/** @unit nodes @source GUESTS_MAX: each takes a guest's place at every validator */
const TESTNET_FULL_MAX = 32;
const ORDERINGS: readonly Ordering[] = ['plain', 'commit_reveal'];
const APPLICATION_HELP = `what the new chain runs: ${BUILT_IN_NAMES.join(', ')} (default: ${BUILT_IN_DEFAULT})`;

const orderingOption = (): Option =>
  new Option(
    '--ordering <kind>',
    'of a ledger: transfers as blocks carry them, or sealed until their order is drawn, with --vrf (default: plain)',
  ).choices(ORDERINGS);

export function addSetupCommands(program: Command): void {
  withLeadership(
    withJson(program.command('init').description('make the home of one node: keys, genesis, configuration')),
  )
    .requiredOption('--home <dir>', 'the home to make')
    .option('--moniker <name>', "the node's name", 'althing')
    .option('--chain-id <id>', 'id of the new chain, of which this node is the only validator')
    .option('--application <name>', APPLICATION_HELP)
    .option('--application-address <address>', ADDRESS_HELP)
    .addOption(orderingOption())
    .option('--genesis <file>', 'join the chain of this genesis file instead of making one')
    .option('--full', 'a full node: it follows the chain of --genesis, serves it, and has no vote')
    .option('--peer <id@host:port>', 'a node to dial and keep; repeatable', collectText)
    .action(init);
  withLeadership(
    withJson(
      program.command('testnet').description('make the homes of a network of N validators on this machine'),
    ),
  )
    .option('--validators <n>', 'how many', wholeNumber(1, TESTNET_VALIDATORS_MAX), 4)
    .option('--full <n>', 'how many full nodes beside them', wholeNumber(0, TESTNET_FULL_MAX), 0)
    .requiredOption('--output <dir>', 'where node0, node1, … go, and full0, full1, …')
    .option('--base-port <port>', 'first peer port', wholeNumber(1_024, 65_000), BASE_PORT_DEFAULT)
    .option('--chain-id <id>', 'id of the new chain')
    .option('--application <name>', APPLICATION_HELP)
    .option('--application-address <address>', ADDRESS_HELP)
    .addOption(orderingOption())
    .action(testnet);
}

/** As `p2p.peers` takes them. */
async function requirePeers(peers: readonly string[]): Promise<void> {
  const { SCHEMA } = await import('../../node/config/schema.ts');
  const wrong = peers.find((entry) => !SCHEMA.p2p.peers.type.safeParse([entry]).success);
  if (wrong === undefined) return;
  throw usageFailure(
    `--peer ${wrong}: give "id@host:port" with an id of 40 hexadecimal digits (${commandLine('show-node-id --home DIR')} on theirs)`,
  );
}

function requireFull({ full, genesis, peer }: InitOptions): void {
  if (full !== true) return;
  if (genesis === undefined) {
    throw usageFailure(
      '--full needs --genesis FILE: the genesis of the chain that the node is to follow, as its validators have it',
    );
  }
  if (peer === undefined) {
    throw usageFailure(
      '--full needs a --peer id@host:port or more: a full node has the chain from others alone',
    );
  }
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
  if (options.genesis !== undefined && options.ordering !== undefined) {
    throw usageFailure(
      '--ordering and --genesis exclude each other: the genesis file says how transfers are ordered',
    );
  }
  if (options.genesis === undefined && options.full !== true && options.peer !== undefined) {
    throw usageFailure('--peer and a new chain exclude each other: its only validator is this node');
  }
  const leadership = leadershipOf(options);
  if (options.genesis !== undefined && leadership !== undefined) {
    throw usageFailure(
      '--leader-schedule, --leader-reputation and --vrf are of a new chain: the genesis file says how leaders are chosen',
    );
  }
  const { genesis, full, peer: peers = [] } = options;
  requireFull(options);
  await requirePeers(peers);
  const { createHome, createNetwork } = await import('../homes.ts');
  const network =
    genesis === undefined
      ? await createNetwork([home], {
          chainId: options.chainId,
          leadership,
          application: newApplication(options, 1),
        })
      : await createHome(
          home,
          { text: readGenesis(genesis), source: genesis },
          {
            ...{ mode: full === true ? 'full' : 'validator', peers },
            applicationAddress: addressOf(options),
          },
        );
  createOutput(options.json === true).data(network, [
    ...fields([
      ['chain', network.chainId],
      ['home', options.home],
      ['node id', network.homes[0]?.id ?? ''],
    ]),
    isInProcess(options)
      ? 'start it from your program, by startNode(home, config, { application })'
      : `start it with: ${commandLine(`start --home ${options.home}`)}`,
  ]);
}

const isInProcess = ({ applicationAddress }: { readonly applicationAddress?: string }): boolean =>
  applicationAddress === IN_PROCESS;

const addressOf = ({ applicationAddress }: InitOptions): string | undefined =>
  applicationAddress === undefined ? undefined : addressesOf(applicationAddress, 1)[0];

async function testnet(options: TestnetOptions): Promise<void> {
  const { output, basePort, validators, chainId } = options;
  const application = newApplication(options, validators + options.full);
  const homeOf = (name: string, place: number) => ({
    path: join(output, name),
    moniker: name,
    peerAddress: peerAddressOf(basePort, place),
    rpcAddress: rpcAddressOf(basePort, place),
  });
  const homes = Array.from({ length: validators }, (_, index) => ({
    ...homeOf(`node${index}`, index),
    neighbours: neighboursOf(basePort, index, validators),
  }));
  const full = Array.from({ length: options.full }, (_, index) => homeOf(`full${index}`, validators + index));
  const { createNetwork } = await import('../homes.ts');
  const network = await createNetwork(homes, {
    ...{ chainId, application, folder: output, full },
    leadership: leadershipOf(options),
  });
  createOutput(options.json === true).data(network, testnetLines(network, options));
}

const testnetLines = (network: CreatedNetwork, options: TestnetOptions): readonly string[] => [
  `chain ${network.chainId}`,
  ...table([
    ['home', 'node id', 'is'],
    ...network.homes.map(({ path, id, mode }) => [path, id, mode === 'full' ? 'full node' : 'validator']),
  ]),
  ...(isInProcess(options)
    ? ['start each from your program, by startNode(home, config, { application })']
    : [
        `start one with: ${commandLine(`start --home ${join(options.output, 'node0')}`)}`,
        `or all validators: ${commandLine(`--data ${options.output}`)}`,
      ]),
];

function readGenesis(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw usageFailure(`--genesis ${path}: ${messageOf(cause)}`);
  }
}
