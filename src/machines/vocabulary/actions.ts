/**
 * Typed actions for charts, next to `assign` in `setup({ actions })`: each adds effects to the step that runs it.
 * Pure: an effect takes place only after the step is committed (RT-11). One of the files that know XState's
 * internals (here the protocol `resolve`), with scope.ts and selection.ts. docs/runtime.md.
 */
import type {
  ActionArgs,
  ActionFunction,
  EventObject,
  InputFrom,
  MachineContext,
  ParameterizedObject,
  ProvidedActor,
} from 'xstate';
import type { Monotonic, WallTime } from '../../base/units.ts';
import type { SupervisionEffect } from '../../protocol/supervision/child.ts';
import type { CellAddress, Effect, ExitReason, Lane, Message } from '../../protocol/supervision/effect.ts';
import { type CellEffect, CellScope } from './scope.ts';
import { turnOf } from './turn.ts';

type Params = ParameterizedObject['params'] | undefined;

/** A value, or a function of the step that gives it. */
export type Given<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
  Value,
> = Value | ((args: ActionArgs<TContext, TExpressionEvent, TEvent>, params: TParams) => Value);

/** What a `step` function sees: XState's arguments and the turn. */
export interface StepArgs<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TEvent extends EventObject,
> extends ActionArgs<TContext, TExpressionEvent, TEvent> {
  /** Monotonic time of this step. @unit ms */
  readonly now: Monotonic;
  /** Wall time of this step. @unit ms */
  readonly wall: WallTime;
  /** The cell's own address. */
  readonly address: CellAddress;
  /** Who sent the message. */
  readonly sender: CellAddress | undefined;
  /** The next draw of the cell's seeded stream, in [0, 1). */
  readonly draw: () => number;
}

/** What a `step` decides: fields to assign, and effects in order. */
export interface Decision<TContext, TEffect = Effect> {
  readonly context?: Partial<TContext> | undefined;
  readonly effects?: readonly TEffect[] | undefined;
}

type Act<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
> = ActionFunction<TContext, TExpressionEvent, TEvent, TParams, never, never, never, never, never>;

/** Assigns and acts in one: the main style, since a pure protocol function can give the whole answer. */
export function step<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(
  decide: (args: StepArgs<TContext, TExpressionEvent, TEvent>, params: TParams) => Decision<TContext>,
): Act<TContext, TExpressionEvent, TParams, TEvent> {
  return deciding('althing.step', decide);
}

/** `step` for the supervisor's chart, which may also ask for what only a supervisor may. */
export function supervise<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(
  decide: (
    args: StepArgs<TContext, TExpressionEvent, TEvent>,
    params: TParams,
  ) => Decision<TContext, Effect | SupervisionEffect>,
): Act<TContext, TExpressionEvent, TParams, TEvent> {
  return deciding('althing.supervise', decide);
}

function deciding<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(
  type: string,
  decide: (
    args: StepArgs<TContext, TExpressionEvent, TEvent>,
    params: TParams,
  ) => Decision<TContext, CellEffect>,
): Act<TContext, TExpressionEvent, TParams, TEvent> {
  return action(
    type,
    (scope, snapshot, args: ActionArgs<TContext, TExpressionEvent, TEvent>, params: TParams) => {
      const turn = turnOf(args);
      // Field by field: a spread of both costs a tenth of a simulated network's time.
      const { context: before, event, self, system } = args;
      const { now, wall, address, sender, draw } = turn;
      const { context, effects } = decide(
        { context: before, event, self, system, now, wall, address, sender, draw },
        params,
      );
      if (effects !== undefined) for (const effect of effects) scope.effects.push(effect);
      return context === undefined ? snapshot : { ...snapshot, context: { ...before, ...context } };
    },
  );
}

/** Effects as a list, computed from the step: `perform(({ context }) => context.outbox)`. */
export function perform<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(
  effects: Given<TContext, TExpressionEvent, TParams, TEvent, readonly Effect[]>,
): Act<TContext, TExpressionEvent, TParams, TEvent> {
  return emitting('althing.perform', effects, (list) => list);
}

