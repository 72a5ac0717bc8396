/** What is drawn of a chart as a graph that ELK's layered algorithm can place. Pure. Source: the options of ELK 0.12. Rule RP-7. */
import type { ChartState } from '../../actors/runtime/chart.ts';
import { type Drawn, type DrawnState, SIZES } from './drawn.ts';
import { lengthOf } from './lines.ts';

/** What ELK takes, and gives back with `x` and `y` written into it. @unit px, from the corner of the whole */
export interface Graph {
  id: string;
  x?: number;
  y?: number;
  width?: number;
  height?: number;
  layoutOptions?: Record<string, string>;
  children?: Graph[];
  edges?: GraphEdge[];
}

export interface GraphEdge {
  id: string;
  sources: string[];
  targets: string[];
  labels?: GraphLabel[];
  sections?: GraphSection[];
}

interface GraphLabel {
  text?: string;
  width?: number;
  height?: number;
  x?: number;
  y?: number;
}

interface GraphPoint {
  x: number;
  y: number;
}

interface GraphSection {
  id: string;
  startPoint: GraphPoint;
  bendPoints?: GraphPoint[];
  endPoint: GraphPoint;
}

/** What ELK asks of the whole. */
const OPTIONS = {
  'elk.algorithm': 'layered',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.randomSeed': '1',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.json.shapeCoords': 'ROOT',
  'elk.json.edgeCoords': 'ROOT',
} as const;

/**
 * What ELK asks of each state that has others inside. Depth first: states come in the order in which they are reached. Labels always
 * up: each stands to the right of its line, or above it, so that nobody asks whose it is. Distances @unit px @source looking
 */
const INSIDE = {
  'elk.layered.cycleBreaking.strategy': 'DEPTH_FIRST',
  'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
  'elk.layered.feedbackEdges': 'true',
  'elk.layered.edgeLabels.sideSelection': 'ALWAYS_UP',
  'elk.spacing.nodeNode': '28',
  'elk.spacing.edgeNode': '16',
  'elk.spacing.edgeEdge': '12',
  'elk.spacing.edgeLabel': '4',
  'elk.layered.spacing.nodeNodeBetweenLayers': '28',
  'elk.layered.spacing.edgeNodeBetweenLayers': '16',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '12',
} as const;

export function graphOf({ states, edges }: Drawn, direction: 'DOWN' | 'RIGHT'): Graph {
  const nodeOf = (drawn: DrawnState): Graph => {
    const { state, head } = drawn;
    const { width, height } = head;
    const children = states.filter(({ parent }) => parent === state.id);
    if (children.length === 0) return { id: state.id, width, height };
    const side = 2 * SIZES.padding;
    // ELK takes the smallest size of a state with others inside in the direction of the layers.
    const size = direction === 'RIGHT' ? `(${width},${height})` : `(${height},${width})`;
    return {
      id: state.id,
      layoutOptions: {
        ...INSIDE,
        'elk.padding': `[top=${height + SIZES.padding},left=${side},bottom=${side},right=${side}]`,
        'elk.nodeSize.constraints': 'MINIMUM_SIZE',
        'elk.nodeSize.minimum': size,
      },
      children: [...startNodes(state), ...children.map(nodeOf)],
      edges: startEdges(state),
    };
  };
  const [root] = states;
  return {
    id: 'picture',
    layoutOptions: {
      ...OPTIONS,
      ...INSIDE,
      'elk.direction': direction,
      'elk.padding': '[top=0,left=0,bottom=0,right=0]',
    },
    children: root === undefined ? [] : [nodeOf(root)],
    edges: edges.map(({ id, source, target, rows }) => ({
      id,
      sources: [source],
      targets: [target],
      labels: [
        {
          text: id,
          width: Math.ceil(SIZES.letter * Math.max(...rows.flat().map(lengthOf))) + SIZES.padding,
          height: rows.flat().length * SIZES.line + SIZES.padding / 2,
        },
      ],
    })),
  };
}

export const startId = (state: string): string => `start of ${state}`;

const startNodes = ({ id, initial }: ChartState): Graph[] =>
  initial === undefined ? [] : [{ id: startId(id), width: SIZES.start, height: SIZES.start }];

const startEdges = ({ id, initial }: ChartState): GraphEdge[] =>
  initial === undefined ? [] : [{ id: startId(id), sources: [startId(id)], targets: [initial] }];
