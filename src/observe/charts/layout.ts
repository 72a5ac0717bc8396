/**
 * Where everything of a chart's picture stands: states as boxes in boxes, transitions between them as edges with their labels. A layout
 * is plain data in pixels, the same for the same chart; ELK's layered algorithm places, and is handed in, since it is no part of the
 * product. Pure. Rule RP-7, docs/charts.md.
 */
import type { Chart, ChartHash, ChartState } from '../../actors/runtime/chart.ts';
import { type Drawn, drawnOf, type PlacedLine } from './drawn.ts';
import { type Graph, type GraphEdge, graphOf, startId } from './graph.ts';
import type { TextLine, TransitionKey } from './lines.ts';

/** What places a graph: `new ELK()` of elkjs, in Node or in a worker of a page. */
export interface LayoutEngine {
  readonly layout: (graph: Graph) => Promise<Graph>;
}

/** @unit px */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** @unit px */
export interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

export interface StateBox extends Box {
  readonly id: string;
  readonly key: string;
  /** Id of the state that it stands in. */
  readonly parent?: string;
  readonly type: ChartState['type'];
  /** Below the title: what is done on entry and exit, and what is handled without an edge. From the box's corner. */
  readonly rows: readonly PlacedLine[];
}

/** All transitions from one state to another. */
export interface Edge {
  readonly source: string;
  readonly target: string;
  readonly transitions: readonly TransitionKey[];
  /** From the source's border to the target's, in straight lines. */
  readonly points: readonly Point[];
  readonly label: Box & { readonly lines: readonly TextLine[] };
}

/** The dot from which a state is entered, and the way to the state inside that comes first. */
export interface Start {
  readonly of: string;
  readonly points: readonly Point[];
}

export interface ChartLayout {
  readonly hash: ChartHash;
  readonly id: string;
  readonly width: number;
  readonly height: number;
  /** Each state after the one that it stands in. */
  readonly states: readonly StateBox[];
  readonly edges: readonly Edge[];
  readonly starts: readonly Start[];
}

/** The layout of a chart; of those in both directions the one that fills a page better. */
export async function layoutOf(chart: Chart, engine: LayoutEngine): Promise<ChartLayout> {
  const drawn = drawnOf(chart.root);
  const layouts = await Promise.all(
    (['DOWN', 'RIGHT'] as const).map(async (direction) =>
      readLayout(chart, drawn, await engine.layout(graphOf(drawn, direction))),
    ),
  );
  return layouts.reduce((best, one) => (badnessOf(one) < badnessOf(best) ? one : best));
}

/** Width to height that a window has for a chart. @source a page of 1280 × 800 beside a list */
const ASPECT = 1.4;

/** The width that the picture needs so that it can be seen whole in a window of `ASPECT`. @unit px */
const badnessOf = ({ width, height }: ChartLayout): number => Math.max(width, height * ASPECT);

function readLayout({ hash, id }: Chart, { states, edges }: Drawn, placed: Graph): ChartLayout {
  const nodes = new Map(nodesIn(placed).map((node) => [node.id, boxOf(node)]));
  const ways = new Map(edgesIn(placed).map((edge) => [edge.id, edge]));
  return {
    hash,
    id,
    width: rounded(placed.width),
    height: rounded(placed.height),
    states: states.map(({ state, parent, head }) => ({
      id: state.id,
      key: state.key,
      type: state.type,
      ...(parent === undefined ? {} : { parent }),
      rows: head.rows,
      ...(nodes.get(state.id) ?? NOWHERE),
    })),
    edges: edges.map(({ id: edge, source, target, transitions, rows }) => {
      const way = ways.get(edge);
      const [label] = way?.labels ?? [];
      return {
        source,
        target,
        transitions,
        points: pointsOf(way),
        label: { ...(label === undefined ? NOWHERE : boxOf(label)), lines: rows.flat() },
      };
    }),
    starts: states.flatMap(({ state }) =>
      state.initial === undefined ? [] : [{ of: state.id, points: pointsOf(ways.get(startId(state.id))) }],
    ),
  };
}

const NOWHERE: Box = { x: 0, y: 0, width: 0, height: 0 };

const nodesIn = ({ children = [] }: Graph): readonly Graph[] =>
  children.flatMap((child) => [child, ...nodesIn(child)]);

const edgesIn = ({ edges = [], children = [] }: Graph): readonly GraphEdge[] => [
  ...edges,
  ...children.flatMap(edgesIn),
];

const pointsOf = (edge: GraphEdge | undefined): readonly Point[] =>
  (edge?.sections ?? [])
    .flatMap(({ startPoint, bendPoints = [], endPoint }) => [startPoint, ...bendPoints, endPoint])
    .map(({ x, y }) => ({ x: rounded(x), y: rounded(y) }));

const boxOf = ({ x, y, width, height }: Partial<Box>): Box => ({
  x: rounded(x),
  y: rounded(y),
  width: rounded(width),
  height: rounded(height),
});

/** To half a pixel, so that the data is short. */
const rounded = (px = 0): number => Math.round(px * 2) / 2;
