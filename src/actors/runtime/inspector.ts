/** What an observer of a running system sees; it changes nothing, and without one nothing is computed. Rules RT-15, IN-4. */
import type { AnyStateMachine } from 'xstate';
import type { Monotonic, WallTime } from '../../base/units.ts';
import type { CellEffect, Microstep } from '../../machines/vocabulary/scope.ts';
import type { CellAddress, ExitReason, Message } from '../../protocol/supervision/effect.ts';
import type { DeadLetterReason } from './dead-letters.ts';

export type CellKind = 'machine' | 'reducer' | 'supervisor' | 'boundary';
export type CellStatus = 'starting' | 'running' | 'ending' | 'down' | 'gone';

export interface CellCounters {
  /** Messages that entered the mailbox. */
  readonly accepted: number;
  readonly processed: number;
  readonly queued: number;
  readonly postponed: number;
  /** Accepted, then lost, by reason. RT-8: accepted = processed + queued + postponed + all of these. */
  readonly lost: ReadonlyMap<DeadLetterReason, number>;
}

/** A cell as the registry shows it. */
export interface CellInfo {
  readonly address: CellAddress;
  readonly parent: CellAddress | undefined;
  readonly kind: CellKind;
  readonly status: CellStatus;
  readonly incarnation: number;
  readonly restarts: number;
  readonly counters: CellCounters;
  /** Most user messages in the mailbox. @unit messages */
  readonly capacity: number;
  /** Named and state timers that are armed. */
  readonly timers: readonly { readonly key: string; readonly due: Monotonic }[];
  /** The chart, for `machine.definition` and `machine.config`. */
  readonly machine: AnyStateMachine | undefined;
  /** The present snapshot: XState's for a chart, `{ context }` for a reducer, undefined for a boundary actor. */
  readonly snapshot: unknown;
}

/** One committed step. Values are the cell's own: read and keep, do not change. */
export interface Transition {
  readonly address: CellAddress;
  readonly incarnation: number;
  readonly turn: number;
  readonly now: Monotonic;
  /** The wall time that the step saw. */
  readonly wall: WallTime;
  readonly from: CellAddress | undefined;
  /** `xstate.init` for the first step. */
  readonly event: Message;
  readonly snapshot: unknown;
  /** Empty where no inspector asks for this cell's. */
  readonly microsteps: readonly Microstep[];
  readonly effects: readonly CellEffect[];
}

/** A message that a boundary actor takes. */
export interface Delivered {
  readonly address: CellAddress;
  readonly from: CellAddress | undefined;
  readonly message: Message;
  readonly now: Monotonic;
}

/** Callbacks run inside the turn; they must be quick and must not throw or tell. */
export interface Inspector {
  cellStarted?(info: CellInfo): void;
  transition?(transition: Transition): void;
  /**
   * Whether `transition` is to have the microsteps of this cell's next step: they cost the short way through a step. Asked before each;
   * without this method, of all cells.
   */
  wantsMicrosteps?(address: CellAddress): boolean;
  /** A message is taken that lay in the mailbox for so long; asked of the clock twice for each message while somebody wants it. @unit ms */
  waited?(address: CellAddress, waitMs: number): void;
  delivery?(delivered: Delivered): void;
  cellEnded?(address: CellAddress, incarnation: number, reason: ExitReason): void;
}
