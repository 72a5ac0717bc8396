/**
 * Calls that have come whole take turns with the rest of the node: in one turn of the event loop, calls get a bounded time, and what
 * is left of them waits in order. Peers' messages, timers and new connections wait for no more than that, however many clients
 * call at once. Boundary: the event loop, the clock. docs/benchmarks.md, "Overload".
 */
import { RingBuffer } from '../base/ring-buffer.ts';

/** Of one turn of the event loop; the call under way ends first. @unit ms @source chosen: half of the mempool's seal interval */
const BUDGET = 5;

export class Turnstile {
  readonly #waitingMax: number;
  readonly #waiting = new RingBuffer<() => void>();

  /** Beyond `waitingMax` calls nobody enters. */
  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Begins `work` in its turn, and gives what it gives; undefined: too many wait. Until its first await it counts as the call's time. */
  enter<Result>(work: () => Promise<Result>): Promise<Result> | undefined {
    if (this.waiting >= this.#waitingMax) return undefined;
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        work().then(resolve, reject);
      });
      if (this.waiting === 1) setImmediate(this.#turn);
    });
  }

  readonly #turn = (): void => {
    const until = performance.now() + BUDGET;
    do {
      this.#waiting.shift()?.();
    } while (this.waiting > 0 && performance.now() < until);
    if (this.waiting > 0) setImmediate(this.#turn);
  };
}
