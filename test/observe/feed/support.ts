/** A feed server with its source in the test's hands, and viewers at real sockets. */
import { connect } from 'node:net';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { Delta, FeedMessage, Hello, Moment } from '../../../src/observe/feed/feed.ts';
import {
  type FeedServer,
  type FeedServerOptions,
  startFeedServer,
} from '../../../src/observe/feed/server.ts';
import type { FeedSource, FeedUpdate, WatchedCell } from '../../../src/observe/feed/source.ts';

export const TOKEN = 'a-token-of-this-start';
export const HELLO: Hello = {
  type: 'hello',
  version: 1,
  run: { kind: 'live', title: 'test' },
  nodes: [],
  charts: {},
  controls: [],
};
export const MOMENT: Moment = {
  type: 'moment',
  at: 1,
  cells: [],
  chains: [],
  health: [],
  wire: [],
  steps: [],
};
export const delta = (at: number, more: Partial<Delta> = {}): Delta => ({
  type: 'delta',
  at,
  turns: 1,
  dropped: 0,
  ...more,
});

/** Tells its viewers what the test says. */
export class TestSource implements FeedSource {
  readonly takers = new Set<(update: FeedUpdate) => void>();
  watched: readonly WatchedCell[] = [];
  /** How often it was told whom to watch. */
  watches = 0;
  ask: FeedSource['ask'] = async (question) => ({ status: 'done', answer: question });

  subscribe(take: (update: FeedUpdate) => void, _ended: (detail: string) => void) {
    this.takers.add(take);
    take(this.hello());
    take(this.moment());
    return {
      watch: (cells: readonly WatchedCell[]): void => {
        this.watched = cells;
        this.watches += 1;
      },
      end: (): void => void this.takers.delete(take),
    };
  }

  hello(): Hello {
    return HELLO;
  }

  moment(): Moment {
    return MOMENT;
  }

  tell(update: FeedUpdate): void {
    for (const take of this.takers) take(update);
  }
}

export async function serve(
  source: FeedSource,
  options: Partial<FeedServerOptions> = {},
): Promise<FeedServer> {
  const server = await startFeedServer({
    source,
    host: '127.0.0.1',
    port: 0,
    token: TOKEN,
    pages: () => new Map(),
    ...options,
  });
  onTestFinished(() => server.close());
  return server;
}

export interface TestViewer {
  readonly socket: WebSocket;
  readonly heard: FeedMessage[];
  /** Resolves with the first message, past or to come, for which it holds. */
  next(wanted: (message: FeedMessage) => boolean): Promise<FeedMessage>;
  say(message: unknown): void;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

export function view(
  server: FeedServer,
  headers: Readonly<Record<string, string>> = {},
  token = TOKEN,
): TestViewer {
  const socket = new WebSocket(`ws://${server.address}/feed?token=${token}`, { headers });
  onTestFinished(() => socket.terminate());
  const heard: FeedMessage[] = [];
  const waiting = new Set<() => void>();
  socket.on('message', (data) => {
    heard.push(JSON.parse(String(data)));
    for (const look of waiting) look();
  });
  socket.on('error', () => undefined);
  return {
    socket,
    heard,
    next: (wanted) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = heard.find(wanted);
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
    say: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    closed: new Promise((resolve) => {
      socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
    }),
  };
}

/** What an upgrade with these headers is answered, as text; `''` for one that is accepted and says nothing. */
export function upgrade(
  server: FeedServer,
  lines: readonly string[],
  path = `/feed?token=${TOKEN}`,
): Promise<string> {
  const port = Number(server.address.split(':').at(-1));
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      const head = [
        `GET ${path} HTTP/1.1`,
        ...lines,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ];
      socket.write(`${head.join('\r\n')}\r\n\r\n`);
    });
    socket.once('data', (data) => {
      resolve(String(data));
      socket.destroy();
    });
    socket.once('error', () => resolve('error'));
  });
}
