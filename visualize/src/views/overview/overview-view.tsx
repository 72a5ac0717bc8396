/** View 1: what a newcomer sees first: who runs, who told whom what, and what the chosen cell is doing. Three views side by side. */
import type { ReactNode } from 'react';
import './overview.css';
import type { ViewId } from '../../feed/selection.ts';
import { usePageStore } from '../../feed/use-page.ts';
import { CellsView } from '../cells/cells-view.tsx';
import { ChartView } from '../chart/chart-view.tsx';
import { DiagramView } from '../diagram/diagram-view.tsx';

export function OverviewView(): ReactNode {
  return (
    <div className="overview">
      <Pane id="cells" title="Cells">
        <CellsView />
      </Pane>
      <Pane id="diagram" title="Space-time">
        <DiagramView />
      </Pane>
      <Pane id="chart" title="Statechart">
        <ChartView />
      </Pane>
    </div>
  );
}

interface PaneProps {
  readonly id: ViewId;
  readonly title: string;
  readonly children: ReactNode;
}

function Pane({ id, title, children }: PaneProps): ReactNode {
  const store = usePageStore();
  return (
    <section className={`pane pane-${id}`} aria-label={title}>
      <header>
        <h2>{title}</h2>
        <button type="button" title={`${title} alone`} onClick={() => store.select({ view: id })}>
          Open
        </button>
      </header>
      <div className="pane-body">{children}</div>
    </section>
  );
}
