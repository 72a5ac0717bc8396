/**
 * The RPC over HTTP: JSON-RPC by POST, methods by GET, `/livez`, `/readyz`, `/metrics`, and pages. Boundary.
 * Bounded in connections, body, batch, time and rate; a client's mistake is an answer, never a throw.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Millis, millis, monotonic } from '../base/units.ts';
import { DOOR_MS } from '../protocol/bridge/times.ts';
import { readText } from './body.ts';
import { type Caller, callerOf } from './caller.ts';
import { answerRequest, type CallParts, run } from './calls.ts';
import { boundConnections, type ConnectionBounds, clientOf } from './connections.ts';
import { methodIn, shedAtTheDoor } from './door.ts';
import { type AccessRules, ClientRates, isOperator, ruleOnAccess } from './guard.ts';
import {
  type Answer,
  envelope,
  internalError,
  invalidRequest,
  methodNotFound,
  type ReadRequest,
  type RpcError,
  readBody,
  serverError,
} from './json-rpc.ts';
import { METHODS } from './methods.ts';
import { costBesideFirst } from './operations.ts';
import { documentPaths, type Pages, sendPage } from './pages.ts';
import { fromQuery, needsBody } from './parameters.ts';
import { sendJson, sendPreflight, sendText } from './replies.ts';
import { type EarlyCall, RetryAfter } from './retry-after.ts';
import { hostOf } from './shapes.ts';
import { Submissions } from './submissions.ts';
import { type TurnedAway, Turnstile } from './turnstile.ts';
import { Unsent } from './unsent.ts';

export interface RpcServerOptions extends AccessRules, ConnectionBounds, Omit<CallParts, 'submissions'> {
  /** `host:port`; port 0 for a free one. */
  readonly listen: string;
  /** @unit bytes */
  readonly bodyBytesMax: number;
  readonly batchRequestsMax: number;
  readonly requestsPerSecond: number;
  readonly requestsBurst: number;
  /** Of answers that were not read yet; default UNSENT_BYTES_MAX. @unit bytes */
  readonly unsentBytesMax?: number;
  /** Told of each call that came before Retry-After had passed, and was refused again. */
  readonly onEarly: (what: EarlyCall) => void;
  /** Operator commands are refused without one. */
  readonly adminToken?: string;
  /** How long the event loop was blocked lately, and what is too long for `/livez`. */
  readonly loopLag: () => Millis;
  readonly loopLagMax: Millis;
  /** The text of `/metrics`. */
  readonly metrics: () => Promise<string>;
  /** Web pages beside the methods. */
  readonly pages?: Pages;
}

export interface RunningRpcServer {
  /** `host:port`, as bound. */
  readonly address: string;
  /** Stops accepting, lets calls end for up to a second, then closes what is left. */
  close(): Promise<void>;
}

/** URL and headers of one request; a transaction by GET must fit. @unit bytes @source 4 × Node's default */
const HEADER_BYTES_MAX = 65_536;
/** For the URL and the headers, from the connection's first byte. @unit ms @source chosen: four losses of a packet */
const HEADERS_TIMEOUT = millis(5_000);
/** For all of a request. @unit ms @source chosen: 1 MiB at 1 Mbit/s */
const RECEIVE_TIMEOUT = millis(10_000);
/** How often late ones are looked for. @unit ms */
const LATE_CHECK_INTERVAL = millis(1_000);
/** Bytes of a body that cost as much as one call. @unit bytes @source 5,000 calls/s × 4 KiB = 20 MB/s, a tenth of a second of reading */
const BYTES_PER_CALL = 4_096;
/** @unit ms @source the shutdown of a local network takes at most 5 s */
const CLOSE_GRACE = millis(1_000);
/** The id that CometBFT gives answers to GET. */
const URI_REQUEST_ID = -1;

/** What the server has beside its options, as long as it runs. */
interface Serving extends RpcServerOptions, CallParts {
  /** Takes calls of a client's rate; false when it has too few left. */
  readonly take: (client: string, calls: number) => boolean;
  readonly turnstile: Turnstile;
  readonly unsent: Unsent;
  readonly retryAfter: RetryAfter;
}

/** What one request asks for, and who it is. */
interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly caller: Caller;
}

