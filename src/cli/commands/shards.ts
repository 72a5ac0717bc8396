/** `shards …` and `relay`: several chains on one machine, coins between chains, and whoever carries them. docs/sharding.md. */
import { type Command, InvalidArgumentError } from 'commander';
import { type CommonOptions, wholeNumber, withJson } from '../command.ts';
import { usageFailure } from '../failure.ts';
import { BASE_PORT_DEFAULT, feedPortOf } from '../local-network/ports.ts';
import { createOutput, fields, table } from '../output.ts';
import type { ExitStatus } from '../program.ts';
import { stopSignal } from '../signals.ts';

interface DataOptions extends CommonOptions {
  readonly data: string;
}
interface StartOptions extends DataOptions {
  readonly shards?: number;
  readonly validators?: number;
  readonly basePort?: number;
  readonly relayer: boolean;
}
interface TransferOptions extends DataOptions {
  readonly key?: string;
  readonly from?: number;
  readonly to?: number;
  readonly wait: boolean;
}
interface RelayOptions extends CommonOptions {
  readonly data?: string;
  readonly chain?: readonly (readonly string[])[];
  readonly key?: string;
}

const DATA_DEFAULT = '.althing-shards';
/** @unit validators of one shard, and shards @source one machine's memory */
const VALIDATORS_MAX = 16;
const SHARDS_MAX = 16;

export function addShardsCommands(program: Command, status: ExitStatus): void {
  const shards = program
    .command('shards')
    .description('several chains that share their coins, on this machine (docs/sharding.md)');
  withData(shards.command('start').description('start them, and a relayer between them; Ctrl-C stops all'))
    .option('--shards <n>', 'chains (default: 2, or as many as the data has)', wholeNumber(2, SHARDS_MAX))
    .option(
      '--validators <n>',
      'validators of each (default: 4, or as many as the data has)',
      wholeNumber(1, VALIDATORS_MAX),
    )
    .option(
      '--base-port <port>',
      'first peer port; every validator has the next ten',
      wholeNumber(1_024, 65_000),
    )
    .option('--no-relayer', 'leave the relayer away: `althing relay` is one')
    .action(async (options: StartOptions) => {
      status.code = await startShards(options);
    });
  withData(shards.command('transfer').description('send coins from an account to another, wherever they are'))
    .argument('<to>', 'the address of the recipient, al1…')
    .argument('<amount>', 'coins, as in 12.5')
    .option('--key <file>', 'the key file of the account (default: the faucet of --data)')
    .option(
      '--from <shard>',
      'the shard that pays (default: that of the account)',
      wholeNumber(0, SHARDS_MAX),
    )
    .option(
      '--to <shard>',
      'the shard that gets them (default: that of the recipient)',
      wholeNumber(0, SHARDS_MAX),
    )
    .option('--no-wait', 'do not wait until they have come')
    .action(transfer);
  withData(shards.command('balance').description('what an account has, on each shard'))
    .argument('<address>', 'al1…')
    .action(balance);
  withData(
    shards.command('supply').description('where all coins are: on each shard, and on their way'),
  ).action(supply);
  withJson(
    program
      .command('relay')
      .description('carry coins between ledgers; anyone may, and nobody has to be trusted'),
  )
    .option('--data <dir>', 'between all shards of `althing shards start`')
    .option(
      '--chain <rpc>',
      'the RPC of one chain, host:port, several of its nodes with commas; give it once a chain',
      collectChain,
    )
    .option('--key <file>', 'the account that pays the fees, on every chain (default: the relayer of --data)')
    .action(runRelay);
}

const withData = (command: Command): Command =>
  withJson(command).option('--data <dir>', 'where the shards are', DATA_DEFAULT);

