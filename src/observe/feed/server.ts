/**
 * The feed's door: a page by HTTP and a WebSocket for viewers, on loopback, behind exact lists of Host and Origin and a token. Bounded in
 * connections, viewers, how often they come, and time. Boundary: sockets. Rules IN-1, IN-2, docs/inspector.md.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';
import { monotonic } from '../../base/units.ts';
import { type BucketRate, fullBucket, takeTokens } from '../../protocol/transport/bucket.ts';
import { type Pages, sendPage } from '../../rpc/pages.ts';
import { type AccessRules, accessRules, ruleOnHost, ruleOnViewer } from './access.ts';
import { Door, type DoorRefusal } from './door.ts';
import { FEED_PATH, type FeedMessage } from './feed.ts';
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
/** Who comes is told everything first: that costs a node milliseconds, and a page that connects anew waits longer each time. */
const COMING: BucketRate = { ratePerSecond: 8, burst: 32 };
/** How often slow viewers are looked after. @unit ms @source the feed's own beat */
const LOOK_MS = 50;
/** For who is turned away to say goodbye. @unit ms */
const CLOSE_MS_MAX = 1_000;
const CLOSE_GOING_AWAY = 1001;
const CLOSE_TRY_LATER = 1013;

/** Listens; rejects when the address is taken or not this machine's, or the page cannot be read: then nothing listens. */
export async function startFeedServer(options: FeedServerOptions): Promise<FeedServer> {
  const { host, port, viewersMax = VIEWERS_MAX } = options;
  const door = await Door.open({ host, port, connectionsMax: viewersMax + FILE_CONNECTIONS_MAX });
  try {
    return serveBehind(door, options);
  } catch (failure) {
    await door.close();
    throw failure;
  }
}

function serveBehind(door: Door, options: FeedServerOptions): FeedServer {
  const { host, token, source, allowedHosts = [], viewersMax = VIEWERS_MAX } = options;
  const { now = () => performance.now() } = options;
  const listening = { host, port: door.port };
  const rules = accessRules(listening, allowedHosts, token);
  const pages = options.pages(listening);
  const viewers = new Set<Viewer>();
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: VIEWER_MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
  });
  const mayCome = doorkeeper(viewers, viewersMax, now);
  door.server.on('request', (request, response) => serveFile(pages, rules, request, response));
  door.onUpgrade(
    (request) => ruleOnUpgrade(request, rules),
    (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (accepted) => {
        const refused = mayCome();
        if (refused !== undefined) {
          turnAway(accepted, refused);
          return;
        }
        const viewer = new Viewer(accepted, source, now);
        viewers.add(viewer);
        accepted.once('close', () => viewers.delete(viewer));
      }),
  );
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
      await door.close();
    },
  };
}

type Refused = Extract<FeedMessage, { type: 'refused' }>;

/** Of those who have the token: why one more is not let in now. */
function doorkeeper(
  viewers: ReadonlySet<Viewer>,
  viewersMax: number,
  now: () => number,
): () => Refused | undefined {
  let coming = fullBucket(COMING, monotonic(now()));
  const refused = (code: string, detail: string): Refused => ({
    type: 'refused',
    code,
    detail,
    isLast: true,
  });
  return () => {
    if (viewers.size >= viewersMax)
      return refused('TOO_MANY_VIEWERS', `${viewersMax} look already: close one`);
    const { bucket, taken } = takeTokens(coming, COMING, monotonic(now()));
    coming = bucket;
    if (taken) return undefined;
    return refused('TOO_OFTEN', `more than ${COMING.ratePerSecond} viewers came in a second: come later`);
  };
}

function turnAway(socket: WebSocket, refused: Refused): void {
  socket.on('error', () => undefined);
  socket.send(JSON.stringify(refused));
  socket.close(CLOSE_TRY_LATER, refused.code);
  setTimeout(() => socket.terminate(), CLOSE_MS_MAX).unref();
}

function ruleOnUpgrade(request: IncomingMessage, rules: AccessRules): DoorRefusal | undefined {
  const url = URL.parse(request.url ?? '', 'http://feed');
  const byViewer = ruleOnViewer(request.headers, url?.searchParams.get('token') ?? null, rules);
  if (byViewer !== undefined) return { ...byViewer, detail: `${byViewer.code}: ${byViewer.detail}` };
  if (url?.pathname === FEED_PATH) return undefined;
  return { status: 403, detail: `NO_SUCH_PATH: viewers connect to ${FEED_PATH}` };
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
