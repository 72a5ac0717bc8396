import { describe, expect, it } from 'vitest';
import { mergeDeltas } from '../../../src/observe/feed/backlog.ts';
import type { CellRow, Delta } from '../../../src/observe/feed/feed.ts';
import { delta } from './support.ts';

const row = (address: string, processed: number): CellRow => ({
  ...{ node: 0, address, kind: 'machine', status: 'running', incarnation: 1, restarts: 0 },
  ...{ accepted: processed, processed, queued: 0, postponed: 0, lost: {} },
});
const cell = (address: string) => ({ node: 0, address });

describe('what waits for a slow viewer', () => {
  it('has of each cell the newest row, and of those that came again no word that they are gone (IN-1)', () => {
    const merged = [
      delta(1, { cells: [row('a', 1), row('b', 1), row('c', 1)] }),
      delta(2, { cells: [row('a', 2)], gone: [cell('b')] }),
      delta(3, { cells: [row('b', 9)], gone: [cell('c')] }),
    ].reduce(mergeDeltas);
    expect(merged.cells).toEqual([row('a', 2), row('b', 9)]);
    expect(merged.gone).toEqual([cell('c')]);
    expect(merged).toMatchObject({ at: 3, turns: 3, dropped: 0 });
  });

  it('leaves a viewer that applies it where one is that applied each', () => {
    const apply = (held: ReadonlyMap<string, CellRow>, { cells = [], gone = [] }: Delta) => {
      const next = new Map(held);
      for (const one of cells) next.set(one.address, one);
      for (const one of gone) next.delete(one.address);
      return next;
    };
    const deltas = Array.from({ length: 200 }, (_, at) => {
      const address = `c${(at * 7) % 13}`;
      return at % 3 === 0 ? delta(at, { gone: [cell(address)] }) : delta(at, { cells: [row(address, at)] });
    });
    const each = deltas.reduce(apply, new Map<string, CellRow>());
    expect([...apply(new Map(), deltas.reduce(mergeDeltas))].sort()).toEqual([...each].sort());
  });

  it('keeps the newest events, and counts those that it leaves out', () => {
    const step = (at: number) => ({ node: 0, at, turn: at, kind: 'voted' as const, cell: 'x' });
    const merged = Array.from({ length: 3_000 }, (_, at) => delta(at, { steps: [step(at)] })).reduce(
      mergeDeltas,
    );
    expect([merged.steps?.length, merged.dropped, merged.steps?.at(-1)?.at]).toEqual([1_024, 1_976, 2_999]);
  });

  it('joins the steps of a watched cell, of which the newest view counts', () => {
    const detail = (view: number, turns: readonly number[]) => ({
      ...{ node: 0, address: 'a', view, timers: [] },
      transitions: turns.map((turn) => ({ at: turn, turn, event: 'e', taken: [], effects: [] })),
    });
    const merged = mergeDeltas(
      delta(1, { details: [detail(1, [1, 2])] }),
      delta(2, { details: [detail(2, [3])] }),
    );
    expect(merged.details).toEqual([detail(2, [1, 2, 3])]);
  });
});
