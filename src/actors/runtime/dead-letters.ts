/** Messages that nobody processed: counted by reason, the last few kept, each announced. Rules RT-8, docs/runtime.md. */
import type { StateValue } from 'xstate';
import { RingBuffer } from '../../base/ring-buffer.ts';
import type { CellAddress, Message } from '../../protocol/supervision/effect.ts';

/** Why a message was not processed. */
export const DEAD_LETTER_REASONS = [
  /** Nothing has that address. */
  'no_such_cell',
  /** Its cell ended while it was queued. */
  'terminated',
  /** The mailbox was full: policies `reject`, `drop_newest`, `drop_oldest`, `stop_actor`. */
  'mailbox_full',
  'dropped_newest',
  'dropped_oldest',
  'overflow_stop',
  /** The control lane was full. */
  'control_full',
  /** Its sender had its share of the mailbox already. */
  'sender_quota',
  /** The step that handled it threw (RT-6). */
  'poison',
  /** The chart's present state has no enabled transition for it, no wildcard and no forbidden one (RT-8). */
  'unhandled',
  /** Meant for an earlier incarnation (RT-6). */
  'stale',
  /** A timer's message that was queued when the timer was cancelled or started again. */
  'cancelled',
  /** From outside, and not among the event types that the cell declares (RT-16). */
  'event_not_public',
  /** `xstate.*`, `cell.*` or `*` from outside (RT-16). */
  'event_reserved',
  /** Too much was postponed. */
  'postpone_full',
  /** An answer to an `ask` that is over. */
  'late_reply',
] as const;

export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];

export interface DeadLetter {
  readonly reason: DeadLetterReason;
  readonly to: CellAddress;
  readonly from: CellAddress | undefined;
  readonly message: Message;
  /** Of an `unhandled` one: the chart's state, which has no transition for it. */
  readonly state?: StateValue;
}

/** How many dead letters are kept for the inspector. @unit letters */
const RECENT_MAX = 64;

export class DeadLetters {
  readonly #counts = new Map<DeadLetterReason, number>();
  readonly #recent = new RingBuffer<DeadLetter>();
  readonly #listeners = new Set<(letter: DeadLetter) => void>();

  /** Counts and announces one. Listeners observe only: they run inside the turn and must not throw. */
  add(letter: DeadLetter): void {
    this.#counts.set(letter.reason, (this.#counts.get(letter.reason) ?? 0) + 1);
    this.#recent.push(letter);
    if (this.#recent.length > RECENT_MAX) this.#recent.shift();
    for (const listener of this.#listeners) listener(letter);
  }

  /** Calls `listener` with each dead letter from now on; the result stops that. */
  listen(listener: (letter: DeadLetter) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** How many there were, by reason. */
  counts(): ReadonlyMap<DeadLetterReason, number> {
    return this.#counts;
  }

  /** The last ones, oldest first, at most 64. */
  recent(): readonly DeadLetter[] {
    return [...this.#recent];
  }
}
