/** When blocks were committed, as the validators tell it: a height counts once a quorum of them has executed it. Pure. */

export interface Commit {
  readonly height: number;
  readonly transactions: number;
  /** When the validator that completed the quorum told it. @unit ms, the observer's clock */
  readonly at: number;
}

/** A round that was left without a certificate, as the first validator told it. */
export interface FailedRound {
  readonly round: number;
  readonly reason: string;
  /** @unit ms, the observer's clock */
  readonly at: number;
}

/** Heights that some validators have told and others have not; the oldest is forgotten. @unit heights */
const OPEN_MAX = 10_000;

export class CommitBook {
  readonly #quorum: number;
  readonly #open = new Map<number, Set<number>>();
  readonly #commits: Commit[] = [];
  readonly #failed = new Map<number, FailedRound>();
  #transactions = 0;
  #height = 0;

  constructor(quorum: number) {
    this.#quorum = quorum;
  }

  /** All transactions committed since the network's start. */
  get transactions(): number {
    return this.#transactions;
  }

  get height(): number {
    return this.#height;
  }

  observe(validator: number, height: number, transactions: number, at: number): void {
    const told = this.#open.get(height) ?? new Set();
    this.#open.set(height, told.add(validator));
    const [oldest] = this.#open.keys();
    if (this.#open.size > OPEN_MAX && oldest !== undefined) this.#open.delete(oldest);
    if (told.size !== this.#quorum) return;
    this.#transactions += transactions;
    this.#height = Math.max(this.#height, height);
    this.#commits.push({ height, transactions, at });
  }

  failRound(round: number, reason: string, at: number): void {
    if (!this.#failed.has(round)) this.#failed.set(round, { round, reason, at });
  }

  /** Rounds that failed with from <= at < to. */
  failedBetween(from: number, to: number): readonly FailedRound[] {
    return [...this.#failed.values()].filter(({ at }) => at >= from && at < to);
  }

  /** Commits with from <= at < to. */
  between(from: number, to: number): readonly Commit[] {
    return this.#commits.filter(({ at }) => at >= from && at < to);
  }
}

/** Validators of equal power that a quorum has. */
export const quorumOf = (validators: number): number => Math.floor((2 * validators) / 3) + 1;
