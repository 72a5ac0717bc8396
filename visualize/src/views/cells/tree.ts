/** The supervision trees of all nodes as rows of a list: what is shown, how deep, what is folded or filtered away. Pure. */
import type { CellRow, NodeIndex } from '../../../../src/observe/feed/feed.ts';
import { BOUNDS, type CellKey, type Cells, cellKey, type Model, type Sample } from '../../feed/model.ts';

export interface TreeFilter {
  readonly text: string;
  /** Undefined: all. */
  readonly kind: CellRow['kind'] | undefined;
  readonly isTroubledOnly: boolean;
  readonly isBusyOnly: boolean;
}

export const NO_FILTER: TreeFilter = { text: '', kind: undefined, isTroubledOnly: false, isBusyOnly: false };

export type TreeRow =
  | {
      readonly kind: 'node';
      readonly key: CellKey;
      readonly node: NodeIndex;
      readonly isOpen: boolean;
      readonly cells: number;
    }
  | {
      readonly kind: 'cell';
      readonly key: CellKey;
      readonly row: CellRow;
      /** 1 is the root of a node's tree. */
      readonly depth: number;
      readonly hasChildren: boolean;
      readonly isOpen: boolean;
      /** It does not match itself, and stands here for what is under it. */
      readonly isContext: boolean;
    };

/** Key under which a whole node is folded. */
export const nodeKey = (node: NodeIndex): CellKey => cellKey(node, '');

/** Until somebody unfolds them: the trees of all nodes but the first, which are alike, and what charts start by themselves. */
export function foldedAtFirst({ cells, nodes }: Pick<Model, 'cells' | 'nodes'>): Set<CellKey> {
  const folded = new Set(nodes.flatMap((_, node) => (node === 0 ? [] : [nodeKey(node)])));
  for (const { node, parent } of cells.values()) {
    const key = parent === undefined ? undefined : cellKey(node, parent);
    if (key !== undefined && cells.get(key)?.kind === 'machine') folded.add(key);
  }
  return folded;
}

/** `folded` holds keys whose children are not shown; a filter unfolds all that it finds. */
export function treeRows(
  model: Pick<Model, 'cells' | 'nodes' | 'samples'>,
  folded: ReadonlySet<CellKey>,
  filter: TreeFilter,
): readonly TreeRow[] {
  const children = childrenOf(model.cells);
  const isFiltering = filter !== NO_FILTER && !isEmpty(filter);
  const found = isFiltering ? keptBy(model, filter) : undefined;
  return model.nodes.flatMap((_, node): readonly TreeRow[] => {
    const key = nodeKey(node);
    const roots = children.get(key) ?? [];
    const isOpen = isFiltering || !folded.has(key);
    const rows = isOpen ? roots.flatMap((row) => rowsUnder(row, 1, { children, folded, found })) : [];
    if (isFiltering && rows.length === 0) return [];
    return [{ kind: 'node', key, node, isOpen, cells: countOf(children, key) }, ...rows];
  });
}

interface Walk {
  readonly children: ReadonlyMap<CellKey, readonly CellRow[]>;
  readonly folded: ReadonlySet<CellKey>;
  readonly found: Kept | undefined;
}

function rowsUnder(row: CellRow, depth: number, walk: Walk): readonly TreeRow[] {
  const { children, folded, found } = walk;
  const key = cellKey(row.node, row.address);
  if (found !== undefined && !found.matching.has(key) && !found.above.has(key)) return [];
  const inner = children.get(key) ?? [];
  const isOpen = found !== undefined || !folded.has(key);
  const isContext = found !== undefined && !found.matching.has(key);
  const own: TreeRow = { kind: 'cell', key, row, depth, hasChildren: inner.length > 0, isOpen, isContext };
  return isOpen ? [own, ...inner.flatMap((child) => rowsUnder(child, depth + 1, walk))] : [own];
}

/** Cells by the key of their parent, in the order in which they were told: that of their start. */
function childrenOf(cells: Cells): ReadonlyMap<CellKey, readonly CellRow[]> {
  const children = new Map<CellKey, CellRow[]>();
  for (const row of cells.values()) {
    const parent = row.parent === undefined ? undefined : cellKey(row.node, row.parent);
    const key = parent !== undefined && cells.has(parent) ? parent : nodeKey(row.node);
    const siblings = children.get(key);
    if (siblings === undefined) children.set(key, [row]);
    else siblings.push(row);
  }
  return children;
}

const countOf = (children: Walk['children'], key: CellKey): number =>
  (children.get(key) ?? []).reduce(
    (sum, { node, address }) => sum + 1 + countOf(children, cellKey(node, address)),
    0,
  );

