/**
 * What the page knows of the run at one instant: a `Moment` and the `Delta`s after it, reduced. Pure; what did not change is shared with
 * the model before, so that an instant can be held for little. Bounded: beyond a bound the oldest rows go. Rule IN-1, docs/inspector.md.
 */
import type {
  At,
  CellDetail,
  CellRow,
  Chart,
  ChartHash,
  DeadLetterRow,
  Delta,
  Hello,
  Moment,
  NodeCard,
  NodeChain,
  NodeHealth,
  NodeIndex,
  StepEvent,
  TransitionRow,
  WireEvent,
} from '../../../src/observe/feed/feed.ts';
import { emptyTimeline, extend, type Timeline } from './timeline.ts';

/** Node and address as one text: the key of a cell of a run. */
export type CellKey = string;
export const cellKey = (node: NodeIndex, address: string): CellKey => `${node}/${address}`;

export interface CellName {
  readonly node: NodeIndex;
  readonly address: string;
}

export function cellNameOf(key: CellKey): CellName {
  const slash = key.indexOf('/');
  return { node: Number(key.slice(0, slash)), address: key.slice(slash + 1) };
}

export type Cells = ReadonlyMap<CellKey, CellRow>;

export interface Model {
  readonly at: At;
  readonly nodes: readonly NodeCard[];
  readonly charts: Readonly<Record<ChartHash, Chart>>;
  readonly cells: Cells;
  /** By node. */
  readonly chains: ReadonlyMap<NodeIndex, NodeChain>;
  /** By node, the newest. */
  readonly health: ReadonlyMap<NodeIndex, NodeHealth>;
  readonly healths: Timeline<NodeHealth>;
  readonly wire: Timeline<WireEvent>;
  readonly steps: Timeline<StepEvent>;
  readonly deadLetters: Timeline<DeadLetterRow>;
  /** Of the cells that are or were watched. */
  readonly details: ReadonlyMap<CellKey, WatchedCell>;
  /** All cells as they stood, `SAMPLE_MS` apart, oldest first: for the small curves. */
  readonly samples: readonly Sample[];
  /** Turns of all cells since the page is open. */
  readonly turns: number;
  /** Rows that the feed left out since the page is open. */
  readonly dropped: number;
}

export interface WatchedCell {
  readonly view: unknown;
  readonly timers: CellDetail['timers'];
  readonly transitions: Timeline<TransitionRow>;
  /** When the view was told. */
  readonly at: At;
}

export interface Sample {
  readonly at: At;
  readonly cells: Cells;
  readonly turns: number;
}

/** What the page keeps. @unit rows @source the diagram draws 20,000 messages, of two rows each, at 60 fps; 10 minutes of 16 nodes' health */
export const BOUNDS = {
  wire: 40_000,
  steps: 20_000,
  healths: 8_000,
  deadLetters: 2_000,
  transitions: 256,
  /** Watched cells whose details are kept after the page looked away; the least recently told goes. */
  details: 32,
  samples: 64,
} as const;

/** Between two samples of all cells. @unit ms */
export const SAMPLE_MS = 250;

export const emptyModel: Model = {
  at: 0,
  nodes: [],
  charts: {},
  cells: new Map(),
  chains: new Map(),
  health: new Map(),
  healths: emptyTimeline(),
  wire: emptyTimeline(),
  steps: emptyTimeline(),
  deadLetters: emptyTimeline(),
  details: new Map(),
  samples: [],
  turns: 0,
  dropped: 0,
};

/** The nodes as they are now. Places that mean other nodes than before make all rows worthless. */
export function greet(model: Model, hello: Hello): Model {
  const isSame = model.nodes.every(({ id }, place) => hello.nodes[place]?.id === id);
  const charts = { ...model.charts, ...hello.charts };
  return isSame ? { ...model, nodes: hello.nodes, charts } : { ...emptyModel, nodes: hello.nodes, charts };
}

