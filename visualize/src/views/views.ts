/** The views of the page, in the order of their keys 1 to 9. */
import type { ComponentType } from 'react';
import type { ViewId } from '../feed/selection.ts';
import { CellsView } from './cells/cells-view.tsx';
import { ChainView } from './chain/chain-view.tsx';
import { ChartView } from './chart/chart-view.tsx';
import { ControlView } from './control/control-view.tsx';
import { DiagramView } from './diagram/diagram-view.tsx';
import { HealthView } from './health/health-view.tsx';
import { MessagesView } from './messages/messages-view.tsx';
import { OverviewView } from './overview/overview-view.tsx';
import { VerifyView } from './verify/verify-view.tsx';

export interface ViewCard {
  readonly id: ViewId;
  readonly title: string;
  /** One sentence for whoever does not know it. */
  readonly hint: string;
  /** Fills the place that it is given, and scrolls within it. */
  readonly View: ComponentType;
}

export const VIEW_CARDS: readonly ViewCard[] = [
  {
    id: 'overview',
    title: 'Overview',
    hint: 'The run at a glance: cells, messages in time, and the chart of the chosen cell.',
    View: OverviewView,
  },
  {
    id: 'diagram',
    title: 'Space-time',
    hint: 'Who told whom what, and when: a lane for each validator.',
    View: DiagramView,
  },
  { id: 'chain', title: 'Chain', hint: 'What each node holds of the chain, and any fork.', View: ChainView },
  {
    id: 'cells',
    title: 'Cells',
    hint: 'The supervision tree: what runs, what waits, what was restarted.',
    View: CellsView,
  },
  {
    id: 'chart',
    title: 'Statechart',
    hint: 'The chosen cell: its active states, its last transition, and why not.',
    View: ChartView,
  },
  {
    id: 'messages',
    title: 'Messages',
    hint: 'Each message between nodes, decoded, with its verdict.',
    View: MessagesView,
  },
  {
    id: 'health',
    title: 'Health',
    hint: 'Clocks, rounds, sync, event loop, links: over time.',
    View: HealthView,
  },
  {
    id: 'control',
    title: 'Control',
    hint: 'Submit transactions; stop, kill, cut off or slow down validators.',
    View: ControlView,
  },
  {
    id: 'verify',
    title: 'Verify',
    hint: 'The page checks a certificate itself: it need not trust the node.',
    View: VerifyView,
  },
];
