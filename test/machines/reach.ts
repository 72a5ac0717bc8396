/**
 * Which states and transitions of a chart the tests of a file have reached; the list comes from the chart's definition,
 * so a transition that nobody tests fails the file. Style rule 18.
 */
import type { AnyMachineSnapshot, AnyStateMachine, EventFrom, InputFrom, SnapshotFrom } from 'xstate';
import {
  type CellEffect,
  type Circumstances,
  type Effect,
  type Message,
  type Microstep,
  probe,
} from '../../src/machines/vocabulary/index.ts';

type StateNode = AnyStateMachine['root'];
type Transition = StateNode['always'] extends readonly (infer T)[] | undefined ? T : never;

/** A chart under test that notes what it reached. */
export interface Chart<Machine extends AnyStateMachine> {
  readonly snapshot: SnapshotFrom<Machine>;
  readonly effects: readonly CellEffect[];
  send(event: EventFrom<Machine>, circumstances?: Circumstances): readonly CellEffect[];
  elapse(delayMs?: number, circumstances?: Circumstances): readonly CellEffect[];
}

export interface Reach<Machine extends AnyStateMachine> {
  start(input: InputFrom<Machine>, circumstances?: Circumstances): Chart<Machine>;
  /** Names of states and transitions that no chart of this reach came to. */
  missing(): readonly string[];
}

export function reachOf<Machine extends AnyStateMachine>(machine: Machine, address: string): Reach<Machine> {
  const unseen = new Map<object, string>();
  const pending: StateNode[] = [machine.root];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    unseen.set(node, `state ${node.id}`);
    for (const [type, transitions] of node.transitions) nameAll(unseen, node, type, transitions);
    nameAll(unseen, node, 'always', node.always ?? []);
    pending.push(...Object.values(node.states));
  }
  return {
    missing: () => [...unseen.values()].sort(),
    start(input, circumstances = {}) {
      const chart = probe(machine, { ...circumstances, input, address });
      const note = (before: SnapshotFrom<Machine> | undefined, microsteps: readonly Microstep[]): void => {
        const { _nodes: nodes }: AnyMachineSnapshot = chart.snapshot;
        for (const node of nodes) unseen.delete(node);
        const [first, ...others] = microsteps;
        const evented = before !== undefined && first !== undefined;
        if (evented) for (const one of machine.getTransitionData(before, first.event)) unseen.delete(one);
        for (const { transitions } of evented ? others : microsteps) {
          for (const { source, target } of transitions) noteAlways(machine, unseen, source, target);
        }
      };
      note(undefined, []);
      for (const { transitions } of chart.microsteps) {
        for (const { source, target } of transitions) noteAlways(machine, unseen, source, target);
      }
      return {
        get snapshot() {
          return chart.snapshot;
        },
        get effects() {
          return [...chart.effects];
        },
        send(event, given) {
          const before = chart.snapshot;
          const effects = [...chart.send(event, given)];
          note(before, chart.microsteps);
          return effects;
        },
        elapse(delayMs, given) {
          const before = chart.snapshot;
          const effects = [...chart.elapse(delayMs, given)];
          note(before, chart.microsteps);
          return effects;
        },
      };
    },
  };
}

function nameAll(
  names: Map<object, string>,
  node: StateNode,
  type: string,
  transitions: readonly Transition[],
): void {
  for (const [index, one] of transitions.entries()) names.set(one, `${node.id} on ${type} [${index}]`);
}

/** A state on the way, and the eventless transition that was taken there. */
function noteAlways(
  machine: AnyStateMachine,
  unseen: Map<object, string>,
  source: string,
  target: readonly string[],
): void {
  const node = machine.getStateNodeById(source);
  unseen.delete(node);
  const taken = node.always?.find((one) => (one.target ?? []).map(({ id }) => id).join() === target.join());
  if (taken !== undefined) unseen.delete(taken);
}

/** Messages among the effects to one address. */
export const toldTo = (effects: readonly CellEffect[], to: string): readonly Message[] =>
  effects.flatMap((effect) => (effect.kind === 'tell' && effect.to === to ? [effect.message] : []));

/** The effects of one kind. */
export const ofKind = <Kind extends Effect['kind']>(
  effects: readonly CellEffect[],
  kind: Kind,
): readonly Extract<CellEffect, { kind: Kind }>[] =>
  effects.filter((effect): effect is Extract<CellEffect, { kind: Kind }> => effect.kind === kind);
