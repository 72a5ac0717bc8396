/** The newest instant as it would be if the feed told it with each frame. Mutable, no I/O: the caller gives both clocks. */
import type { At } from '../../../../src/observe/feed/feed.ts';

/** Part of the difference that one frame makes good. */
const EASE = 0.08;
/** A greater difference is a jump: it is not eased over. @unit ms */
const JUMP_MS = 400;
/** No further than what is known: a feed that is silent holds the instant. @unit ms @source two deltas and a little, at 20 Hz */
const AHEAD_MS_MAX = 120;

export class Flow {
  /** Adjusted time of the run less time of the page. @unit ms */
  #lead: number | undefined;
  #told: At = 0;
  #toldAt = 0;

  /** @param told the newest instant that the feed told @param now the page's clock, ms */
  at(told: At, now: number): At {
    if (told !== this.#told) {
      this.#told = told;
      this.#toldAt = now;
    }
    const lead = told - this.#toldAt;
    if (this.#lead === undefined || Math.abs(lead - this.#lead) > JUMP_MS) this.#lead = lead;
    else this.#lead += (lead - this.#lead) * EASE;
    return Math.min(now + this.#lead, told + AHEAD_MS_MAX);
  }
}
