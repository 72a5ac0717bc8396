/** `start`: one validator in this process, until a signal, or the end of the local network that started it. */
import { type Command, Option } from 'commander';
import type { ConfigOverride } from '../../node/config/load.ts';
import type { RunningNode } from '../../node/start.ts';
import { parseAddress } from '../../protocol/chain/parse.ts';
import { type CommonOptions, collectSetting, withJson } from '../command.ts';
import { LINKS_ORDER, type RunnerEvent } from '../node-events.ts';
import { runNode, type StartNode } from '../node-runner.ts';
import type { ExitStatus } from '../program.ts';
import { stopSignal } from '../signals.ts';

interface StartOptions extends CommonOptions {
  readonly home: string;
  readonly set?: readonly ConfigOverride[];
  readonly p2pListen?: string;
  readonly rpcListen?: string;
  readonly logLevel?: string;
  readonly managed?: boolean;
}

const SHORTCUTS = [
  { option: 'p2pListen', flag: '--p2p-listen', path: 'p2p.listen' },
  { option: 'rpcListen', flag: '--rpc-listen', path: 'rpc.listen' },
  { option: 'logLevel', flag: '--log-level', path: 'log.level' },
] as const;

export function addStartCommand(program: Command, status: ExitStatus): void {
  withJson(program.command('start').description('one node'))
    .addOption(new Option('--home <dir>', "the node's home").env('ALTHING_HOME').makeOptionMandatory())
    .option('--set <section.key=value>', 'a value of the configuration; repeatable', collectSetting)
    .option('--p2p-listen <address>', 'same as --set p2p.listen=…')
    .option('--rpc-listen <address>', 'same as --set rpc.listen=…')
    .option('--log-level <level>', 'same as --set log.level=…')
    .addOption(
      new Option(
        '--managed',
        'started by a local network: events go to it, and its end ends this',
      ).hideHelp(),
    )
    .action(async (options: StartOptions) => {
      status.code = await start(options);
    });
}

async function start(options: StartOptions): Promise<number> {
  const shortcuts = SHORTCUTS.flatMap(({ option, flag, path }): ConfigOverride[] => {
    const text = options[option];
    return text === undefined ? [] : [{ path, text, flag }];
  });
  const signals = stopSignal();
  const managed = options.managed === true && process.send !== undefined;
  const signal = managed ? AbortSignal.any([signals, parentGone()]) : signals;
  const emit = managed ? tellParent : options.json === true ? printEvent : ignoreEvent;
  // Loaded after the configuration is found right, and not above: the other commands need no node.
  const startNode: StartNode = async (home, config) =>
    (await import('../../node/start.ts')).startNode(home, config);
  return runNode(
    {
      ...{ home: options.home, overrides: [...(options.set ?? []), ...shortcuts], signal, emit },
      ...(managed ? { orders: obeyParent() } : {}),
    },
    startNode,
  );
}

/** What the parent orders of the links holds for the node that runs, and for none when there is none. */
function obeyParent(): (node: Pick<RunningNode, 'disturb'> | undefined) => void {
  let running: Pick<RunningNode, 'disturb'> | undefined;
  process.on('message', (message) => {
    const order = LINKS_ORDER.safeParse(message);
    if (!order.success) return;
    const cut = order.data.cut.flatMap((id) => {
      const peer = parseAddress(id);
      return peer === 'malformed' ? [] : [peer];
    });
    running?.disturb({ cut, delayMs: order.data.delay_ms });
  });
  return (node) => {
    running = node;
  };
}

function parentGone(): AbortSignal {
  const controller = new AbortController();
  process.once('disconnect', () => controller.abort('disconnect'));
  return controller.signal;
}

function tellParent(event: RunnerEvent): void {
  if (process.connected) process.send?.(event, undefined, undefined, () => undefined);
}

function printEvent(event: RunnerEvent): void {
  if (event.type !== 'progress') process.stdout.write(`${JSON.stringify(event)}\n`);
}

const ignoreEvent = (): void => undefined;
