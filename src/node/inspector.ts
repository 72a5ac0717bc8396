/**
 * The cell `surface/inspector`: serves this node's feed to viewers on this machine. What it fails at is written to the log, and never
 * stops what it looks at. Boundary: sockets, a file, the loop's delay. Rules IN-1, IN-2, IN-4, docs/inspector.md.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type CellSpec, child, handler, type System } from '../actors/runtime/index.ts';
import { fromHex, utf8 } from '../base/bytes.ts';
import { newToken } from '../observe/feed/access.ts';
import { Collector } from '../observe/feed/collector.ts';
import type { Control, NodeCard, NodeHealth } from '../observe/feed/feed.ts';
import { LiveSource } from '../observe/feed/live.ts';
import { PAGE_FOLDER, pageFiles } from '../observe/feed/page-files.ts';
import { type FeedServer, startFeedServer } from '../observe/feed/server.ts';
import { type Outcome, refusedWith } from '../observe/feed/source.ts';
import type { NodeLog } from '../observe/log.ts';
import { parseHeight } from '../protocol/chain/parse.ts';
import type { JournalStatus } from '../record/journal-writer.ts';
import type { NodePort } from '../rpc/node-port.ts';
import type { StoreReader } from '../storage/store.ts';
import { found } from './chain-port.ts';
import type { Config } from './config/schema.ts';
import { answerQuestion } from './feed/answers.ts';
import type { CommittedBelow } from './feed/chain.ts';
import { type NodeLens, nodeLens } from './feed/lens.ts';

/** What is looked at. */
export interface Inspected {
  readonly system: System;
  readonly port: NodePort;
  readonly store: Pick<StoreReader, 'blocksFrom'>;
  /** Undefined where nothing is recorded. */
  readonly journal: () => JournalStatus | undefined;
}

export interface InspectorParts {
  readonly config: Config['inspector'];
  /** Holds the address with the token while the cell runs. */
  readonly urlFile: string;
  readonly log: Pick<ReturnType<NodeLog['of']>, 'info' | 'error'>;
}

/** One node's inspector. Lives as long as the node; the cell behind it may be restarted. */
export class NodeInspector {
  readonly #parts: InspectorParts;
  #inspected: Inspected | undefined;
  #url: string | undefined;

  constructor(parts: InspectorParts) {
    this.#parts = parts;
  }

  /** Undefined while nothing is served. */
  get url(): string | undefined {
    return this.#url;
  }

