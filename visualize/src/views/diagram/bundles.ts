/**
 * Second level of detail: flights of one family between the same two lanes that begin in the same few pixels are one bundle with a count.
 * Mutable, in arrays that are made once: a frame allocates nothing. Bounded: beyond `BUNDLES_MAX` there is no room, and bars take over.
 */

/** What one frame draws of bundles at most. @unit bundles @source measured: 60 frames a second in software rendering */
export const BUNDLES_MAX = 1_200;
/** Of the table: bundles, and room so that few of them meet. */
const SLOT_BITS = 12;
const SLOTS = 1 << SLOT_BITS;
/** Fibonacci's: neighbouring keys come far apart. */
const SPREAD = 0x9e37_79b1;
/** Width of a cell in which flights are one bundle. @unit px */
const CELL_PX_MIN = 6;
const CELL_PX_MAX = 12;
/** Lanes that the table tells apart: the feed's nodes and one for those it does not know. */
const LANES_MAX = 128;
const FAMILIES_MAX = 16;

export class Bundler {
  readonly #slots = new Int32Array(SLOTS);
  /** Of bundles, in the order in which they were begun. */
  readonly #keys = new Float64Array(BUNDLES_MAX);
  readonly #slotOf = new Int32Array(BUNDLES_MAX);
  readonly count = new Int32Array(BUNDLES_MAX);
  readonly fromX = new Float32Array(BUNDLES_MAX);
  readonly toX = new Float32Array(BUNDLES_MAX);
  readonly family = new Uint8Array(BUNDLES_MAX);
  readonly from = new Uint8Array(BUNDLES_MAX);
  readonly to = new Uint8Array(BUNDLES_MAX);
  size = 0;
  cellPx = CELL_PX_MIN;

  begin(cellPx: number): void {
    for (let place = 0; place < this.size; place += 1) this.#slots[this.#slotOf[place] ?? 0] = 0;
    this.size = 0;
    this.cellPx = cellPx;
  }

  /** False when there is no room for another bundle: begin again with wider cells. */
  add(family: number, from: number, to: number, fromX: number, toX: number): boolean {
    const cell = Math.floor(fromX / this.cellPx) + 4_096;
    const key = ((cell * LANES_MAX + from) * LANES_MAX + to) * FAMILIES_MAX + family + 1;
    let slot = Math.imul(key, SPREAD) >>> (32 - SLOT_BITS);
    for (;;) {
      const place = (this.#slots[slot] ?? 0) - 1;
      if (place < 0) break;
      if (this.#keys[place] === key) {
        this.#grow(place, fromX, toX);
        return true;
      }
      slot = (slot + 1) % SLOTS;
    }
    if (this.size >= BUNDLES_MAX) return false;
    const place = this.size;
    this.size += 1;
    this.#slots[slot] = place + 1;
    this.#slotOf[place] = slot;
    this.#keys[place] = key;
    this.count[place] = 1;
    this.fromX[place] = fromX;
    this.toX[place] = toX;
    this.family[place] = family;
    this.from[place] = from;
    this.to[place] = to;
    return true;
  }

  /** Ends are the mean of those within. */
  #grow(place: number, fromX: number, toX: number): void {
    const count = (this.count[place] ?? 0) + 1;
    this.count[place] = count;
    this.fromX[place] = (this.fromX[place] ?? 0) + (fromX - (this.fromX[place] ?? 0)) / count;
    this.toX[place] = (this.toX[place] ?? 0) + (toX - (this.toX[place] ?? 0)) / count;
  }
}

/** Adds with the narrowest cells for which there is room. False: there is none. */
export function bundle(bundler: Bundler, each: (add: Bundler['add']) => boolean): boolean {
  const add: Bundler['add'] = (...flight) => bundler.add(...flight);
  for (let cellPx = CELL_PX_MIN; cellPx <= CELL_PX_MAX; cellPx *= 2) {
    bundler.begin(cellPx);
    if (each(add)) return true;
  }
  return false;
}