/** Replaces all rows. What was sampled before that instant stays, for the curves. */
export function become(model: Model, moment: Moment): Model {
  return {
    ...emptyModel,
    at: moment.at,
    nodes: model.nodes,
    charts: model.charts,
    cells: new Map(moment.cells.map((row) => [cellKey(row.node, row.address), row])),
    chains: new Map(moment.chains.map((chain) => [chain.node, chain])),
    health: new Map(moment.health.map((health) => [health.node, health])),
    healths: extend(before(model.healths, moment.at), moment.health, BOUNDS.healths),
    wire: extend<WireEvent>(emptyTimeline(), moment.wire, BOUNDS.wire),
    steps: extend<StepEvent>(emptyTimeline(), moment.steps, BOUNDS.steps),
    deadLetters: before(model.deadLetters, moment.at),
    samples: model.samples.filter(({ at }) => at < moment.at),
    turns: model.turns,
    dropped: model.dropped,
  };
}

/** Of rows that go on past `at` nothing is known: a jump back forgets them all. */
const before = <Row extends { readonly at: At }>(timeline: Timeline<Row>, at: At): Timeline<Row> =>
  (timeline.chunks.at(-1)?.at(-1)?.at ?? at) <= at ? timeline : emptyTimeline();

export function apply(model: Model, delta: Delta): Model {
  const cells = cellsAfter(model.cells, delta);
  const turns = model.turns + delta.turns;
  return {
    at: Math.max(model.at, delta.at),
    nodes: model.nodes,
    charts: delta.charts === undefined ? model.charts : { ...model.charts, ...delta.charts },
    cells,
    chains: byNode(model.chains, delta.chains),
    health: byNode(model.health, delta.health),
    healths: extend(model.healths, delta.health, BOUNDS.healths),
    wire: extend(model.wire, delta.wire, BOUNDS.wire),
    steps: extend(model.steps, delta.steps, BOUNDS.steps),
    deadLetters: extend(model.deadLetters, delta.deadLetters, BOUNDS.deadLetters),
    details: detailsAfter(model.details, delta),
    samples: sampled(model.samples, { at: delta.at, cells, turns }),
    turns,
    dropped: model.dropped + delta.dropped,
  };
}

function cellsAfter(cells: Cells, { cells: rows = [], gone = [] }: Delta): Cells {
  if (rows.length === 0 && gone.length === 0) return cells;
  const after = new Map(cells);
  for (const { node, address } of gone) after.delete(cellKey(node, address));
  for (const row of rows) after.set(cellKey(row.node, row.address), row);
  return after;
}

function byNode<Row extends { readonly node: NodeIndex }>(
  held: ReadonlyMap<NodeIndex, Row>,
  rows: readonly Row[] | undefined,
): ReadonlyMap<NodeIndex, Row> {
  if (rows === undefined || rows.length === 0) return held;
  const after = new Map(held);
  for (const row of rows) after.set(row.node, row);
  return after;
}

function detailsAfter(held: Model['details'], { details, at }: Delta): Model['details'] {
  if (details === undefined || details.length === 0) return held;
  const after = new Map(held);
  for (const { node, address, view, timers, transitions } of details) {
    const key = cellKey(node, address);
    const earlier = after.get(key)?.transitions ?? emptyTimeline();
    // Deleted first, so that the order of the map is that of telling.
    after.delete(key);
    after.set(key, { view, timers, transitions: extend(earlier, transitions, BOUNDS.transitions), at });
  }
  for (const key of after.keys()) {
    if (after.size <= BOUNDS.details) break;
    after.delete(key);
  }
  return after;
}

function sampled(samples: readonly Sample[], sample: Sample): readonly Sample[] {
  const newest = samples.at(-1);
  if (newest !== undefined && sample.at - newest.at < SAMPLE_MS) return samples;
  return [...samples.slice(-(BOUNDS.samples - 1)), sample];
}
