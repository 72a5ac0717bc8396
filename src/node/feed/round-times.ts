/**
 * How long the rounds of a node take, and how soon their certificate comes, read off its own steps: of all rounds, also of those that waited for
 * work, which the pacemaker leaves out. Keeps the present round and two figures. Deterministic. Rule IN-1, docs/inspector.md.
 */
import type { NodeHealth, StepEvent } from '../../observe/feed/feed.ts';

type RoundStep = Pick<StepEvent, 'kind' | 'epoch' | 'round' | 'by'>;

interface Present {
  readonly epoch: number | undefined;
  readonly round: number;
  readonly at: number;
  /** Until its certificate is known. */
  readonly votedAt?: number;
}

export class RoundTimes {
  #present: Present | undefined;
  #figures: Pick<NodeHealth['round'], 'durationMs' | 'qcDelayMs'> = {};

  /** Of the last round that was lived through from its beginning. */
  get figures(): Pick<NodeHealth['round'], 'durationMs' | 'qcDelayMs'> {
    return this.#figures;
  }

  /** @param at ms since 1970 */
  take({ kind, epoch, round, by }: RoundStep, at: number): void {
    if (round === undefined) return;
    const before = this.#present;
    const isPresent = before?.epoch === epoch && before?.round === round;
    if (kind === 'voted' && before !== undefined && isPresent) this.#present = { ...before, votedAt: at };
    // Whoever forms it knows it first; the others enter the next round by it.
    if (kind === 'qcFormed' && isPresent) this.#certified(at);
    if (kind !== 'roundEntered' || isPresent) return;
    if (before?.epoch === epoch && before?.round === round - 1) {
      if (by === 'qc') this.#certified(at);
      this.#figures = { ...this.#figures, durationMs: at - before.at };
    }
    this.#present = { epoch, round, at };
  }

  #certified(at: number): void {
    const present = this.#present;
    if (present?.votedAt === undefined) return;
    const { votedAt, ...rest } = present;
    this.#figures = { ...this.#figures, qcDelayMs: at - votedAt };
    this.#present = rest;
  }
}