/** Listens; rejects when the address is taken or not this machine's. */
export async function startRpcServer(options: RpcServerOptions): Promise<RunningRpcServer> {
  const rates = new ClientRates({ ratePerSecond: options.requestsPerSecond, burst: options.requestsBurst });
  const { connectionsMax: callsMax, connectionsPerAddressMax: callsPerClientMax, requestTimeout } = options;
  const serving: Serving = {
    ...options,
    take: (client, calls) => rates.take(client, calls, monotonic(performance.now())),
    submissions: new Submissions(options.port),
    turnstile: new Turnstile({ callsMax, callsPerClientMax, waitMax: doorWait(requestTimeout) }),
    unsent: new Unsent(options.unsentBytesMax),
    retryAfter: new RetryAfter(options),
  };
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      ...receiveTimeouts(requestTimeout),
    },
    (request, response) => {
      serve(serving, request, response).catch((failure: unknown) => {
        const error = internalError(failure instanceof Error ? failure.message : String(failure));
        options.onCall({ method: 'unknown', code: error.code, duration: millis(0), failure });
        if (response.headersSent) response.destroy();
        else sendJson(response, 500, envelope(null, { error }));
      });
    },
  );
  boundConnections(server, options, serving.retryAfter);
  server.on('connection', (socket) => serving.retryAfter.connected(socket));
  // A client that stops reading its answer.
  server.setTimeout(2 * requestTimeout);
  const { host, port } = splitAddress(options.listen);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return { address: boundAddress(server), close: () => close(server, serving.retryAfter) };
}

/** How long a request may take to come in, as Node's server takes it; never longer than to its answer. */
export const receiveTimeouts = (requestTimeout: Millis) => ({
  headersTimeout: Math.min(requestTimeout, HEADERS_TIMEOUT),
  requestTimeout: Math.min(requestTimeout, RECEIVE_TIMEOUT),
  connectionsCheckingInterval: Math.min(requestTimeout, LATE_CHECK_INTERVAL),
});

/** What a call waits for its turn: the gateway has its time after that, and where a call has less altogether, half of it. */
const doorWait = (requestTimeout: Millis): Millis => millis(Math.min(DOOR_MS, requestTimeout / 2));

async function serve(serving: Serving, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const since = performance.now();
  const access = ruleOnAccess(request.headers.host, request.headers.origin, serving);
  if (!access.allowed)
    return sendJson(response, 403, envelope(null, { error: serverError(`FORBIDDEN: ${access.reason}`) }));
  if (access.origin !== undefined) {
    response.setHeader('Access-Control-Allow-Origin', access.origin);
    // Else a page's client could not keep to it.
    response.setHeader('Access-Control-Expose-Headers', 'Retry-After');
    response.setHeader('Vary', 'Origin');
  }
  const url = URL.parse(request.url ?? '/', 'http://node');
  if (url === null)
    return sendJson(response, 400, envelope(null, { error: invalidRequest('the URL is malformed') }));
  if (request.method === 'OPTIONS') return sendPreflight(response);
  const caller = callerOf(clientOf(request.socket), response, since);
  if (request.method === 'POST') return servePost(serving, { request, response, url, caller });
  if (request.method === 'GET' || request.method === 'HEAD')
    return serveGet(serving, { request, response, url, caller });
  response.setHeader('Allow', 'GET, HEAD, POST, OPTIONS');
  return sendJson(
    response,
    405,
    envelope(null, { error: invalidRequest(`${request.method} is not served`) }),
  );
}

async function servePost(serving: Serving, asked: Asked): Promise<void> {
  const { request, response, url, caller } = asked;
  if (url.pathname !== '/') {
    const error = methodNotFound(`POST goes to "/", not to "${url.pathname}"`);
    return sendJson(response, 404, envelope(null, { error }));
  }
  // Before anything of the body is read, and before anything of it is parsed: what cannot be read costs as much.
  if (!serving.take(caller.client, 1)) return serving.retryAfter.refuse(asked, 429, TOO_MANY);
  const text = await readText(request, serving.bodyBytesMax);
  if (text === 'aborted') return;
  const bytesCost = costOfBytes(text === 'too-large' ? serving.bodyBytesMax : text.bytes, serving);
  if (!serving.take(caller.client, bytesCost)) return serving.retryAfter.refuse(asked, 429, TOO_MANY);
  if (text === 'too-large') {
    response.setHeader('Connection', 'close');
    const error = invalidRequest(
      `TOO_LARGE: error reading request body: larger than ${serving.bodyBytesMax} bytes`,
    );
    return sendJson(response, 413, envelope(null, { error }));
  }
  await inTurn(serving, asked, methodIn(text.text), () => answerPost(serving, asked, text.text, bytesCost));
}

