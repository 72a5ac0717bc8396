import { describe, expect, it } from 'vitest';
import type { ChartLayout } from '../../../src/observe/charts/layout.ts';
import type { CellRow, TransitionRow } from '../../../src/observe/feed/feed.ts';
import { emptyTimeline, extend } from '../../../visualize/src/feed/timeline.ts';
import { isTaken, litBy, sameLight, transitionKey } from '../../../visualize/src/views/chart/lit.ts';

const box = (id: string, parent?: string) => ({
  id,
  key: id,
  type: 'compound' as const,
  rows: [],
  x: 0,
  y: 0,
  width: 1,
  height: 1,
  ...(parent === undefined ? {} : { parent }),
});
const label = { x: 0, y: 0, width: 1, height: 1, lines: [] };
const layout: ChartLayout = {
  hash: 'h',
  id: 'm',
  width: 1,
  height: 1,
  states: [box('m'), box('m.a', 'm'), box('m.a.b', 'm.a'), box('m.c', 'm')],
  edges: [{ source: 'm.a', target: 'm.c', transitions: [{ on: 'go', index: 1 }], points: [], label }],
  starts: [],
};
const row: CellRow = {
  node: 0,
  address: 'node/m',
  kind: 'machine',
  status: 'running',
  states: ['m.a.b'],
  incarnation: 1,
  restarts: 0,
  accepted: 0,
  processed: 0,
  queued: 0,
  postponed: 0,
  lost: {},
};
const taken: TransitionRow = {
  at: 5,
  turn: 9,
  event: 'go',
  taken: [{ source: 'm.a', target: ['m.c'], on: 'go', index: 1 }],
  guards: [
    { transition: transitionKey('m.a', 'go', 0), guard: 'isFirst', held: false },
    { transition: transitionKey('m.a', 'go', 1), guard: 'isSecond', held: true },
  ],
  effects: [],
};
const watched = {
  view: {},
  timers: [],
  transitions: extend(emptyTimeline(), [{ ...taken, at: 1 }, taken], 9),
  at: 5,
};

describe('the light on a chart', () => {
  it('is on the innermost active states, and weaker on those around them', () => {
    const { active, around } = litBy(layout, row, undefined);
    expect([[...active], [...around]]).toEqual([['m.a.b'], ['m.a', 'm']]);
  });

  it('is on the edge that the newest event took, and on what its guards said', () => {
    const lit = litBy(layout, row, watched);
    expect(layout.edges.map((edge) => isTaken(edge, lit))).toEqual([true]);
    expect([...lit.guards]).toEqual([
      ['m.a go 0', false],
      ['m.a go 1', true],
    ]);
    expect(layout.edges.map((edge) => isTaken(edge, litBy(layout, row, undefined)))).toEqual([false]);
  });

  it('is another one when a state or the newest event is another', () => {
    const lit = litBy(layout, row, watched);
    expect(sameLight(lit, litBy(layout, { ...row, queued: 5 }, watched))).toBe(true);
    expect(sameLight(lit, litBy(layout, { ...row, states: ['m.c'] }, watched))).toBe(false);
    const next = { ...watched, transitions: extend(watched.transitions, [{ ...taken, at: 6, turn: 10 }], 9) };
    expect(sameLight(lit, litBy(layout, row, next))).toBe(false);
  });
});
