/** `application serve`: a built-in application as a process of its own, for a node with `application.address`. */
import type { Command } from 'commander';
import { type BuiltInName, isServable, SERVABLE_NAMES } from '../../application/built-in-names.ts';
import { parseSocketAddress, SOCKET_ADDRESS_SHAPE } from '../../application/socket/address.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { parseApplicationName } from '../../node/application-name.ts';
import { loadGenesis } from '../../node/config/genesis-file.ts';
import type { Application } from '../../protocol/ports/application.ts';
import { type CommonOptions, withJson } from '../command.ts';
import { configFailure, messageOf, runtimeFailure, usageFailure } from '../failure.ts';
import { createOutput } from '../output.ts';
import { stopSignal } from '../signals.ts';

interface ServeFlags extends CommonOptions {
  readonly listen: string;
  readonly dir?: string;
  readonly chainId?: string;
  readonly genesis?: string;
}

export function addApplicationCommand(program: Command): void {
  const application = program.command('application').description('applications as processes of their own');
  withJson(
    application.command('serve <name>').description('serve a built-in application to one node, until Ctrl-C'),
  )
    .requiredOption('--listen <address>', 'unix:/absolute/path or tcp:127.0.0.1:port')
    .option('--dir <dir>', 'where it keeps its state (default: in memory, and the node replays the chain)')
    .option('--genesis <file>', 'that of its chain, the only one that it serves; ledger needs it')
    .option('--chain-id <id>', 'the only chain that it serves (default: that of the first node)')
    .action(serve);
}

async function serve(raw: string, { listen, dir, json, ...flags }: ServeFlags): Promise<void> {
  const name = requireBuiltIn(raw);
  if (parseSocketAddress(listen) === undefined) {
    throw usageFailure(`--listen: "${listen}" is no address of an application: give ${SOCKET_ADDRESS_SHAPE}`);
  }
  const [{ serveApplication }, { loadBlsEngine }] = await Promise.all([
    import('../../application/socket/serve.ts'),
    import('../../crypto/bls/select.ts'),
  ]);
  const { engine } = await loadBlsEngine();
  const { open, chainId } = await servedOf(name, flags, engine, dir);
  const output = createOutput(json === true);
  const stop = stopSignal();
  const report = (words: string) => output.data({ type: 'connection', words }, [words]);
  const chain = chainId === undefined ? {} : { chainId };
  const server = await serveApplication(open, { listen, report, ...chain }).catch((cause: unknown) => {
    throw runtimeFailure(messageOf(cause));
  });
  output.data({ type: 'listening', address: server.address }, [`${name} listens at ${server.address}`]);
  if (!stop.aborted) await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
  await server.close();
}

function requireBuiltIn(raw: string): BuiltInName {
  const parsed = parseApplicationName(raw);
  if (parsed.status === 'built-in') return parsed.name;
  throw usageFailure(parsed.message);
}

interface Served {
  readonly open: () => Application;
  /** Undefined: that of the first node. */
  readonly chainId: string | undefined;
}

/** What is signed for the ledger names the genesis, and its state does not: it must be told. */
async function servedOf(
  name: BuiltInName,
  { genesis, chainId }: Pick<ServeFlags, 'genesis' | 'chainId'>,
  bls: BlsEngine,
  dir: string | undefined,
): Promise<Served> {
  const { openBuiltIn, openServable } = await import('../../application/built-in.ts');
  if (genesis === undefined) {
    if (isServable(name)) return { open: () => openServable(name, bls, dir), chainId };
    throw usageFailure(
      `"${name}" needs the genesis of its chain: give --genesis FILE, a copy of the node's config/genesis.json ` +
        `(${SERVABLE_NAMES.join(' and ')} need none)`,
    );
  }
  if (chainId !== undefined)
    throw usageFailure('--chain-id and --genesis exclude each other: a genesis names its chain');
  const read = loadGenesis(genesis, bls);
  if (read.status === 'refused') throw configFailure(read.problems);
  const domain = { chainId: read.genesis.chainId, genesisHash: read.hash };
  const { vrf, validatorChangePercent } = read.genesis.parameters;
  const parts = { bls, domain, vrf, validatorChangePercent };
  return { open: () => openBuiltIn(name, parts, dir), chainId: domain.chainId };
}
