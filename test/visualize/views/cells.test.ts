import { describe, expect, it } from 'vitest';
import type { CellRow } from '../../../src/observe/feed/feed.ts';
import { apply, become, cellKey, emptyModel, greet } from '../../../visualize/src/feed/model.ts';
import {
  columnsPath,
  curvePath,
  foldedAtFirst,
  isTroubled,
  lostBy,
  NO_FILTER,
  nodeKey,
  rateOf,
  type TreeRow,
  treeRows,
  workOf,
} from '../../../visualize/src/views/cells/tree.ts';
import { heard } from '../support/run.ts';

const { hello, moment, deltas } = heard(100);
const model = deltas.reduce(apply, become(greet(emptyModel, hello), moment));
const row = (address: string): CellRow => {
  const found = model.cells.get(cellKey(0, address));
  if (found === undefined) throw new Error(`no cell ${address}`);
  return found;
};
const named = (rows: readonly TreeRow[]): readonly string[] =>
  rows.map((one) => (one.kind === 'node' ? `#${one.node}` : one.row.address));

describe('the rows of the trees', () => {
  it('are each cell under its parent, in the order of the start', () => {
    const rows = treeRows(model, new Set(), NO_FILTER);
    expect(rows).toHaveLength(model.cells.size + hello.nodes.length);
    expect(named(rows).slice(0, 5)).toEqual([
      '#0',
      'node',
      'node/storage',
      'node/network',
      'node/network/peer',
    ]);
    const depths = new Map(
      rows.flatMap((one) => (one.kind === 'cell' ? [[one.row.address, one.depth] as const] : [])),
    );
    expect(depths.get('node/consensus/safety')).toBe(3);
  });

  it('leave out what is folded, and count it', () => {
    const rows = treeRows(model, new Set([nodeKey(0), cellKey(1, 'node')]), NO_FILTER);
    expect(named(rows).slice(0, 4)).toEqual(['#0', '#1', 'node', '#2']);
    expect(rows[0]).toMatchObject({ isOpen: false, cells: model.cells.size / hello.nodes.length });
  });

  it('are folded at first where nodes are alike, and where a chart starts cells by itself', () => {
    const round = {
      ...row('node/storage'),
      address: 'node/consensus/round-manager/round/0/7',
      parent: 'node/consensus/round-manager',
    };
    const cells = new Map([...model.cells, [cellKey(0, round.address), round]]);
    expect([...foldedAtFirst({ cells, nodes: hello.nodes })]).toEqual([
      nodeKey(1),
      nodeKey(2),
      nodeKey(3),
      cellKey(0, 'node/consensus/round-manager'),
    ]);
  });

  it('are by a filter what matches with what is above it, and nodes without any are left out', () => {
    const rows = treeRows(model, new Set([nodeKey(3)]), { ...NO_FILTER, text: 'delta view' });
    expect(named(rows)).toEqual(['#3', 'node', 'node/consensus', 'node/consensus/view-change']);
    expect(rows.map((one) => one.kind === 'cell' && one.isContext)).toEqual([false, true, true, false]);
    const boundaries = treeRows(model, new Set(), { ...NO_FILTER, kind: 'boundary' });
    expect(named(boundaries)).toContain('node/storage');
    expect(named(boundaries)).not.toContain('node/consensus');
  });

  it('are by filter those that work, or those in trouble', () => {
    const idle = apply(emptyModel, {
      type: 'delta',
      at: 1,
      turns: 0,
      dropped: 0,
      cells: [{ ...row('node'), queued: 0 }],
    });
    const quiet = { ...idle, nodes: hello.nodes };
    expect(
      treeRows({ ...quiet, samples: model.samples.slice(-1) }, new Set(), { ...NO_FILTER, isBusyOnly: true }),
    ).toEqual([]);
    expect(named(treeRows(model, new Set(), { ...NO_FILTER, isBusyOnly: true }))).toContain('node/storage');
    const troubled = named(treeRows(model, new Set(), { ...NO_FILTER, isTroubledOnly: true }));
    expect(troubled).toContain('node/consensus/mempool');
    expect(troubled).not.toContain('node/storage');
  });

  it('show a cell whose parent is gone under its node', () => {
    const orphan = { ...row('node/storage'), parent: 'node/gone' };
    const alone = { ...model, cells: new Map([[cellKey(0, 'node/storage'), orphan]]) };
    expect(named(treeRows(alone, new Set(), NO_FILTER)).slice(0, 2)).toEqual(['#0', 'node/storage']);
  });
});

describe('what a row tells', () => {
  it('is in trouble when it does not run, was restarted, or lost messages', () => {
    const well = { ...row('node/storage'), status: 'running', restarts: 0, lost: {} } as const;
    expect(isTroubled(well)).toBe(false);
    expect(isTroubled({ ...well, status: 'down' })).toBe(true);
    expect(isTroubled({ ...well, restarts: 1 })).toBe(true);
    expect(isTroubled({ ...well, lost: { poison: 2, full: 3 } })).toBe(true);
    expect(lostBy({ ...well, lost: { poison: 2, full: 3 } })).toBe(5);
  });

  it('has the rate of what it took, over the last seconds', () => {
    const samples = [0, 1_000, 2_000].map((at) => ({
      at,
      turns: 0,
      cells: new Map([['k', { ...row('node'), processed: at / 10 }]]),
    }));
    expect(rateOf(samples, 'k')).toBe(100);
    expect(rateOf(samples, 'unknown')).toBe(0);
    expect(rateOf([], 'k')).toBe(0);
    expect(workOf(samples, 'k').slice(-2)).toEqual([0, 200]);
    expect(workOf(samples, 'k')).toHaveLength(16);
    expect(
      workOf([...samples, ...samples.slice(-1), ...samples.slice(-1), ...samples.slice(-1)], 'k').slice(-2),
    ).toEqual([100, 100]);
  });

  it('draws nothing where nothing happened, and small numbers low', () => {
    expect(curvePath([0, 0, 0], 10, 10)).toBe('');
    expect(curvePath([0, 8], 10, 10)).toBe('M0.0 9.0L10.0 1.0');
    expect(curvePath([0, 4], 10, 10)).toBe('M0.0 9.0L10.0 5.0');
    expect(columnsPath([0, 0], 10, 10)).toBe('');
    expect(columnsPath([4, 0], 10, 10)).toBe('M0.0 10v-7.0h4.7v7.0z');
  });
});
