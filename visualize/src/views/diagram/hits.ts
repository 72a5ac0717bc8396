/** Which flight or step is under the pointer: the nearest, within a few pixels. Pure. */
import type { StepEvent } from '../../../../src/observe/feed/feed.ts';
import { forEachBetween, type Timeline } from '../../feed/timeline.ts';
import type { Family } from '../families.ts';
import type { Flight, FlightBook } from './flights.ts';
import { segmentOf } from './segments.ts';
import { atOf, GUTTER_PX, laneAt, type Viewport, xOf, yOf } from './viewport.ts';

/** A pointer hits what is so near. @unit px */
const REACH_PX = 7;
/** A step's glyph is as large. @unit px */
const STEP_REACH_PX = 9;

export function flightAt(
  view: Viewport,
  book: FlightBook,
  shown: ReadonlySet<Family>,
  x: number,
  y: number,
): Flight | undefined {
  if (x < GUTTER_PX) return undefined;
  let best: Flight | undefined;
  let bestPx = REACH_PX;
  const until = atOf(view, x + REACH_PX) + book.spanMax;
  for (let place = book.firstAt(view.from); place < book.flights.length; place += 1) {
    const flight = book.flights[place];
    if (flight === undefined || flight.at > until) break;
    if (!shown.has(flight.family)) continue;
    const { fromX, fromY, toX, toY } = segmentOf(view, flight, book);
    const away = distanceToSegment(x, y, fromX, fromY, toX, toY);
    if (away >= bestPx) continue;
    best = flight;
    bestPx = away;
  }
  return best;
}

/** The nearest glyph; of equally near ones the one that is drawn last, on top. */
export function stepAt(
  view: Viewport,
  steps: Timeline<StepEvent>,
  x: number,
  y: number,
): StepEvent | undefined {
  const lane = laneAt(view, y);
  if (lane === undefined || Math.abs(y - yOf(view, lane)) > STEP_REACH_PX) return undefined;
  let best: StepEvent | undefined;
  let bestPx = STEP_REACH_PX;
  forEachBetween(steps, atOf(view, x - STEP_REACH_PX), atOf(view, x + STEP_REACH_PX), (step) => {
    if (step.node !== lane || step.kind === 'roundEntered') return;
    const away = Math.abs(xOf(view, step.at) - x);
    if (away > bestPx) return;
    best = step;
    bestPx = away;
  });
  return best;
}

export function distanceToSegment(
  x: number,
  y: number,
  fromX: number,
  fromY: number,
  toX: number,
  toY: number,
): number {
  const [acrossX, acrossY] = [toX - fromX, toY - fromY];
  const square = acrossX * acrossX + acrossY * acrossY;
  const along = square === 0 ? 0 : ((x - fromX) * acrossX + (y - fromY) * acrossY) / square;
  const part = Math.min(1, Math.max(0, along));
  return Math.hypot(x - fromX - part * acrossX, y - fromY - part * acrossY);
}
