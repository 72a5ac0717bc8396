/**
 * Third level of detail: how many messages of each family a lane sent and received in each few pixels of time. Mutable, in an array that
 * is made once: a frame allocates nothing. Lanes and buckets beyond the array are not counted; the view has no room for them either.
 */

/** Of time, for one bar. @unit px */
export const BUCKET_PX = 8;
const BUCKETS_MAX = 1_024;
/** In sight at once. @unit lanes */
const LANES_MAX = 64;
const FAMILIES_MAX = 10;
const SIDES = 2;
export const ACTIVITY_BARS_MAX = LANES_MAX * BUCKETS_MAX * SIDES;

export class Activity {
  readonly #counts = new Uint16Array(ACTIVITY_BARS_MAX * FAMILIES_MAX);
  #lanes = 0;
  #buckets = 0;
  /** The most that one side of a lane has in one bucket. */
  most = 0;

  begin(lanes: number, buckets: number): void {
    this.#lanes = Math.min(LANES_MAX, lanes);
    this.#buckets = Math.min(BUCKETS_MAX, buckets);
    this.#counts.fill(0, 0, this.#lanes * this.#buckets * SIDES * FAMILIES_MAX);
    this.most = 0;
  }

  get lanes(): number {
    return this.#lanes;
  }

  get buckets(): number {
    return this.#buckets;
  }

  add(lane: number, bucket: number, isSent: boolean, family: number): void {
    if (lane >= this.#lanes || bucket < 0 || bucket >= this.#buckets) return;
    const place = this.#placeOf(lane, bucket, isSent);
    this.#counts[place + family] = (this.#counts[place + family] ?? 0) + 1;
  }

  of(lane: number, bucket: number, isSent: boolean, family: number): number {
    return this.#counts[this.#placeOf(lane, bucket, isSent) + family] ?? 0;
  }

  /** Asked once, when all are added. */
  measure(): void {
    for (let from = 0; from < this.#lanes * this.#buckets * SIDES * FAMILIES_MAX; from += FAMILIES_MAX) {
      let sum = 0;
      for (let family = 0; family < FAMILIES_MAX; family += 1) sum += this.#counts[from + family] ?? 0;
      this.most = Math.max(this.most, sum);
    }
  }

  #placeOf(lane: number, bucket: number, isSent: boolean): number {
    return ((lane * this.#buckets + bucket) * SIDES + (isSent ? 0 : 1)) * FAMILIES_MAX;
  }
}
