/**
 * Where the arrow keys lead: along a message from the end where it left to the end where it arrived, and along a lane from one message's
 * end to the next. Pure.
 */
import type { At, NodeIndex } from '../../../../src/observe/feed/feed.ts';
import type { Family } from '../families.ts';
import type { Flight, FlightBook } from './flights.ts';

/** One end of a flight, on the lane of a node. */
export interface End {
  readonly flight: Flight;
  readonly side: 'sent' | 'received';
}

export type Direction = 'across' | 'next' | 'previous';

export function endOf({ flight, side }: End): { readonly node: NodeIndex | string; readonly at: At } {
  const event = side === 'sent' ? flight.sent : flight.received;
  return { node: side === 'sent' ? flight.from : flight.to, at: event?.at ?? flight.at };
}

/** Undefined where there is nothing that way. */
export function travel(
  book: FlightBook,
  shown: ReadonlySet<Family>,
  end: End,
  direction: Direction,
): End | undefined {
  return direction === 'across' ? across(end) : along(book, shown, end, direction === 'next' ? 1 : -1);
}

/** The other end, where it was seen. */
function across({ flight, side }: End): End | undefined {
  if (side === 'sent') return flight.received === undefined ? undefined : { flight, side: 'received' };
  return flight.sent === undefined ? undefined : { flight, side: 'sent' };
}

/** Ends at the same instant are in the order of their flights, so that no key goes round in a circle. */
function along(book: FlightBook, shown: ReadonlySet<Family>, end: End, by: 1 | -1): End | undefined {
  const { node } = endOf(end);
  let best: End | undefined;
  for (const flight of book.flights) {
    if (!shown.has(flight.family)) continue;
    for (const side of ['sent', 'received'] as const) {
      if ((side === 'sent' ? flight.sent : flight.received) === undefined) continue;
      const other: End = { flight, side };
      if (endOf(other).node !== node || order(other, end) * by <= 0) continue;
      if (best === undefined || order(other, best) * by < 0) best = other;
    }
  }
  return best;
}

function order(one: End, other: End): number {
  return (
    endOf(one).at - endOf(other).at ||
    one.flight.key - other.flight.key ||
    (one.side === other.side ? 0 : one.side === 'sent' ? -1 : 1)
  );
}
