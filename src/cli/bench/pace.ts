/**
 * When the load generator sends: at a rate that does not wait for answers (open loop), or as much as the network
 * commits (saturation). Times are the caller's clock in ms. Holds counts only; no clock, no I/O.
 */

/** Transactions to send now in one request. */
export interface Portion {
  readonly count: number;
  /** When the first of them should have gone out: latencies count from here, not from the sending. @unit ms */
  readonly intendedAt: number;
}

export interface Pace {
  /** At most `max` transactions; undefined when none is due. */
  readonly take: (max: number, now: number) => Portion | undefined;
}

/** A transaction waits so long for others of its request. @unit ms @source half of the mempool's seal interval */
const LINGER = 5;

/** Send times fixed beforehand: transaction i is due at `startsAt + i / rate`, however slow the answers are. */
export class OpenLoop implements Pace {
  readonly #ratePerMs: number;
  readonly #startsAt: number;
  #taken = 0;

  /** `rate` in transactions/s, above 0. */
  constructor(rate: number, startsAt: number) {
    this.#ratePerMs = rate / 1_000;
    this.#startsAt = startsAt;
  }

  /** When transaction `index` (from 0) should be sent. */
  intendedAt(index: number): number {
    return this.#startsAt + index / this.#ratePerMs;
  }

  /** How many should have been sent by now and were not: the generator or the network is behind. */
  backlog(now: number): number {
    return Math.max(0, Math.floor((now - this.#startsAt) * this.#ratePerMs) + 1 - this.#taken);
  }

  take(max: number, now: number): Portion | undefined {
    const due = now < this.#startsAt ? 0 : this.backlog(now);
    const intendedAt = this.intendedAt(this.#taken);
    if (due === 0 || (due < max && now - intendedAt < LINGER)) return undefined;
    const count = Math.min(max, due);
    this.#taken += count;
    return { count, intendedAt };
  }
}

/** As much as fits into a window of transactions that are sent and not committed: deep enough never to idle the network. */
export class Saturation implements Pace {
  readonly #windowMax: number;
  readonly #settled: () => number;
  #taken = 0;

  /** `settled`: how many of those taken are committed or refused by now. */
  constructor(windowMax: number, settled: () => number) {
    this.#windowMax = windowMax;
    this.#settled = settled;
  }

  take(max: number, now: number): Portion | undefined {
    const count = Math.min(max, this.#windowMax);
    if (this.#taken - this.#settled() + count > this.#windowMax) return undefined;
    this.#taken += count;
    return { count, intendedAt: now };
  }
}
