/**
 * View 4: the supervision trees of all nodes, with what each cell does and holds. A list of rows, of which only those in sight are made,
 * so that thousands of cells cost no more than a screenful.
 */
import { type KeyboardEvent, type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import './cells.css';
import type { CellKey, Model } from '../../feed/model.ts';
import type { PageState } from '../../feed/store.ts';
import { usePaced, usePage, usePageStore } from '../../feed/use-page.ts';
import { chosenCell } from '../../shell/chosen-cell.ts';
import { CellFilter } from './cell-filter.tsx';
import { CellLine, NodeLine } from './cell-line.tsx';
import {
  foldedAtFirst,
  isTroubled,
  NO_FILTER,
  nodeKey,
  type TreeFilter,
  type TreeRow,
  treeRows,
} from './tree.ts';
import { useWindow } from './use-window.ts';

/** As --row in the style sheet. @unit px */
const ROW_PX = 24;

export function CellsView(): ReactNode {
  const model = usePaced(({ shown }) => shown);
  const [filter, setFilter] = useState<TreeFilter>(NO_FILTER);
  const [turned, setTurned] = useState<ReadonlySet<CellKey>>(NOTHING);
  const atFirst = useMemo(() => foldedAtFirst(model), [model]);
  const folded = useMemo(() => atFirst.symmetricDifference(turned), [atFirst, turned]);
  const rows = treeRows(model, folded, filter);
  const troubled = useMemo(() => [...model.cells.values()].filter(isTroubled).length, [model.cells]);
  return (
    <div className="cells">
      <CellFilter filter={filter} onChange={setFilter} total={model.cells.size} troubled={troubled} />
      {model.cells.size === 0 ? (
        <p className="empty">No cell was told of yet: the feed sends them when it is connected.</p>
      ) : (
        <Tree
          rows={rows}
          model={model}
          folded={folded}
          onFold={(wanted) => setTurned(new Set(atFirst).symmetricDifference(wanted))}
        />
      )}
    </div>
  );
}

const NOTHING: ReadonlySet<CellKey> = new Set();

interface TreeProps {
  readonly rows: readonly TreeRow[];
  readonly model: Model;
  readonly folded: ReadonlySet<CellKey>;
  readonly onFold: (folded: ReadonlySet<CellKey>) => void;
}

function Tree({ rows, model, folded, onFold }: TreeProps): ReactNode {
  const store = usePageStore();
  const chosen = usePage(chosenRow);
  const scroller = useRef<HTMLDivElement>(null);
  const { first, last } = useWindow(scroller, ROW_PX, rows.length);
  const shownCell = useRef<CellKey>(undefined);
  useEffect(() => {
    // Only when another cell is chosen: what the reader folds or scrolls stays so.
    if (shownCell.current === chosen || chosen === undefined) return;
    const place = rows.findIndex(({ key }) => key === chosen);
    const unfolded = unfoldedTo(chosen, folded);
    if (place < 0 && unfolded.size < folded.size) onFold(unfolded);
    else shownCell.current = chosen;
    if (place >= 0) keepInSight(scroller.current, place);
  });
  const toggle = (key: CellKey): void =>
    onFold(folded.has(key) ? without(folded, key) : new Set([...folded, key]));
  const choose = (row: TreeRow | undefined): void => {
    if (row?.kind === 'cell') store.select({ node: row.row.node, cell: row.row.address });
    else if (row !== undefined) store.select({ node: row.node, cell: undefined });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = rows.findIndex(({ key }) => key === chosen);
    const row = rows[at];
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const next = Math.min(Math.max(at + (event.key === 'ArrowDown' ? 1 : -1), 0), rows.length - 1);
      choose(rows[next]);
      keepInSight(scroller.current, next);
    } else if (event.key === 'ArrowRight' && row !== undefined && !row.isOpen) toggle(row.key);
    else if (event.key === 'ArrowLeft' && row !== undefined && row.isOpen) toggle(row.key);
    else if (event.key === 'Enter') store.select({ view: 'chart' });
    else return;
    event.preventDefault();
  };
  return (
    <div className="tree-scroll" ref={scroller}>
      <table
        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a treegrid is a table whose rows are chosen
        role="treegrid"
        aria-label="Cells"
        aria-rowcount={rows.length + 1}
        aria-activedescendant={rows.some(({ key }) => key === chosen) ? `cell ${chosen}` : undefined}
        tabIndex={0}
        className="tree"
        onKeyDown={onKeyDown}
      >
        <TreeHead />
        <tbody style={{ height: rows.length * ROW_PX }} className="tree-body">
          {rows.slice(first, last).map((row, place) => {
            const common = {
              top: (first + place) * ROW_PX,
              rowIndex: first + place + 2,
              isChosen: row.key === chosen,
              onToggle: toggle,
              onChoose: choose,
            };
            return row.kind === 'node' ? (
              <NodeLine key={row.key} tree={row} model={model} {...common} />
            ) : (
              <CellLine key={row.key} tree={row} model={model} {...common} />
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** A node, when it is chosen without one of its cells. */
const chosenRow = (state: PageState): CellKey | undefined => {
  const { node, cell } = state.selection;
  return node !== undefined && cell === undefined ? nodeKey(node) : chosenCell(state);
};

function TreeHead(): ReactNode {
  return (
    <thead>
      <tr className="tree-head">
        <th scope="col">Cell</th>
        <th scope="col">State</th>
        <th scope="col" className="wide number" title="Messages taken a second">
          Taken /s
        </th>
        <th
          scope="col"
          className="number"
          title="Over the last 16 s: columns are what it took, the line is what waited. The number waits now."
        >
          Mailbox
        </th>
        <th scope="col" className="wide number" title="Wait in the mailbox, 99th percentile">
          p99 wait
        </th>
        <th scope="col" className="wide number">
          Restarts
        </th>
        <th scope="col" className="wide number" title="Messages that were not processed, by reason">
          Lost
        </th>
        <th scope="col" className="wide last-event">
          Last event
        </th>
      </tr>
    </thead>
  );
}

/** Nothing above this cell stays folded. */
function unfoldedTo(key: CellKey, folded: ReadonlySet<CellKey>): ReadonlySet<CellKey> {
  return new Set([...folded].filter((one) => !key.startsWith(one.endsWith('/') ? one : `${one}/`)));
}

function without(keys: ReadonlySet<CellKey>, key: CellKey): ReadonlySet<CellKey> {
  const rest = new Set(keys);
  rest.delete(key);
  return rest;
}

function keepInSight(scroller: HTMLElement | null, place: number): void {
  if (scroller === null) return;
  // The head covers the first row's height.
  const [top, bottom] = [place * ROW_PX, (place + 2) * ROW_PX];
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (bottom > scroller.scrollTop + scroller.clientHeight)
    scroller.scrollTop = bottom - scroller.clientHeight;
}
