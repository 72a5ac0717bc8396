/**
 * A snapshot's chunks across a socket, to the application: the node gives one when it is asked for one (`ChunkSource`), and the
 * application's side asks when the application reads on (`ChunkInbox`). Rule AP-7, docs/application-protocol.md.
 */
import type { SnapshotChunks } from '../../protocol/ports/application.ts';
import { messageOf } from '../calls.ts';
import { Nonsense } from './reader.ts';

export interface ChunkIterator {
  readonly next: () => IteratorResult<Uint8Array, unknown> | Promise<IteratorResult<Uint8Array, unknown>>;
  readonly leave: () => unknown;
}

export function iteratorOf(chunks: SnapshotChunks): ChunkIterator {
  const iterator =
    Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  return { next: () => iterator.next(), leave: () => iterator.return?.() };
}

export type ChunkStep =
  | { readonly status: 'chunk'; readonly bytes: Uint8Array }
  | { readonly status: 'ended' }
  | { readonly status: 'failed'; readonly words: string };

/** The node's side. */
export class ChunkSource {
  readonly #iterator: ChunkIterator;
  #isReading = false;
  #isOver = false;

  constructor(iterator: ChunkIterator) {
    this.#iterator = iterator;
  }

  /** Never rejects. @throws Nonsense while the last one is not there yet */
  next(): Promise<ChunkStep> {
    if (this.#isReading) throw new Nonsense('a chunk is wanted while the last one has not been given');
    this.#isReading = true;
    return this.#step().finally(() => {
      this.#isReading = false;
    });
  }

  /** Nothing more is read. Never rejects. */
  async leave(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    try {
      await this.#iterator.leave();
    } catch {
      // Whoever gives the chunks is told so by its own reader; here nobody waits for them any more.
    }
  }

  async #step(): Promise<ChunkStep> {
    if (this.#isOver) return { status: 'ended' };
    try {
      const step = await this.#iterator.next();
      if (step.done !== true) return { status: 'chunk', bytes: step.value };
      this.#isOver = true;
      return { status: 'ended' };
    } catch (error) {
      this.#isOver = true;
      return { status: 'failed', words: messageOf(error) };
    }
  }
}

/** The application's side: what `restoreSnapshot` reads. */
export class ChunkInbox implements AsyncIterable<Uint8Array> {
  readonly #want: () => void;
  readonly #left: () => void;
  #reading: PromiseWithResolvers<IteratorResult<Uint8Array, undefined>> | undefined;
  #isOver = false;

  constructor(want: () => void, left: () => void) {
    this.#want = want;
    this.#left = left;
  }

  /** What the node gave. A chunk that crossed the application's leaving is passed over. @throws Nonsense */
  take(step: ChunkStep): void {
    const reading = this.#reading;
    this.#reading = undefined;
    if (this.#isOver) return;
    if (reading === undefined) throw new Nonsense('a chunk comes that was not wanted');
    if (step.status === 'chunk') {
      reading.resolve({ done: false, value: step.bytes });
      return;
    }
    this.#isOver = true;
    if (step.status === 'ended') reading.resolve(OVER);
    else reading.reject(new Error(step.words));
  }

  /** The application has answered, or its node is gone: it reads no more. */
  finish(): void {
    this.#isOver = true;
    this.#reading?.reject(new Error('the restoration has ended'));
    this.#reading = undefined;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return {
      next: () => {
        if (this.#isOver) return Promise.resolve(OVER);
        if (this.#reading !== undefined) return Promise.reject(new Error('one chunk is read at a time'));
        this.#reading = Promise.withResolvers();
        this.#want();
        return this.#reading.promise;
      },
      return: () => {
        if (!this.#isOver) this.#left();
        this.#isOver = true;
        this.#reading?.resolve(OVER);
        return Promise.resolve(OVER);
      },
    };
  }
}

const OVER = { done: true, value: undefined } as const;
