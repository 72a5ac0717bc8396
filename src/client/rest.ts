/** How long something that failed rests before it is tried again. Pure but for the time it is given. */

/** @unit ms @source chosen: a node's restart takes about a second */
const REST_MS_MIN = 200;
/** @unit ms @source chosen: what a user bears after a node is back */
const REST_MS_MAX = 10_000;

export class Rest {
  #failures = 0;
  #until = 0;

  get failures(): number {
    return this.#failures;
  }

  /**
   * One more failure in a row. What fails while it rests was under way, and counts as the same one.
   * @param leastMs what a node asks for by Retry-After; more than REST_MS_MAX is asked in vain @unit ms
   */
  begin(now: number, leastMs = 0): void {
    const asked = now + Math.min(REST_MS_MAX, leastMs);
    const isNew = !this.isResting(now);
    const own = isNew ? now + Math.min(REST_MS_MAX, REST_MS_MIN * 2 ** this.#failures) : this.#until;
    this.#until = Math.max(own, asked);
    if (isNew) this.#failures += 1;
  }

  end(): void {
    this.#failures = 0;
    this.#until = 0;
  }

  isResting(now: number): boolean {
    return now < this.#until;
  }

  /** @unit ms */
  leftAt(now: number): number {
    return Math.max(0, this.#until - now);
  }
}
