/** What the page knows at an instant, as all views read it; and what of it does not wait for the pace of lists. Pure. */
import type { At, Hello, Run } from '../../../src/observe/feed/feed.ts';
import { type Activity, noActivity } from './activity.ts';
import type { ConnectionState } from './connection.ts';
import { emptyModel, type Model } from './model.ts';
import type { Order } from './orders.ts';
import { NOTHING_SELECTED, type Selection } from './selection.ts';

/** How the instant moves. */
export interface TimeState {
  /** Live: the newest is shown as it comes. Else the instant is `at`. */
  readonly isLive: boolean;
  readonly at: At;
  readonly isPlaying: boolean;
  readonly speed: number;
  /** What can be shown. */
  readonly from: At;
  readonly to: At;
  /** Of recorded and simulated runs. */
  readonly breakpoint: string;
  readonly stopped: string | undefined;
}

export interface PageState {
  readonly connection: ConnectionState;
  readonly hello: Hello | undefined;
  /** The run at the chosen instant: what all views show. */
  readonly shown: Model;
  /** The newest that the feed told; the same as `shown` while live, and in recorded runs. */
  readonly newest: Model;
  /** Of the whole run, as far as the page heard it. */
  readonly activity: Activity;
  readonly time: TimeState;
  readonly selection: Selection;
  /** Newest first. */
  readonly orders: readonly Order[];
}

export const INITIAL: PageState = {
  connection: { status: 'connecting' },
  hello: undefined,
  shown: emptyModel,
  newest: emptyModel,
  activity: noActivity,
  time: {
    isLive: true,
    at: 0,
    isPlaying: false,
    speed: 1,
    from: 0,
    to: 0,
    breakpoint: '',
    stopped: undefined,
  },
  selection: NOTHING_SELECTED,
  orders: [],
};

/** Somebody acted, or the connection changed: that does not wait. */
export const isPressing = (before: PageState, after: PageState): boolean =>
  before.selection !== after.selection ||
  before.connection !== after.connection ||
  before.hello !== after.hello ||
  before.orders !== after.orders ||
  before.time.isLive !== after.time.isLive ||
  (!after.time.isLive && before.time !== after.time);

/** Recorded and simulated runs are played by the server; a live one's past by the page. */
export const isRemote = (run: Run | undefined): boolean => run !== undefined && run.kind !== 'live';
