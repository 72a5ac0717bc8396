/**
 * Calls of somebody else's code: it may answer at once or later, throw, or never answer. Each call ends exactly once,
 * with its value or with a sentence that says what went wrong. Rule EX-5, docs/applications.md.
 */
import type { Millis } from '../base/units.ts';

/** The clock that a call is measured with: timers of the executor's cell. */
export interface CallTimers {
  start(key: string, delay: Millis): void;
  cancel(key: string): void;
}

interface Call {
  readonly name: string;
  readonly limit: Millis;
  readonly failed: (detail: string) => void;
}

export class Calls {
  readonly #timers: CallTimers;
  readonly #open = new Map<string, Call>();
  /** Promises that were given up and have not settled. */
  readonly #hanging = new Set<Promise<unknown>>();
  #count = 0;

  constructor(timers: CallTimers) {
    this.#timers = timers;
  }

  /** Resolves when nothing that was given up still runs; undefined when nothing does. */
  hanging(): Promise<unknown> | undefined {
    return this.#hanging.size === 0 ? undefined : Promise.allSettled(this.#hanging);
  }

  /** Runs `run`; a synchronous answer is given on before this returns. */
  make<Value>(
    name: string,
    limit: Millis,
    run: () => Value | Promise<Value>,
    done: (value: Value) => void,
    failed: (detail: string) => void,
  ): void {
    let answer: Value | Promise<Value>;
    try {
      answer = run();
    } catch (error) {
      failed(`${name} threw: ${messageOf(error)}`);
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
      (error: unknown) => end(() => failed(`${name} failed: ${messageOf(error)}`)),
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
    for (const key of this.#open.keys()) this.#timers.cancel(key);
    this.#open.clear();
  }
}

/** Nobody was asked: what it is thrown for says nothing of the transaction or the query. */
export class ApplicationGone extends Error {
  override readonly name = 'ApplicationGone';
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
