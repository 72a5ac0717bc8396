/** The node's charts as data, held against the sources and against what XState makes of them. RP-7. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AnyStateMachine, StateMachine } from 'xstate';
import { type ChartState, chartOf, descriptorOf } from '../../src/actors/runtime/chart.ts';
import { nodeCharts } from '../../src/node/charts.ts';

const MACHINES = join(import.meta.dirname, '..', '..', 'src', 'machines');

const isMachine = (exported: unknown): exported is AnyStateMachine => exported instanceof StateMachine;

const files = readdirSync(MACHINES, { recursive: true, encoding: 'utf8' }).filter((path) =>
  path.endsWith('.machine.ts'),
);
const machines = (
  await Promise.all(
    files.map(async (path) => Object.values(await import(join(MACHINES, path))).filter(isMachine)),
  )
).flat();

type StateNode = AnyStateMachine['root'];

/** XState's transitions of a state; its `definition` has those of `always` not. */
const transitionsOf = (node: StateNode) => [...(node.always ?? []), ...[...node.transitions.values()].flat()];

const plain = (name: unknown): unknown => (typeof name === 'string' ? name : name !== undefined);

/** What XState made of a state and those inside; what has no plain name there is told by its presence. */
const toldByXState = (node: StateNode): unknown => ({
  id: node.id,
  key: node.key,
  type: node.type,
  tags: node.tags,
  initial: node.type === 'compound' ? node.initial.target?.[0]?.id : undefined,
  transitions: transitionsOf(node).map(({ eventType, source, target, guard, actions, reenter }) => ({
    on: descriptorOf(eventType, source.id),
    target: (target ?? []).map(({ id }) => id),
    guard: plain(guard),
    actions: actions.map(plain),
    reenter,
  })),
  states: Object.values(node.states).map((child) => toldByXState(child)),
});

/** The same of a chart. */
const toldByChart = (state: ChartState, node: StateNode): unknown => ({
  id: state.id,
  key: state.key,
  type: state.type,
  tags: state.tags,
  initial: state.initial,
  transitions: state.transitions.map(({ on, target, guard, actions, reenter }, place) => {
    const raw = transitionsOf(node)[place];
    return {
      on,
      target,
      guard: typeof raw?.guard === 'string' ? guard : guard !== undefined,
      actions: actions.map((name, index) => (typeof raw?.actions[index] === 'string' ? name : true)),
      reenter,
    };
  }),
  states: state.states.map((child) => {
    const inside = node.states[child.key];
    return inside === undefined ? undefined : toldByChart(child, inside);
  }),
});

const statesOf = (state: ChartState): readonly ChartState[] => [state, ...state.states.flatMap(statesOf)];

describe("the node's charts", () => {
  it('are all that src/machines has, each under a name of its own', () => {
    expect(machines.length).toBe(files.length);
    const names = (ids: readonly string[]): readonly string[] => [...ids].sort();
    const charts = nodeCharts();
    expect(names(charts.map(({ id }) => id))).toEqual(names(machines.map(({ id }) => id)));
    expect(new Set(charts.map(({ hash }) => hash)).size).toBe(charts.length);
  });

  it.each(machines.map((machine) => [machine.id, machine] as const))(
    '%s: as data it is what XState made of it, state by state and transition by transition',
    (_id, machine) => {
      const { root } = chartOf(machine);
      expect(toldByChart(root, machine.root)).toEqual(toldByXState(machine.root));
    },
  );

  it.each(nodeCharts().map((chart) => [chart.id, chart] as const))(
    '%s: every name is written in its chart, and every target is a state of it',
    (_id, { root }) => {
      const states = statesOf(root);
      const ids = new Set(states.map(({ id }) => id));
      expect(ids.size).toBe(states.length);
      for (const { entry, exit, initial, transitions } of states) {
        if (initial !== undefined) expect(ids).toContain(initial);
        for (const { target } of transitions) for (const id of target) expect(ids).toContain(id);
        const names = [
          ...entry,
          ...exit,
          ...transitions.flatMap(({ guard = 'none', actions }) => [guard, ...actions]),
        ];
        expect(names.filter((name) => name === 'inline' || name === '')).toEqual([]);
      }
    },
  );
});
