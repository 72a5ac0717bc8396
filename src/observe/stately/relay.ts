/**
 * Serves what Stately's inspector is told: by WebSocket to any receiver of `@statelyai/inspect`, and a page that hands it on to the
 * hosted inspector in a frame or window. Of this machine alone: 127.0.0.1, exact Host and Origin, a token for each start. Boundary:
 * HTTP. Rules IN-2, IN-3, docs/inspector.md.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Pages, sendPage } from '../../rpc/pages.ts';
import { type AccessRules, accessRules, newToken, ruleOnHost, ruleOnViewer } from '../feed/access.ts';
import { Door, type DoorRefusal } from '../feed/door.ts';
import { relayFiles } from './relay-files.ts';
import type { SessionChanges, Sessions } from './sessions.ts';
import { ViewerQueue } from './viewer-queue.ts';

export interface RelayOptions {
  readonly sessions: Sessions;
  /** 0 for a free one. */
  readonly port: number;
  /** The inspector's own page. */
  readonly inspector: URL;
  /** Other pages whose receivers may read, if they have the token: `http://localhost:5173`. */
  readonly allowedOrigins: readonly string[];
}

export interface Relay {
  /** With its token. */
  readonly pageUrl: string;
  /** With its token: for `createWebSocketReceiver`. */
  readonly streamUrl: string;
  readonly viewers: number;
  /** What the sessions said of the feed's newest message. */
  note(changes: SessionChanges): void;
  /** Tells the viewers why. @param reason at most 123 bytes */
  close(reason: string): Promise<void>;
}

/** How often viewers are told. @unit ms @source chosen: ten frames a second of a page that draws every message */
const FLUSH_MS = 100;
/** To one viewer at once; the rest waits. @unit messages @source with FLUSH_MS 2,560/s, a page's budget at 0.4 ms each */
const FLUSH_MESSAGES_MAX = 256;
/** Beyond, one who comes is told to come later. @unit viewers */
const VIEWERS_MAX = 16;
/** Not read yet, of one viewer; until it has read, it is told nothing. @unit bytes @source two whole registries of 240 cells */
const UNREAD_BYTES_MAX = 8 * 1_048_576;
/** How long a viewer may not read before it is let go. @unit ms */
const STALL_MS_MAX = 30_000;
/** A receiver has nothing to say. @unit bytes */
const SAID_BYTES_MAX = 1_024;
const CONNECTIONS_MAX = 64;

/** WebSocket's own codes: the end goes away; come later. */
const GOING_AWAY = 1_001;
const TRY_LATER = 1_013;

interface Viewer {
  readonly socket: WebSocket;
  readonly queue: ViewerQueue;
  /** Since when it has not read. @unit ms, monotonic */
  stalledSince: number | undefined;
}

/** Listens; rejects when the port is taken. */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const door = await Door.open({ host: '127.0.0.1', port: options.port, connectionsMax: CONNECTIONS_MAX });
  return new RunningRelay(door, options);
}

class RunningRelay implements Relay {
  readonly pageUrl: string;
  readonly streamUrl: string;
  readonly #sessions: Sessions;
  readonly #door: Door;
  readonly #rules: AccessRules;
  readonly #files: Pages;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: SAID_BYTES_MAX,
    perMessageDeflate: false,
  });
  readonly #viewers = new Set<Viewer>();
  readonly #timer: NodeJS.Timeout;

  constructor(door: Door, options: RelayOptions) {
    const { sessions, inspector, allowedOrigins } = options;
    const { port } = door;
    const own = accessRules({ host: '127.0.0.1', port }, [], newToken());
    this.#door = door;
    this.#sessions = sessions;
    this.#rules = { ...own, origins: new Set([...own.origins, ...allowedOrigins]) };
    this.#files = relayFiles(inspector, port);
    this.pageUrl = `http://127.0.0.1:${port}/#token=${own.token}`;
    this.streamUrl = `ws://127.0.0.1:${port}/stream?token=${own.token}`;
    door.server.on('request', (request, response) => this.#serve(request, response));
    door.onUpgrade(
      (request) => this.#refusalOf(request),
      (request, socket, head) =>
        this.#sockets.handleUpgrade(request, socket, head, (opened) => this.#welcome(opened)),
    );
    this.#timer = setInterval(() => this.#flushAll(), FLUSH_MS);
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  note(changes: SessionChanges): void {
    for (const { queue } of this.#viewers) queue.note(changes);
  }

  async close(reason: string): Promise<void> {
    clearInterval(this.#timer);
    for (const { socket } of this.#viewers) socket.close(GOING_AWAY, reason);
    await this.#door.close();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const say = (status: number, words: string): void => {
      response
        .writeHead(status, {
          'Content-Type': 'text/plain; charset=utf-8',
          'X-Content-Type-Options': 'nosniff',
          'Cache-Control': 'no-store',
        })
        .end(`${words}\n`);
    };
    const { headers, method, url = '/' } = request;
    const file = this.#files.get(url.replace(/\?.*$/s, ''));
    const refusal = ruleOnHost(headers, this.#rules);
    if (refusal !== undefined) say(refusal.status, refusal.detail);
    else if (method !== 'GET' && method !== 'HEAD')
      say(405, `${method} is not served: this page is only read`);
    else if (file === undefined) say(404, 'not served: the page is at /, the stream at /stream by WebSocket');
    else sendPage(file, request, response);
  }

  /** Why not, in words; undefined: it may (IN-2). */
  #refusalOf({ headers, url: target = '/' }: IncomingMessage): DoorRefusal | undefined {
    const url = URL.parse(target, 'http://relay');
    const refusal = ruleOnViewer(headers, url?.searchParams.get('token') ?? null, this.#rules);
    if (refusal?.code === 'ORIGIN_NOT_ALLOWED')
      return { ...refusal, detail: `${refusal.detail}, or name it by --allow-origin` };
    if (refusal !== undefined) return refusal;
    if (url?.pathname !== '/stream') return { status: 404, detail: 'the stream is at /stream' };
    if (this.#viewers.size < VIEWERS_MAX) return undefined;
    return { status: 503, detail: `${VIEWERS_MAX} viewers read already: close one` };
  }

  #welcome(socket: WebSocket): void {
    const viewer: Viewer = {
      socket,
      queue: new ViewerQueue(this.#sessions),
      stalledSince: undefined,
    };
    this.#viewers.add(viewer);
    socket.on('close', () => this.#viewers.delete(viewer));
    // A close follows.
    socket.on('error', () => socket.terminate());
    flush(viewer);
  }

  #flushAll(): void {
    for (const viewer of this.#viewers) flush(viewer);
  }
}

/** What waits, unless the viewer has not read what came before. */
function flush(viewer: Viewer): void {
  const { socket, queue } = viewer;
  if (socket.readyState !== socket.OPEN) return;
  if (socket.bufferedAmount <= UNREAD_BYTES_MAX) {
    viewer.stalledSince = undefined;
    for (const message of queue.take(FLUSH_MESSAGES_MAX)) socket.send(JSON.stringify(message));
    return;
  }
  const now = performance.now();
  viewer.stalledSince ??= now;
  if (now - viewer.stalledSince < STALL_MS_MAX) return;
  socket.close(TRY_LATER, `this viewer has read nothing for ${STALL_MS_MAX / 1_000} s`);
  socket.terminate();
}
