/** A kind of child that a chart spawns and someone above provides: a boundary actor, of which a chart knows only the input. */
import type { AnyActorScope, EventObject, Snapshot } from 'xstate';

/** The part of XState's actor logic that types need. */
export interface Kind<Input> {
  readonly transition: (
    snapshot: Snapshot<unknown>,
    event: EventObject,
    scope: AnyActorScope,
  ) => Snapshot<unknown>;
  readonly getInitialSnapshot: (scope: AnyActorScope, input: Input) => Snapshot<unknown>;
  readonly getPersistedSnapshot: (snapshot: Snapshot<unknown>) => Snapshot<unknown>;
}

/**
 * Names a kind by its input: `setup({ actors: { socket: kind<SocketInput>() } })`. The wiring gives the logic:
 * `machine.provide({ actors: { socket: boundary(…) } })`. Spawning it before that crashes the chart.
 */
export function kind<Input = undefined>(): Kind<Input> {
  return { transition: notProvided, getInitialSnapshot: notProvided, getPersistedSnapshot: notProvided };
}

function notProvided(): never {
  throw new Error('this kind has no logic: give one with machine.provide({ actors: { … } })');
}
