/**
 * The feed's door: a page by HTTP and a WebSocket for viewers, on loopback, behind exact lists of Host and Origin and a token. Bounded in
 * connections, viewers and time. Boundary: sockets. Rules IN-1, IN-2, docs/inspector.md.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Pages, sendPage } from '../../rpc/pages.ts';
import { type AccessRefusal, type AccessRules, accessRules, ruleOnHost, ruleOnViewer } from './access.ts';
import type { FeedMessage } from './feed.ts';
import type { FeedSource } from './source.ts';
import { Viewer } from './viewer.ts';
import { VIEWER_MESSAGE_BYTES_MAX } from './viewer-message.ts';

export interface FeedServerOptions {
  readonly source: FeedSource;
  /** A loopback host; port 0 for a free one. */
  readonly host: string;
  readonly port: number;
  /** Of this start: `newToken()`. */
  readonly token: string;
  /** Names beside those of this machine, with their port where it is another. */
  readonly allowedHosts?: readonly string[];
  /** One more is refused. @unit viewers */
  readonly viewersMax?: number;
  /** A monotonic clock; default this process's. @unit ms */
  readonly now?: () => number;
  /** The page's files by path; '/' is the page. */
  readonly pages: (listening: { readonly host: string; readonly port: number }) => Pages;
}

export interface FeedServer {
  /** `host:port`, as bound. */
  readonly address: string;
  /** With the token, which stays in the browser: a fragment is not sent. */
  readonly url: string;
  readonly viewers: () => number;
  close(): Promise<void>;
}

/** @unit viewers @source a few pages, a relay, and the network's parent */
const VIEWERS_MAX = 16;
/** Beside viewers: a browser opens six for a page. @unit connections */
const FILE_CONNECTIONS_MAX = 48;
/** Of a request's head. @unit bytes */
const HEAD_BYTES_MAX = 16_384;
/** @unit ms @source as the RPC's */
const HEAD_MS_MAX = 5_000;
const REQUEST_MS_MAX = 10_000;
/** How often slow viewers are looked after. @unit ms @source the feed's own beat */
const LOOK_MS = 50;
/** @unit ms */
const CLOSE_GRACE_MS = 1_000;
const CLOSE_GOING_AWAY = 1001;
const CLOSE_TRY_LATER = 1013;

export const FEED_PATH = '/feed';

/** Listens; rejects when the address is taken or not this machine's. */
export async function startFeedServer(options: FeedServerOptions): Promise<FeedServer> {
  const { host, port, token, source, allowedHosts = [], viewersMax = VIEWERS_MAX } = options;
  const { now = () => performance.now() } = options;
  const server = createServer({
    maxHeaderSize: HEAD_BYTES_MAX,
    headersTimeout: HEAD_MS_MAX,
    requestTimeout: REQUEST_MS_MAX,
  });
  server.maxConnections = viewersMax + FILE_CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const listening = boundTo(server);
  const rules = accessRules({ host, port: listening.port }, allowedHosts, token);
  const pages = options.pages({ host, port: listening.port });
  const viewers = new Set<Viewer>();
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: VIEWER_MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
  });
  server.on('request', (request, response) => serveFile(pages, rules, request, response));
  server.on('upgrade', (request, socket, head) => {
    const refusal = ruleOnUpgrade(request, rules);
    if (refusal !== undefined) {
      refuseUpgrade(socket, refusal);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (accepted) => {
      if (viewers.size >= viewersMax) {
        turnAway(accepted, viewersMax);
        return;
      }
      const viewer = new Viewer(accepted, source, now);
      viewers.add(viewer);
      accepted.once('close', () => viewers.delete(viewer));
    });
  });
  const looking = setInterval(() => {
    for (const viewer of viewers) viewer.look();
  }, LOOK_MS);
  const address = `${host.includes(':') ? `[${host}]` : host}:${listening.port}`;
  return {
    address,
    url: `http://${address}/#token=${token}`,
    viewers: () => viewers.size,
    async close() {
      clearInterval(looking);
      for (const viewer of viewers) viewer.end(CLOSE_GOING_AWAY, 'ENDED', 'the node stops');
      await closeServer(server);
    },
  };
}

function turnAway(socket: WebSocket, viewersMax: number): void {
  const detail = `${viewersMax} look already: close one`;
  const refused: FeedMessage = { type: 'refused', code: 'TOO_MANY_VIEWERS', detail, isLast: true };
  socket.on('error', () => undefined);
  socket.send(JSON.stringify(refused));
  socket.close(CLOSE_TRY_LATER, 'TOO_MANY_VIEWERS');
}

function boundTo(server: Server): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the feed listens on no port');
  return address;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
  await closed;
  clearTimeout(timer);
}

function ruleOnUpgrade(request: IncomingMessage, rules: AccessRules): AccessRefusal {
  const url = URL.parse(request.url ?? '', 'http://feed');
  const byViewer = ruleOnViewer(request.headers, url?.searchParams.get('token') ?? null, rules);
  if (byViewer !== undefined) return byViewer;
  if (url?.pathname === FEED_PATH) return undefined;
  return { status: 403, code: 'NO_SUCH_PATH', detail: `viewers connect to ${FEED_PATH}` };
}

function refuseUpgrade(socket: Duplex, { status, code, detail }: NonNullable<AccessRefusal>): void {
  const body = `${code}: ${detail}\n`;
  const reason = status === 401 ? 'Unauthorized' : 'Forbidden';
  socket.on('error', () => undefined);
  socket.end(
    [
      `HTTP/1.1 ${status} ${reason}`,
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

function serveFile(
  pages: Pages,
  rules: AccessRules,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const refusal = ruleOnHost(request.headers, rules);
  if (refusal !== undefined) {
    sendText(response, refusal.status, `${refusal.code}: ${refusal.detail}`);
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    sendText(response, 405, `METHOD_NOT_SERVED: ${request.method} is not served`);
    return;
  }
  const path = URL.parse(request.url ?? '/', 'http://feed')?.pathname ?? '/';
  const file = pages.get(path);
  if (file === undefined) sendText(response, 404, `NO_SUCH_FILE: ${path} is not a file of the page`);
  else sendPage(file, request, response);
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
  });
  response.end(`${text}\n`);
}
