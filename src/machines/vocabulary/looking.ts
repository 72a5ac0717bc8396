/**
 * What an observer may ask of a chart without changing it: which states are active, and which guards a message met. Guards are pure
 * and total, so that asking them again says what they said. Pure. With scope.ts and selection.ts what touches XState's internals. IN-1, ADR 0001.
 */
import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import type { Message } from '../../protocol/supervision/effect.ts';
import { atomicStates } from './scope.ts';
import { guardOf, type RawTransition } from './selection.ts';

/** A guard that was asked on the way to a transition. */
export interface AskedGuard {
  /** Id of the state whose transition it guards. */
  readonly source: string;
  /** The event's descriptor as XState has it, and the place among the source's transitions for it. */
  readonly on: string;
  readonly index: number;
  readonly held: boolean;
}

interface Node {
  readonly id: string;
  readonly states: Readonly<Record<string, Node>>;
  readonly transitions: ReadonlyMap<string, readonly RawTransition[]>;
}

/** Ids of the atomic states of a chart's snapshot; undefined for anything else. */
export const activeStates = (snapshot: unknown): readonly string[] | undefined =>
  isSnapshot(snapshot) ? atomicStates(snapshot) : undefined;

/**
 * The guards that `event` met in `snapshot`, in XState's order: inner states first, all regions, up to the first that held. What `always`
 * asks afterwards is not among them.
 */
export function guardsAsked(
  machine: AnyStateMachine,
  snapshot: unknown,
  event: Message,
): readonly AskedGuard[] {
  if (!isSnapshot(snapshot)) return [];
  const active: ReadonlySet<Node> = new Set<Node>(snapshot._nodes);
  const asked: AskedGuard[] = [];
  const holds = (transition: RawTransition, on: string, index: number): boolean => {
    if (transition.guard === undefined) return true;
    const held = guardOf(machine, transition.guard, snapshot, event);
    asked.push({ source: transition.source.id, on, index, held });
    return held;
  };
  const search = (node: Node): boolean => {
    const inside = Object.values(node.states).filter((child) => active.has(child));
    const isTaken = inside.map(search).some((taken) => taken);
    return (
      isTaken ||
      descriptorsFor(node, event.type).some((on) =>
        (node.transitions.get(on) ?? []).some((transition, index) => holds(transition, on, index)),
      )
    );
  };
  try {
    search(machine.root);
  } catch {
    // The step itself threw there, and its cell has crashed.
  }
  return asked;
}

/** The descriptors of a state that match an event's type: itself, then patterns, the longest first. */
const descriptorsFor = ({ transitions }: Node, type: string): readonly string[] =>
  [...transitions.keys()]
    .filter((on) => on === type || (on.endsWith('*') && type.startsWith(on.slice(0, -1))))
    .sort((left, right) => right.length - left.length);

const isSnapshot = (value: unknown): value is AnyMachineSnapshot =>
  typeof value === 'object' && value !== null && '_nodes' in value && 'value' in value;
