/**
 * Every step of a run as text, hashed as it goes: two runs that are equal have equal hashes, and two that are not can be
 * asked for the lines where they part. Watching costs, so it is asked for. Deterministic. Rule SM-1.
 */
import { createHash, type Hash } from 'node:crypto';
import { canonicalText, type Transition } from '../actors/runtime/index.ts';
import type { Observer } from './observer.ts';

/** Steps between two marks. @unit steps */
const MARK_EVERY = 2_048;

export interface StepHashes {
  /** Steps of all nodes' charts. */
  readonly steps: number;
  /** Hash of all steps up to each mark, `MARK_EVERY` apart; the last one is of all steps. */
  readonly marks: readonly string[];
}

/** Lines to keep: those of one stretch between two marks. */
export interface Stretch {
  readonly mark: number;
}

export class Trace {
  readonly #hash: Hash = createHash('sha256');
  readonly #marks: string[] = [];
  readonly #lines: string[] = [];
  readonly #kept: number;
  #steps = 0;

  /** @param stretch whose lines are kept; none without */
  constructor(stretch?: Stretch) {
    this.#kept = stretch?.mark ?? -1;
  }

  observer(): Observer {
    return {
      started: ({ node }, { system, life }) => {
        system.inspect({ transition: (transition) => this.#note(`${node}.${life}`, transition) });
      },
    };
  }

  hashes(): StepHashes {
    return { steps: this.#steps, marks: [...this.#marks, this.#hash.copy().digest('hex')] };
  }

  lines(): readonly string[] {
    return this.#lines;
  }

  #note(process: string, { now, address, from, event, snapshot, effects }: Transition): void {
    const state =
      typeof snapshot === 'object' && snapshot !== null && 'value' in snapshot ? snapshot.value : '';
    const line = `${now} ${process} ${address} from ${from ?? '-'} ${textOf(event)} → ${textOf(state)} ${textOf(effects)}`;
    this.#hash.update(line);
    if (Math.floor(this.#steps / MARK_EVERY) === this.#kept) this.#lines.push(line);
    this.#steps += 1;
    if (this.#steps % MARK_EVERY === 0) this.#marks.push(this.#hash.copy().digest('hex'));
  }
}

/** Index of the first stretch in which two runs differ; undefined when they are equal. */
export function firstDifference(left: StepHashes, right: StepHashes): number | undefined {
  const marks = Math.max(left.marks.length, right.marks.length);
  for (let mark = 0; mark < marks; mark += 1) if (left.marks[mark] !== right.marks[mark]) return mark;
  return undefined;
}

/** What cannot be written as data (a poisoned message) is named by its type. */
function textOf(value: unknown): string {
  try {
    return canonicalText(value);
  } catch {
    return typeof value === 'object' && value !== null && 'type' in value ? String(value.type) : '?';
  }
}
