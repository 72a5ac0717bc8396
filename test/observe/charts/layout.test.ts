/** Layouts and pictures of all charts that a node runs: nothing overlaps, nothing is cut, nothing is missing. RP-7. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { ChartState, ChartTransition } from '../../../src/actors/runtime/chart.ts';
import { layoutFor, nodeChartLayouts } from '../../../src/cli/chart-layouts.ts';
import { nodeCharts } from '../../../src/node/charts.ts';
import type { Box, ChartLayout, Point, StateBox } from '../../../src/observe/charts/layout.ts';
import { lengthOf } from '../../../src/observe/charts/lines.ts';
import { svgOf } from '../../../src/observe/charts/svg.ts';

/** How wide a letter of 11 px is in the widest of the fonts that the picture asks for. @unit px @source DejaVu Sans Mono: 0.602 em */
const LETTER = 6.63;

let layouts: Readonly<Record<string, ChartLayout>> = {};
beforeAll(async () => {
  layouts = await nodeChartLayouts();
}, 60_000);

const contains = (outer: Box, inner: Box): boolean =>
  inner.x >= outer.x &&
  inner.y >= outer.y &&
  inner.x + inner.width <= outer.x + outer.width &&
  inner.y + inner.height <= outer.y + outer.height;

const overlap = (one: Box, other: Box): boolean =>
  one.x < other.x + other.width &&
  other.x < one.x + one.width &&
  one.y < other.y + other.height &&
  other.y < one.y + one.height;

const isOnBorder = ({ x, y }: Point, box: Box): boolean =>
  contains(box, { x, y, width: 0, height: 0 }) &&
  [x - box.x, box.x + box.width - x, y - box.y, box.y + box.height - y].some((away) => away <= 1);

/** Where a state's title and rows stand. */
const headOf = ({ x, y, width, rows }: StateBox): Box => ({
  x,
  y,
  width,
  height: Math.max(26, ...rows.map((row) => row.y + 15)),
});

const withAll = (state: ChartState): readonly ChartState[] => [state, ...state.states.flatMap(withAll)];

describe.each(nodeCharts().map((chart) => [chart.id, chart] as const))('the layout of %s', (_id, chart) => {
  const layout = (): ChartLayout => {
    const found = layouts[chart.hash];
    if (found === undefined) throw new Error(`no layout of ${chart.id}`);
    return found;
  };
  const box = (id: string): StateBox => {
    const found = layout().states.find((state) => state.id === id);
    if (found === undefined) throw new Error(`no box of ${id}`);
    return found;
  };

  it('has each state in the one around it, below what that says, and beside its siblings', () => {
    const { states, width, height } = layout();
    expect(states.map(({ id }) => id)).toEqual(withAll(chart.root).map(({ id }) => id));
    for (const state of states) {
      const around = state.parent === undefined ? { x: 0, y: 0, width, height } : box(state.parent);
      expect(contains(around, state), state.id).toBe(true);
      if (state.parent !== undefined) expect(overlap(headOf(box(state.parent)), state), state.id).toBe(false);
      const siblings = states.filter((one) => one.parent === state.parent && one.id !== state.id);
      expect(siblings.filter((one) => overlap(one, state))).toEqual([]);
    }
  });

  it('has room for every text where it stands', () => {
    for (const { id, key, width, height, rows } of layout().states) {
      expect(8.5 * key.length, id).toBeLessThan(width - 10);
      for (const row of rows) {
        expect(row.x + LETTER * lengthOf(row), `${id}: ${JSON.stringify(row)}`).toBeLessThan(width);
        expect(row.y + 15).toBeLessThan(height);
      }
    }
    for (const { label } of layout().edges) {
      for (const line of label.lines) expect(LETTER * lengthOf(line)).toBeLessThan(label.width);
      expect(label.lines.length * 15).toBeLessThan(label.height);
    }
  });

  it('leads each edge from border to border, and sets no label on a state or another label', () => {
    const { edges, states } = layout();
    const leaves = states.filter(({ id }) => states.every(({ parent }) => parent !== id));
    for (const [place, { source, target, points, label }] of edges.entries()) {
      const [first, last] = [points[0], points.at(-1)];
      if (first === undefined || last === undefined) throw new Error(`${source} → ${target} has no way`);
      expect(isOnBorder(first, box(source)), `${source} → ${target} begins at its source`).toBe(true);
      expect(isOnBorder(last, box(target)), `${source} → ${target} ends at its target`).toBe(true);
      for (const [index, point] of points.slice(1).entries()) {
        const before = points[index];
        expect(point.x === before?.x || point.y === before?.y, `${source} → ${target}`).toBe(true);
      }
      expect(leaves.filter((leaf) => overlap(leaf, label))).toEqual([]);
      expect(edges.slice(place + 1).filter((other) => overlap(other.label, label))).toEqual([]);
    }
  });

  it('tells every transition once: on an edge, in a row, or among what is ignored', () => {
    const { edges, states } = layout();
    for (const state of withAll(chart.root)) {
      const keyOf = ({ on, index }: Pick<ChartTransition, 'on' | 'index'>): string => `${on} ${index}`;
      const drawn = edges
        .filter(({ source }) => source === state.id)
        .flatMap(({ transitions }) => transitions.map(keyOf));
      const rows = states.find(({ id }) => id === state.id)?.rows ?? [];
      const listed = new Set(rows.flatMap(({ of }) => (of === undefined ? [] : [keyOf(of)])));
      const ignored = state.transitions.filter(({ target, actions }) => target.length + actions.length === 0);
      const told = [...drawn, ...listed, ...ignored.map(keyOf)].sort();
      expect(told).toEqual(state.transitions.map(keyOf).sort());
      const text = rows.map(({ spans }) => spans.map((span) => span.text).join('')).join(' ');
      for (const { on } of ignored) expect(text).toContain(on);
      for (const name of [...state.entry, ...state.exit]) expect(text).toContain(name);
    }
  });

  it('is a picture with text that can be read out', () => {
    const svg = svgOf(chart, layout());
    for (const { key } of withAll(chart.root)) expect(svg).toContain(`>${key}<`);
    expect(svg).toMatch(/role="img" aria-labelledby="title-\S+ desc-\S+"/);
    expect(svg).toContain(`<title id="title-${chart.id}">The statechart ${chart.id}</title>`);
    expect(svg).not.toMatch(/undefined|NaN/);
    expect([...svg.matchAll(/<(g|text|tspan|svg|defs|marker|style|desc|title)[\s>]/g)].length).toBe(
      [...svg.matchAll(/<\/(g|text|tspan|svg|defs|marker|style|desc|title)>/g)].length,
    );
  });
});

describe('layouts', () => {
  it('are the same whenever they are made', async () => {
    for (const chart of nodeCharts().filter(({ id }) => ['peer', 'bridge', 'supervisor'].includes(id))) {
      expect(await layoutFor(chart)).toEqual(layouts[chart.hash]);
    }
  });

  it('are small enough to be sent to a page', () => {
    expect(JSON.stringify(layouts).length).toBeLessThan(400_000);
  });
});