/**
 * Answers in the call's turn, or says why it has none. What is not taken now is refused before it waits, and looked at again when it has
 * its turn: the places may be taken by then, and the client may be gone.
 */
async function inTurn(
  serving: Serving,
  asked: Asked,
  method: string | undefined,
  answer: () => Promise<void>,
): Promise<void> {
  if (shed(serving, asked, method)) return;
  const { turnstile, unsent, retryAfter } = serving;
  const { client } = asked.caller;
  await turnstile.enter(client, {
    begin: async () => {
      if (asked.response.destroyed || shed(serving, asked, method)) return;
      if (!unsent.hasRoomFor(client)) return retryAfter.refuse(asked, 429, UNREAD);
      await answer();
    },
    turnAway: (why) => retryAfter.refuse(asked, why === 'share' ? 429 : 503, serverError(TURNED_AWAY[why])),
  });
}

/** Clients that wait for their answers have no more calls under way than connections. */
const TURNED_AWAY: Readonly<Record<TurnedAway, string>> = {
  full: 'QUEUE_FULL: Queue full: too many calls wait for their answers: try again later',
  share: 'RATE_LIMITED: too many of your calls wait for their answers: wait for them',
  late: 'QUEUE_FULL: Queue full: the call waited too long for its turn: try again later',
};

/** True: it was a submission, there is no place, and it is refused. */
function shed({ port, onCall, retryAfter }: Serving, asked: Asked, method: string | undefined): boolean {
  const refusal = shedAtTheDoor(method, port);
  if (refusal === undefined) return false;
  onCall({ method: refusal.method, code: refusal.error.code, duration: millis(0) });
  retryAfter.refuse(asked, 503, refusal.error);
  return true;
}

async function answerPost(serving: Serving, asked: Asked, text: string, bytesCost: number): Promise<void> {
  const { request, response, caller } = asked;
  const body = readBody(text, serving.batchRequestsMax);
  if (body.kind === 'unreadable') return sendJson(response, 400, envelope(null, { error: body.error }));
  const entries = body.kind === 'batch' ? body.entries : [body.entry];
  const cost = costBesideFirst(entries, serving.requestsBurst);
  if (!serving.take(caller.client, Math.max(0, cost - bytesCost)))
    return serving.retryAfter.refuse(asked, 429, TOO_MANY);
  const operator = isOperator(request.headers.authorization, serving.adminToken);
  const held = serving.unsent.hold(caller.client, response);
  const textOf = async (entry: ReadRequest): Promise<string | undefined> => {
    if (entry.kind === 'notification' || response.destroyed) return undefined;
    const text = await answerText(serving, entry, caller, operator);
    held.add(text.length);
    return text;
  };
  // BR-2: a call of a batch has a turn of its own, as it would have without the others.
  const texts = await Promise.all(
    entries.map((entry) =>
      entries.length === 1 ? textOf(entry) : serving.turnstile.part(caller.client, () => textOf(entry)),
    ),
  );
  const sent = texts.filter((text) => text !== undefined);
  const [first] = sent;
  if (first === undefined) {
    response.writeHead(204).end();
    return;
  }
  return sendText(response, 200, body.kind === 'batch' ? `[${sent.join(',')}]` : first);
}

/** The answer to one entry of a body, if there is room for it. */
async function answerText(
  serving: Serving,
  entry: Exclude<ReadRequest, { readonly kind: 'notification' }>,
  caller: Caller,
  operator: boolean,
): Promise<string> {
  if (entry.kind === 'invalid') return JSON.stringify(envelope(entry.id, { error: entry.error }));
  const { request } = entry;
  const answer = serving.unsent.hasRoomFor(caller.client)
    ? await answerRequest(serving, request, caller, operator)
    : { error: UNREAD };
  return JSON.stringify(envelope(request.id, answer));
}

