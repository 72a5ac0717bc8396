/** `inspect`: a running node from within, in its page or in Stately's inspector. Rules IN-1, IN-3, docs/inspector.md. */
import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { homePaths } from '../../node/config/home.ts';
import { HOSTED_INSPECTOR } from '../../observe/stately/messages.ts';
import { type CommonOptions, collectText, wholeNumber, withJson } from '../command.ts';
import { runtimeFailure, usageFailure } from '../failure.ts';
import { inspectByStately } from '../inspect/stately.ts';
import { createOutput } from '../output.ts';
import { stopSignal } from '../signals.ts';

interface InspectOptions extends CommonOptions {
  readonly feed?: URL;
  readonly home?: string;
  readonly stately?: boolean;
  readonly port: number;
  readonly inspector: URL;
  readonly cell: readonly string[];
  readonly allowOrigin: readonly string[];
}

export function addInspectCommand(program: Command): void {
  withJson(program.command('inspect').description('look inside a running node: its page'))
    .option('--home <dir>', "the node's home: prints the address of its page, with this start's token")
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
      collectText,
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
  const { href } = await feed();
  output.data({ url: href }, [href]);
}

/** Where the node's page and feed are, read anew each time: a start of the node has another token. */
function feedOf({ feed, home }: InspectOptions): () => Promise<URL> {
  if (feed !== undefined && home === undefined) return async () => feed;
  if (home === undefined || feed !== undefined)
    throw usageFailure('give --home DIR, or --feed ADDRESS as a network prints it at its start');
  const { inspectorUrlFile, configFile } = homePaths(home);
  return async () => {
    const text = await readFile(inspectorUrlFile, 'utf8').catch(() => '');
    const address = URL.parse(text.trim());
    if (address !== null) return address;
    throw runtimeFailure(
      `nobody serves a page of ${home}: the node does not run, or inspector.listen in ${configFile} is ""; "127.0.0.1:0" takes a free port`,
    );
  };
}

function webAddress(raw: string): URL {
  const address = URL.parse(raw);
  if (address?.protocol === 'http:' || address?.protocol === 'https:') return address;
  throw new InvalidArgumentError('give an address such as http://127.0.0.1:26680/#token=….');
}
