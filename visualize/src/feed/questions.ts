/** Questions and orders on their way: each is answered, refused, lost with the connection, or late. Bounded. Rule IN-1. */
import type {
  Answer,
  Control,
  FeedMessage,
  Question,
  ViewerMessage,
} from '../../../src/observe/feed/feed.ts';

type Asked =
  | { readonly type: 'ask'; readonly question: Question }
  | { readonly type: 'order'; readonly control: Control };

interface Pending {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: FeedRefusal) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** @unit questions @source views ask by a click; so many means that nobody answers */
const PENDING_MAX = 64;
/** Starting a validator takes longest. @unit ms */
const ANSWER_MS_MAX = 20_000;

/** Why there is no answer, for the reader. */
export class FeedRefusal extends Error {
  readonly code: string;
  constructor(code: string, detail: string) {
    super(detail);
    this.name = 'FeedRefusal';
    this.code = code;
  }
}

export class Questions {
  readonly #send: (message: ViewerMessage) => boolean;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor(send: (message: ViewerMessage) => boolean) {
    this.#send = send;
  }

  ask(asked: Asked): Promise<unknown> {
    if (this.#pending.size >= PENDING_MAX) {
      return Promise.reject(
        new FeedRefusal('TOO_MANY', `${PENDING_MAX} questions are not answered yet: wait for them`),
      );
    }
    this.#lastId += 1;
    const id = this.#lastId;
    if (!this.#send({ ...asked, id })) {
      return Promise.reject(
        new FeedRefusal('NOT_CONNECTED', 'the page is not connected: it could not be asked'),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => {
      this.#pending.delete(id);
      reject(new FeedRefusal('LATE', `no answer within ${ANSWER_MS_MAX / 1000} s`));
    }, ANSWER_MS_MAX);
    this.#pending.set(id, { resolve, reject, timer });
    return promise;
  }

  settle(message: Answer | Extract<FeedMessage, { type: 'refused' }>): void {
    if (message.id === undefined) return;
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    this.#pending.delete(message.id);
    clearTimeout(pending.timer);
    if (message.type === 'answer') pending.resolve(message.answer);
    else pending.reject(new FeedRefusal(message.code, message.detail));
  }

  /** The connection went: nobody will answer. */
  lose(): void {
    for (const { timer, reject } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new FeedRefusal('NOT_CONNECTED', 'the connection was lost before the answer'));
    }
    this.#pending.clear();
  }
}
