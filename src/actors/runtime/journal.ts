/**
 * What a system learned from outside, in order: the hook that a journal implements, and one in memory.
 * Every entry says after how many turns of pure cells it came, so that a replay can put it there again. Rule RT-15.
 */
import type { Monotonic, WallTime } from '../../base/units.ts';
import type { CellAddress, ExitReason, Lane, Message } from '../../protocol/supervision/effect.ts';

/** When an input came. */
export interface InputStamp {
  /** Grows by one with each entry that is an input. */
  readonly seq: number;
  /** Turns of pure cells that had ended. */
  readonly turn: number;
  readonly now: Monotonic;
  readonly wall: WallTime;
}

export type JournalEntry =
  /** A message from a boundary actor, an `ask` or the outside to a pure cell. */
  | (InputStamp & {
      readonly kind: 'message';
      readonly from: CellAddress;
      readonly to: CellAddress;
      readonly lane: Lane;
      readonly message: Message;
    })
  /** A timer of a pure cell fired; `key` is unique within the cell. */
  | (InputStamp & { readonly kind: 'timer'; readonly address: CellAddress; readonly key: string })
  /** A boundary actor started or ended by itself. */
  | (InputStamp & { readonly kind: 'started'; readonly address: CellAddress })
  | (InputStamp & { readonly kind: 'ended'; readonly address: CellAddress; readonly reason: ExitReason })
  /** An incarnation of a boundary actor that has ended still told something. */
  | (InputStamp & {
      readonly kind: 'stale';
      readonly from: CellAddress;
      readonly address: CellAddress;
      readonly message: Message;
    })
  /** An ask ended without an answer. */
  | (InputStamp & { readonly kind: 'lapsed'; readonly address: CellAddress })
  /** A cell was started or asked to stop from outside. */
  | (InputStamp & { readonly kind: 'open'; readonly address: CellAddress })
  | (InputStamp & { readonly kind: 'close'; readonly address: CellAddress })
  /** A draw that a pure cell made. */
  | { readonly kind: 'draw'; readonly turn: number; readonly value: number }
  /** What a function gave to a pure cell that a replay does not call (`Outside`). */
  | { readonly kind: 'result'; readonly turn: number; readonly name: string; readonly value: unknown }
  /** A check of one turn: cell, state and effects. */
  | {
      readonly kind: 'digest';
      readonly turn: number;
      readonly address: CellAddress;
      readonly digest: string;
    };

/** Where a system writes what it learns. `record` must neither throw nor call back into the system. */
export interface Journal {
  /** A digest is recorded every so many turns; 0 is never. @unit turns */
  readonly digestEvery: number;
  record(entry: JournalEntry): void;
}

export interface MemoryJournal extends Journal {
  readonly entries: readonly JournalEntry[];
}

/** Digests every few hundred turns, as RP-1 has it. @unit turns */
const DIGEST_EVERY_DEFAULT = 256;

/** A journal that keeps everything; for tests and short runs, since nothing bounds it. */
export function memoryJournal({ digestEvery = DIGEST_EVERY_DEFAULT } = {}): MemoryJournal {
  const entries: JournalEntry[] = [];
  return { digestEvery, entries, record: (entry) => void entries.push(entry) };
}
