/**
 * The messages of the model that is shown, as flights: each model brings what is new in it, whether time goes on or the reader goes back.
 * Mutable, no I/O.
 */
import type { WireEvent } from '../../../../src/observe/feed/feed.ts';
import type { Model } from '../../feed/model.ts';
import { FlightBook } from './flights.ts';
import { Follower } from './follower.ts';

/** Rows that were left out belong to about so much time before they are missed. @unit ms @source two deltas, at 20 Hz */
const DROP_MS = 100;

export class Past {
  readonly book = new FlightBook();
  readonly #wire = new Follower<WireEvent>();
  #dropped = 0;

  /** True when what was known before is not of this past. */
  learn({ wire, at, dropped }: Model): boolean {
    const { isAnew, rows } = this.#wire.follow(wire, this.book.flights[0]?.at);
    if (isAnew) this.book.clear();
    if (dropped > this.#dropped) this.book.drop(at - DROP_MS, at);
    this.#dropped = dropped;
    this.book.take(rows);
    return isAnew;
  }
}
