/**
 * The page's one socket: to its own origin, with the token of this start of the server; opened again whenever it is lost, less and less
 * often. Says in words how it stands. Boundary: WebSocket, fetch, timers. Rules IN-1, IN-2, docs/inspector.md.
 */
import type { FeedMessage, ViewerMessage } from '../../../src/observe/feed/feed.ts';
import { readFeedMessage } from './read.ts';

export type ConnectionState =
  | { readonly status: 'connecting' }
  | { readonly status: 'open' }
  /** It is tried again by itself. */
  | { readonly status: 'waiting'; readonly why: string; readonly retryInMs: number }
  /** It is not tried again: a person must do something. */
  | { readonly status: 'refused'; readonly code: string; readonly detail: string };

export interface ConnectionEvents {
  state(state: ConnectionState): void;
  /** `size` is the length of the text. */
  message(message: FeedMessage, size: number): void;
}

/** First wait before another try. @unit ms @source a restart of a local network takes about a second */
const RETRY_MS_MIN = 250;
/** @unit ms */
const RETRY_MS_MAX = 5_000;

const NO_TOKEN =
  'the server runs, but this address has no token, and it shows nothing without. Open the address that the terminal printed, with what follows the #';
const REFUSED_TOKEN =
  'the server runs, but does not accept this page: its token is of another start. Open the address that the terminal printed';

export class Connection {
  readonly #origin: string;
  readonly #token: string;
  readonly #events: ConnectionEvents;
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tries = 0;
  /** Why the server is about to close: it stops, it is full, this page read too slowly. */
  #lastWord: string | undefined;
  #isClosed = false;

  /** `origin` is the page's own, `http://127.0.0.1:26700`. */
  constructor(origin: string, token: string, events: ConnectionEvents) {
    this.#origin = origin;
    this.#token = token;
    this.#events = events;
  }

  open(): void {
    this.#isClosed = false;
    this.#events.state({ status: 'connecting' });
    const socket = new WebSocket(feedAddress(this.#origin, this.#token));
    this.#socket = socket;
    let wasOpen = false;
    this.#lastWord = undefined;
    socket.addEventListener('open', () => {
      wasOpen = true;
      this.#events.state({ status: 'open' });
    });
    socket.addEventListener('message', ({ data }) => {
      if (socket === this.#socket && typeof data === 'string') this.#take(data);
    });
    socket.addEventListener('close', ({ reason }) => {
      if (socket !== this.#socket || this.#isClosed) return;
      this.#socket = undefined;
      void this.#lost(wasOpen, this.#lastWord ?? reason);
    });
  }

  /** False when nobody is connected: it is not kept for later. */
  send(message: ViewerMessage): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = undefined;
  }

  #take(text: string): void {
    const read = readFeedMessage(text);
    if (!read.ok) this.#refuse(read.code, read.detail);
    else if (read.message.type === 'refused' && read.message.isLast) this.#lastWord = read.message.detail;
    else {
      // It was let in: the next loss is another one.
      this.#tries = 0;
      this.#events.message(read.message, text.length);
    }
  }

  #refuse(code: string, detail: string): void {
    this.close();
    this.#events.state({ status: 'refused', code, detail });
  }

  async #lost(wasOpen: boolean, reason: string): Promise<void> {
    // A browser does not say why it could not connect; whether the server answers at all tells the two cases apart.
    const isServerUp = !wasOpen && (await answers(this.#origin));
    if (this.#isClosed) return;
    if (isServerUp) {
      this.#refuse('REFUSED', this.#token === '' ? NO_TOKEN : REFUSED_TOKEN);
      return;
    }
    const retryInMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(this.#tries, 8));
    this.#tries += 1;
    const why = wasOpen ? `the connection was closed${reason === '' ? '' : `: ${reason}`}` : 'nobody answers';
    this.#events.state({ status: 'waiting', why, retryInMs });
    this.#timer = setTimeout(() => this.open(), retryInMs);
  }
}

export function feedAddress(origin: string, token: string): string {
  const address = new URL('/feed', origin);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  address.searchParams.set('token', token);
  return address.href;
}

async function answers(origin: string): Promise<boolean> {
  try {
    const { ok } = await fetch(new URL('/', origin), { method: 'HEAD', cache: 'no-store' });
    return ok;
  } catch {
    return false;
  }
}
