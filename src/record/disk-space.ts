/** Whether a folder's disk has room to spare: a journal must not take the last of it from the store. Asked now and then. Boundary: disk. Rule RP-2. */
import { statfsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';

/** How often it is asked, at most. @unit ms @source a disk of 1 GB/s fills a gigabyte in that time */
const LOOK_MS = 1_000;
/** Room that is there again counts from so much above the bound on: no pause for each megabyte. @unit factor */
const AGAIN = 1.1;

export class DiskSpace {
  readonly #dir: string;
  readonly #freeMin: number;
  #free = Number.POSITIVE_INFINITY;
  #isLow = false;
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** @param dir it is there @param freeMin unit bytes; 0 is not to ask at all */
  constructor(dir: string, freeMin: number) {
    this.#dir = dir;
    this.#freeMin = freeMin;
    if (freeMin === 0) return;
    try {
      this.#note(statfsSync(dir));
    } catch {
      // What is wrong with the folder, whoever writes there will hear.
    }
  }

  /** @unit bytes, when it was asked last */
  get free(): number {
    return this.#free;
  }

  get isLow(): boolean {
    return this.#isLow;
  }

  /** Asks in the background, unless it did lately. @param now unit ms, monotonic */
  look(now: number): void {
    if (this.#freeMin === 0 || now - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = now;
    statfs(this.#dir).then(
      (found) => this.#note(found),
      () => undefined,
    );
  }

  #note({ bavail, bsize }: { readonly bavail: number; readonly bsize: number }): void {
    this.#free = bavail * bsize;
    this.#isLow = this.#free < (this.#isLow ? this.#freeMin * AGAIN : this.#freeMin);
  }
}
