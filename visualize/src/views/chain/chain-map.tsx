/** The tree above, and below it in the same columns a line for each node with what it executed, committed, locked and knows certified. */
import { type ReactNode, useLayoutEffect, useRef } from 'react';
import type { NodeCard } from '../../../../src/observe/feed/feed.ts';
import { usePage } from '../../feed/use-page.ts';
import { count, nodeName, nodeOfId, shortId } from '../words.ts';
import { MARK_WORDS, MARKS } from './chain-mark.tsx';
import type { ChainLayout, Marker, PlacedBlock } from './layout.ts';

/** @unit px, all of these */
const COLUMN = 130;
const BOX = { width: 108, height: 62 };
const ROW = 76;
const TOP = 26;
/** Few nodes have more room. */
const LANE_LOW = 26;
const LANE_HIGH = 36;
const NODES_FEW = 8;
/** Between the markers of one node in one column. */
const APART = 21;

interface MapProps {
  readonly layout: ChainLayout;
  readonly chosen: string | undefined;
  readonly onChoose: (id: string) => void;
}

export function ChainMap({ layout, chosen, onChoose }: MapProps): ReactNode {
  const nodes = usePage(({ shown }) => shown.nodes);
  const isLive = usePage(({ time }) => time.isLive);
  const { heights, rows, blocks } = layout;
  const scroller = useNewest(heights.at(-1) ?? 0, isLive, chosen !== undefined);
  const lane = nodes.length > NODES_FEW ? LANE_LOW : LANE_HIGH;
  const width = heights.length * COLUMN + 24;
  const treeHeight = TOP + rows * ROW;
  return (
    <div className="chain-map" ref={scroller}>
      <div className="chain-names" style={{ paddingTop: treeHeight + 8 }}>
        {nodes.map((node, place) => (
          <NodeLabel key={node.id} node={node} place={place} lane={lane} />
        ))}
      </div>
      <div className="chain-plot" style={{ width }}>
        <svg className="chain-links" width={width} height={treeHeight} aria-hidden="true">
          {heights.map((height, column) => (
            <text key={height} x={column * COLUMN + BOX.width / 2 + 12} y={16} textAnchor="middle">
              {count(height)}
            </text>
          ))}
          {blocks.map((placed) => (
            <Link key={placed.block.id} placed={placed} blocks={blocks} />
          ))}
        </svg>
        {blocks.map((placed) => (
          <Box
            key={placed.block.id}
            placed={placed}
            nodes={nodes}
            isChosen={placed.block.id === chosen}
            onChoose={onChoose}
          />
        ))}
        <svg className="chain-lanes" width={width} height={nodes.length * lane + 8} aria-hidden="true">
          {nodes.map((node, place) => (
            <Lane
              key={node.id}
              markers={layout.markers.get(place) ?? []}
              y={(place + 0.5) * lane + 8}
              width={width}
            />
          ))}
        </svg>
      </div>
    </div>
  );
}

/** While live the newest height stays in sight, unless the reader has scrolled away from it. */
function useNewest(newest: number, isLive: boolean, hasPanel: boolean) {
  const scroller = useRef<HTMLDivElement>(null);
  const wasAtEnd = useRef(true);
  const element = scroller.current;
  if (element !== null)
    wasAtEnd.current = element.scrollLeft + element.clientWidth > element.scrollWidth - COLUMN * 1.5;
  // Another height, or less room for the same ones.
  const occasion = `${newest} ${hasPanel}`;
  const placed = useRef('');
  useLayoutEffect(() => {
    const { current } = scroller;
    if (current === null || placed.current === occasion) return;
    placed.current = occasion;
    if (wasAtEnd.current || !isLive) current.scrollLeft = current.scrollWidth;
  }, [occasion, isLive]);
  return scroller;
}

