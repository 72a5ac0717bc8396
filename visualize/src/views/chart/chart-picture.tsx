/** The chart as boxes in boxes with arrows between, in which what is active is lit. Placed by `ChartLayout`, drawn by React Flow. */
import {
  BaseEdge,
  EdgeLabelRenderer,
  type EdgeProps,
  type Edge as FlowEdge,
  type Node as FlowNode,
  Handle,
  type NodeProps,
  Position,
  ReactFlow,
  useReactFlow,
  useStore,
} from '@xyflow/react';
import { createContext, memo, type ReactNode, use, useEffect, useMemo, useRef } from 'react';
import { SIZES } from '../../../../src/observe/charts/drawn.ts';
import type { ChartLayout, Edge, Point, StateBox } from '../../../../src/observe/charts/layout.ts';
import { lengthOf, type TextLine, type TransitionKey } from '../../../../src/observe/charts/lines.ts';
import { roundedPath } from '../../../../src/observe/charts/svg.ts';
import { isTaken, type Lit, NOTHING_LIT, transitionKey } from './lit.ts';

const LitContext = createContext<Lit>(NOTHING_LIT);

type StateNode = FlowNode<{ readonly box: StateBox }, 'state'>;
type WayEdge = FlowEdge<{ readonly points: readonly Point[]; readonly edge?: Edge }, 'way'>;

const nodeTypes = { state: memo(StateBoxNode) };
const edgeTypes = { way: memo(Way) };

export interface ChartPictureProps {
  readonly layout: ChartLayout;
  readonly lit: Lit;
}

export function ChartPicture({ layout, lit }: ChartPictureProps): ReactNode {
  const nodes = useMemo(() => layout.states.map((box) => nodeOf(box, layout)), [layout]);
  const edges = useMemo(() => [...layout.starts.map(startOf), ...layout.edges.map(edgeOf)], [layout]);
  return (
    <LitContext value={lit}>
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        edgeTypes={edgeTypes}
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        disableKeyboardA11y
        minZoom={0.15}
        maxZoom={2}
        proOptions={{ hideAttribution: true }}
        aria-label={described(layout, lit)}
      >
        <Fit layout={layout} />
        <Arrows />
      </ReactFlow>
    </LitContext>
  );
}

/** The whole chart is in sight at first, and again when the place for it changes. */
function Fit({ layout }: { readonly layout: ChartLayout }): ReactNode {
  const flow = useReactFlow();
  const marker = useRef<HTMLElement>(null);
  useEffect(() => {
    const host = marker.current?.closest('.react-flow');
    if (host === null || host === undefined) return undefined;
    const showAll = (): void => {
      const { width, height } = layout;
      void flow.fitBounds({ x: 0, y: 0, width, height }, { padding: 0.04 });
    };
    const observer = new ResizeObserver(showAll);
    observer.observe(host);
    showAll();
    return () => observer.disconnect();
  }, [layout, flow]);
  return (
    <>
      <i ref={marker} hidden />
      <div className="zoom-buttons">
        <button type="button" aria-label="Zoom in" onClick={() => void flow.zoomIn()}>
          +
        </button>
        <button type="button" aria-label="Zoom out" onClick={() => void flow.zoomOut()}>
          −
        </button>
        <button
          type="button"
          onClick={() => void flow.fitBounds({ x: 0, y: 0, width: layout.width, height: layout.height })}
        >
          Fit
        </button>
      </div>
    </>
  );
}

function Arrows(): ReactNode {
  const shape = <path d="M0 0.5 8 4 0 7.5z" />;
  const common = { viewBox: '0 0 8 8', refX: 7, refY: 4, orient: 'auto', markerUnits: 'userSpaceOnUse' };
  return (
    <svg className="arrow-heads" aria-hidden="true">
      <defs>
        <marker id="arrow" className="arrow" markerWidth={9} markerHeight={9} {...common}>
          {shape}
        </marker>
        <marker id="arrow-lit" className="arrow lit" markerWidth={11} markerHeight={11} {...common}>
          {shape}
        </marker>
      </defs>
    </svg>
  );
}

function nodeOf(box: StateBox, { states }: ChartLayout): StateNode {
  const { id, x, y, width, height } = box;
  const depthOf = (state: StateBox | undefined): number =>
    state?.parent === undefined ? 0 : 1 + depthOf(states.find((one) => one.id === state.parent));
  return {
    id,
    type: 'state',
    position: { x, y },
    data: { box },
    width,
    height,
    zIndex: depthOf(box),
    initialWidth: width,
    initialHeight: height,
  };
}

const edgeOf = (edge: Edge): WayEdge => ({
  id: `${edge.source} → ${edge.target}`,
  source: edge.source,
  target: edge.target,
  type: 'way',
  data: { points: edge.points, edge },
  zIndex: 100,
});

const startOf = ({ of, points }: ChartLayout['starts'][number]): WayEdge => ({
  id: `start of ${of}`,
  source: of,
  target: of,
  type: 'way',
  data: { points },
  zIndex: 100,
});

/** Farther away, rows of text are no more to be read: names grow instead. @unit zoom */
const FAR = 0.62;

/** 1 when near; else how much greater than near text has to be. */
const useFarness = (): number =>
  useStore(({ transform: [, , zoom] }) => (zoom >= FAR ? 1 : Math.min(4, Math.round(10 / zoom) / 10)));

/** Of a name in a box, as great as farness asks and the box allows. @unit px */
const nameSize = ({ key, width }: StateBox, farness: number): number =>
  Math.max(13, Math.min(13 * farness, (width - 16) / (key.length * 0.62)));