  /** None where it is off. */
  cells(): readonly CellSpec[] {
    if (this.#parts.config.listen === '') return [];
    const logic = handler<Served | undefined, never>({
      init: () => this.#open(),
      receive: () => undefined,
      terminate: ({ state }) => this.#close(state),
    });
    return [child('inspector', logic)];
  }

  /** What it is to look at: known once the node is composed, before its cells start. */
  lookAt(inspected: Inspected): void {
    this.#inspected = inspected;
  }

  async #open(): Promise<Served | undefined> {
    if (this.#inspected === undefined) return undefined;
    const served = await serve(this.#parts, this.#inspected);
    this.#url = served?.server.url;
    return served;
  }

  async #close(served: Served | undefined): Promise<void> {
    this.#url = undefined;
    if (served === undefined) return;
    rmSync(this.#parts.urlFile, { force: true });
    // First the door: who came in meanwhile would begin to look again.
    await served.server.close();
    served.source.close();
  }
}

interface Served {
  readonly server: FeedServer;
  readonly source: LiveSource;
}

/** @unit mode @source the token opens the door */
const OWNER_ONLY = 0o600;

async function serve(
  { config, urlFile, log }: InspectorParts,
  inspected: Inspected,
): Promise<Served | undefined> {
  const source = sourceOf(inspected, config.allowControl, (failure) =>
    log.error({ failure: String(failure) }, 'the inspector failed: viewers are sent away, the node goes on'),
  );
  const { host, port } = placeOf(config.listen);
  let server: FeedServer | undefined;
  try {
    server = await startFeedServer({
      ...{ source, host, port, token: newToken() },
      allowedHosts: config.allowedHosts,
      viewersMax: config.viewersMax,
      pages: (listening) => pageFiles(PAGE_FOLDER, listening),
    });
    writeFileSync(urlFile, `${server.url}\n`, { mode: OWNER_ONLY });
    log.info(`look into this node at http://${server.address}/; \`althing inspect --home\` has the token`);
    return { server, source };
  } catch (failure) {
    // Without the file nobody has the token: a door that nobody can open.
    await server?.close();
    source.close();
    const words = failure instanceof Error ? failure.message : String(failure);
    log.error(`inspector.listen ${config.listen}: ${words}; the node runs without its inspector`);
    return undefined;
  }
}

function placeOf(listen: string): { readonly host: string; readonly port: number } {
  const colon = listen.lastIndexOf(':');
  return { host: listen.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(listen.slice(colon + 1)) };
}

function sourceOf(
  { system, port, store, journal }: Inspected,
  allowControl: boolean,
  failed: (failure: unknown) => void,
): LiveSource {
  let lens: NodeLens | undefined;
  const names = new Map(port.genesis().validators.map(({ address, name }) => [address, name]));
  const makeLens = (): NodeLens => {
    const lag = loopLag();
    const end = (): void => {
      lag.stop();
      // It keeps messages and blocks, which nobody asks for any more.
      lens = undefined;
    };
    lens = nodeLens({
      ...{ system, names, committedBelow: committedBelow(store), end },
      loopLag: lag.read,
      systemOffset: () => port.time().systemOffset,
      reasons: () => port.health().reasons,
      journal: () => journalHealth(journal()),
    });
    return lens;
  };
  return new LiveSource({
    collector: new Collector({ system, lens: makeLens }),
    title: port.status().moniker,
    card: () => cardOf(port),
    ask: (question) => answerQuestion(question, port, lens),
    failed,
    ...(allowControl ? { control: { kinds: ['submit'], order: (control) => obey(port, control) } } : {}),
  });
}

/** RP-2: what is lowered is said. */
const journalHealth = (status: JournalStatus | undefined): NonNullable<NodeHealth['journal']> => ({
  bytes: status?.written ?? 0,
  detail: status?.state === 'recording' ? 'full' : status?.state === 'paused' ? 'lowered' : 'off',
  dropped: status?.missing ?? 0,
});

function cardOf(port: NodePort): NodeCard {
  const { nodeId, moniker, chainId, genesisHash, version, power } = port.status();
  return { id: nodeId, moniker, chainId, genesisHash, version, power: String(power), isUp: true };
}

/** Of stored headers, at one look. @unit bytes @source 64 of the largest proposals */
const BLOCKS_BYTES_MAX = 16 * 1_048_576;

const committedBelow =
  (store: Inspected['store']): CommittedBelow =>
  (height, limit) => {
    const from = parseHeight(Math.max(1, height - limit + 1));
    if (from === 'malformed' || from > height) return [];
    return found(store.blocksFrom(from, height - from + 1, BLOCKS_BYTES_MAX)).blocks;
  };

/** How often the loop is probed. @unit ms @source perf_hooks' default is 10 */
const PROBE_MS = 20;
const NANOS_PER_MS = 1e6;

/** While somebody looks. A probe comes so often at the best, so that much is no delay. */
function loopLag() {
  const histogram = monitorEventLoopDelay({ resolution: PROBE_MS });
  histogram.enable();
  const of = (nanos: number): number => Math.max(0, Math.round(nanos / NANOS_PER_MS - PROBE_MS));
  return {
    read: () => {
      const lag = {
        p50: of(histogram.percentile(50)),
        p99: of(histogram.percentile(99)),
        max: of(histogram.max),
      };
      histogram.reset();
      return lag;
    },
    stop: () => void histogram.disable(),
  };
}

/** Whose rate it counts for. */
const CLIENT = 'inspector';

async function obey(port: NodePort, control: Control): Promise<Outcome> {
  if (control.kind !== 'submit')
    return refusedWith('NOT_HERE', `'${control.kind}' is for who runs the processes: a local network`);
  const bytes = transactionOf(control.transaction);
  if (bytes === undefined)
    return refusedWith('MALFORMED', 'after 0x come hexadecimal digits, two for each byte');
  try {
    const [admission] = await port.submit([bytes], CLIENT);
    if (admission === undefined) return refusedWith('NOT_ANSWERED', 'the bridge did not answer');
    return admission.status === 'refused'
      ? refusedWith(String(admission.code), admission.log)
      : { status: 'done', answer: { hash: admission.hash } };
  } catch (failure) {
    return refusedWith('FAILED', failure instanceof Error ? failure.message : String(failure));
  }
}

/** Text, or bytes as `0x…`. */
function transactionOf(text: string): Uint8Array | undefined {
  if (!text.startsWith('0x')) return utf8(text);
  return fromHex(text.slice(2));
}
