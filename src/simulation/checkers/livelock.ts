/** Rounds that fail one after the other while nobody commits: a network that only seems to live. Rule SM-5. */
import type { Report } from './claim.ts';

export const NO_LIVELOCK = 'no livelock: rounds do not go by without commits';

/**
 * Most rounds from one commit to the next, anywhere. Timeouts grow by half with each failed round up to half a minute, so
 * that the longest swarm run (32 s of faults, 120 s of healing) has far fewer. @unit rounds @source measured, doubled
 */
export const ROUNDS_WITHOUT_COMMIT_MAX = 100;

export class Livelock {
  readonly #report: Report;
  #committedRound = 0;
  #reported = false;

  constructor(report: Report) {
    this.#report = report;
  }

  committed(round: number): void {
    this.#committedRound = Math.max(this.#committedRound, round);
  }

  roundFailed(node: string, round: number): void {
    if (this.#reported || round - this.#committedRound <= ROUNDS_WITHOUT_COMMIT_MAX) return;
    this.#reported = true;
    this.#report(
      NO_LIVELOCK,
      `round ${round} failed at ${node}, the newest commit is of ${this.#committedRound}`,
    );
  }
}
