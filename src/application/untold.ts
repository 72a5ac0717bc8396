/**
 * Executed blocks on their way to the disk: told in order, each only when it is durable. How many there may be is bounded, and so is how
 * many are executed until once all are durable: at either bound all are waited for. So now and then an application sees everything stored,
 * also where the next block is always there before the last one is durable; else it could make nothing durable itself (`storedHeight`).
 * Mutable, deterministic. Rules EX-1, EX-5, docs/applications.md.
 */
import { RingBuffer } from '../base/ring-buffer.ts';
import type { BlockResults } from '../protocol/ports/execution.ts';

/** Executed and not yet durable, for an application that runs ahead; for others 1. @unit blocks @source bench/sync.bench.ts */
export const UNTOLD_MAX = 128;
/** … or so many bytes of their batches and their answers. @unit bytes @source a group of the storage actor */
const UNTOLD_BYTES_MAX = 16 * 1_048_576;
/** Executed since all were durable: so many times that. @source chosen: each costs a wait for the disk, a few percent where blocks are synced */
export const RUNS_PER_WAIT = 4;

interface Outcome {
  readonly block: BlockResults;
  readonly bytes: number;
  tag: number;
}

export class Untold {
  readonly #max: number;
  readonly #outcomes = new RingBuffer<Outcome>();
  #bytes = 0;
  /** Since it was empty. */
  #run = { blocks: 0, bytes: 0 };
  #full = false;
  #lost = false;

  constructor(max: number) {
    this.#max = max;
  }

  get isEmpty(): boolean {
    return this.#outcomes.length === 0;
  }

  /** True while the disk refuses them: they are to be asked again. */
  get isLost(): boolean {
    return this.#lost;
  }

  /** True when another block may be executed now. */
  get hasRoom(): boolean {
    return !this.#full && !this.#lost;
  }

  /** Storage was asked to keep it, by this tag. @param bytes of its batches and its answer */
  add(block: BlockResults, bytes: number, tag: number): void {
    this.#outcomes.push({ block, bytes, tag });
    this.#bytes += bytes;
    this.#run.blocks += 1;
    this.#run.bytes += bytes;
    this.#full =
      Math.max(this.#outcomes.length, this.#run.blocks / RUNS_PER_WAIT) >= this.#max ||
      Math.max(this.#bytes, this.#run.bytes / RUNS_PER_WAIT) >= UNTOLD_BYTES_MAX;
  }

  /** Storage has it: what is to be told now, in order. Storage writes in order, so what was before it is durable too. */
  persisted(tag: number): readonly BlockResults[] {
    if (this.#lost || !this.isOutstanding(tag)) return [];
    const durable: BlockResults[] = [];
    for (let oldest = this.#outcomes.peek(); oldest !== undefined; oldest = this.#outcomes.peek()) {
      if (oldest.tag > tag) break;
      this.#outcomes.shift();
      this.#bytes -= oldest.bytes;
      durable.push(oldest.block);
    }
    if (this.isEmpty) {
      this.#run = { blocks: 0, bytes: 0 };
      this.#full = false;
    }
    return durable;
  }

  /** False for an answer to an earlier attempt. */
  isOutstanding(tag: number): boolean {
    const oldest = this.#outcomes.peek();
    const newest = this.#outcomes.at(this.#outcomes.length - 1);
    return (
      !this.#lost && oldest !== undefined && newest !== undefined && oldest.tag <= tag && tag <= newest.tag
    );
  }

  /** The disk refused one of them: those behind it are refused for the gap, so all are asked again later. */
  lose(): void {
    this.#lost = true;
  }

  /** All of them once more, oldest first, each by its new tag. */
  askAgain(ask: (block: BlockResults) => number): void {
    this.#lost = false;
    for (let at = 0; at < this.#outcomes.length; at += 1) {
      const outcome = this.#outcomes.at(at);
      if (outcome !== undefined) outcome.tag = ask(outcome.block);
    }
  }
}
