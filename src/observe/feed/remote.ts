/** A viewer of another feed: what a network's parent is at each of its validators. Boundary: a WebSocket. Rule IN-1, docs/inspector.md. */
import { WebSocket } from 'ws';
import type { Control, FeedMessage, Question, ViewerMessage } from './feed.ts';
import { FEED_PATH } from './server.ts';
import { type FeedUpdate, type Outcome, refusedWith } from './source.ts';

export interface RemoteEvents {
  take(update: FeedUpdate): void;
  /** Once; nothing more comes. */
  closed(detail: string): void;
}

/** Questions and orders without an answer. @unit questions @source above what the viewers of one server may have open */
const ASKED_MAX = 512;
/** For one answer. @unit ms @source as the RPC's calls */
const ANSWER_MS_MAX = 15_000;
/** A moment of the largest node, and its charts, are far below. @unit bytes */
const MESSAGE_BYTES_MAX = 64 * 1_048_576;

export class RemoteFeed {
  readonly #socket: WebSocket;
  readonly #asked = new Map<number, (outcome: Outcome) => void>();
  #id = 0;
  #isClosed = false;

  /** @param url as the node prints it: `http://127.0.0.1:1234/#token=…` */
  constructor(url: string, events: RemoteEvents) {
    const socket = new WebSocket(feedAddress(url), {
      maxPayload: MESSAGE_BYTES_MAX,
      perMessageDeflate: false,
    });
    this.#socket = socket;
    const end = (detail: string): void => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      for (const answered of this.#asked.values()) answered(refusedWith('GONE', detail));
      this.#asked.clear();
      events.closed(detail);
    };
    socket.on('error', (failure) => end(failure.message));
    socket.on('close', (_, reason) => end(String(reason) || 'the node has closed the connection'));
    socket.on('message', (data) => {
      if (this.#isClosed) return;
      // The gateway: what this program's own server says.
      const message = JSON.parse(String(data)) as FeedMessage;
      if (message.type === 'answer') this.#settle(message.id, { status: 'done', answer: message.answer });
      else if (message.type !== 'refused') events.take(message);
      else if (message.id !== undefined) this.#settle(message.id, refusedWith(message.code, message.detail));
      else if (message.isLast) end(`${message.code}: ${message.detail}`);
    });
  }

  watch(addresses: readonly string[]): void {
    this.#say({ type: 'watch', cells: addresses.map((address) => ({ node: 0, address })) });
  }

  ask(question: Question): Promise<Outcome> {
    return this.#await((id) => ({ type: 'ask', id, question: { ...question, node: 0 } }));
  }

  order(control: Extract<Control, { kind: 'submit' }>): Promise<Outcome> {
    return this.#await((id) => ({ type: 'order', id, control: { ...control, node: 0 } }));
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.terminate();
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

  #say(message: ViewerMessage): void {
    const text = JSON.stringify(message);
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(text, () => undefined);
    else if (this.#socket.readyState === this.#socket.CONNECTING)
      this.#socket.once('open', () => this.#socket.send(text, () => undefined));
  }
}

/** Where a viewer connects, of the address that is printed. */
export function feedAddress(url: string): URL {
  const address = new URL(url);
  const token = address.hash.replace(/^#token=/, '');
  address.protocol = 'ws:';
  address.pathname = FEED_PATH;
  address.hash = '';
  address.searchParams.set('token', token);
  return address;
}
