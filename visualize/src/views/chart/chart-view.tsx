/** View 5: the statechart of the chosen cell, with its active states and last transition; beside it what it knows, awaits and refused. */
import { ReactFlowProvider } from '@xyflow/react';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import './chart.css';
import type { ChartLayout } from '../../../../src/observe/charts/layout.ts';
import type { CellRow, Chart } from '../../../../src/observe/feed/feed.ts';
import { cellNameOf, type WatchedCell } from '../../feed/model.ts';
import { usePaced, usePage, useWatched } from '../../feed/use-page.ts';
import { chosenCell } from '../../shell/chosen-cell.ts';
import { CellAside } from './cell-aside.tsx';
import { ChartList } from './chart-list.tsx';
import { ChartPicture } from './chart-picture.tsx';
import { layoutFor } from './layouts.ts';
import { type Lit, litBy, NOTHING_LIT, sameLight } from './lit.ts';

export function ChartView(): ReactNode {
  const key = usePage(chosenCell);
  const name = key === undefined ? undefined : cellNameOf(key);
  useWatched(name);
  const row = usePaced(({ shown }) => (key === undefined ? undefined : shown.cells.get(key)));
  const watched = usePaced(({ shown }) => (key === undefined ? undefined : shown.details.get(key)));
  const chart = usePage(({ newest }) => (row?.chart === undefined ? undefined : newest.charts[row.chart]));
  if (name === undefined)
    return (
      <p className="empty">Choose a cell to see its chart: in the tree of Cells (4), or by its name (/).</p>
    );
  if (row === undefined) {
    return (
      <p className="empty">At this instant there is no cell {name.address} in the node that is chosen.</p>
    );
  }
  return (
    <div className="chart">
      {chart === undefined ? (
        <p className="empty">{NO_CHART[row.kind]}</p>
      ) : (
        <Picture key={chart.hash} chart={chart} row={row} watched={watched} />
      )}
      <CellAside row={row} watched={watched} />
    </div>
  );
}

const NO_CHART: Readonly<Record<CellRow['kind'], string>> = {
  boundary:
    'A boundary actor has no chart: it touches the world – a socket, a disk, a clock – and speaks to charts by messages. What it took and holds stands beside.',
  reducer: 'A reducer has no chart: each message makes its next state by one function.',
  machine: 'The feed has not told this cell’s chart yet.',
  supervisor: 'The feed has not told this supervisor’s chart yet.',
};

interface PictureProps {
  readonly chart: Chart;
  readonly row: CellRow;
  readonly watched: WatchedCell | undefined;
}

function Picture({ chart, row, watched }: PictureProps): ReactNode {
  const [placed, setPlaced] = useState<{ readonly layout: ChartLayout | undefined }>();
  const lit = useRef<Lit>(NOTHING_LIT);
  useEffect(() => {
    let isWanted = true;
    const show = (layout: ChartLayout | undefined): void => {
      if (isWanted) setPlaced({ layout });
    };
    // A list is better than nothing when the file of layouts does not come.
    layoutFor(chart.hash).then(show, () => show(undefined));
    return () => {
      isWanted = false;
    };
  }, [chart]);
  if (placed === undefined) return <div className="chart-picture" />;
  const { layout } = placed;
  if (layout === undefined) return <ChartList chart={chart} row={row} />;
  const now = litBy(layout, row, watched);
  if (!sameLight(lit.current, now)) lit.current = now;
  return (
    <div className="chart-picture">
      <ReactFlowProvider>
        <ChartPicture layout={layout} lit={lit.current} />
      </ReactFlowProvider>
    </div>
  );
}
