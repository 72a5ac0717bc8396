/** Any chart has a picture, however its states stand in each other and wherever its transitions lead: charts drawn at random. RP-7. */
import elkjs from 'elkjs/lib/elk.bundled.js';
import { expect, it } from 'vitest';
import type { ChartState, ChartTransition } from '../../../src/actors/runtime/chart.ts';
import { type RandomStream, seededRandom } from '../../../src/base/random.ts';
import { layoutOf } from '../../../src/observe/charts/layout.ts';
import { mermaidOf } from '../../../src/observe/charts/mermaid.ts';
import { svgOf } from '../../../src/observe/charts/svg.ts';

/** @unit levels @source as deep as the deepest chart of the node */
const DEPTH_MAX = 3;

const some = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

function drawState(random: RandomStream, id: string, depth: number): ChartState {
  const count = depth === DEPTH_MAX ? 0 : random.below(4) + (depth === 0 ? 1 : 0);
  const states = some(count).map((place) => drawState(random, `${id}.s${place}`, depth + 1));
  const [first] = states;
  const isParallel = random.next() < 0.25;
  const type =
    first === undefined ? (random.next() < 0.1 ? 'final' : 'atomic') : isParallel ? 'parallel' : 'compound';
  return {
    id,
    key: id.slice(id.lastIndexOf('.') + 1),
    type,
    ...(first === undefined || isParallel ? {} : { initial: first.id }),
    tags: [],
    entry: random.next() < 0.3 ? ['enter'] : [],
    exit: [],
    states,
    transitions: [],
  };
}

const idsIn = ({ id, states }: ChartState): readonly string[] => [id, ...states.flatMap(idsIn)];

/** Transitions from anywhere to anywhere: into and out of states, to oneself, to two at once, to nowhere. */
function withTransitions(random: RandomStream, state: ChartState, ids: readonly string[]): ChartState {
  const anywhere = (): string => ids[random.below(ids.length)] ?? state.id;
  const transitions = some(random.below(4)).map(
    (place): ChartTransition => ({
      on: `event.number${place}`,
      index: 0,
      target: some([0, 1, 1, 1, 2][random.below(5)] ?? 1).map(anywhere),
      ...(random.next() < 0.5 ? { guard: 'isSo' } : {}),
      actions: ['doIt'],
      reenter: random.next() < 0.3,
    }),
  );
  return { ...state, transitions, states: state.states.map((child) => withTransitions(random, child, ids)) };
}

it('places every state and leads every edge of 12 charts drawn at random', async () => {
  const engine = new elkjs.default();
  for (const seed of some(12)) {
    const random = seededRandom(seed).stream('chart');
    const bare = drawState(random, 'chart', 0);
    const chart = { hash: String(seed), id: 'chart', root: withTransitions(random, bare, idsIn(bare)) };
    const layout = await layoutOf(chart, engine);
    expect(layout.states.map(({ id }) => id)).toEqual(idsIn(bare));
    for (const state of layout.states) {
      const around = layout.states.find(({ id }) => id === state.parent) ?? { ...layout, x: 0, y: 0 };
      const margins = [
        ...[state.x - around.x, state.y - around.y],
        ...[
          around.x + around.width - state.x - state.width,
          around.y + around.height - state.y - state.height,
        ],
      ];
      expect(Math.min(...margins), `seed ${seed}, ${state.id}`).toBeGreaterThanOrEqual(0);
    }
    for (const { source, target, points } of layout.edges)
      expect(points.length, `seed ${seed}, ${source} → ${target}`).toBeGreaterThan(1);
    expect(svgOf(chart, layout) + mermaidOf(chart)).not.toMatch(/undefined|NaN/);
  }
});
