/** Where a flight is drawn: from lane to lane; what was not seen to arrive ends on its way, what was not seen to leave begins there. Pure. */
import type { Flight, FlightBook } from './flights.ts';
import { laneHeightOf, type Viewport, xOf, yOf } from './viewport.ts';

export interface Segment {
  fromX: number;
  fromY: number;
  toX: number;
  toY: number;
}

/** How far a message is drawn whose other end nobody saw. @unit px to the right; part of the way to the other lane */
const STUB_PX = 22;
const STUB_PART = 0.42;

/** One for all calls: whoever wants to keep it copies it. A frame asks 20,000 times. */
const shared: Segment = { fromX: 0, fromY: 0, toX: 0, toY: 0 };

export function segmentOf(view: Viewport, flight: Flight, book: FlightBook): Readonly<Segment> {
  const { sent, received, from, to } = flight;
  const half = laneHeightOf(view) / 2;
  const fromY = typeof from === 'number' ? yOf(view, from) : yOf(view, Number(to)) - half;
  const toY = typeof to === 'number' ? yOf(view, to) : yOf(view, Number(from)) - half;
  shared.fromY = fromY;
  shared.toY = toY;
  if (sent !== undefined && received !== undefined) {
    shared.fromX = xOf(view, sent.at);
    shared.toX = xOf(view, received.at);
    return shared;
  }
  // A stub leans as its neighbours do, so that it is seen among them.
  const lean = Math.max(STUB_PX, xOf(view, flight.at + book.usualMs) - xOf(view, flight.at)) * STUB_PART;
  const x = xOf(view, flight.at);
  if (sent !== undefined) {
    shared.fromX = x;
    shared.toX = x + lean;
    shared.toY = fromY + (toY - fromY) * STUB_PART;
  } else {
    shared.toX = x;
    shared.fromX = x - lean;
    shared.fromY = toY + (fromY - toY) * STUB_PART;
  }
  return shared;
}
