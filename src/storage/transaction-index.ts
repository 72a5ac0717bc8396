/**
 * Finds a transaction by its hash: recent ones in memory, older ones in sorted runs, so that random keys never touch
 * a B-tree. An entry is a hash's first 32 bits and a place; the caller compares the whole hash. Pure but for `readPart`.
 * Measured in docs/adr/0003-storage.md.
 */
import type { Height } from '../protocol/chain/types.ts';

/** Where an executed transaction stands: its block, and its entry in that block's results. */
export interface Place {
  readonly height: Height;
  readonly entry: number;
}

/** A sorted run that is durable. `readPart(start, length)` gives its bytes. */
export interface Run {
  readonly count: number;
  readonly readPart: (start: number, length: number) => Uint8Array;
}

/** Prefix u32, entry u32, height f64, big-endian. @unit bytes */
export const RUN_ENTRY_BYTES = 16;
/** Entries of the tail that make a run; one block may pass it. @unit entries @source a run is 1 MiB */
export const RUN_ENTRIES = 65_536;
/** Read at once in a search. @unit entries @source one page of 4 KiB */
const PAGE_ENTRIES = 256;

/** What is not in a run yet. Grows by one block at a time and is emptied by `takeRun`. */
export class TransactionTail {
  #prefixes = new Uint32Array(RUN_ENTRIES);
  #entries = new Uint32Array(RUN_ENTRIES);
  #heights = new Float64Array(RUN_ENTRIES);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(prefix: number, entry: number, height: Height): void {
    if (this.#count === this.#prefixes.length) this.#grow();
    this.#prefixes[this.#count] = prefix;
    this.#entries[this.#count] = entry;
    this.#heights[this.#count] = height;
    this.#count += 1;
  }

  /** Forgets what was added after there were `count`. */
  truncate(count: number): void {
    this.#count = Math.min(this.#count, count);
  }

  /** Newest first. */
  *find(prefix: number): Generator<Place> {
    for (
      let position = this.#lastOf(prefix, this.#count - 1);
      position >= 0;
      position = this.#lastOf(prefix, position - 1)
    ) {
      yield this.#placeAt(position);
    }
  }

  /** All entries as a run's bytes: sorted by prefix, within one newest first. The tail keeps them. */
  encodeRun(): Uint8Array {
    const order = new Float64Array(this.#count);
    // Prefix and position in one double (32 + 21 bits) sort natively; the later of equals goes first.
    const span = 2 ** 21;
    for (let position = 0; position < this.#count; position += 1) {
      order[position] = (this.#prefixes[position] ?? 0) * span + (span - 1 - position);
    }
    order.sort();
    const view = new DataView(new ArrayBuffer(this.#count * RUN_ENTRY_BYTES));
    order.forEach((key, slot) => {
      const position = span - 1 - (key % span);
      const at = slot * RUN_ENTRY_BYTES;
      view.setUint32(at, this.#prefixes[position] ?? 0);
      view.setUint32(at + 4, this.#entries[position] ?? 0);
      view.setFloat64(at + 8, this.#heights[position] ?? 0);
    });
    return new Uint8Array(view.buffer);
  }

  // A negative start would count from the end.
  #lastOf(prefix: number, from: number): number {
    return from < 0 ? -1 : this.#prefixes.lastIndexOf(prefix, from);
  }

  #placeAt(position: number): Place {
    return placeOf(this.#heights[position] ?? 0, this.#entries[position] ?? 0);
  }

  #grow(): void {
    const size = this.#prefixes.length * 2;
    const [prefixes, entries, heights] = [
      new Uint32Array(size),
      new Uint32Array(size),
      new Float64Array(size),
    ];
    prefixes.set(this.#prefixes);
    entries.set(this.#entries);
    heights.set(this.#heights);
    [this.#prefixes, this.#entries, this.#heights] = [prefixes, entries, heights];
  }
}

/** Places of a prefix in a run, newest first. Hashes are uniform, so the search guesses where they lie. */
export function* findInRun(run: Run, prefix: number): Generator<Place> {
  let position = firstAtLeast(run, prefix);
  while (position < run.count) {
    const page = pageAt(run, position);
    for (let slot = 0; slot < page.byteLength; slot += RUN_ENTRY_BYTES) {
      if (page.getUint32(slot) !== prefix) return;
      yield placeOf(page.getFloat64(slot + 8), page.getUint32(slot + 4));
    }
    position += page.byteLength / RUN_ENTRY_BYTES;
  }
}

// Interpolation between bounds, one page a step: nearly always the first page holds the answer.
function firstAtLeast(run: Run, prefix: number): number {
  let [low, high] = [0, run.count];
  let [lowPrefix, highPrefix] = [0, 2 ** 32];
  while (low < high) {
    const share = (prefix - lowPrefix) / Math.max(1, highPrefix - lowPrefix);
    const guess = low + Math.floor(share * (high - low)) - PAGE_ENTRIES / 2;
    const start = Math.max(low, Math.min(high - 1, guess));
    const page = pageAt(run, start, high);
    const length = page.byteLength / RUN_ENTRY_BYTES;
    const [first, last] = [page.getUint32(0), page.getUint32((length - 1) * RUN_ENTRY_BYTES)];
    if (first >= prefix) {
      if (start === low) return low;
      [high, highPrefix] = [start, first];
      if (first === prefix) highPrefix = prefix;
    } else if (last < prefix) {
      [low, lowPrefix] = [start + length, last];
    } else {
      let slot = 0;
      while (page.getUint32(slot * RUN_ENTRY_BYTES) < prefix) slot += 1;
      return start + slot;
    }
  }
  return low;
}

function pageAt(run: Run, position: number, end = run.count): DataView {
  const count = Math.min(PAGE_ENTRIES, end - position);
  const bytes = run.readPart(position * RUN_ENTRY_BYTES, count * RUN_ENTRY_BYTES);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// The store wrote these heights itself; the whole hash is compared before a place is believed.
const placeOf = (height: number, entry: number): Place => ({ height: height as Height, entry });
