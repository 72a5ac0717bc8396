/**
 * Gives each row of a model's timeline once, though models come 20 times a second and go back when the reader scrubs. Mutable, no I/O.
 * What was given is remembered by identity, so that it costs nothing beyond the rows themselves.
 */
import { lastOf, rowAt, type Timed, type Timeline } from '../../feed/timeline.ts';

export interface Followed<Row> {
  /** What was given before is not of this past: forget it. */
  readonly isAnew: boolean;
  readonly rows: readonly Row[];
}

export class Follower<Row extends Timed & object> {
  #chunks = new WeakSet<readonly Row[]>();
  #rows = new WeakSet<Row>();
  #isEmpty = true;

  /** @param floor rows before it were forgotten by who follows: a timeline that ends there is begun anew */
  follow(timeline: Timeline<Row>, floor = Number.NEGATIVE_INFINITY): Followed<Row> {
    const first = rowAt(timeline, 0);
    const newest = lastOf(timeline);
    if (first === undefined || newest === undefined) return this.#forget();
    // The oldest row of one and the same past was once its newest, and was given then.
    const isAnew = !this.#isEmpty && (!this.#rows.has(first) || newest.at < floor);
    if (isAnew) this.#forget();
    this.#isEmpty = false;
    const rows: Row[] = [];
    for (const chunk of timeline.chunks) {
      if (this.#chunks.has(chunk)) continue;
      this.#chunks.add(chunk);
      for (const row of chunk) {
        if (this.#rows.has(row)) continue;
        this.#rows.add(row);
        rows.push(row);
      }
    }
    return { isAnew, rows };
  }

  #forget(): Followed<Row> {
    const isAnew = !this.#isEmpty;
    this.#chunks = new WeakSet();
    this.#rows = new WeakSet();
    this.#isEmpty = true;
    return { isAnew, rows: [] };
  }
}