function NodeLabel({
  node,
  place,
  lane,
}: {
  readonly node: NodeCard;
  readonly place: number;
  readonly lane: number;
}): ReactNode {
  const chain = usePage(({ shown }) => shown.chains.get(place));
  return (
    <div className="chain-name" style={{ height: lane }}>
      <b>{node.moniker || shortId(node.id)}</b>
      {node.isUp ? (
        <span className="is-muted">{chain === undefined ? 'tells nothing' : `round ${chain.round}`}</span>
      ) : (
        <span className="is-bad">down</span>
      )}
    </div>
  );
}

function Link({
  placed,
  blocks,
}: {
  readonly placed: PlacedBlock;
  readonly blocks: readonly PlacedBlock[];
}): ReactNode {
  const parent = blocks.find(({ block }) => block.id === placed.block.parent);
  if (parent === undefined) return null;
  const [fromX, fromY] = [leftOf(parent) + BOX.width, topOf(parent) + BOX.height / 2];
  const [toX, toY] = [leftOf(placed), topOf(placed) + BOX.height / 2];
  const bend = (toX - fromX) / 2;
  const path =
    fromY === toY
      ? `M${fromX} ${fromY}H${toX}`
      : `M${fromX} ${fromY}h${bend / 2}C${toX - bend} ${fromY} ${fromX + bend / 2} ${toY} ${toX} ${toY}`;
  return <path d={path} className={`is-${placed.standing}`} />;
}

function Box({
  placed,
  nodes,
  isChosen,
  onChoose,
}: {
  readonly placed: PlacedBlock;
  readonly nodes: readonly NodeCard[];
  readonly isChosen: boolean;
  readonly onChoose: (id: string) => void;
}): ReactNode {
  const { block, standing, committedBy } = placed;
  const proposer = nodeName(nodes, nodeOfId(nodes, block.proposer) ?? block.proposer);
  const transactions = block.transactions ?? 0;
  return (
    <button
      type="button"
      className={`chain-box is-${standing}`}
      aria-pressed={isChosen}
      title={`Height ${block.height}, round ${block.round}, ${standing}, by ${proposer}. Press to see its transactions.`}
      style={{ left: leftOf(placed), top: topOf(placed), width: BOX.width, height: BOX.height }}
      onClick={() => onChoose(block.id)}
    >
      <span className="chain-box-head">
        <b>{shortId(block.id)}</b>
        {committedBy.length > 0 && committedBy.length < nodes.length ? (
          <i title={`committed by ${committedBy.length} of ${nodes.length} nodes`}>
            {committedBy.length}/{nodes.length}
          </i>
        ) : null}
      </span>
      <span className="chain-box-head">
        round {block.round}
        {transactions > 0 ? <i>{count(transactions)} tx</i> : null}
      </span>
      <span>{proposer}</span>
    </button>
  );
}

const leftOf = ({ column }: PlacedBlock): number => column * COLUMN + 12;
const topOf = ({ row }: PlacedBlock): number => TOP + row * ROW;

function Lane({
  markers,
  y,
  width,
}: {
  readonly markers: readonly Marker[];
  readonly y: number;
  readonly width: number;
}): ReactNode {
  const executed = markers.find(({ kind }) => kind === 'executed');
  return (
    <g>
      <path className="chain-lane" d={`M0 ${y}H${width}`} />
      {executed === undefined ? null : <path className="chain-done" d={`M0 ${y}H${markerX(executed)}`} />}
      {markers.map((marker) => (
        <g key={marker.kind} transform={`translate(${markerX(marker)} ${y})`} className={`is-${marker.kind}`}>
          {MARKS[marker.kind]}
          <title>{`${MARK_WORDS[marker.kind]} height ${marker.label.height}`}</title>
        </g>
      ))}
    </g>
  );
}

const SLOTS = { executed: -1.5, committed: -0.5, locked: 0.5, highQc: 1.5 } as const;
const markerX = ({ kind, column }: Marker): number =>
  column * COLUMN + 12 + BOX.width / 2 + SLOTS[kind] * APART;
