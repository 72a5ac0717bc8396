/** `inspect`: a running node from within, in its page or in Stately's inspector. Rules IN-1, IN-3, docs/inspector.md. */
import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { homePaths } from '../../node/config/home.ts';
import { HOSTED_INSPECTOR } from '../../observe/stately/messages.ts';
import { type CommonOptions, collectText, wholeNumber, withJson } from '../command.ts';
import { runtimeFailure, usageFailure } from '../failure.ts';
import { inspectByStately } from '../inspect/stately.ts';
import { networkUrlFile } from '../local-network/feed.ts';
import { createOutput } from '../output.ts';
import { stopSignal } from '../signals.ts';

interface InspectOptions extends CommonOptions {
  readonly feed?: URL;
  readonly home?: string;
  readonly data?: string;
  readonly stately?: boolean;
  readonly port: number;
  readonly inspector: URL;
  readonly cell: readonly string[];
  readonly allowOrigin: readonly string[];
}

export function addInspectCommand(program: Command): void {
  withJson(program.command('inspect').description('look inside a running node: its page'))
    .option('--home <dir>', "the node's home: prints the address of its page, with this start's token")
    .option('--data <dir>', 'of a local network: the folder that it runs in (default: .althing)')
    .option(
      '--feed <address>',
      "with --stately: that address, of a network or of another user's node",
      webAddress,
    )
    .option('--stately', "tell Stately's inspector what the feed says, until Ctrl-C")
    .option('--cell <address>', 'with --stately: this cell and those below it (repeatable)', collectText, [])
    .option('--port <number>', 'with --stately: where to listen; 0: a free one', wholeNumber(0, 65_535), 0)
    .option(
      '--inspector <address>',
      "with --stately: the inspector's page",
      webAddress,
      new URL(HOSTED_INSPECTOR),
    )
    .option(
      '--allow-origin <origin>',
      'with --stately: a page that may read too (repeatable)',
      collectOrigin,
      [],
    )
    .action(inspect);
}

async function inspect(options: InspectOptions): Promise<void> {
  const { stately, port, inspector, cell: only, allowOrigin: allowedOrigins, json } = options;
  const output = createOutput(json === true);
  const feed = feedOf(options);
  if (stately === true) {
    const signal = stopSignal();
    return inspectByStately({ feed, port, inspector, only, allowedOrigins, signal, output });
  }
  const address = await feed();
  await assertServed(address);
  output.data({ url: address.href }, [address.href]);
}

/** @unit ms @source a busy node of this machine, many times */
const ANSWER_MS_MAX = 3_000;

/** A node that was killed leaves its file behind, and in it an address that is nobody's. */
async function assertServed(address: URL): Promise<void> {
  try {
    await fetch(address, { method: 'HEAD', signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  } catch {
    throw runtimeFailure(
      `nobody answers at http://${address.host}/, where the page was served last: the node or network has ended, or is ending; start it again`,
    );
  }
}

/** Where page and feed are, read anew each time: another start has another token. */
function feedOf({ feed, home, data }: InspectOptions): () => Promise<URL> {
  const given = [feed, home, data].filter((one) => one !== undefined);
  if (given.length > 1) throw usageFailure('give one of --home DIR, --data DIR and --feed ADDRESS');
  if (feed !== undefined) return async () => feed;
  if (home !== undefined) {
    const { inspectorUrlFile, configFile } = homePaths(home);
    const remedy = `the node does not run, or inspector.listen in ${configFile} is ""; "127.0.0.1:0" takes a free port`;
    return () => addressIn(inspectorUrlFile, `nobody serves a page of ${home}: ${remedy}`);
  }
  const folder = data ?? NETWORK_DATA;
  const remedy = 'no local network runs there; of another node give --home DIR';
  return () => addressIn(networkUrlFile(folder), `nobody serves a page of ${folder}: ${remedy}`);
}

async function addressIn(file: string, otherwise: string): Promise<URL> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const address = URL.parse(text.trim());
  if (address === null) throw runtimeFailure(otherwise);
  return address;
}

/** As the command that starts the network. */
const NETWORK_DATA = '.althing';

/** As browsers write it in `Origin`: no path, no `/` at the end. */
function collectOrigin(raw: string, before: readonly string[] = []): readonly string[] {
  const { origin, href } = webAddress(raw);
  if (href !== `${origin}/`)
    throw new InvalidArgumentError(`give an origin, without a path: ${origin} for ${raw}.`);
  return [...before, origin];
}

function webAddress(raw: string): URL {
  const address = URL.parse(raw);
  if (address?.protocol === 'http:' || address?.protocol === 'https:') return address;
  throw new InvalidArgumentError('give an address such as http://127.0.0.1:26680/#token=….');
}
