/**
 * The newest height, out of what the endpoints told: that which half of them have told or passed, so that neither one far behind
 * nor, where there are three, one far ahead of the truth decides. Pure but for the listeners.
 */
import type { Heights } from './answers.ts';
import type { Endpoint } from './endpoint.ts';

export class NewestHeight {
  readonly #listeners = new Set<(height: number) => void>();
  #newest: Heights | undefined;
  /** Listeners are told of rising heights only. */
  #announced = -1;
  #toldAt = Number.NEGATIVE_INFINITY;

  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }

  listen(listener: (height: number) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** An endpoint has told its height. */
  take(endpoints: readonly Endpoint[], now: number): void {
    this.#toldAt = now;
    const told = endpoints
      .flatMap(({ heights }) => heights ?? [])
      .sort((left, right) => right.height - left.height);
    const middle = told[Math.floor((told.length - 1) / 2)];
    this.#newest = middle;
    if (middle === undefined || middle.height <= this.#announced) return;
    this.#announced = middle.height;
    for (const listener of this.#listeners) listener(middle.height);
  }

  /** Undefined where nothing was told for `ageMax`. @param ageMax in ms */
  recent(now: number, ageMax: number): Heights | undefined {
    return now - this.#toldAt <= ageMax ? this.#newest : undefined;
  }
}