const isEmpty = ({ text, kind, isTroubledOnly, isBusyOnly }: TreeFilter): boolean =>
  text.trim() === '' && kind === undefined && !isTroubledOnly && !isBusyOnly;

interface Kept {
  readonly matching: ReadonlySet<CellKey>;
  /** Ancestors of what matches. */
  readonly above: ReadonlySet<CellKey>;
}

function keptBy(
  { cells, nodes, samples }: Pick<Model, 'cells' | 'nodes' | 'samples'>,
  filter: TreeFilter,
): Kept {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = new Set<CellKey>();
  const above = new Set<CellKey>();
  for (const [key, row] of cells) {
    const where =
      `${nodes[row.node]?.moniker ?? ''} ${row.address} ${row.states?.join(' ') ?? ''}`.toLowerCase();
    const isWanted =
      words.every((word) => where.includes(word)) &&
      (filter.kind === undefined || row.kind === filter.kind) &&
      (!filter.isTroubledOnly || isTroubled(row)) &&
      (!filter.isBusyOnly || isBusy(row, samples));
    if (!isWanted) continue;
    matching.add(key);
    for (let up = row.parent; up !== undefined; up = cells.get(cellKey(row.node, up))?.parent) {
      above.add(cellKey(row.node, up));
    }
  }
  return { matching, above };
}

/** Not running, restarted, or it lost something. */
export const isTroubled = (row: CellRow): boolean =>
  row.status !== 'running' || row.restarts > 0 || lostBy(row) > 0;

/** It holds messages, or took some within the samples. */
const isBusy = (row: CellRow, samples: readonly Sample[]): boolean =>
  row.queued > 0 || row.processed > (samples[0]?.cells.get(cellKey(row.node, row.address))?.processed ?? 0);

export const lostBy = ({ lost }: CellRow): number =>
  Object.values(lost).reduce((sum, count) => sum + count, 0);

/** Messages that the cell took a second, over the newest samples. */
export function rateOf(samples: readonly Sample[], key: CellKey, span = 8): number {
  const [last, first] = [samples.at(-1), samples.at(-span) ?? samples[0]];
  if (last === undefined || first === undefined || last.at <= first.at) return 0;
  const [now, before] = [last.cells.get(key)?.processed ?? 0, first.cells.get(key)?.processed ?? 0];
  return Math.max(0, ((now - before) * 1_000) / (last.at - first.at));
}

/** What the cell held at each sample. */
export const depthsOf = (samples: readonly Sample[], key: CellKey): readonly number[] =>
  padded(
    samples.map(({ cells }) => cells.get(key)?.queued ?? 0),
    BOUNDS.samples,
  );

/** Samples that one column stands for. @unit samples of 250 ms */
const COLUMN_SAMPLES = 4;

/** What the cell took in each second. */
export function workOf(samples: readonly Sample[], key: CellKey): readonly number[] {
  const taken = samples.map(({ cells }) => cells.get(key)?.processed);
  const work: number[] = [];
  for (let last = samples.length - 1; last > 0; last -= COLUMN_SAMPLES) {
    const [now = 0, before = now] = [taken[last], taken[Math.max(0, last - COLUMN_SAMPLES)]];
    work.unshift(Math.max(0, now - before));
  }
  return padded(work, BOUNDS.samples / COLUMN_SAMPLES);
}

/** A young curve begins where an old one would be by now, so that curves can be compared. */
const padded = (values: readonly number[], length: number): readonly number[] => [
  ...Array.from({ length: Math.max(0, length - values.length) }, () => 0),
  ...values,
];

/** The same as columns that stand on the ground of the box; on a scale of its own. */
export function columnsPath(values: readonly number[], width: number, height: number): string {
  const highest = Math.max(4, ...values);
  const step = width / Math.max(1, values.length);
  return values
    .map((value, place) => {
      const top = (value / highest) * (height - 3);
      if (value === 0) return '';
      const x = (place * step).toFixed(1);
      return `M${x} ${height}v-${top.toFixed(1)}h${Math.max(0.6, step - 0.3).toFixed(1)}v${top.toFixed(1)}z`;
    })
    .join('');
}

/** The path of a curve in a box; the highest value touches its top, and few messages stay low. Nothing where all are 0. */
export function curvePath(values: readonly number[], width: number, height: number, floor = 8): string {
  if (values.length < 2 || values.every((value) => value === 0)) return '';
  const highest = Math.max(floor, ...values);
  const step = width / (values.length - 1);
  return values
    .map((value, place) => {
      const y = height - 1 - (value / highest) * (height - 2);
      return `${place === 0 ? 'M' : 'L'}${(place * step).toFixed(1)} ${y.toFixed(1)}`;
    })
    .join('');
}
