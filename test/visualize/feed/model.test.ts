import { describe, expect, it } from 'vitest';
import type { CellRow, Delta } from '../../../src/observe/feed/feed.ts';
import {
  apply,
  BOUNDS,
  become,
  cellKey,
  cellNameOf,
  emptyModel,
  greet,
  type Model,
} from '../../../visualize/src/feed/model.ts';
import { heard } from '../support/run.ts';

const delta = (fields: Partial<Delta>): Delta => ({ type: 'delta', at: 1, turns: 0, dropped: 0, ...fields });

const row = (fields: Partial<CellRow>): CellRow => ({
  node: 0,
  address: 'node/storage',
  kind: 'boundary',
  status: 'running',
  incarnation: 1,
  restarts: 0,
  accepted: 0,
  processed: 0,
  queued: 0,
  postponed: 0,
  lost: {},
  ...fields,
});

function opened(ticks: number): Model {
  const { hello, moment, deltas } = heard(ticks);
  return deltas.reduce(apply, become(greet(emptyModel, hello), moment));
}

describe('the model of a run', () => {
  it('is the moment and what the deltas changed since', () => {
    const { moment, deltas } = heard(100);
    const model = opened(100);
    expect(model.cells.size).toBe(moment.cells.length);
    const newest = deltas.flatMap(({ cells }) => cells ?? []).findLast(({ node }) => node === 2);
    expect(model.cells.get(cellKey(2, newest?.address ?? ''))).toEqual(newest);
    expect(model.turns).toBe(deltas.reduce((sum, { turns }) => sum + turns, 0));
    expect(model.at).toBe(deltas.at(-1)?.at);
    expect(model.wire.size).toBe(deltas.flatMap(({ wire }) => wire ?? []).length);
  });

  it('takes whole rows, and forgets cells that are gone', () => {
    const one = apply(
      emptyModel,
      delta({ cells: [row({ queued: 3 }), row({ address: 'node/time', queued: 1 })] }),
    );
    const two = apply(one, delta({ cells: [row({ queued: 5 })], gone: [{ node: 0, address: 'node/time' }] }));
    expect([...two.cells.values()].map(({ queued }) => queued)).toEqual([5]);
    expect(one.cells.size).toBe(2);
  });

  it('stays bounded under a load that goes on', () => {
    const { hello, moment, deltas } = heard(300, { batchesPerSecond: 9_000, turnsPerSecond: 50_000 });
    const model = deltas.reduce(apply, become(greet(emptyModel, hello), moment));
    expect(model.wire.size).toBeLessThanOrEqual(BOUNDS.wire);
    expect(model.wire.forgotten).toBeGreaterThan(0);
    expect(model.samples.length).toBeLessThanOrEqual(BOUNDS.samples);
    expect(model.healths.size).toBeLessThanOrEqual(BOUNDS.healths);
  });

  it('keeps details of a bounded number of cells, and of each a bounded number of transitions', () => {
    const told = (address: string, count: number): Delta =>
      delta({
        details: [
          {
            node: 0,
            address,
            view: {},
            timers: [],
            transitions: Array.from({ length: count }, (_, turn) => ({
              at: turn,
              turn,
              event: 'x',
              taken: [],
              effects: [],
            })),
          },
        ],
      });
    let model = apply(emptyModel, told('node/first', 1));
    for (let cell = 0; cell < BOUNDS.details; cell += 1) model = apply(model, told(`node/${cell}`, 64));
    for (let again = 0; again < 20; again += 1) model = apply(model, told('node/0', 64));
    expect(model.details.size).toBe(BOUNDS.details);
    expect(model.details.has(cellKey(0, 'node/first'))).toBe(false);
    expect(model.details.get(cellKey(0, 'node/0'))?.transitions.size).toBeLessThanOrEqual(BOUNDS.transitions);
  });

  it('forgets all rows when the places of nodes mean others, and none when a node goes down or joins', () => {
    const model = opened(10);
    const { hello } = heard(0);
    const down = { ...hello, nodes: hello.nodes.map((card, node) => ({ ...card, isUp: node !== 1 })) };
    expect(greet(model, down).cells).toBe(model.cells);
    const { hello: more } = heard(0, { nodes: 7 });
    expect(greet(model, more).cells).toBe(model.cells);
    const others = { ...hello, nodes: hello.nodes.toReversed() };
    expect(greet(model, others).cells.size).toBe(0);
  });

  it('draws its small curves over a jump on, and forgets what lies after a jump back', () => {
    const model = opened(40);
    const { moment } = heard(0);
    expect(become(model, { ...moment, at: model.at + 1 }).samples).toEqual(model.samples);
    expect(become(model, { ...moment, at: model.samples[1]?.at ?? 0 }).samples).toHaveLength(1);
  });

  it('names a cell by node and address, and back', () => {
    expect(cellNameOf(cellKey(12, 'node/consensus/safety'))).toEqual({
      node: 12,
      address: 'node/consensus/safety',
    });
  });
});
