/** How long messages lay in a mailbox, as a histogram of fixed size. Mutable, deterministic given its input. Rule IN-1. */

/** Buckets in each doubling: a figure is at most a fifth too high. */
const PER_OCTAVE = 4;
/** The first bucket ends here. @unit ms @source below what one turn takes */
const FIRST_MS = 1 / 128;
/** Up to 2 ms × 2^17, about four minutes; what waited longer counts there. */
const BUCKETS = PER_OCTAVE * 25;

export class Waits {
  readonly #counts = new Uint32Array(BUCKETS);
  #total = 0;

  add(waitMs: number): void {
    const place = waitMs <= FIRST_MS ? 0 : Math.ceil(Math.log2(waitMs / FIRST_MS) * PER_OCTAVE);
    const bucket = Math.min(BUCKETS - 1, place);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += 1;
  }

  /** Of what was added since the last call; undefined when nothing was. @unit ms */
  takeP99(): number | undefined {
    if (this.#total === 0) return undefined;
    let left = Math.ceil(this.#total * 0.99);
    let bucket = 0;
    while (bucket < BUCKETS - 1) {
      left -= this.#counts[bucket] ?? 0;
      if (left <= 0) break;
      bucket += 1;
    }
    this.#counts.fill(0);
    this.#total = 0;
    const ms = FIRST_MS * 2 ** (bucket / PER_OCTAVE);
    return Number(ms.toPrecision(3));
  }
}
