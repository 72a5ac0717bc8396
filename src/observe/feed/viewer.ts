/**
 * One viewer at its socket: what it is told while it reads, one merged delta while it does not, and an end with a reason when it never
 * does. Its mistakes are answers. Bounded in memory, questions and rate. Boundary: a WebSocket. Rules IN-1, IN-2, docs/inspector.md.
 */
import type { WebSocket } from 'ws';
import { monotonic } from '../../base/units.ts';
import { type Bucket, type BucketRate, fullBucket, takeTokens } from '../../protocol/transport/bucket.ts';
import { mergeDeltas } from './backlog.ts';
import type { Delta, FeedMessage, Hello, Moment, Playing, ViewerMessage } from './feed.ts';
import { type FeedSource, type FeedUpdate, type Outcome, refusedWith, type Subscription } from './source.ts';
import { readViewerMessage } from './viewer-message.ts';

/** Unsent beyond this, what comes is merged and waits. @unit bytes @source ten deltas of a network at full load */
const UNSENT_BYTES_MAX = 2 * 1_048_576;
/** So long above it, a viewer is closed. @unit ms @source a page that was in the background comes back sooner, and connects anew otherwise */
const STALL_MS_MAX = 15_000;
/** For the closing words; then the socket is torn down. @unit ms */
const CLOSE_GRACE_MS = 1_000;
/** Questions and orders without an answer. @unit questions */
const ASKED_MAX = 16;
/** What a page sends when somebody clicks as fast as they can. */
const RATE: BucketRate = { ratePerSecond: 50, burst: 200 };
/** A longer message counts as so many more: reading one costs by its length. @unit bytes @source a click is below; 256 KiB of brackets take 15 ms */
const BYTES_PER_TOKEN = 4_096;
/** Of what is wrong with a message: it may quote it. @unit letters */
const DETAIL_MAX = 300;

/** Close codes of RFC 6455, section 7.4.1. */
const CLOSE_POLICY = 1008;
const CLOSE_FAILED = 1011;
const CLOSE_TRY_LATER = 1013;

interface Backlog {
  hello?: Hello;
  moment?: Moment;
  delta?: Delta;
  playing?: Playing;
}

export class Viewer {
  readonly #socket: WebSocket;
  readonly #source: FeedSource;
  readonly #now: () => number;
  #subscription: Subscription | undefined;
  #backlog: Backlog = {};
  #asked = 0;
  #bucket: Bucket;
  #stalledSince: number | undefined;
  #isEnding = false;

