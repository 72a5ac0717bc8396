/**
 * `althing inspect --stately`: a viewer of the feed that tells Stately's inspector what it sees, until it is stopped. A node that goes
 * away is waited for. Boundary: sockets, stdout. Rule IN-3, docs/inspector.md.
 */
import type { Moment } from '../../observe/feed/feed.ts';
import { FeedLink, type LinkEnd } from '../../observe/feed/link.ts';
import type { FeedUpdate, WatchedCell } from '../../observe/feed/source.ts';
import { type Relay, startRelay } from '../../observe/stately/relay.ts';
import { Sessions } from '../../observe/stately/sessions.ts';
import { messageOf, runtimeFailure } from '../failure.ts';
import type { Output } from '../output.ts';
import { pause } from '../pause.ts';

export interface StatelyOptions {
  /** The feed's address with its token, asked before each connection: a node that starts anew has another token. */
  readonly feed: () => Promise<URL>;
  /** 0 for a free one. */
  readonly port: number;
  readonly inspector: URL;
  readonly allowedOrigins: readonly string[];
  /** Cells to be shown with what is below them; empty: all. */
  readonly only: readonly string[];
  readonly signal: AbortSignal;
  readonly output: Output;
}

/** How often it is asked whose details are wanted. @unit ms @source a feed tells a watched cell as often as ten times a second */
const REWATCH_MS = 250;
/** Before it is looked for the node again, doubled each time. @unit ms */
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;

/** Rejects when there is no feed at the beginning; afterwards it waits for one. */
export async function inspectByStately(options: StatelyOptions): Promise<void> {
  const sessions = new Sessions({ only: options.only });
  const relay = await listen(sessions, options);
  try {
    await follow(sessions, relay, options);
  } finally {
    await relay.close('the relay was stopped');
  }
}

async function listen(sessions: Sessions, options: StatelyOptions): Promise<Relay> {
  const { port, inspector, allowedOrigins } = options;
  try {
    return await startRelay({ sessions, port, inspector, allowedOrigins });
  } catch (cause) {
    throw runtimeFailure(`cannot listen on 127.0.0.1:${port}: ${messageOf(cause)}; give another --port`);
  }
}

async function follow(sessions: Sessions, relay: Relay, options: StatelyOptions): Promise<void> {
  const { feed, signal, output } = options;
  let wasThere = false;
  let retryMs = RETRY_MS_MIN;
  const take = (message: FeedUpdate): void => {
    relay.note(sessions.take(message));
    if (message.type !== 'moment') return;
    retryMs = RETRY_MS_MIN;
    if (!wasThere) announce(relay, sessions, output);
    wasThere = true;
  };
  while (!signal.aborted) {
    const end = await feed()
      .then((address) => untilItEnds({ address, take, rewatch: () => sessions.rewatch(), signal }))
      .catch((cause: unknown) => ({ status: 'unreachable', detail: messageOf(cause) }) as const);
    if (signal.aborted) return;
    if (!wasThere) throw runtimeFailure(end.detail);
    if (sessions.size > 0) output.note(`${end.detail}; looking for it again, until Ctrl-C`);
    relay.note(sessions.take(NOTHING));
    await pause(retryMs, signal);
    retryMs = Math.min(2 * retryMs, RETRY_MS_MAX);
  }
}

interface OneLink {
  readonly address: URL;
  readonly take: (update: FeedUpdate) => void;
  /** Whose details are wanted, when others are than before. */
  readonly rewatch: () => readonly WatchedCell[] | undefined;
  readonly signal: AbortSignal;
}

/** Resolves when the connection has ended; never rejects. */
function untilItEnds({ address, take, rewatch, signal }: OneLink): Promise<LinkEnd> {
  return new Promise((resolve) => {
    const finish = (end: LinkEnd): void => {
      clearInterval(looking);
      signal.removeEventListener('abort', stop);
      resolve(end);
    };
    const link = new FeedLink(address, { take, ended: finish });
    const stop = (): void => {
      link.close();
      finish({ status: 'ended', detail: 'this program stops' });
    };
    const looking = setInterval(() => {
      const cells = rewatch();
      if (cells !== undefined) link.watch(cells);
    }, REWATCH_MS);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
}

/** What is there while there is no feed. */
const NOTHING: Moment = {
  ...{ type: 'moment', at: 0, cells: [], chains: [], health: [], wire: [], steps: [] },
};

function announce({ pageUrl, streamUrl }: Relay, sessions: Sessions, output: Output): void {
  output.data({ page: pageUrl, stream: streamUrl, cells: sessions.size }, [
    `Stately's inspector  ${pageUrl}`,
    `for receivers        ${streamUrl}`,
  ]);
  const leftOut = sessions.leftOut === 0 ? '' : `, ${sessions.leftOut} more found no room`;
  output.note(`${sessions.size} cells${leftOut}; Ctrl-C ends it`);
}