const TOO_MANY = serverError('RATE_LIMITED: too many requests: slow down');

/** Nothing of the call was done. */
const UNREAD = serverError(
  'RATE_LIMITED: too much of your answers is not read: read them, and ask for less at once',
);

async function serveGet(serving: Serving, asked: Asked): Promise<void> {
  const { request, response, url, caller } = asked;
  if (url.pathname === '/livez') return serveLiveness(serving, response);
  if (url.pathname === '/readyz') return serveReadiness(serving, response);
  if (!serving.take(caller.client, 1)) return serving.retryAfter.refuse(asked, 429, TOO_MANY);
  if (url.pathname === '/metrics') {
    response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
    response.end(await serving.metrics());
    return;
  }
  if (url.pathname === '/') return sendMethodList(response, serving.pages);
  const page = serving.pages?.get(url.pathname);
  if (page !== undefined) return sendPage(page, request, response);
  const name = url.pathname.slice(1);
  const method = METHODS.get(name);
  if (method === undefined || method.admin) {
    const why =
      method === undefined
        ? `there is no method "${name}"`
        : `"${name}" is an operator's: POST with the token`;
    return sendJson(response, 404, envelope(URI_REQUEST_ID, { error: methodNotFound(why) }));
  }
  await inTurn(serving, asked, name, async () => {
    const held = serving.unsent.hold(caller.client, response);
    const converted = fromQuery(method.parameters, url.searchParams);
    const answer = await run(serving, name, method, converted, caller);
    const text = JSON.stringify(envelope(URI_REQUEST_ID, answer));
    held.add(text.length);
    sendText(response, statusOf(answer), text);
  });
}

function serveLiveness({ loopLag, loopLagMax }: RpcServerOptions, response: ServerResponse): void {
  const lag = loopLag();
  const live = lag <= loopLagMax;
  sendJson(response, live ? 200 : 503, { status: live ? 'ok' : 'blocked', loop_lag_ms: Math.round(lag) });
}

function serveReadiness({ port }: RpcServerOptions, response: ServerResponse): void {
  const { reasons } = port.health();
  const ready = reasons.length === 0;
  sendJson(response, ready ? 200 : 503, { status: ready ? 'ready' : 'not ready', reasons });
}

function sendMethodList(response: ServerResponse, pages: Pages = new Map()): void {
  const lines = [...METHODS].map(([name, { parameters, admin }]) => {
    const names = parameters.map((parameter) => parameter.name);
    // Whatever is posted goes to "/", with the method in its body.
    if (admin || needsBody(parameters))
      return `POST / ${name}(${names.join(', ')})${admin ? ', with the token' : ''}`;
    return `GET  /${name}${names.length === 0 ? '' : `?${names.map((each) => `${each}=_`).join('&')}`}`;
  });
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  const documents = documentPaths(pages).map((path) => `GET  ${path}`);
  response.end(`${[...lines, 'GET  /livez', 'GET  /readyz', 'GET  /metrics', ...documents].join('\n')}\n`);
}

function statusOf(answer: Answer): number {
  if (!('error' in answer)) return 200;
  return HTTP_STATUS[answer.error.code] ?? 500;
}

const HTTP_STATUS: Readonly<Record<RpcError['code'], number>> = { [-32601]: 404, [-32602]: 400 };

/** Calls that so many bytes cost beside the first; a burst pays for any body that is allowed. */
const costOfBytes = (bytes: number, { requestsBurst }: RpcServerOptions): number =>
  Math.max(0, Math.min(Math.floor(bytes / BYTES_PER_CALL), requestsBurst - 1));

function splitAddress(address: string): { readonly host: string; readonly port: number } {
  return { host: hostOf(address), port: Number(address.slice(address.lastIndexOf(':') + 1)) };
}

function boundAddress(server: Server): string {
  const bound: AddressInfo | string | null = server.address();
  if (bound === null || typeof bound === 'string') return String(bound);
  return bound.family === 'IPv6' ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
}

async function close(server: Server, retryAfter: RetryAfter): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  retryAfter.close();
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE);
  await closed;
  clearTimeout(timer);
}
