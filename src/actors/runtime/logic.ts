/** Tells the kinds of logic apart and what each lets in from outside. Pure. Rules RT-15, RT-16. */
import { type AnyActorLogic, type AnyStateMachine, StateMachine } from 'xstate';
import { supervisorMachine } from '../../machines/supervisor/supervisor.machine.ts';
import { prepareChart } from '../../machines/vocabulary/scope.ts';
import { type BoundaryDefinition, isBoundaryLogic } from './boundary.ts';
import type { CellLogic, CellSpec } from './spec.ts';

/** Logic that has been looked at once, and is shared by all cells that run it. */
export type PreparedLogic =
  | {
      readonly kind: 'machine' | 'supervisor';
      readonly machine: AnyStateMachine;
      /** Handles `cell.stop`: it is asked to end and must `exit`. */
      readonly handlesStop: boolean;
      /** Event types named by its transitions. */
      readonly eventTypes: ReadonlySet<string>;
    }
  | { readonly kind: 'reducer'; readonly logic: AnyActorLogic }
  | { readonly kind: 'boundary'; readonly boundary: BoundaryDefinition<unknown> };

const prepared = new WeakMap<object, PreparedLogic>();

/** Looks at logic, once for each object. Throws with advice when a cell cannot run it. */
export function prepareLogic(logic: CellLogic): PreparedLogic {
  const known = prepared.get(logic);
  if (known !== undefined) return known;
  const fresh = prepare(logic);
  prepared.set(logic, fresh);
  return fresh;
}

function prepare(logic: CellLogic): PreparedLogic {
  if ('supervisor' in logic) return prepareMachine('supervisor', supervisorMachine);
  if (logic instanceof StateMachine) return prepareMachine('machine', logic);
  if (isBoundaryLogic(logic)) return { kind: 'boundary', boundary: logic.boundary };
  if (isReducer(logic)) return { kind: 'reducer', logic };
  if (!('config' in logic))
    throw new Error('this kind has no logic: machine.provide({ actors: { … } }) gives one');
  throw new Error(
    'a cell runs a machine, fromTransition logic, boundary(), handler() or supervisor(): fromPromise, fromCallback and fromObservable touch the world, write them as boundary()',
  );
}

function prepareMachine(kind: 'machine' | 'supervisor', machine: AnyStateMachine): PreparedLogic {
  prepareChart(machine);
  const types = machine.events.filter((type) => !type.includes('*') && !isReserved(type));
  return {
    kind,
    machine,
    handlesStop: machine.events.includes('cell.stop'),
    eventTypes: new Set(types),
  };
}

// XState's promise, callback and observable logic has `start`; fromTransition's has not.
function isReducer(logic: object): logic is AnyActorLogic {
  return 'transition' in logic && 'getInitialSnapshot' in logic && 'config' in logic && !('start' in logic);
}

/** RT-16: names that only XState and the runtime may use. */
export function isReserved(type: string): boolean {
  return type.startsWith('xstate.') || type.startsWith('cell.') || type === '*' || type === '';
}

const SUPERVISOR_EVENTS: ReadonlySet<string> = new Set(['child.start', 'child.stop']);

/** RT-16: the types that the outside may send to a cell; undefined is all that are not reserved. */
export function publicEventsOf(spec: CellSpec, logic: PreparedLogic): ReadonlySet<string> | undefined {
  if (logic.kind === 'supervisor') return SUPERVISOR_EVENTS;
  if (spec.publicEvents !== undefined) return sharedSet(spec.publicEvents);
  return logic.kind === 'machine' ? logic.eventTypes : undefined;
}

const sets = new WeakMap<readonly string[], ReadonlySet<string>>();

/** One set for each list, so that ten thousand cells of a kind share it. */
export function sharedSet(names: readonly string[]): ReadonlySet<string> {
  const known = sets.get(names);
  if (known !== undefined) return known;
  const fresh = new Set(names);
  sets.set(names, fresh);
  return fresh;
}
