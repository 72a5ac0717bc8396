/** Keyframes that a player keeps on its way, packed, so that going back is quick: ever farther apart as they grow too many. Pure. Rule RP-4. */

export interface Waypoint<Cursor> {
  readonly turn: number;
  /** Of the newest input. @unit ms since 1970 */
  readonly at: number;
  readonly seq: number;
  readonly cursor: Cursor;
  /** A packed keyframe. */
  readonly bytes: Uint8Array;
}

/** First distance. @unit turns @source 40 ms of replay at 100,000 turns a second: a seek stays under 100 ms */
const SPACING = 4_000;
/** @unit bytes @source a small part of a laptop's memory */
const BYTES_MAX = 268_435_456;

export class Waypoints<Cursor> {
  #kept: Waypoint<Cursor>[] = [];
  #bytes = 0;
  #spacing = SPACING;

  /** Whether one here would bring a later seek nearer. */
  isWanted(turn: number): boolean {
    const before = this.before(turn);
    return turn - (before?.turn ?? 0) >= this.#spacing;
  }

  add(waypoint: Waypoint<Cursor>): void {
    const place = this.#kept.findLastIndex(({ turn }) => turn <= waypoint.turn) + 1;
    this.#kept.splice(place, 0, waypoint);
    this.#bytes += waypoint.bytes.byteLength;
    if (this.#bytes <= BYTES_MAX) return;
    this.#spacing *= 2;
    this.#kept = this.#kept.filter((_, index) => index % 2 === 0);
    this.#bytes = this.#kept.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  }

  /** The last one that is not after `turn`. */
  before(turn: number): Waypoint<Cursor> | undefined {
    return this.#kept.findLast((waypoint) => waypoint.turn <= turn);
  }
}