  /** @param now a monotonic clock. @unit ms */
  constructor(socket: WebSocket, source: FeedSource, now: () => number) {
    this.#socket = socket;
    this.#source = source;
    this.#now = now;
    this.#bucket = fullBucket(RATE, monotonic(now()));
    socket.on('message', (data, isBinary) => this.#hear(String(data), isBinary));
    socket.on('close', () => this.#leave());
    // What was wrong with its frames is in the close code that `ws` sends.
    socket.on('error', () => this.#leave());
    this.#subscription = source.subscribe(
      (update) => this.#take(update),
      (detail) => this.end(CLOSE_FAILED, 'SOURCE_ENDED', detail),
    );
    if (this.#isEnding) this.#leave();
  }

  /** Called now and then: sends what waits if there is room, and ends who never reads. */
  look(): void {
    if (this.#isEnding) return;
    this.#flush();
    const isStalled = this.#socket.bufferedAmount > UNSENT_BYTES_MAX;
    if (!isStalled) {
      this.#stalledSince = undefined;
      if (this.#socket.isPaused) this.#socket.resume();
      return;
    }
    // Whoever does not read is not read either: its questions would only make more to send.
    this.#socket.pause();
    this.#stalledSince ??= this.#now();
    if (this.#now() - this.#stalledSince > STALL_MS_MAX) {
      this.end(CLOSE_TRY_LATER, 'STALLED', `nothing was read for ${STALL_MS_MAX / 1_000} s: connect anew`);
    }
  }

  end(closeCode: number, code: string, detail: string): void {
    if (this.#isEnding) return;
    this.#send({ type: 'refused', code, detail, isLast: true });
    this.#leave();
    if (this.#socket.isPaused) this.#socket.resume();
    this.#socket.close(closeCode, code);
    setTimeout(() => this.#socket.terminate(), CLOSE_GRACE_MS).unref();
  }

  #leave(): void {
    this.#isEnding = true;
    this.#backlog = {};
    this.#subscription?.end();
    this.#subscription = undefined;
  }

  #take(update: FeedUpdate): void {
    const { delta } = this.#backlog;
    switch (update.type) {
      case 'hello':
        // Nodes have come or gone: what a viewer holds stays.
        this.#backlog.hello = update;
        break;
      case 'moment': {
        const { hello } = this.#backlog;
        this.#backlog = { ...(hello === undefined ? {} : { hello }), moment: update };
        break;
      }
      case 'delta':
        this.#backlog.delta = delta === undefined ? update : mergeDeltas(delta, update);
        break;
      case 'playing':
        this.#backlog.playing = update;
    }
    this.#flush();
  }

  #flush(): void {
    if (this.#socket.bufferedAmount > UNSENT_BYTES_MAX) return;
    const { hello, moment, delta, playing } = this.#backlog;
    this.#backlog = {};
    for (const message of [hello, moment, delta, playing]) if (message !== undefined) this.#send(message);
  }

  #send(message: FeedMessage): void {
    if (this.#socket.readyState === this.#socket.OPEN)
      this.#socket.send(JSON.stringify(message), () => undefined);
  }

  #hear(text: string, isBinary: boolean): void {
    if (this.#isEnding) return;
    const cost = 1 + Math.floor(text.length / BYTES_PER_TOKEN);
    const { bucket, taken } = takeTokens(this.#bucket, RATE, monotonic(this.#now()), cost);
    this.#bucket = bucket;
    if (!taken) {
      const most = `${RATE.ratePerSecond} messages, or ${(RATE.ratePerSecond * BYTES_PER_TOKEN) / 1_024} KiB, a second`;
      this.end(CLOSE_POLICY, 'TOO_MANY_MESSAGES', `more than ${most}`);
      return;
    }
    const read = isBinary ? BINARY : readViewerMessage(text);
    if (read.status === 'malformed') {
      const { detail, id } = read;
      this.#refuse('MALFORMED', detail, id);
    } else this.#obey(read.message);
  }

  #refuse(code: string, words: string, id?: number): void {
    const detail = words.length > DETAIL_MAX ? `${words.slice(0, DETAIL_MAX)}…` : words;
    this.#send({ type: 'refused', code, detail, isLast: false, ...(id === undefined ? {} : { id }) });
  }

  #obey(message: ViewerMessage): void {
    switch (message.type) {
      case 'watch':
        this.#subscription?.watch(message.cells);
        return;
      case 'ask':
        this.#answer(message.id, () => this.#source.ask(message.question));
        return;
      case 'order':
        if (this.#source.order === undefined) {
          this.#refuse(
            'READ_ONLY',
            'this feed takes no orders: start the node with inspector.allow_control',
            message.id,
          );
        } else {
          const { order } = this.#source;
          this.#answer(message.id, () => order(message.control));
        }
        return;
      default:
        if (this.#subscription?.play === undefined)
          this.#refuse('LIVE', 'a live run is neither sought nor stepped');
        else this.#subscription.play(message);
    }
  }

  #answer(id: number, ask: () => Promise<Outcome>): void {
    if (this.#asked >= ASKED_MAX) {
      this.#refuse('TOO_MANY_QUESTIONS', `${ASKED_MAX} have no answer yet: wait for one`, id);
      return;
    }
    if (this.#socket.bufferedAmount > UNSENT_BYTES_MAX) {
      this.#refuse('NOT_READ', 'earlier answers are not read yet: read them, then ask', id);
      return;
    }
    this.#asked += 1;
    void outcomeOf(ask).then((outcome) => {
      this.#asked -= 1;
      if (outcome.status === 'done') this.#send({ type: 'answer', id, answer: outcome.answer });
      else this.#refuse(outcome.code, outcome.detail, id);
    });
  }
}

/** Whatever goes wrong in answering is an answer, and ends no process. */
async function outcomeOf(ask: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await ask();
  } catch (failure) {
    return refusedWith('FAILED', failure instanceof Error ? failure.message : String(failure));
  }
}

const BINARY = {
  status: 'malformed',
  detail: 'a binary frame: send JSON in a text frame',
  id: undefined,
} as const;