function StateBoxNode({ data: { box } }: NodeProps<StateNode>): ReactNode {
  const { active, around, ...lit } = use(LitContext);
  const farness = useFarness();
  const kind = box.parent === undefined ? 'outer' : box.type;
  const light = active.has(box.id) ? 'active' : around.has(box.id) ? 'around' : '';
  return (
    <div className={`state-box ${kind} ${light}${farness > 1 ? ' far' : ''}`}>
      <Handle type="target" position={Position.Top} isConnectable={false} />
      <span className="state-name" style={{ fontSize: nameSize(box, farness) }}>
        {box.key}
        {box.type === 'parallel' ? <small> parallel</small> : null}
      </span>
      {(farness > 1 ? takenRows(box, lit, farness) : box.rows).map((row) => (
        <Line
          key={`${row.x} ${row.y}`}
          line={row}
          source={box.id}
          lit={lit}
          style={{ left: row.x, top: row.y, scale: farness }}
        />
      ))}
      <Handle type="source" position={Position.Bottom} isConnectable={false} />
    </div>
  );
}

/** From far only what the last event took is written, below the name. */
const takenRows = (
  { id, rows }: StateBox,
  { taken }: Pick<Lit, 'taken'>,
  farness: number,
): StateBox['rows'] =>
  rows
    .filter(({ of }) => of !== undefined && taken.has(transitionKey(id, of.on, of.index)))
    .slice(0, 1)
    .map((row) => ({ ...row, spans: row.spans.slice(0, 1), x: 10, y: 8 + 15 * farness }));

interface LineProps {
  readonly line: TextLine;
  readonly source: string;
  readonly lit: Pick<Lit, 'taken' | 'guards'>;
  readonly style?: { readonly left: number; readonly top: number; readonly scale: number };
}

function Line({ line: { spans, of }, source, lit, style }: LineProps): ReactNode {
  const key = of === undefined ? undefined : transitionKey(source, of.on, of.index);
  const said = key === undefined ? undefined : lit.guards.get(key);
  const isLit = key !== undefined && lit.taken.has(key);
  return (
    <span className={isLit ? 'chart-line lit' : 'chart-line'} style={style}>
      {spans.map(({ style: of, text }, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line's spans keep their places
        <span key={place} className={`span-${of}${of === 'guard' ? heldClass(said) : ''}`}>
          {text}
        </span>
      ))}
    </span>
  );
}

const heldClass = (said: boolean | undefined): string =>
  said === undefined ? '' : said ? ' held' : ' not-held';

function Way({ id, data }: EdgeProps<WayEdge>): ReactNode {
  const lit = use(LitContext);
  const farness = useFarness();
  if (data === undefined || data.points.length === 0) return null;
  const { edge, points } = data;
  const [start] = points;
  const isLit = edge !== undefined && isTaken(edge, lit);
  return (
    <>
      {edge === undefined && start !== undefined ? (
        <circle className="start-dot" cx={start.x} cy={start.y} r={5} />
      ) : null}
      <BaseEdge
        id={id}
        path={roundedPath(points)}
        className={isLit ? 'way lit' : 'way'}
        style={farness > 1 ? { strokeWidth: (isLit ? 2.4 : 1.2) * farness } : undefined}
        markerEnd={isLit ? 'url(#arrow-lit)' : 'url(#arrow)'}
      />
      {edge === undefined ? null : (
        <EdgeLabelRenderer>
          <WayLabel edge={edge} lit={lit} farness={farness} />
        </EdgeLabelRenderer>
      )}
    </>
  );
}

interface WayLabelProps {
  readonly edge: Edge;
  readonly lit: Lit;
  readonly farness: number;
}

function WayLabel({ edge, lit, farness }: WayLabelProps): ReactNode {
  const { label, source } = edge;
  const shown = farness > 1 ? fromFar(edge, lit, farness) : { lines: label.lines, scale: 1 };
  return (
    <div
      className={isTaken(edge, lit) ? 'way-label lit' : 'way-label'}
      style={{ transform: `translate(${label.x}px, ${label.y}px) scale(${shown.scale})` }}
    >
      {shown.lines.map((line, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a label's lines keep their places
        <Line key={place} line={line} source={source} lit={lit} />
      ))}
    </div>
  );
}

/** Of a label from far: the events alone, as great and as many as its place allows; the one taken goes first. */
function fromFar({ label, source }: Edge, { taken }: Lit, farness: number) {
  const isLit = ({ of }: TextLine): boolean =>
    of !== undefined && taken.has(transitionKey(source, of.on, of.index));
  const heads = label.lines
    .filter(({ of }, place) => of !== undefined && !sameKey(of, label.lines[place - 1]?.of))
    .map(({ spans, ...line }) => ({ ...line, spans: spans.slice(0, 1) }))
    .toSorted((left, right) => Number(isLit(right)) - Number(isLit(left)));
  const longest = Math.max(1, ...heads.map(lengthOf));
  const scale = Math.max(1, Math.min(farness, label.width / (longest * SIZES.letter)));
  return {
    lines: heads.slice(0, Math.max(1, Math.floor((label.height * 1.3) / (SIZES.line * scale)))),
    scale,
  };
}

const sameKey = (one: TransitionKey, other: TransitionKey | undefined): boolean =>
  one.on === other?.on && one.index === other.index;

/** The picture in a sentence, for those who cannot see it. */
function described({ id, states }: ChartLayout, { active }: Lit): string {
  const inside = states.filter(({ parent }) => parent !== undefined).map(({ key }) => key);
  return `Statechart ${id}: states ${inside.join(', ')}. Active: ${[...active].join(', ') || 'none'}.`;
}