function collectChain(
  raw: string,
  before: readonly (readonly string[])[] = [],
): readonly (readonly string[])[] {
  const endpoints = raw.split(',').map((address) => {
    const url = URL.parse(/^https?:\/\//.test(address) ? address : `http://${address}`);
    if (url === null || url.hostname === '') throw new InvalidArgumentError('give host:port, or a URL.');
    return url.origin;
  });
  return [...before, endpoints];
}

async function startShards(options: StartOptions): Promise<number> {
  const { holdNetwork } = await import('../local-network/homes.ts');
  const { runLocalNetwork } = await import('../local-network/network.ts');
  const { openLocalShards } = await import('../shards/local-shards.ts');
  const { data: directory, shards, validators, basePort, relayer, json } = options;
  const release = holdNetwork(directory);
  try {
    const found = await openLocalShards({ directory, shards, validators, basePort });
    const signal = stopSignal();
    const chains = found.map(({ chainId }) => chainId).join(', ');
    const homes = found.flatMap((shard) => shard.homes);
    const place = directory === DATA_DEFAULT ? '' : ` --data ${directory}`;
    const hints = ['supply', 'transfer al1… 12.5'].map((words) => `shards ${words}${place}`);
    const network = runLocalNetwork({
      ...{ chainId: chains, data: directory, homes, hints, json: json === true, signal },
      pagePort: pagePortOf(found[0]?.endpoints[0] ?? ''),
    });
    const until = new AbortController();
    const relaying = relayer ? relayBeside(directory, AbortSignal.any([signal, until.signal])) : undefined;
    const code = await network;
    until.abort();
    await relaying;
    return code;
  } finally {
    release();
  }
}

/** Beside the first validator's RPC, as of a network of one chain. */
function pagePortOf(endpoint: string): number {
  const port = Number(URL.parse(endpoint)?.port ?? '');
  return feedPortOf(port > 0 ? port - 1 : BASE_PORT_DEFAULT);
}

/** Begins when the validators answer; what fails is tried again, and told where it is a terminal that listens. */
async function relayBeside(directory: string, signal: AbortSignal): Promise<void> {
  const { relayLocal } = await import('../shards/commands.ts');
  await relayLocal(directory, signal);
}

async function transfer(to: string, amount: string, options: TransferOptions): Promise<void> {
  const { transferBetween } = await import('../shards/commands.ts');
  const { coinsText } = await import('../../application/ledger/amount.ts');
  const { data, key, from, to: toShard, wait } = options;
  const done = await transferBetween({ directory: data, key, from, toShard, recipient: to, amount, wait });
  const { ledger, route, ...sent } = done;
  createOutput(options.json === true).data(
    { ...sent, from: route.from, to: route.to, amount: done.amount.toString() },
    [
      ...fields([
        ['from', `${route.from}, height ${sent.height}`],
        ['to', route.to],
        ['amount', coinsText(done.amount, ledger)],
        ['credited', sent.creditedAfter === undefined ? 'not waited for' : `after ${sent.creditedAfter} ms`],
      ]),
    ],
  );
}

async function balance(address: string, options: DataOptions): Promise<void> {
  const { balancesOf } = await import('../shards/commands.ts');
  const { coinsText } = await import('../../application/ledger/amount.ts');
  const found = await balancesOf(options.data, address);
  createOutput(options.json === true).data(
    found.map(({ chainId, balance: units, isHome }) => ({
      chain_id: chainId,
      balance: units.toString(),
      home: isHome,
    })),
    table([
      ['shard', 'balance', ''],
      ...found.map(({ chainId, balance: units, isHome, ledger }) => [
        chainId,
        coinsText(units, ledger),
        isHome ? 'routed here' : '',
      ]),
    ]),
  );
}

async function supply(options: DataOptions): Promise<void> {
  const { supplyOf } = await import('../shards/commands.ts');
  const { coinsText } = await import('../../application/ledger/amount.ts');
  const { runtimeFailure } = await import('../failure.ts');
  const { shards, onTheWay } = await supplyOf(options.data);
  const wrong = onTheWay.find(({ units }) => units < 0n);
  if (wrong !== undefined) {
    throw runtimeFailure(
      `${wrong.to} has credited ${-wrong.units} units more than ${wrong.from} has sent: its validators lie, or those of ${wrong.from} did`,
    );
  }
  const [coin] = shards.map(({ ledger }) => ledger);
  createOutput(options.json === true).data(
    {
      shards: shards.map(({ chainId, units, burned }) => ({
        ...{ chain_id: chainId, supply: units.toString(), burned: burned.toString() },
      })),
      on_the_way: onTheWay.map(({ from, to, units }) => ({ from, to, amount: units.toString() })),
    },
    table([
      ['where', 'coins'],
      ...shards.map(({ chainId, units, ledger }) => [chainId, coinsText(units, ledger)]),
      ...onTheWay.map(({ from, to, units }) => [
        `${from} → ${to}`,
        coin === undefined ? '' : coinsText(units, coin),
      ]),
    ]),
  );
}

async function runRelay({ data, chain = [], key, json }: RelayOptions): Promise<void> {
  if (data === undefined && chain.length < 2)
    throw usageFailure(
      'between which chains? give --chain RPC for each of two or more, or --data DIR of local shards',
    );
  if (data === undefined && key === undefined)
    throw usageFailure(
      'who pays the fees? give --key FILE of an account that has coins on each of the chains',
    );
  const { relayBetween } = await import('../shards/commands.ts');
  await relayBetween({
    directory: data,
    chains: chain,
    key,
    signal: stopSignal(),
    output: createOutput(json === true),
  });
}
