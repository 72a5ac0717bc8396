/** What one frame of the diagram is drawn of. Types alone. */
import type { At, NodeCard, NodeChain, NodeIndex, StepEvent } from '../../../../src/observe/feed/feed.ts';
import type { Timeline } from '../../feed/timeline.ts';
import type { Family } from '../families.ts';
import type { Flight, FlightBook } from './flights.ts';
import type { OutageBook } from './outages.ts';
import type { RoundBook } from './rounds.ts';
import type { End } from './travel.ts';
import type { Viewport } from './viewport.ts';

export interface Scene {
  readonly view: Viewport;
  readonly nodes: readonly NodeCard[];
  readonly chains: ReadonlyMap<NodeIndex, NodeChain>;
  readonly book: FlightBook;
  readonly rounds: RoundBook;
  readonly outages: OutageBook;
  readonly steps: Timeline<StepEvent>;
  readonly shown: ReadonlySet<Family>;
  /** The instant that the page shows. */
  readonly at: At;
  readonly isLive: boolean;
}

export interface Marked {
  readonly hovered: Flight | undefined;
  readonly selected: End | undefined;
}
