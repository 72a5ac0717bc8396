/** What the validators of a network told of their commits and view changes, with the time at which it was read. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type EpochContext, leaderAt } from '../../../src/protocol/consensus/epoch.ts';
import { round } from '../../protocol/consensus/fixture.ts';
import { eventually } from './local-network.ts';
import type { SeenEvent } from './validators.ts';

export interface SeenCommit {
  readonly validator: number;
  readonly height: number;
  readonly round: number;
  readonly transactions: number;
  /** @unit ms since 1970 */
  readonly at: number;
}

export interface SeenViewChange {
  readonly validator: number;
  /** The round that failed. */
  readonly round: number;
  readonly leader: string;
  /** From entering the round to leaving it. @unit ms */
  readonly duration: number;
  readonly at: number;
}

/** Events kept of each kind; the older half is forgotten beyond. */
const KEPT_MAX = 100_000;

export class Watch {
  commits: SeenCommit[] = [];
  viewChanges: SeenViewChange[] = [];
  /** When each validator's newest process was ready. @unit ms since 1970 */
  readonly readyAt = new Map<number, number>();
  readonly #tips = new Map<number, number>();

  readonly take = ({ validator, event, at }: SeenEvent): void => {
    if (event.type === 'ready') this.readyAt.set(validator, at);
    else if (event.type === 'block') {
      const { height, round: inRound, transactions } = event;
      this.commits.push({ validator, height, round: inRound, transactions, at });
      this.#tips.set(validator, height);
      if (this.commits.length > KEPT_MAX) this.commits = this.commits.slice(KEPT_MAX / 2);
    } else if (event.type === 'view-change') {
      const { round: failed, leader, duration_ms: duration } = event;
      this.viewChanges.push({ validator, round: failed, leader, duration, at });
      if (this.viewChanges.length > KEPT_MAX) this.viewChanges = this.viewChanges.slice(KEPT_MAX / 2);
    }
  };

  /** Height of the newest block that one of them is known to have committed. */
  tip(validators: readonly number[]): number {
    return Math.max(0, ...validators.map((index) => this.#tips.get(index) ?? 0));
  }

  /** Waits until the newest round, as far as commits tell it, is led by `leader`: two above the newest commit's. */
  async turnOf(epoch: EpochContext, leader: string): Promise<void> {
    const until = Date.now() + 10_000;
    for (let looked = this.commits.length; Date.now() < until; await nextTurn()) {
      const newest = this.commits.at(-1);
      if (newest === undefined || this.commits.length === looked) continue;
      looked = this.commits.length;
      if (leaderAt(epoch, round(newest.round + 2)) === leader) return;
    }
    throw new Error(`${leader} has no turn within 10 s`);
  }

  /** The first commit of each of `validators` of a block above `round` and after `at`. */
  async firstCommits(
    validators: readonly number[],
    {
      round: above,
      at,
      withinMs,
    }: { readonly round: number; readonly at: number; readonly withinMs: number },
  ): Promise<readonly SeenCommit[]> {
    return eventually(`${validators} commit blocks above round ${above}`, withinMs, () => {
      const found = validators.flatMap(
        (index) =>
          this.commits.find(
            (commit) => commit.validator === index && commit.round > above && commit.at > at,
          ) ?? [],
      );
      return found.length === validators.length ? found : undefined;
    });
  }

  /** When the validator told of its newest commit before it left a failed round. @unit ms since 1970 */
  commitBefore({ validator, at }: SeenViewChange): number {
    const before = this.commits.findLast((commit) => commit.validator === validator && commit.at < at);
    return before?.at ?? Number.NaN;
  }

  /** Longest time in [from, to] in which `validator` told of no commit. @unit ms */
  longestGap(validator: number, from: number, to: number): number {
    const times = this.commits.flatMap((commit) =>
      commit.validator === validator && commit.at > from && commit.at < to ? [commit.at] : [],
    );
    return Math.max(...[...times, to].map((at, index) => at - (times[index - 1] ?? from)));
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
