/** Rounds that fail one after the other while nobody commits: a network that only seems to live. Rule SM-5. */
import type { Report } from './claim.ts';

export const NO_LIVELOCK = 'no livelock: rounds do not go by without commits';

/**
 * Most rounds from one commit to the next, anywhere. Timeouts grow by half with each failed round up to half a minute, so
 * that the longest swarm run (32 s of faults, 120 s of healing) has far fewer. @unit rounds @source measured, doubled
 */
export const ROUNDS_WITHOUT_COMMIT_MAX = 100;

/** Rounds begin again with each epoch. */
export interface Moment {
  readonly epoch: number;
  readonly round: number;
}

export class Livelock {
  readonly #report: Report;
  #committed: Moment = { epoch: 0, round: 0 };
  #reported = false;

  constructor(report: Report) {
    this.#report = report;
  }

  committed({ epoch, round }: Moment): void {
    const before = this.#committed;
    if (epoch > before.epoch || (epoch === before.epoch && round > before.round))
      this.#committed = { epoch, round };
  }

  /** Rounds of an epoch that has ended elsewhere are a laggard's. */
  roundFailed(node: string, { epoch, round }: Moment): void {
    const newest = epoch > this.#committed.epoch ? { epoch, round: 0 } : this.#committed;
    const isLate = epoch < newest.epoch || round - newest.round <= ROUNDS_WITHOUT_COMMIT_MAX;
    if (this.#reported || isLate) return;
    this.#reported = true;
    this.#report(NO_LIVELOCK, `round ${round} failed at ${node}, the newest commit is of ${newest.round}`);
  }
}
