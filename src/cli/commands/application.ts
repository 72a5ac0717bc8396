/** `application serve`: a built-in application as a process of its own, for a node with `application.address`. */
import type { Command } from 'commander';
import { SERVABLE_NAMES, type ServableName } from '../../application/built-in-names.ts';
import { parseSocketAddress, SOCKET_ADDRESS_SHAPE } from '../../application/socket/address.ts';
import { parseApplicationName } from '../../node/application-name.ts';
import { type CommonOptions, withJson } from '../command.ts';
import { messageOf, runtimeFailure, usageFailure } from '../failure.ts';
import { createOutput } from '../output.ts';
import { stopSignal } from '../signals.ts';

interface ServeFlags extends CommonOptions {
  readonly listen: string;
  readonly dir?: string;
  readonly chainId?: string;
}

export function addApplicationCommand(program: Command): void {
  const application = program.command('application').description('applications as processes of their own');
  withJson(
    application
      .command('serve <name>')
      .description('serve a built-in application (kv, dice) to one node, until Ctrl-C'),
  )
    .requiredOption('--listen <address>', 'unix:/absolute/path or tcp:127.0.0.1:port')
    .option('--dir <dir>', 'where it keeps its state (default: in memory, and the node replays the chain)')
    .option('--chain-id <id>', 'the only chain that it serves (default: that of the first node)')
    .action(serve);
}

async function serve(name: string, { listen, dir, chainId, json }: ServeFlags): Promise<void> {
  const served = requireServable(name);
  if (parseSocketAddress(listen) === undefined) {
    throw usageFailure(`--listen: "${listen}" is no address of an application: give ${SOCKET_ADDRESS_SHAPE}`);
  }
  const [{ serveApplication }, { openServable }, { loadBlsEngine }] = await Promise.all([
    import('../../application/socket/serve.ts'),
    import('../../application/built-in.ts'),
    import('../../crypto/bls/select.ts'),
  ]);
  const { engine } = await loadBlsEngine();
  const output = createOutput(json === true);
  const stop = stopSignal();
  const report = (words: string) => output.data({ type: 'connection', words }, [words]);
  const open = () => openServable(served, engine, dir);
  const chain = chainId === undefined ? {} : { chainId };
  const server = await serveApplication(open, { listen, report, ...chain }).catch((cause: unknown) => {
    throw runtimeFailure(messageOf(cause));
  });
  output.data({ type: 'listening', address: server.address }, [`${name} listens at ${server.address}`]);
  if (!stop.aborted) await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
  await server.close();
}

/** The ledger's signatures are bound to a genesis, which no such process has. */
function requireServable(raw: string): ServableName {
  const name = SERVABLE_NAMES.find((each) => each === raw);
  if (name !== undefined) return name;
  const parsed = parseApplicationName(raw);
  throw usageFailure(
    parsed.status === 'unknown'
      ? parsed.message
      : `"${raw}" needs the genesis of its chain: it runs within the node; ${SERVABLE_NAMES.join(' and ')} can be served`,
  );
}
