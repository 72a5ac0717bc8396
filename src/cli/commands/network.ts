/** No command, or `network`: a local network of validators, each a process, on this machine. */
import type { Command } from 'commander';
import { BUILT_IN_DEFAULT, BUILT_IN_NAMES, type BuiltInName } from '../../application/built-in-names.ts';
import { nearest } from '../../node/config/suggest.ts';
import { applicationName, type CommonOptions, wholeNumber, withJson } from '../command.ts';
import { usageFailure } from '../failure.ts';
import type { LocalHomes } from '../local-network/homes.ts';
import { runLocalNetwork } from '../local-network/network.ts';
import { BASE_PORT_DEFAULT, feedPortOf, requireFreePorts } from '../local-network/ports.ts';
import type { ExitStatus } from '../program.ts';
import { stopSignal } from '../signals.ts';

interface NetworkOptions extends CommonOptions {
  readonly validators?: number;
  readonly basePort?: number;
  readonly data: string;
  readonly application?: BuiltInName;
}

/** @unit validators @source ports from 26656 up, ten apart, and one machine's memory */
const VALIDATORS_MAX = 64;

export function addNetworkCommand(program: Command, status: ExitStatus): void {
  withJson(
    program
      .command('network', { isDefault: true })
      .description('(no command) a local network; Ctrl-C stops it, the next start goes on from there'),
  )
    .option(
      '--validators <n>',
      'validators to start (default: 4, or as many as the data has)',
      wholeNumber(1, VALIDATORS_MAX),
    )
    .option(
      '--base-port <port>',
      `first peer port; validator i has base + 10·i, its RPC one above (default: ${BASE_PORT_DEFAULT})`,
      wholeNumber(1_024, 65_000),
    )
    .option(
      '--application <name>',
      `what a new network runs: ${BUILT_IN_NAMES.join(', ')} (default: ${BUILT_IN_DEFAULT}, or what the data has)`,
      applicationName,
    )
    .option('--data <dir>', 'where the homes of the validators are', '.althing')
    .argument('[words...]')
    .usage('[options]')
    .action(async (words: readonly string[], options: NetworkOptions) => {
      // Every word that is no command ends up at the default one.
      if (words[0] !== undefined) throw unknownCommand(program, words[0]);
      status.code = await runNetwork(options);
    });
}

async function runNetwork({
  data,
  validators,
  basePort,
  application,
  json,
}: NetworkOptions): Promise<number> {
  const { holdNetwork, openLocalHomes } = await import('../local-network/homes.ts');
  const release = holdNetwork(data);
  try {
    const request = { directory: data, validators, basePort, application, requirePorts: requireFreePorts };
    const network = await openLocalHomes(request);
    const hints = hintsOf(network);
    const pagePort = feedPortOf(network.basePort);
    return await runLocalNetwork({
      ...network,
      data,
      hints,
      pagePort,
      json: json === true,
      signal: stopSignal(),
    });
  } finally {
    release();
  }
}

/** What a newcomer may type, for what the chain runs; with the home where its RPC is not where commands look by themselves. */
function hintsOf({ application, basePort, homes }: LocalHomes): readonly string[] {
  const words = FIRST_COMMANDS.get(application) ?? ['status', 'rounds'];
  return basePort === BASE_PORT_DEFAULT ? words : words.map((line) => `${line} --home ${homes[0]}`);
}

const FIRST_COMMANDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['kv', ["tx 'name=ada'", 'query name', 'rounds']],
  ['ledger', ['ledger supply', 'ledger validators', 'rounds']],
]);

function unknownCommand(program: Command, word: string): Error {
  const names = program.commands.map((command) => command.name());
  const near = nearest(word, names);
  const advice = near === undefined ? 'see `althing --help`' : `did you mean ${near}?`;
  return usageFailure(`unknown command '${word}'; ${advice}`);
}
