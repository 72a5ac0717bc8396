/** Charts in the form that Stately's tools read, held against XState itself. IN-3. */
import { describe, expect, it } from 'vitest';
import { createActor, createMachine } from 'xstate';
import { type Chart, type ChartState, chartOf } from '../../../src/actors/runtime/chart.ts';
import { nodeCharts } from '../../../src/node/charts.ts';
import { definitionOf, stateValueOf, tagsOf } from '../../../src/observe/stately/definition.ts';
import { LIFE_CHART, lifeStates } from '../../../src/observe/stately/life.ts';

const charts = [...nodeCharts(), LIFE_CHART];

/** A chart whose states have the ids that XState gives those without an id of their own. */
function withPlainIds({ id, root }: Chart): ChartState {
  const ids = new Map<string, string>();
  const name = (state: ChartState, own: string): void => {
    ids.set(state.id, own);
    for (const child of state.states) name(child, `${own}.${child.key}`);
  };
  name(root, id);
  const idOf = (old: string): string => ids.get(old) ?? `unknown: ${old}`;
  const renamed = (state: ChartState): ChartState => ({
    ...state,
    id: idOf(state.id),
    ...(state.initial === undefined ? {} : { initial: idOf(state.initial) }),
    states: state.states.map(renamed),
    transitions: state.transitions.map((one) => ({ ...one, target: one.target.map(idOf) })),
  });
  return renamed(root);
}

const parsed = (chart: Chart) => createMachine(JSON.parse(definitionOf(chart)));

/** A chart with all that the node's have not. */
const strange = chartOf(
  createMachine({
    id: 'strange',
    initial: 'first.of',
    states: {
      'first.of': {
        initial: 'b',
        tags: ['early'],
        description: 'with a dot',
        states: { a: {}, b: { tags: ['inner'] } },
        on: { '*': '#strange.both.left.on', 'word.*': { actions: 'note', reenter: true } },
        after: { 250: 'both', pause: 'ended' },
      },
      both: {
        type: 'parallel',
        states: {
          left: { initial: 'off', states: { off: {}, on: {} } },
          right: { initial: 'x', states: { x: { type: 'final' } }, onDone: '#elsewhere' },
          alone: {
            initial: 'u',
            states: { u: {}, v: {}, kept: { type: 'history', history: 'deep', target: 'v' } },
          },
        },
        on: { split: { target: ['.left.on', '.right.x'] } },
      },
      ended: { id: 'elsewhere', type: 'final' },
    },
  }),
);

describe('the definition of a chart (IN-3)', () => {
  it.each([...charts, strange].map((chart) => [chart.id, chart] as const))(
    '%s: XState reads it, and the machine that it makes declares the same chart',
    (_id, chart) => {
      expect(chartOf(parsed(chart)).root).toEqual(withPlainIds(chart));
    },
  );

  it('has events of any name, such as every object has', () => {
    const names = ['constructor', '__proto__', 'toString'];
    const chart = chartOf(createMachine({ id: 'odd', on: Object.fromEntries(names.map((on) => [on, {}])) }));
    expect(Object.keys(JSON.parse(definitionOf(chart)).on)).toEqual(names);
  });
});

describe('the state value of a chart (IN-3)', () => {
  it.each([...charts, strange].map((chart) => [chart.id, chart] as const))(
    '%s: told of no state, it is where XState begins, and XState restores it',
    (_id, { root, ...chart }) => {
      const machine = parsed({ root, ...chart });
      const value = stateValueOf({ root, ...chart }, []);
      const told = {
        status: 'active',
        value,
        context: {},
        tags: [],
        children: {},
        historyValue: {},
      } as const;
      const snapshot = { ...told, output: undefined, error: undefined };
      const restored = createActor(machine, { snapshot });
      expect(restored.getSnapshot().value).toEqual(value);
      expect(machine.resolveState({ value, context: {} }).value).toEqual(value);
    },
  );

  it('nests what is active in each region, and names atomic states by their keys', () => {
    const ids = ['strange.both.left.on', 'strange.both.right.x', 'strange.both.alone.v'];
    const value = { both: { left: 'on', right: 'x', alone: 'v' } };
    expect(stateValueOf(strange, ids)).toEqual(value);
    expect(parsed(strange).resolveState({ value, context: {} }).value).toEqual(value);
    expect(stateValueOf(strange, ['strange.first.of.a'])).toEqual({ 'first.of': 'a' });
  });

  it('finds a state by the id that its chart gave it', () => {
    expect(stateValueOf(strange, ['elsewhere'])).toBe('ended');
  });

  it('is the status of a cell that has no chart', () => {
    expect(stateValueOf(LIFE_CHART, lifeStates('down'))).toBe('down');
  });

  it('carries the tags of all that is active, and of nothing else', () => {
    expect(tagsOf(strange, ['strange.first.of.b'])).toEqual(['early', 'inner']);
    expect(tagsOf(strange, ['strange.first.of.a'])).toEqual(['early']);
  });
});
