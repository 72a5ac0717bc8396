/**
 * What a cell asks of the runtime, as data: a pure function may return these, a chart's action hands them on as they are.
 * Types and constants only. Rules RT-2, RT-6, RT-10, RT-12, docs/runtime.md.
 */

/** A path: the root's id, then each child's id, joined by '/': `node/consensus/round-manager`. */
export type CellAddress = string;

/** What cells say to each other. The second form lets a literal carry fields of its own. */
export type Message =
  | { readonly type: string }
  | { readonly type: string; readonly [field: string]: unknown };

/** Why a cell ended. Everything but `normal` and `shutdown` is abnormal (RT-2). */
export type ExitReason =
  | { readonly kind: 'normal' }
  | { readonly kind: 'shutdown'; readonly detail?: string }
  | { readonly kind: 'killed' }
  /** A throw, or an exit that the cell calls a failure. */
  | { readonly kind: 'crash'; readonly error: string }
  /** Its mailbox overflowed under the policy `stop_actor`. */
  | { readonly kind: 'overflow' }
  /** A supervisor gave up: restarts came faster than its intensity allows, or a child would not start. */
  | { readonly kind: 'escalated'; readonly child: string; readonly error: string }
  /** Only in `cell.down`: nothing ran at that address when the watch was set. */
  | { readonly kind: 'no_such_cell' };

export const NORMAL: ExitReason = { kind: 'normal' };
export const SHUTDOWN: ExitReason = { kind: 'shutdown' };
export const KILLED: ExitReason = { kind: 'killed' };

/** An abnormal exit with a text for the reader. */
export const crash = (error: string): ExitReason => ({ kind: 'crash', error });

/** True for the reasons after which a `transient` child is not restarted (RT-2). */
export function isOrderlyExit(reason: ExitReason): boolean {
  return reason.kind === 'normal' || reason.kind === 'shutdown';
}

/** A watched cell, or a child that a chart spawned, has ended. Comes exactly once for each watch (RT-10). */
export interface CellDown {
  readonly type: 'cell.down';
  readonly address: CellAddress;
  readonly reason: ExitReason;
  /** What a final state gave out, when the reason is `normal`. */
  readonly output?: unknown;
}

/** A chart that handles this is asked to end and must `exit`; without a handler it is ended at once (RT-3). */
export interface CellStop {
  readonly type: 'cell.stop';
  readonly reason: ExitReason;
}

/** Urgent messages overtake those of users (RT-7). */
export type Lane = 'user' | 'control';

/** One request to the runtime; a step's effects take place in order, after its state is committed (RT-11). */
export type Effect =
  | {
      readonly kind: 'tell';
      readonly to: CellAddress;
      readonly message: Message;
      readonly lane?: Lane;
      /** News for a cell that, should it start later, reads for itself what is present: where none is up, nothing is lost. */
      readonly ifUp?: true;
    }
  /** To the sender of the message being handled: a cell's present incarnation, or an `ask`. */
  | { readonly kind: 'reply'; readonly message: Message }
  | { readonly kind: 'watch'; readonly address: CellAddress }
  | { readonly kind: 'unwatch'; readonly address: CellAddress }
  /** A child cell `<own address>/<id>`, whose logic is `actors[logic]` of the chart; its end comes as `cell.down`. */
  | { readonly kind: 'spawn'; readonly logic: string; readonly id: string; readonly input?: unknown }
  /** Stops a spawned child. */
  | { readonly kind: 'stop'; readonly id: string }
  /** Sends `message` to the cell itself after `delayMs`; the same key again replaces the former. @unit ms */
  | {
      readonly kind: 'startTimer';
      readonly key: string;
      readonly delayMs: number;
      readonly message: Message;
    }
  | { readonly kind: 'cancelTimer'; readonly key: string }
  /** Puts the message being handled back until the state changes (RT-13). */
  | { readonly kind: 'postpone' }
  | { readonly kind: 'exit'; readonly reason: ExitReason; readonly output?: unknown };

/** `tell` as data. */
export const telling = (to: CellAddress, message: Message): Effect => ({ kind: 'tell', to, message });

/** `tell` as data, to whoever is up: no dead letter where nobody is (RT-8). */
export const announcing = (to: CellAddress, message: Message): Effect => ({
  kind: 'tell',
  to,
  message,
  ifUp: true,
});
