/**
 * One connection to a feed, as a viewer: what it tells is handed on, questions and orders are answered, and why it ended is told in words.
 * What a network's parent is at each of its validators, and `althing inspect --stately` at a node. Boundary: a WebSocket. Rules IN-1 to
 * IN-3, docs/inspector.md.
 */
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import {
  type Control,
  FEED_PATH,
  FEED_VERSION,
  type FeedMessage,
  type Question,
  type ViewerMessage,
} from './feed.ts';
import { type FeedUpdate, type Outcome, refusedWith, type WatchedCell } from './source.ts';

/** Why a connection is no more; `refused`: it would be refused again. */
export interface LinkEnd {
  readonly status: 'unreachable' | 'refused' | 'ended';
  readonly detail: string;
}

export interface LinkEvents {
  take(update: FeedUpdate): void;
  /** Once; nothing more comes. Not called where this end closed it. */
  ended(end: LinkEnd): void;
}

/** Questions and orders without an answer. @unit questions @source above what the viewers of one server may have open */
const ASKED_MAX = 512;
/** For one answer. @unit ms @source as the RPC's calls */
const ANSWER_MS_MAX = 15_000;
/** Of one message. @unit bytes @source a moment of 16 nodes × 240 cells, four times */
const MESSAGE_BYTES_MAX = 64 * 1_048_576;
/** Until the feed lets this viewer in. @unit ms */
const HANDSHAKE_MS_MAX = 5_000;
/** Of the words of a refusal. @unit characters */
const REFUSAL_CHARS_MAX = 1_024;

export class FeedLink {
  readonly #socket: WebSocket;
  readonly #address: URL;
  readonly #events: LinkEvents;
  readonly #asked = new Map<number, (outcome: Outcome) => void>();
  #watched: readonly WatchedCell[] | undefined;
  #id = 0;
  #isOver = false;

  /** @param address of the feed's page, with its token: `http://127.0.0.1:26680/#token=…` */
  constructor(address: URL, events: LinkEvents) {
    this.#address = address;
    this.#events = events;
    const socket = new WebSocket(feedAddress(address), {
      maxPayload: MESSAGE_BYTES_MAX,
      handshakeTimeout: HANDSHAKE_MS_MAX,
      perMessageDeflate: false,
    });
    this.#socket = socket;
    socket.once('open', () => {
      if (this.#watched !== undefined) this.watch(this.#watched);
    });
    socket.on('message', (data) => this.#hear(String(data)));
    socket.on(
      'unexpected-response',
      (_, response) =>
        void readRefusal(response).then((detail) => this.#finish({ status: 'refused', detail })),
    );
    socket.on('error', ({ message }) =>
      this.#finish({ status: 'unreachable', detail: `${this.#address.host} cannot be reached: ${message}` }),
    );
    socket.on('close', (code, reason) => {
      const detail = reason.length > 0 ? String(reason) : `the connection was lost (${code})`;
      this.#finish({ status: 'ended', detail });
    });
  }

  /** All that are wanted from now on; told once it is open. */
  watch(cells: readonly WatchedCell[]): void {
    this.#watched = cells;
    this.#say({ type: 'watch', cells });
  }

  ask(question: Question): Promise<Outcome> {
    return this.#await((id) => ({ type: 'ask', id, question }));
  }

  order(control: Control): Promise<Outcome> {
    return this.#await((id) => ({ type: 'order', id, control }));
  }

  close(): void {
    this.#settleAll('this end was closed');
    this.#isOver = true;
    this.#socket.terminate();
  }

  #finish(end: LinkEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.terminate();
    this.#settleAll(end.detail);
    this.#events.ended(end);
  }

  #hear(text: string): void {
    if (this.#isOver) return;
    const message = readFeedMessage(text);
    if (message === undefined) this.#refuse(`this is no feed: it said ${JSON.stringify(text.slice(0, 80))}`);
    else if (message.type === 'answer') this.#settle(message.id, { status: 'done', answer: message.answer });
    else if (message.type === 'refused') this.#hearRefusal(message);
    else if (message.type === 'hello' && message.version !== FEED_VERSION)
      this.#refuse(
        `the node speaks version ${message.version} of the feed, this program ${FEED_VERSION}: use the node's own`,
      );
    else this.#take(message);
  }

  #hearRefusal({ id, code, detail, isLast }: Extract<FeedMessage, { type: 'refused' }>): void {
    if (id !== undefined) this.#settle(id, refusedWith(code, detail));
    else if (isLast) this.#refuse(`${code}: ${detail}`);
  }

  #take(update: FeedUpdate): void {
    try {
      this.#events.take(update);
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause);
      this.#refuse(`the feed said what this program cannot read: ${words}`);
    }
  }

  #refuse(detail: string): void {
    this.#finish({ status: 'refused', detail });
  }

  #await(message: (id: number) => ViewerMessage): Promise<Outcome> {
    if (this.#asked.size >= ASKED_MAX || this.#socket.readyState !== this.#socket.OPEN)
      return Promise.resolve(refusedWith('NOT_NOW', 'the node cannot be asked now: try again'));
    this.#id += 1;
    const id = this.#id;
    return new Promise((resolve) => {
      const late = setTimeout(
        () => this.#settle(id, refusedWith('NOT_ANSWERED', `no answer within ${ANSWER_MS_MAX} ms`)),
        ANSWER_MS_MAX,
      );
      this.#asked.set(id, (outcome) => {
        clearTimeout(late);
        resolve(outcome);
      });
      this.#say(message(id));
    });
  }

  #settle(id: number, outcome: Outcome): void {
    const answered = this.#asked.get(id);
    this.#asked.delete(id);
    answered?.(outcome);
  }

  #settleAll(detail: string): void {
    for (const id of [...this.#asked.keys()]) this.#settle(id, refusedWith('GONE', detail));
  }

  #say(message: ViewerMessage): void {
    if (this.#socket.readyState === this.#socket.OPEN)
      this.#socket.send(JSON.stringify(message), () => undefined);
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

/** Where a viewer connects, by the address of the page. */
export function feedAddress(page: URL): URL {
  const stream = new URL(FEED_PATH, page);
  stream.protocol = page.protocol === 'https:' ? 'wss:' : 'ws:';
  const token = new URLSearchParams(page.hash.slice(1)).get('token');
  if (token !== null) stream.searchParams.set('token', token);
  return stream;
}

async function readRefusal(response: IncomingMessage): Promise<string> {
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
  return words.slice(0, REFUSAL_CHARS_MAX).trim() || `status ${response.statusCode}`;
}
