/**
 * One connection to a feed, as a viewer: what it tells is handed on, and why it ended is told in words. Boundary: a WebSocket.
 * Rules IN-1 to IN-3, docs/inspector.md.
 */
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { FEED_VERSION, type FeedMessage, type ViewerMessage } from '../feed/feed.ts';

/** Why a connection is no more; `refused`: it would be refused again. */
export interface FeedEnd {
  readonly status: 'unreachable' | 'refused' | 'ended';
  readonly detail: string;
}

export interface FeedLinkOptions {
  /** Of the feed's page, with its token: `http://127.0.0.1:26680/#token=…`. */
  readonly address: URL;
  readonly take: (message: FeedMessage) => void;
  /** What the feed is to be told, asked each LOOK_MS. */
  readonly toSay: () => ViewerMessage | undefined;
  readonly signal: AbortSignal;
}

/** @unit ms @source a feed tells a watched cell as often as ten times a second */
const LOOK_MS = 250;
/** Of one message. @unit bytes @source a moment of 16 nodes × 240 cells, four times */
const MESSAGE_BYTES_MAX = 64 * 1_048_576;
/** Until the feed lets this viewer in. @unit ms */
const HANDSHAKE_MS_MAX = 5_000;
/** Of the words of a refusal. @unit characters */
const REFUSAL_CHARS_MAX = 1_024;

/** Resolves when the connection has ended; never rejects. */
export function followFeed({ address, take, toSay, signal }: FeedLinkOptions): Promise<FeedEnd> {
  const socket = new WebSocket(streamOf(address), {
    maxPayload: MESSAGE_BYTES_MAX,
    handshakeTimeout: HANDSHAKE_MS_MAX,
    perMessageDeflate: false,
  });
  return new Promise((resolve) => {
    let end: FeedEnd | undefined;
    const finish = (why: FeedEnd): void => {
      end ??= why;
      socket.terminate();
    };
    const stop = (): void => finish({ status: 'ended', detail: 'this program stops' });
    const looking = setInterval(() => say(socket, toSay), LOOK_MS);
    signal.addEventListener('abort', stop, { once: true });
    socket.on('message', (data) => {
      const why = handOn(String(data), take);
      if (why !== undefined) finish(why);
    });
    socket.on('unexpected-response', (_, response) => void readRefusal(response).then(finish));
    socket.on('error', ({ message }) => {
      end ??= { status: 'unreachable', detail: `${address.host} cannot be reached: ${message}` };
    });
    socket.on('close', (code, reason) => {
      clearInterval(looking);
      signal.removeEventListener('abort', stop);
      const words = reason.length > 0 ? String(reason) : `the connection was lost (${code})`;
      resolve(end ?? { status: 'ended', detail: words });
    });
    if (signal.aborted) stop();
  });
}

function say(socket: WebSocket, toSay: () => ViewerMessage | undefined): void {
  if (socket.readyState !== socket.OPEN) return;
  const message = toSay();
  if (message !== undefined) socket.send(JSON.stringify(message));
}

/** Why no more is to be read, if so. */
function handOn(text: string, take: (message: FeedMessage) => void): FeedEnd | undefined {
  const message = readFeedMessage(text);
  if (message === undefined)
    return { status: 'refused', detail: `this is no feed: it said ${JSON.stringify(text.slice(0, 80))}` };
  if (message.type === 'refused')
    return message.isLast ? { status: 'refused', detail: `${message.code}: ${message.detail}` } : undefined;
  if (message.type === 'hello' && message.version !== FEED_VERSION)
    return {
      status: 'refused',
      detail: `the node speaks version ${message.version} of the feed, this program ${FEED_VERSION}: use the node's own`,
    };
  try {
    take(message);
    return undefined;
  } catch (cause) {
    const detail = `the feed said what this program cannot read: ${cause instanceof Error ? cause.message : cause}`;
    return { status: 'refused', detail };
  }
}

const TYPES: readonly string[] = ['hello', 'moment', 'delta', 'playing', 'answer', 'refused'];

/** A gateway: the feed is this machine's own program, so its messages are taken by their type. */
function readFeedMessage(text: string): FeedMessage | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return isFeedMessage(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

const isFeedMessage = (json: unknown): json is FeedMessage =>
  typeof json === 'object' &&
  json !== null &&
  'type' in json &&
  typeof json.type === 'string' &&
  TYPES.includes(json.type);

/** The feed's WebSocket, by the address of its page. */
function streamOf(address: URL): URL {
  const stream = new URL('/feed', address);
  stream.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  stream.hash = '';
  const token = new URLSearchParams(address.hash.slice(1)).get('token');
  if (token !== null) stream.searchParams.set('token', token);
  return stream;
}

async function readRefusal(response: IncomingMessage): Promise<FeedEnd> {
  let words = '';
  response.setEncoding('utf8');
  try {
    for await (const part of response) {
      words += part;
      if (words.length > REFUSAL_CHARS_MAX) break;
    }
  } catch {
    // What came is told.
  }
  const detail = words.slice(0, REFUSAL_CHARS_MAX).trim() || `status ${response.statusCode}`;
  return { status: 'refused', detail };
}