/** Sends `message` to the cell at `to`. An address where nothing runs makes a dead letter. */
export function tell<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(
  to: Given<TContext, TExpressionEvent, TParams, TEvent, CellAddress>,
  message: Given<TContext, TExpressionEvent, TParams, TEvent, Message>,
  options?: { readonly lane?: Lane },
): Act<TContext, TExpressionEvent, TParams, TEvent> {
  return action(
    'althing.tell',
    (scope, snapshot, args: ActionArgs<TContext, TExpressionEvent, TEvent>, params: TParams) => {
      const letter = {
        kind: 'tell',
        to: value(to, args, params),
        message: value(message, args, params),
      } as const;
      scope.effects.push(options?.lane === undefined ? letter : { ...letter, lane: options.lane });
      return snapshot;
    },
  );
}

/** One letter of `tellEach`. */
export interface Letter {
  readonly to: CellAddress;
  readonly message: Message;
}

/** Sends zero or more messages, in order. */
export function tellEach<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(
  letters: Given<TContext, TExpressionEvent, TParams, TEvent, readonly Letter[]>,
): Act<TContext, TExpressionEvent, TParams, TEvent> {
  return emitting('althing.tellEach', letters, (list) =>
    list.map(({ to, message }) => ({ kind: 'tell', to, message })),
  );
}

/** Answers the sender of the message being handled: a cell (its present incarnation) or an `ask`. */
export function reply<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(
  message: Given<TContext, TExpressionEvent, TParams, TEvent, Message>,
): Act<TContext, TExpressionEvent, TParams, TEvent> {
  return emitting('althing.reply', message, (answer) => [{ kind: 'reply', message: answer }]);
}

/** Asks for one `cell.down` when the present incarnation at `address` ends (RT-10). */
export function watch<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(
  address: Given<TContext, TExpressionEvent, TParams, TEvent, CellAddress>,
): Act<TContext, TExpressionEvent, TParams, TEvent> {
  return emitting('althing.watch', address, (target) => [{ kind: 'watch', address: target }]);
}

/** Takes back a watch; a `cell.down` that is already queued is dropped. */
export function unwatch<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(
  address: Given<TContext, TExpressionEvent, TParams, TEvent, CellAddress>,
): Act<TContext, TExpressionEvent, TParams, TEvent> {
  return emitting('althing.unwatch', address, (target) => [{ kind: 'unwatch', address: target }]);
}

type SpawnArguments<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TEvent extends EventObject,
  TActor extends ProvidedActor,
> = TActor extends ProvidedActor
  ? [
      kind: TActor['src'],
      options: {
        readonly id: Given<TContext, TExpressionEvent, undefined, TEvent, string>;
      } & (undefined extends InputFrom<TActor['logic']>
        ? {
            readonly input?: Given<TContext, TExpressionEvent, undefined, TEvent, InputFrom<TActor['logic']>>;
          }
        : {
            readonly input: Given<TContext, TExpressionEvent, undefined, TEvent, InputFrom<TActor['logic']>>;
          }),
    ]
  : never;

/**
 * Starts a child cell at `<own address>/<id>`, whose logic is `kind` in `setup({ actors })`.
 * Its end comes to this cell as one `cell.down`; the end of this cell ends it.
 */
export function spawn<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
  TActor extends ProvidedActor,
>(
  ...[kind, { id, input }]: SpawnArguments<TContext, TExpressionEvent, TEvent, TActor>
): ActionFunction<TContext, TExpressionEvent, TEvent, TParams, TActor, never, never, never, never> {
  return action('althing.spawn', (scope, snapshot, args: ActionArgs<TContext, TExpressionEvent, TEvent>) => {
    scope.effects.push({
      kind: 'spawn',
      logic: kind,
      id: value(id, args, undefined),
      input: typeof input === 'function' ? input(args, undefined) : input,
    });
    return snapshot;
  });
}

