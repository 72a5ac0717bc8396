/** Charts as Mermaid's text: every line is one that its grammar of state diagrams has, and nothing of the chart is missing. RP-7. */
import { describe, expect, it } from 'vitest';
import { and, setup } from 'xstate';
import { type ChartState, chartOf } from '../../../src/actors/runtime/chart.ts';
import { types } from '../../../src/machines/vocabulary/index.ts';
import { nodeCharts } from '../../../src/node/charts.ts';
import { mermaidOf } from '../../../src/observe/charts/mermaid.ts';

/** A label: no sign that ends it or that is taken for markup, but as an entity; lines are parted by `<br/>`. */
const LABEL = "(?:[\\p{L}\\p{N} .,()\\[\\]/→…'?!=+$%@|-]|#[0-9]+;|<br/>)+";
const NAME = '[A-Za-z][A-Za-z0-9_]*';
const LINES = {
  opened: new RegExp(`^state "(${LABEL})" as (${NAME}) \\{$`, 'u'),
  declared: new RegExp(`^state "(${LABEL})" as (${NAME})$`, 'u'),
  described: new RegExp(`^(${NAME}): ${LABEL}$`, 'u'),
  edge: new RegExp(`^(${NAME}|\\[\\*\\]) --> (${NAME}|\\[\\*\\])(?:: ${LABEL})?$`, 'u'),
  note: new RegExp(`^note right of (${NAME})$`),
};

interface Read {
  /** Names that were declared, with the number of their opening, and of what they stand in. */
  readonly declared: ReadonlyMap<string, string | undefined>;
  readonly edges: readonly (readonly [source: string, target: string])[];
}

/** Reads a diagram line by line, and throws at the first that the grammar has not. */
function read(diagram: string): Read {
  const [head, title, ...lines] = diagram.trimEnd().split('\n');
  expect(head).toBe('stateDiagram-v2');
  expect(title).toMatch(/^accTitle: /);
  const declared = new Map<string, string | undefined>();
  const edges: [string, string][] = [];
  const open: string[] = [];
  let isNote = false;
  for (const line of lines.map((one) => one.trim())) {
    const [opened, plain, described, edge, note] = Object.values(LINES).map((form) => form.exec(line));
    if (isNote) {
      isNote = line !== 'end note';
      if (isNote && !new RegExp(`^${LABEL}$`, 'u').test(line)) throw new Error(`no line of a note: ${line}`);
    } else if (line === '}') expect(open.pop()).toBeDefined();
    else if (line === '--') expect(open.length).toBeGreaterThan(0);
    else if (opened?.[2] !== undefined || plain?.[2] !== undefined) {
      const name = opened?.[2] ?? plain?.[2] ?? '';
      expect(declared.has(name), `${name} is declared once`).toBe(false);
      declared.set(name, open.at(-1));
      if (opened !== null && opened !== undefined) open.push(name);
    } else if (described?.[1] !== undefined) expect(declared.has(described[1])).toBe(true);
    else if (note?.[1] !== undefined) {
      expect(declared.has(note[1])).toBe(true);
      isNote = true;
    } else if (edge?.[1] !== undefined && edge[2] !== undefined) edges.push([edge[1], edge[2]]);
    else throw new Error(`no line of a state diagram: ${line}`);
  }
  expect([open, isNote]).toEqual([[], false]);
  for (const name of edges.flat()) if (name !== '[*]') expect(declared.has(name), name).toBe(true);
  return { declared, edges };
}

const withAll = (state: ChartState): readonly ChartState[] => [state, ...state.states.flatMap(withAll)];

/** Text as a reader sees it. */
const shown = (diagram: string): string =>
  diagram.replaceAll(/#([0-9]+);/g, (_, code) => String.fromCodePoint(Number(code)));

describe.each(nodeCharts().map((chart) => [chart.id, chart] as const))(
  'the Mermaid text of %s',
  (_id, chart) => {
    it('is a state diagram with every state in its place, and says every name of the chart', () => {
      const text = mermaidOf(chart);
      const { declared } = read(text);
      const states = withAll(chart.root);
      expect(declared.size).toBe(states.length);
      const names = new Map([...declared.keys()].map((name, place) => [states[place]?.id, name]));
      for (const { id, states: inside } of states) {
        for (const child of inside) expect(declared.get(names.get(child.id) ?? '')).toBe(names.get(id));
      }
      for (const { key, entry, exit, transitions } of states) {
        const said = transitions.flatMap(({ on, guard = '', actions }) => [on, guard, ...actions]);
        for (const name of [key, ...entry, ...exit, ...said]) expect(shown(text)).toContain(name);
      }
    });
  },
);

describe('mermaidOf', () => {
  it('keeps names that mean something to Mermaid from being read as that', () => {
    const machine = setup({
      types: types<Record<string, never>, { readonly type: 'a: b; c --> d' } | { readonly type: '*' }>(),
      actions: { 'do <b>it</b> "now"': () => undefined },
      guards: { 'is #1; {x}': () => true, is_b: () => true },
    }).createMachine({
      id: 'end',
      context: {},
      initial: 'note',
      states: {
        note: {
          on: {
            'a: b; c --> d': { guard: 'is #1; {x}', target: 'a.b', actions: 'do <b>it</b> "now"' },
            '*': { guard: and(['is_b', 'is #1; {x}']), actions: 'do <b>it</b> "now"' },
          },
        },
        a: { id: 'root', initial: 'b', states: { b: { id: 'x-y' }, c: { id: 'x.y', type: 'final' } } },
        both: {
          type: 'parallel',
          states: { one: { initial: 'in', states: { in: {}, before: { type: 'history' } } }, two: {} },
        },
      },
    });
    const text = mermaidOf(chartOf(machine));
    const { declared, edges } = read(text);
    expect([...declared.keys()]).toEqual([
      ...['end_', 'end_note', 'root_', 'x_y', 'x_y_', 'end_both'],
      ...['end_both_one', 'end_both_one_in', 'end_both_one_before', 'end_both_two'],
    ]);
    expect(edges).toContainEqual(['end_note', 'x_y']);
    expect(edges).toContainEqual(['x_y_', '[*]']);
    expect(text.match(/^ *--$/gm)).toHaveLength(1);
    expect(shown(text)).toContain(': a: b; c --> d [is #1; {x}] / do <b>it</b> "now"\n');
  });
});
