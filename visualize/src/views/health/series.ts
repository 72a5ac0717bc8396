/** Health rows as columns that a plot takes: one for time, one for each node; and a band for the chosen node's error. Pure. */
import type { At, NodeHealth, NodeIndex } from '../../../../src/observe/feed/feed.ts';
import { forEachBetween, type Timeline } from '../../feed/timeline.ts';

/** Times in seconds, as plots want them; then a value for each node, null where it told none. */
export type Columns = [number[], ...(number | null)[][]];

/** Nodes tell at moments of their own: rows this near are one instant, so that a node without one is silent. @unit ms @source health comes twice a second */
const STEP_MS = 1_000;
/** Shown at once. @unit ms */
export const WINDOW_MS = 300_000;

export type Pick = (health: NodeHealth) => number | undefined;

export const clockOffset: Pick = ({ clock }) => clock.offsetMs;
export const clockHigh: Pick = ({ clock: { offsetMs, errorMs = 0 } }) =>
  offsetMs === undefined ? undefined : offsetMs + errorMs;
export const clockLow: Pick = ({ clock: { offsetMs, errorMs = 0 } }) =>
  offsetMs === undefined ? undefined : offsetMs - errorMs;
export const roundDuration: Pick = ({ round }) => round.durationMs;
export const qcDelay: Pick = ({ round }) => round.qcDelayMs;
export const loopLag: Pick = ({ loopLagMs }) => loopLagMs?.p99;

/** @param band of this node: its high and low follow the nodes' columns */
export function columnsOf(
  healths: Timeline<NodeHealth>,
  nodes: number,
  now: At,
  pick: Pick,
  band?: { readonly node: NodeIndex; readonly high: Pick; readonly low: Pick },
): Columns {
  const times: number[] = [];
  const values: (number | null)[][] = Array.from({ length: nodes + (band === undefined ? 0 : 2) }, () => []);
  forEachBetween(healths, now - WINDOW_MS, now, (health) => {
    const second = (Math.floor(health.at / STEP_MS) * STEP_MS) / 1_000;
    if (times.at(-1) !== second) {
      times.push(second);
      for (const column of values) column.push(null);
    }
    const place = times.length - 1;
    put(values[health.node], place, pick(health));
    if (band?.node !== health.node) return;
    put(values[nodes], place, band.high(health));
    put(values[nodes + 1], place, band.low(health));
  });
  return [times, ...values];
}

function put(column: (number | null)[] | undefined, place: number, value: number | undefined): void {
  if (column !== undefined && value !== undefined) column[place] = value;
}

/** Whether any node told any. */
export const hasValues = ([, ...columns]: Columns): boolean =>
  columns.some((column) => column.some((value) => value !== null));
