/**
 * The time that all cells of a node see: the system clock's until somebody disciplines it, adjusted from then on.
 * Reads the injected clock alone. Rule TM-6, docs/protocol/time.md.
 */
import type { Clock } from '../actors/runtime/index.ts';
import { type Millis, millis, type WallTime, wallTime } from '../base/units.ts';
import { adjustedTime, type Discipline } from '../protocol/time/adjusted.ts';

/** `createSystem({ wall: () => clock.read() })`. It outlives restarts of the cells that correct it. */
export class AdjustedClock {
  readonly #clock: Pick<Clock, 'now' | 'wall'>;
  #discipline: Discipline | undefined;
  /** The latest that anybody was shown. */
  #shown = wallTime(Number.NEGATIVE_INFINITY);

  constructor(clock: Pick<Clock, 'now' | 'wall'>) {
    this.#clock = clock;
  }

  /** Never less than before, once it is disciplined. The system clock before that may be set back by anybody. */
  read(): WallTime {
    const time = this.#unheld();
    if (time > this.#shown) this.#shown = time;
    return this.#discipline === undefined ? time : this.#shown;
  }

  /** @param isFirst it may fall this once: what was shown before was the system clock, which nobody had adjusted */
  discipline(discipline: Discipline, isFirst: boolean): void {
    // A coordinator that starts anew knows of nothing before; here it is known.
    if (isFirst && this.#discipline === undefined) this.#shown = wallTime(Number.NEGATIVE_INFINITY);
    this.#discipline = discipline;
  }

  /** Somebody disciplined it. */
  get isAdjusted(): boolean {
    return this.#discipline !== undefined;
  }

  /** How far readings are held above the disciplined time now, because they must not fall; 0 as a rule. */
  get ahead(): Millis {
    return millis(this.#discipline === undefined ? 0 : Math.max(0, this.#shown - this.#unheld()));
  }

  #unheld(): WallTime {
    return this.#discipline === undefined
      ? this.#clock.wall()
      : adjustedTime(this.#discipline, this.#clock.now());
  }
}
