/**
 * A fork was proved: that becomes durable before the node ends, since a start that knows nothing of it would sign again. Where
 * no disk takes it the node stays up, signs nothing, says so, and tries again. Boundary: disk, the log. Rule SY-5,
 * docs/protocol/sync.md.
 */
import type { WallTime } from '../base/units.ts';
import type { NodeLog } from '../observe/log.ts';
import type { SafetyViolated } from '../protocol/ports/consensus.ts';
import {
  type EvidencePlaces,
  type KeptEvidence,
  keepForkEvidence,
  plainEvidence,
} from '../storage/fork-evidence.ts';
import type { Forked } from './take-chain.ts';

type Log = Pick<ReturnType<NodeLog['of']>, 'error'>;

/** Between two attempts; each that fails is a line in the log. @unit ms @source chosen */
export const KEEP_RETRY_MS = 10_000;

export interface ForkKeeperOptions {
  readonly places: EvidencePlaces;
  /** Kept by an earlier life: this one runs without signing, and ends for no further proof. */
  readonly found: Forked | undefined;
  readonly wall: () => WallTime;
  readonly log: Log;
  /** It is durable: the node may end. */
  readonly kept: (detail: string) => void;
}

export class ForkKeeper {
  readonly #options: ForkKeeperOptions;
  #proved: Forked | undefined;
  #unkept: KeptEvidence | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ForkKeeperOptions) {
    this.#options = options;
    this.#proved = options.found;
  }

  /** The first proof, of this life or an earlier one. */
  get proved(): Forked | undefined {
    return this.#proved;
  }

  /** Nothing is kept of it yet: the node must not end, since the next start would sign. */
  get isUnkept(): boolean {
    return this.#unkept !== undefined;
  }

  /** Of this life; undefined while nothing was proved in it. With what the operator must do where nothing is kept. */
  get violation(): string | undefined {
    const { found, places } = this.#options;
    if (found !== undefined || this.#proved === undefined) return undefined;
    const { detail } = this.#proved;
    return this.isUnkept
      ? `${detail}; no disk takes the evidence (${places.home}): do not start this validator again before the operators have agreed`
      : detail;
  }

  violated({ detail, evidence }: SafetyViolated): void {
    if (this.#proved !== undefined) return;
    this.#proved = { detail, ...(evidence === undefined ? {} : { evidence }) };
    this.#unkept = { ...this.#proved, at: this.#options.wall() };
    this.#keep();
    if (this.isUnkept) this.#timer = setInterval(() => this.#keep(), KEEP_RETRY_MS);
  }

  /** One more attempt, the last. */
  close(): void {
    clearInterval(this.#timer);
    this.#keep();
  }

  #keep(): void {
    if (this.#unkept === undefined) return;
    const { log, places, kept } = this.#options;
    const { detail, evidence } = this.#unkept;
    const proof = { detail, evidence: evidence === undefined ? null : plainEvidence(evidence) };
    try {
      const keeping = keepForkEvidence(places, this.#unkept);
      if (keeping === 'mark')
        log.error(proof, `there is no room for the evidence of a fork in ${places.home}`);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const words =
        'this validator signs nothing and stays up until it can be kept: make room, do not start it anew';
      log.error(proof, `the evidence of a fork could not be kept in ${places.home}: ${why}; ${words}`);
      return;
    }
    this.#unkept = undefined;
    clearInterval(this.#timer);
    kept(detail);
  }
}
