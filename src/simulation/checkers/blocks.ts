/**
 * What every committed block must be, whoever proposed it: its round's leader's, later than its parent, not from the
 * future, above nothing but its parent. Mutable memory. Rules SM-4, CS-3, TM-8.
 */

import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import type { CommittedBlock } from '../../protocol/ports/storage.ts';
import type { Report } from './claim.ts';

export const BY_LEADER = "a committed block is its round's leader's";
export const TIME_GROWS = 'time grows along the chain';
export const TIME_BOUND = "a committed block's time is within its bound of some honest clock";
export const LINKED = "a committed block's round and height are above its parent's";

/** @unit ms @source TM-8: precision of the adjusted clocks */
const PRECISION_MS = 505;

export class Blocks {
  readonly #epochs: (epoch: number) => EpochContext | undefined;
  readonly #report: Report;
  readonly #times = new Map<number, number>();
  /** The greatest reading of an honest clock. @unit ms since 1970 */
  readonly #latestClock: () => number;
  #judged = 0;

  constructor(
    epochs: (epoch: number) => EpochContext | undefined,
    latestClock: () => number,
    report: Report,
  ) {
    this.#epochs = epochs;
    this.#latestClock = latestClock;
    this.#report = report;
  }

  committed(by: string, { block }: CommittedBlock): void {
    const { height, round, proposer, time } = block.header;
    if (this.#times.has(height)) return;
    this.#times.set(height, time);
    const { turns } = this.#epochs(block.header.epoch)?.leaders ?? { turns: [] };
    const leader = turns[round % turns.length];
    const at = `height ${height} of round ${round}, at ${by}`;
    if (proposer !== leader) this.#report(BY_LEADER, `${at}: by ${proposer}, leader ${leader ?? 'nobody'}`);
    if (height !== block.qc.height + 1 || round <= block.qc.round) {
      this.#report(LINKED, `${at}: on height ${block.qc.height} of round ${block.qc.round}`);
    }
    const [below, above] = [this.#times.get(height - 1), this.#times.get(height + 1)];
    if ((below ?? -1) >= time || (above ?? Number.POSITIVE_INFINITY) <= time) {
      this.#report(TIME_GROWS, `${at}: ${below}, ${time}, ${above}`);
    }
    // The newest is the only one that can be ahead of all clocks.
    if (height < this.#judged) return;
    this.#judged = height;
    const clock = this.#latestClock();
    if (time > clock + PRECISION_MS) this.#report(TIME_BOUND, `${at}: ${time}, clocks up to ${clock}`);
  }
}