/** Stops a child that this cell spawned. */
export function stop<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(
  id: Given<TContext, TExpressionEvent, TParams, TEvent, string>,
): Act<TContext, TExpressionEvent, TParams, TEvent> {
  return emitting('althing.stop', id, (child) => [{ kind: 'stop', id: child }]);
}

/** Sends `message` to this cell after `delayMs`; starting a key again replaces its timer (RT-12). @unit ms */
export function startTimer<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(
  key: Given<TContext, TExpressionEvent, TParams, TEvent, string>,
  delayMs: Given<TContext, TExpressionEvent, TParams, TEvent, number>,
  message: Given<TContext, TExpressionEvent, TParams, TEvent, NoInfer<TEvent>>,
): Act<TContext, TExpressionEvent, TParams, TEvent> {
  return action(
    'althing.startTimer',
    (scope, snapshot, args: ActionArgs<TContext, TExpressionEvent, TEvent>, params: TParams) => {
      scope.effects.push({
        kind: 'startTimer',
        key: value(key, args, params),
        delayMs: value(delayMs, args, params),
        message: value(message, args, params),
      });
      return snapshot;
    },
  );
}

/** Takes back a named timer, and its message if that is queued already. */
export function cancelTimer<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(
  key: Given<TContext, TExpressionEvent, TParams, TEvent, string>,
): Act<TContext, TExpressionEvent, TParams, TEvent> {
  return emitting('althing.cancelTimer', key, (name) => [{ kind: 'cancelTimer', key: name }]);
}

/** Puts the message being handled back; after the next change of state it comes first (RT-13). */
export function postpone<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(): Act<TContext, TExpressionEvent, TParams, TEvent> {
  return action('althing.postpone', (scope, snapshot) => {
    scope.effects.push({ kind: 'postpone' });
    return snapshot;
  });
}

/** Ends this cell after the step, for `reason`. */
export function exit<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
>(
  reason: Given<TContext, TExpressionEvent, TParams, TEvent, ExitReason>,
): Act<TContext, TExpressionEvent, TParams, TEvent> {
  return emitting('althing.exit', reason, (why) => [{ kind: 'exit', reason: why }]);
}

function emitting<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends Params,
  TEvent extends EventObject,
  Value,
>(
  type: string,
  given: Given<TContext, TExpressionEvent, TParams, TEvent, Value>,
  toEffects: (value: Value) => readonly CellEffect[],
): Act<TContext, TExpressionEvent, TParams, TEvent> {
  return action(
    type,
    (scope, snapshot, args: ActionArgs<TContext, TExpressionEvent, TEvent>, params: TParams) => {
      for (const effect of toEffects(value(given, args, params))) scope.effects.push(effect);
      return snapshot;
    },
  );
}

function value<Args, TParams, Value>(
  given: Value | ((args: Args, params: TParams) => Value),
  args: Args,
  params: TParams,
): Value {
  return isFunction(given) ? given(args, params) : given;
}

function isFunction<Args, TParams, Value>(
  given: Value | ((args: Args, params: TParams) => Value),
): given is (args: Args, params: TParams) => Value {
  return typeof given === 'function';
}

/** What XState's builtin actions are: a function that it never calls, with `type` and `resolve`. */
export function action<Args, TParams>(
  type: string,
  run: (scope: CellScope, snapshot: object, args: Args, params: TParams) => object,
): (args: Args, params: TParams) => void {
  function act(_args: Args, _params: TParams): void {
    throw new Error(`${type} ran outside a cell: start this chart with createSystem() of althing/runtime`);
  }
  return Object.assign(act, {
    type,
    resolve(scope: unknown, snapshot: object, args: Args, params: TParams): [object, undefined, undefined] {
      if (!(scope instanceof CellScope)) {
        throw new Error(
          `${type} ran outside a cell: start this chart with createSystem() of althing/runtime`,
        );
      }
      return [run(scope, snapshot, args, params), undefined, undefined];
    },
  });
}
