/**
 * The run in Stately's inspector, in a window of its own: a second viewer of the feed, for as long as that window is open, whose messages
 * are handed to it. Driven by what the feed says, not by frames or timers, which a page behind another window does not have. Boundary:
 * windows, a socket. Rule IN-3, docs/inspector.md.
 */
import type { FeedMessage, ViewerMessage } from '../../../src/observe/feed/feed.ts';
import { HOSTED_INSPECTOR } from '../../../src/observe/stately/messages.ts';
import { listenToInspector, type Post } from '../../../src/observe/stately/page/inspector-window.ts';
import { Sessions } from '../../../src/observe/stately/sessions.ts';
import { ViewerQueue } from '../../../src/observe/stately/viewer-queue.ts';
import type { ConnectionEvents } from '../feed/connection.ts';

export type BridgeState =
  | { readonly status: 'closed' }
  /** The window is open, and has not said yet that it is there. */
  | { readonly status: 'waiting' }
  | { readonly status: 'connected'; readonly cells: number }
  | { readonly status: 'failed'; readonly why: string };

/** A connection of the page, as `Connection` is one. */
export interface BridgeFeed {
  open(): void;
  send(message: ViewerMessage): boolean;
  close(): void;
}

/** Between two hand-overs. @unit ms @source as the relay's */
const FLUSH_MS = 100;
/** At once. @unit messages @source as the relay's */
const FLUSH_MESSAGES_MAX = 256;
/** After which the inspector is missed. @unit ms @source as the relay's page */
const SILENCE_MS = 10_000;
/** How often it is looked whether the window is still there. @unit ms */
const LOOK_MS = 1_000;

/** One inspector's window. */
interface Opened {
  readonly target: Window;
  readonly forget: () => void;
  feed?: BridgeFeed;
}

export class StatelyBridge {
  readonly #connect: (events: ConnectionEvents) => BridgeFeed;
  readonly #inspector: URL;
  readonly #listeners = new Set<() => void>();
  #opened: Opened | undefined;
  #state: BridgeState = { status: 'closed' };

  /** @param connect another connection to the page's own feed */
  constructor(connect: (events: ConnectionEvents) => BridgeFeed, inspector = new URL(HOSTED_INSPECTOR)) {
    this.#connect = connect;
    this.#inspector = inspector;
    setInterval(() => {
      if (this.#opened?.target.closed === true) this.close();
    }, LOOK_MS);
  }

  readonly get = (): BridgeState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** To be called by a click: a browser lets no other open a window. */
  readonly open = (): void => {
    this.close();
    const target = window.open(this.#inspector, 'althing-stately');
    if (target === null) {
      this.#become({
        status: 'failed',
        why: 'The browser did not let a window open: allow it for this page.',
      });
      return;
    }
    const forget = listenToInspector(this.#inspector, target, (post) => this.#begin(own, post));
    const own: Opened = { target, forget };
    this.#opened = own;
    this.#become({ status: 'waiting' });
    setTimeout(() => {
      if (this.#opened !== own || own.feed !== undefined) return;
      const why = `The page at ${this.#inspector.host} has not answered: without internet there is none.`;
      this.#become({ status: 'failed', why });
    }, SILENCE_MS);
  };

  close(): void {
    this.#opened?.forget();
    this.#opened?.feed?.close();
    this.#opened = undefined;
    this.#become({ status: 'closed' });
  }

  /** The inspector knows nothing: it is told all, by a connection that begins. */
  #begin(own: Opened, post: Post): void {
    own.feed?.close();
    const sessions = new Sessions({ only: [] });
    const queue = new ViewerQueue(sessions);
    let flushedAt = 0;
    const take = (message: FeedMessage): void => {
      queue.note(sessions.take(message));
      const now = performance.now();
      if (now - flushedAt < FLUSH_MS) return;
      flushedAt = now;
      for (const told of queue.take(FLUSH_MESSAGES_MAX)) post(told);
      const cells = sessions.rewatch();
      if (cells !== undefined) feed.send({ type: 'watch', cells });
      this.#become({ status: 'connected', cells: sessions.size });
    };
    const feed = this.#connect({
      message: take,
      state: (state) => {
        if (state.status === 'refused') this.#become({ status: 'failed', why: state.detail });
      },
    });
    own.feed = feed;
    feed.open();
  }

  #become(state: BridgeState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
