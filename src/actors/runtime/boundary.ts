/**
 * Boundary actors: the only logic that may touch sockets, disks, clocks and randomness. They speak by messages, and what
 * they say is journaled. Types and constructors only; boundary-run.ts runs them. Rule RT-15, docs/runtime.md.
 */
import type { Monotonic } from '../../base/units.ts';
import type { Kind } from '../../machines/vocabulary/kind.ts';
import type { CellAddress, ExitReason, Lane, Message } from '../../protocol/supervision/effect.ts';

/** What became of a message at the moment it was told: exactly one of these. */
export type TellOutcome =
  /** Queued (perhaps in place of an older one, under `drop_oldest`). */
  | 'accepted'
  /** A dead letter, by policy or because its type is not public. */
  | 'dropped'
  /** A dead letter of the policy `reject`: no room, or none for this sender's share. Wait for `ready()`. */
  | 'full'
  /** A dead letter: nothing has that address. */
  | 'dead';

/** What a boundary actor can do. All of it is undone, and later calls do nothing, once its incarnation has ended. */
export interface BoundaryContext<Input> {
  readonly self: CellAddress;
  readonly input: Input;
  /** Aborted when this actor is asked to stop or is killed. */
  readonly signal: AbortSignal;
  tell(to: CellAddress, message: Message, lane?: Lane): TellOutcome;
  /**
   * Resolves when the cell's mailbox has room again, and this actor's share of it too: stop reading the socket until then. It
   * outlives restarts of the cell, which keep the queue, and ends with the cell or with this incarnation.
   */
  ready(to: CellAddress): Promise<void>;
  /** Asks a cell; rejects with AskRefused, AskLate or AskDead. @param timeoutMs unit ms */
  ask(to: CellAddress, message: Message, timeoutMs: number): Promise<Message>;
  /** One `cell.down` comes to this actor when the cell's present incarnation ends. */
  watch(address: CellAddress): void;
  unwatch(address: CellAddress): void;
  /** Sends `message` to this actor after `delayMs`; the same key again replaces the former. @unit ms */
  startTimer(key: string, delayMs: number, message: Message): void;
  cancelTimer(key: string): void;
  /** The system's monotonic clock. @unit ms */
  now(): Monotonic;
  /** Ends this actor. */
  exit(reason: ExitReason): void;
}

/** What came, and who sent it: answer with `tell(from, …)`. */
export interface Delivery<M extends Message> {
  readonly message: M;
  readonly from: CellAddress | undefined;
}

/** Messages in order. `take` gives undefined once the actor is asked to stop. */
export interface Inbox<M extends Message> extends AsyncIterable<M> {
  take(): Promise<Delivery<M> | undefined>;
}

export interface BoundaryFunctionContext<Input, M extends Message> extends BoundaryContext<Input> {
  readonly inbox: Inbox<M>;
}

/** Logic that XState accepts in `setup({ actors })` and only a cell can run. */
export interface BoundaryLogic<Input> extends Kind<Input> {
  readonly boundary: BoundaryDefinition<Input>;
}

export type BoundaryDefinition<Input> =
  | {
      readonly kind: 'function';
      run(context: BoundaryFunctionContext<Input, Message>): Promise<void>;
    }
  | { readonly kind: 'handler'; open(context: BoundaryContext<Input>): HandlerRun | Promise<HandlerRun> };

/** One incarnation of a handler. */
export interface HandlerRun {
  receive(message: Message, from: CellAddress | undefined): void | Promise<void>;
  terminate(): void | Promise<void>;
}

/** What a handler is made of. A promise from `receive` holds the next message back until it settles. */
export interface HandlerDefinition<State, M extends Message, Input> {
  /** Opens what the actor owns; the actor has started when this returns or resolves. A throw is a failed start. */
  init(context: BoundaryContext<Input>): State | Promise<State>;
  receive(
    message: M,
    context: HandlerContext<State, Input>,
    from: CellAddress | undefined,
  ): void | Promise<void>;
  /** Closes what `init` opened, on an orderly stop. After a crash or a kill only `signal` is aborted. */
  terminate?(context: HandlerContext<State, Input>): void | Promise<void>;
}

export interface HandlerContext<State, Input> extends BoundaryContext<Input> {
  readonly state: State;
}

/** A boundary actor as an async function: its return is a normal exit, its throw a crash. */
export function boundary<M extends Message, Input = undefined>(
  run: (context: BoundaryFunctionContext<Input, M>) => Promise<void>,
): BoundaryLogic<Input> {
  const definition: {
    readonly kind: 'function';
    run(context: BoundaryFunctionContext<Input, M>): Promise<void>;
  } = { kind: 'function', run };
  return asLogic(definition);
}

/** A boundary actor as callbacks; with synchronous callbacks it is as deterministic as what it calls. */
export function handler<State, M extends Message, Input = undefined>(
  definition: HandlerDefinition<State, M, Input>,
): BoundaryLogic<Input> {
  return asLogic({
    kind: 'handler',
    open(context) {
      const run = (state: State): HandlerRun => {
        const full: HandlerContext<State, Input> = Object.assign(Object.create(context), { state });
        const receive: (message: M, from: CellAddress | undefined) => void | Promise<void> = (
          message,
          from,
        ) => definition.receive(message, full, from);
        return asHandlerRun({ receive, terminate: () => definition.terminate?.(full) });
      };
      const state = definition.init(context);
      return isPromise(state) ? state.then(run) : run(state);
    },
  });
}

/** True for logic made by `boundary` or `handler`. */
export function isBoundaryLogic(logic: object): logic is BoundaryLogic<unknown> {
  return 'boundary' in logic;
}

export function isPromise<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  return value instanceof Promise;
}

function asLogic<Input>(definition: BoundaryDefinition<Input>): BoundaryLogic<Input> {
  return {
    transition: onlyInCells,
    getInitialSnapshot: onlyInCells,
    getPersistedSnapshot: onlyInCells,
    boundary: definition,
  };
}

function onlyInCells(): never {
  throw new Error('a boundary actor runs only in a cell: start it with createSystem() of althing/runtime');
}

// Which messages come is the contract between the cells; the runtime does not look into them.
interface TypedRun<M extends Message> {
  receive(message: M, from: CellAddress | undefined): void | Promise<void>;
  terminate(): void | Promise<void>;
}
const asHandlerRun = <M extends Message>(run: TypedRun<M>): HandlerRun => run;
