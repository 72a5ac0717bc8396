/** One row of the trees: a node, or a cell. Made again only when the cell's row is another. */
import { memo, type ReactNode } from 'react';
import type { CellRow } from '../../../../src/observe/feed/feed.ts';
import type { CellKey, Model } from '../../feed/model.ts';
import { Icon } from '../../shell/icons.tsx';
import { glanceAt } from '../../shell/node-state.ts';
import { counted, milliseconds, nameOf, short } from '../../shell/words.ts';
import { columnsPath, curvePath, depthsOf, lostBy, rateOf, type TreeRow, workOf } from './tree.ts';

interface LineProps {
  readonly model: Model;
  /** @unit px */
  readonly top: number;
  readonly rowIndex: number;
  readonly isChosen: boolean;
  readonly onToggle: (key: CellKey) => void;
  readonly onChoose: (row: TreeRow) => void;
}

interface NodeLineProps extends LineProps {
  readonly tree: Extract<TreeRow, { kind: 'node' }>;
}

export function NodeLine({
  tree,
  model,
  top,
  rowIndex,
  isChosen,
  onToggle,
  onChoose,
}: NodeLineProps): ReactNode {
  const { moniker, state, says, height } = glanceAt(model, tree.node);
  return (
    <tr
      id={`cell ${tree.key}`}
      aria-level={1}
      aria-rowindex={rowIndex}
      aria-expanded={tree.isOpen}
      aria-selected={isChosen}
      className={`line node-line ${state}`}
      style={{ top }}
      title={says}
      onClick={() => onChoose(tree)}
      onDoubleClick={() => onToggle(tree.key)}
      onKeyDown={ignore}
    >
      <td className="name">
        <Fold isOpen={tree.isOpen} onToggle={() => onToggle(tree.key)} />
        <i className="dot" />
        {moniker}
      </td>
      <td className="node-facts">
        {state === 'down' ? 'down' : height === undefined ? '' : `height ${counted(height)}`}
        {tree.isOpen ? '' : ` · ${tree.cells} cells`}
      </td>
    </tr>
  );
}

interface CellLineProps extends LineProps {
  readonly tree: Extract<TreeRow, { kind: 'cell' }>;
}

/** The tree has the keys; rows only take clicks. */
const ignore = (): void => undefined;

export function CellLine({
  tree,
  model,
  top,
  rowIndex,
  isChosen,
  onToggle,
  onChoose,
}: CellLineProps): ReactNode {
  const { row, depth, hasChildren, isOpen, isContext, key } = tree;
  return (
    <tr
      id={`cell ${key}`}
      aria-level={depth + 1}
      aria-rowindex={rowIndex}
      aria-expanded={hasChildren ? isOpen : undefined}
      aria-selected={isChosen}
      className={`line ${row.kind} status-${row.status}${isContext ? ' context' : ''}`}
      style={{ top }}
      onClick={() => onChoose(tree)}
      onDoubleClick={() => onToggle(key)}
      onKeyDown={ignore}
    >
      <td className="name" style={{ paddingLeft: depth * 14 }} title={row.address}>
        {hasChildren ? <Fold isOpen={isOpen} onToggle={() => onToggle(key)} /> : <i className="no-fold" />}
        <i className="kind" title={KIND_WORDS[row.kind]} />
        <span className="text">{nameOf(row.address, model.nodes)}</span>
      </td>
      <State row={row} />
      <Figures row={row} samples={model.samples} cellKey={key} />
    </tr>
  );
}

const KIND_WORDS: Readonly<Record<CellRow['kind'], string>> = {
  machine: 'a statechart',
  reducer: 'a reducer',
  supervisor: 'a supervisor: starts, watches and restarts what is under it',
  boundary: 'a boundary actor: it touches the world',
};

function Fold({ isOpen, onToggle }: { readonly isOpen: boolean; readonly onToggle: () => void }): ReactNode {
  return (
    <button
      type="button"
      tabIndex={-1}
      className="fold"
      aria-label={isOpen ? 'Fold' : 'Unfold'}
      onClick={(event) => {
        event.stopPropagation();
        onToggle();
      }}
    >
      <Icon name="open" />
    </button>
  );
}

const State = memo(function State({ row }: { readonly row: CellRow }): ReactNode {
  const words = row.status === 'running' ? stateWords(row) : row.status;
  return (
    <td className="state" title={row.states?.join('\n')}>
      {words}
    </td>
  );
});

/** Of the ids what stands after the chart's own name. */
const stateWords = ({ states }: CellRow): string =>
  (states ?? []).map((id) => id.slice(id.lastIndexOf('.') + 1)).join(' · ');

interface FiguresProps {
  readonly row: CellRow;
  readonly samples: Model['samples'];
  readonly cellKey: CellKey;
}

const Figures = memo(function Figures({ row, samples, cellKey: key }: FiguresProps): ReactNode {
  const rate = rateOf(samples, key);
  const lost = lostBy(row);
  const isDeep = row.capacity !== undefined && row.queued > row.capacity / 2;
  return (
    <>
      <td className="wide number">{rate === 0 ? '' : short(rate)}</td>
      <td className={`number mailbox${isDeep ? ' deep' : ''}`}>
        <svg viewBox="0 0 64 16" height="16" preserveAspectRatio="none" aria-hidden="true">
          <path className="work" d={columnsPath(workOf(samples, key), 64, 16)} />
          <path className="depth" d={curvePath(depthsOf(samples, key), 64, 16)} />
        </svg>
        <span className="waits">{row.queued === 0 ? '' : short(row.queued)}</span>
      </td>
      <td className="wide number">{row.waitP99 === undefined ? '' : milliseconds(row.waitP99)}</td>
      <td className={row.restarts > 0 ? 'wide number warn' : 'wide number'}>
        {row.restarts === 0 ? '' : row.restarts}
      </td>
      <td
        className={lost > 0 ? 'wide number warn' : 'wide number'}
        title={Object.entries(row.lost)
          .map(([reason, count]) => `${reason}: ${count}`)
          .join('\n')}
      >
        {lost === 0 ? '' : short(lost)}
      </td>
      <td className="wide last-event">{row.last?.event}</td>
    </>
  );
});
