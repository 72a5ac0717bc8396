/** What the generator of one run sent and what was answered, by the operations' numbers. Holds; no clock, no I/O. */
import type { OperationAnswer } from './answers.ts';

/** @unit operations */
const GROWTH = 65_536;

export class Ledger {
  /** Number of the run's first operation. */
  readonly first: number;
  /** When each should have gone out; NaN: not accepted. @unit ms since 1970 */
  #intended = new Float64Array(GROWTH);
  sent = 0;
  accepted = 0;
  unanswered = 0;
  refusedOperations = 0;
  readonly refused = new Map<string, number>();
  /** @unit ms */
  readonly acceptances: number[] = [];
  readonly refusals: number[] = [];

  constructor(first: number) {
    this.first = first;
  }

  get next(): number {
    return this.first + this.sent;
  }

  /** The number of the first of `count`. */
  send(count: number, intendedAt: number): number {
    const at = this.sent;
    this.sent += count;
    if (this.sent > this.#intended.length) {
      const grown = new Float64Array(2 * this.#intended.length + count);
      grown.set(this.#intended);
      this.#intended = grown;
    }
    this.#intended.fill(intendedAt, at, this.sent);
    return this.first + at;
  }

  /** True when something was refused. `answers` undefined: nobody knows what became of them. */
  settle(
    first: number,
    count: number,
    answers: readonly OperationAnswer[] | undefined,
    tookMs: number,
  ): boolean {
    const at = first - this.first;
    if (answers === undefined) {
      this.unanswered += count;
      this.#intended.fill(Number.NaN, at, at + count);
      return false;
    }
    let refused = 0;
    answers.forEach((answer, index) => {
      if (answer === 'accepted') return;
      refused += 1;
      this.#intended[at + index] = Number.NaN;
      this.refused.set(answer.refused, (this.refused.get(answer.refused) ?? 0) + 1);
    });
    this.accepted += count - refused;
    this.refusedOperations += refused;
    (refused === count ? this.refusals : this.acceptances).push(tookMs);
    return refused > 0;
  }

  /** When an accepted operation should have gone out; undefined for every other number. */
  intendedAt(number: number): number | undefined {
    const at = number - this.first;
    if (at < 0 || at >= this.sent) return undefined;
    const intended = this.#intended[at];
    return intended === undefined || Number.isNaN(intended) ? undefined : intended;
  }
}
