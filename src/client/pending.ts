/**
 * The operations that have not ended: the one owner of what is known of each. Bounded: further ones wait in order for a
 * place, as many as there are places, or are refused (BR-2). Each ends once and leaves the table.
 */
import { type Course, EXPOSED_COURSE, NEW_COURSE } from './course.ts';
import { ClientClosed, type Operation, type Outcome, PendingFull } from './types.ts';

export interface Entry {
  readonly operation: Operation;
  /** The bytes in base64; undefined for one that is only followed. */
  body: string | undefined;
  course: Course;
  /** Since when it has been with its holders, and how long that is borne before one node more gets it. @unit ms */
  heldSince: number;
  patience: number;
  /** Endpoints that cannot know its end. */
  readonly unknownTo: Set<number>;
  readonly settle: (outcome: Outcome) => void;
  readonly fail: (failure: Error) => void;
}

export interface NewEntry {
  readonly id: string;
  readonly expiresAtHeight: number;
  readonly body: string | undefined;
  /** This is not surely the first submission of these bytes, by whomever. */
  readonly isExposed: boolean;
  readonly patience: number;
}

/** Told before whoever waits for the outcome. */
export type OnEnd = (entry: Entry, how: Outcome | Error) => void;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (failure: Error) => void;
}

export class Pending {
  readonly #max: number;
  readonly #whenFull: 'wait' | 'reject';
  readonly #onEnd: OnEnd;
  readonly #entries = new Map<string, Entry>();
  readonly #waiters: Waiter[] = [];
  /** Places that are promised to callers whose operation is not in the table yet. */
  #promised = 0;
  #closed = false;

  constructor(max: number, whenFull: 'wait' | 'reject', onEnd: OnEnd) {
    this.#max = max;
    this.#whenFull = whenFull;
    this.#onEnd = onEnd;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(id: string): Entry | undefined {
    return this.#entries.get(id);
  }

  values(): Iterable<Entry> {
    return this.#entries.values();
  }

  has(entry: Entry): boolean {
    return this.#entries.get(entry.operation.id) === entry;
  }

  /** Resolves when there is a place, which is then the caller's until `add` or `giveBack`. */
  async place(): Promise<void> {
    if (this.#closed) throw closed();
    if (this.#entries.size + this.#promised < this.#max) {
      this.#promised += 1;
      return;
    }
    if (this.#whenFull === 'reject' || this.#waiters.length >= this.#max) {
      throw new PendingFull(`${this.#max} operations have not ended: wait for one, or raise pendingMax`);
    }
    await new Promise<void>((resolve, reject) => void this.#waiters.push({ resolve, reject }));
  }

  giveBack(): void {
    this.#promised -= 1;
    this.#admit();
  }

  /** Takes the place. */
  add({ id, expiresAtHeight, body, isExposed, patience }: NewEntry): Entry {
    if (this.#closed) throw closed();
    this.#promised -= 1;
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    // Who does not look at an outcome is not stopped by its failure.
    promise.catch(() => undefined);
    const entry: Entry = {
      operation: { id, expiresAtHeight, outcome: promise },
      body,
      course: isExposed ? EXPOSED_COURSE : NEW_COURSE,
      heldSince: 0,
      patience,
      unknownTo: new Set(),
      settle: resolve,
      fail: reject,
    };
    this.#entries.set(id, entry);
    return entry;
  }

  /** Nothing, when it had ended. */
  end(entry: Entry, how: Outcome | Error): void {
    if (!this.has(entry)) return;
    this.#entries.delete(entry.operation.id);
    this.#onEnd(entry, how);
    if (how instanceof Error) entry.fail(how);
    else entry.settle(how);
    this.#admit();
  }

  close(): void {
    this.#closed = true;
    for (const entry of [...this.#entries.values()]) this.end(entry, closed());
    for (const { reject } of this.#waiters.splice(0)) reject(closed());
  }

  #admit(): void {
    while (this.#entries.size + this.#promised < this.#max) {
      const next = this.#waiters.shift();
      if (next === undefined) return;
      this.#promised += 1;
      next.resolve();
    }
  }
}

const closed = (): ClientClosed => new ClientClosed('the client is closed');
