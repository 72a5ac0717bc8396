/**
 * One page for all validators of a local network: it reads each one's feed, and may order what only the parent of their processes can.
 * Boundary: sockets, a file. Rules IN-1, IN-2, docs/inspector.md.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { VERSION } from '../../node/version.ts';
import { newToken } from '../../observe/feed/access.ts';
import type { Control, NodeCard } from '../../observe/feed/feed.ts';
import { MergedSource } from '../../observe/feed/merged.ts';
import { PAGE_FOLDER, pageFiles } from '../../observe/feed/page-files.ts';
import { type FeedServer, type FeedServerOptions, startFeedServer } from '../../observe/feed/server.ts';
import { type Outcome, refusedWith } from '../../observe/feed/source.ts';
import type { RunnerEvent } from '../node-events.ts';
import { Links } from './links.ts';
import type { Validators } from './validators.ts';

export interface NetworkFeedParts {
  readonly chainId: string;
  readonly homes: readonly string[];
  /** The folder of the network. */
  readonly data: string;
  /** Where it listens if that is free, so that a page finds it again; else anywhere. */
  readonly port: number;
  /** Known once they are started. */
  readonly validators: () => Validators;
}

export interface NetworkFeed {
  /** With its token. */
  readonly url: string;
  readonly up: (index: number, ready: Extract<RunnerEvent, { type: 'ready' }>) => void;
  readonly down: (index: number) => void;
  readonly close: () => Promise<void>;
}

/** Holds the address with the token while the network runs. */
export const networkUrlFile = (data: string): string => join(data, 'inspector.url');

/** What each validator is started with: its own feed, for this process alone. */
export const FEEDING_SETTINGS: readonly string[] = [
  'inspector.listen=127.0.0.1:0',
  'inspector.allow_control=true',
];

const HOST = '127.0.0.1';
const OWNER_ONLY = 0o600;
const CONTROLS: readonly Control['kind'][] = ['submit', 'stop', 'kill', 'start', 'partition', 'delay'];

export async function serveNetworkFeed(parts: NetworkFeedParts): Promise<NetworkFeed> {
  const links = new Links(parts);
  const source = new MergedSource({
    title: parts.chainId,
    cards: parts.homes.map((_, index) => cardBefore(parts.chainId, index)),
    control: { kinds: CONTROLS, order: (control) => obey(control, source, links, parts) },
  });
  const server = await listen(parts.port, {
    ...{ source, host: HOST, token: newToken() },
    pages: (listening) => pageFiles(PAGE_FOLDER, listening),
  });
  writeFileSync(networkUrlFile(parts.data), `${server.url}\n`, { mode: OWNER_ONLY });
  return {
    url: server.url,
    up(index, { id, inspector_url: url }) {
      source.set(index, url, id);
      links.met(index, id);
    },
    down: (index) => source.set(index, undefined),
    async close() {
      rmSync(networkUrlFile(parts.data), { force: true });
      await server.close();
    },
  };
}

const listen = (port: number, options: Omit<FeedServerOptions, 'port'>): Promise<FeedServer> =>
  startFeedServer({ ...options, port }).catch(() => startFeedServer({ ...options, port: 0 }));

/** Of a validator that has not said yet who it is. */
const cardBefore = (chainId: string, index: number): NodeCard => ({
  ...{ id: '', moniker: `node${index}`, chainId, genesisHash: '', version: VERSION, power: '' },
  isUp: false,
});

async function obey(
  control: Control,
  source: MergedSource,
  links: Links,
  { homes, validators }: NetworkFeedParts,
): Promise<Outcome> {
  const network = validators();
  switch (control.kind) {
    case 'submit': {
      const remote = source.remote(control.node);
      return remote === undefined ? source.notUp(control.node) : remote.order({ ...control, node: 0 });
    }
    case 'stop':
      return (await network.stop(control.node)) ? DONE : source.notUp(control.node);
    case 'kill':
      return (await network.kill(control.node)) ? DONE : source.notUp(control.node);
    case 'start':
      if (homes[control.node] === undefined) return source.notUp(control.node);
      return network.start(control.node) ? DONE : refusedWith('RUNS', `node${control.node} runs already`);
    case 'partition': {
      // A place that is none would leave all others alone.
      const unknown = control.groups.flat().find((node) => homes[node] === undefined);
      if (unknown !== undefined) return source.notUp(unknown);
      links.partition(control.groups);
      return DONE;
    }
    case 'delay':
      return links.delay(control.node, control.ms) ? DONE : source.notUp(control.node);
  }
}

const DONE: Outcome = { status: 'done', answer: null };
