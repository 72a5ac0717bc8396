/**
 * Calls of somebody else's code: it may answer at once or later, throw, or never answer. Each call ends exactly once,
 * with its value or with a sentence that says what went wrong. Rule EX-5, docs/applications.md.
 */
import type { Millis } from '../base/units.ts';
import { MisshapenAnswer } from './answer-shapes.ts';

/** Calls that were given up and still run. Beyond: checks and queries are refused. @unit calls @source chosen: what each holds is small, and one alone is a defect */
const GIVEN_UP_MAX = 1_024;
/** What an application throws may be a book. @unit letters */
const WORDS_MAX = 4_096;

/** The clock that a call is measured with: timers of the executor's cell. */
export interface CallTimers {
  start(key: string, delay: Millis): void;
  cancel(key: string): void;
}

/** A call, and what comes of it: one of `done` and `failed`, once. */
export interface Call<Value> {
  /** What is called, as sentences about it begin. */
  readonly name: string;
  readonly limit: Millis;
  readonly run: () => Value | Promise<Value>;
  readonly done: (value: Value) => void;
  readonly failed: (detail: string) => void;
}

export class Calls {
  readonly #timers: CallTimers;
  readonly #open = new Map<string, Pick<Call<unknown>, 'name' | 'limit' | 'failed'>>();
  /** Promises that have not settled, those that were given up too. */
  readonly #hanging = new Set<Promise<unknown>>();
  readonly #held: (name: string | undefined) => void;
  #count = 0;

  /** @param held told what `hold` waits for, and undefined when it waits no more; must not throw */
  constructor(timers: CallTimers, held: (name: string | undefined) => void = () => undefined) {
    this.#timers = timers;
    this.#held = held;
  }

  /** Resolves when nothing that was given up still runs; undefined when nothing does. */
  hanging(): Promise<unknown> | undefined {
    return this.#hanging.size === 0 ? undefined : Promise.allSettled(this.#hanging);
  }

  /** Why nobody should be asked what can be done without; undefined: there is no reason (EX-6). */
  get refusal(): string | undefined {
    const givenUp = this.#hanging.size - this.#open.size;
    return givenUp < GIVEN_UP_MAX ? undefined : `${givenUp} calls that were given up have not ended`;
  }

  /** As `make`, for what no block is executed without: one at a time, and whoever watches is told. */
  hold<Value>(call: Call<Value>): void {
    this.#held(call.name);
    const end =
      <Told>(tell: (told: Told) => void) =>
      (told: Told) => {
        this.#held(undefined);
        tell(told);
      };
    this.make({ ...call, done: end(call.done), failed: end(call.failed) });
  }

  /** Runs `run`; a synchronous answer is given on before this returns. */
  make<Value>({ name, limit, run, done, failed }: Call<Value>): void {
    let answer: Value | Promise<Value>;
    try {
      answer = run();
    } catch (error) {
      failed(`${name} ${failureOf(error, 'threw')}`);
      return;
    }
    if (!(answer instanceof Promise)) {
      done(answer);
      return;
    }
    this.#count += 1;
    const key = `call/${this.#count}`;
    this.#open.set(key, { name, limit, failed });
    this.#timers.start(key, limit);
    const running = answer;
    this.#hanging.add(running);
    const end = (act: () => void) => {
      this.#hanging.delete(running);
      if (!this.#open.delete(key)) return;
      this.#timers.cancel(key);
      act();
    };
    running.then(
      (value) => end(() => done(value)),
      (error: unknown) => end(() => failed(`${name} ${failureOf(error, 'failed')}`)),
    );
  }

  /** The timer of a call went off: it is given up. */
  expire(key: string): void {
    const call = this.#open.get(key);
    if (call === undefined) return;
    this.#open.delete(key);
    call.failed(`${call.name} has not answered within ${call.limit} ms`);
  }

  /** Forgets all calls: their answers reach nobody. */
  abandon(): void {
    this.#held(undefined);
    for (const key of this.#open.keys()) this.#timers.cancel(key);
    this.#open.clear();
  }
}

/** Nobody was asked: what it is thrown for says nothing of the transaction or the query. */
export class ApplicationGone extends Error {
  override readonly name = 'ApplicationGone';
}

/** How a call went wrong, behind the name of what was called. */
export const failureOf = (error: unknown, otherwise: 'threw' | 'failed'): string =>
  `${error instanceof MisshapenAnswer ? 'gave nonsense' : otherwise}: ${messageOf(error)}`;

/** What is thrown, in words and not too many of them. Never throws, whatever it is given. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error).slice(0, WORDS_MAX);
  } catch {
    return 'something that has no words';
  }
}
