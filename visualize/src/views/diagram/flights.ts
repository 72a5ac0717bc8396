/**
 * Messages of a run as flights: what left one node and what came to another, paired by the message's id. Mutable, no I/O; fed with the
 * wire events of the model, once each. Bounded: beyond `FLIGHTS_MAX` the oldest flights go. IN-1, docs/inspector.md.
 */
import type { At, NodeIndex, WireEvent } from '../../../../src/observe/feed/feed.ts';
import { type Family, familyOf } from '../families.ts';

export interface Flight {
  /** Rising in the order in which flights became known. */
  readonly key: number;
  readonly kind: string;
  readonly family: Family;
  readonly from: NodeIndex | string;
  readonly to: NodeIndex | string;
  /** When it was first seen at either end: flights are sorted by it. */
  readonly at: At;
  sent: WireEvent | undefined;
  received: WireEvent | undefined;
  /** It took much longer than its neighbours: set when it arrives. */
  isLate: boolean;
}

export type Fate =
  /** Seen at both ends. */
  | 'arrived'
  | 'late'
  /** It arrived, and its receiver did not take it. */
  | 'refused'
  /** It left, and its receiver, which is watched, never had it. */
  | 'lost'
  /** It left a moment ago. */
  | 'flying'
  /** One of its ends is not watched, or its row was left out. */
  | 'halfSeen';

/** Held at once: what the page keeps of the wire. @unit flights */
const FLIGHTS_MAX = 20_000;
/** A message that was not seen for so long after it left is lost. @unit ms @source far above a flight; rows come 20 times a second */
export const LOST_AFTER_MS = 1_500;
/** A message is late beyond so many times what its neighbours took, and beyond `LATE_MS_MIN`. @source chosen: seldom without a fault */
const LATE_FACTOR = 5;
/** @unit ms @source chosen: what people see */
const LATE_MS_MIN = 40;
/** Flights whose median is what neighbours take. @unit flights */
const NEIGHBOURS = 128;
/** Spans in which the feed left rows out; the oldest goes. */
const DROPS_MAX = 64;

export class FlightBook {
  /** Sorted by `at`, which is almost the order in which they come. */
  readonly flights: Flight[] = [];
  /** Flights with one end so far, by message and ends. */
  readonly #open = new Map<string, Flight[]>();
  readonly #durations: number[] = [];
  readonly #drops: { readonly from: At; readonly to: At }[] = [];
  /** Of all that was ever taken. */
  readonly families = new Set<Family>();
  #median = 0;
  #keys = 0;
  /** No flight is longer. @unit ms */
  spanMax = 0;
  /** Newest event of all. */
  newest: At = Number.NEGATIVE_INFINITY;

  take(events: readonly WireEvent[]): void {
    for (const event of events) this.#take(event);
    this.#forget();
  }

  /** Between these instants rows were left out: what is missing there is not lost. */
  drop(from: At, to: At): void {
    this.#drops.push({ from, to });
    if (this.#drops.length > DROPS_MAX) this.#drops.shift();
  }

  clear(): void {
    this.flights.length = 0;
    this.#open.clear();
    this.#durations.length = 0;
    this.#drops.length = 0;
    this.families.clear();
    this.#median = 0;
    this.spanMax = 0;
    this.newest = Number.NEGATIVE_INFINITY;
  }

  /** What neighbours of a flight take. @unit ms */
  get usualMs(): number {
    return this.#median;
  }

  fateOf({ sent, received, isLate, to, from }: Flight): Fate {
    if (received?.refused !== undefined) return 'refused';
    if (sent !== undefined && received !== undefined) return isLate ? 'late' : 'arrived';
    if (sent === undefined || typeof to === 'string' || typeof from === 'string') return 'halfSeen';
    if (this.newest - sent.at < LOST_AFTER_MS) return 'flying';
    return this.#isUnsure(sent.at) ? 'halfSeen' : 'lost';
  }

  /** Place of the first flight that can be seen at or after `at`, however long it is. */
  firstAt(at: At): number {
    const from = at - this.spanMax;
    let [low, high] = [0, this.flights.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.flights[middle]?.at ?? 0) < from) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #take(event: WireEvent): void {
    this.newest = Math.max(this.newest, event.at);
    const isSent = event.direction === 'sent';
    const [from, to] = isSent ? [event.node, event.peer] : [event.peer, event.node];
    if (from === to) return;
    const name = `${event.id} ${from} ${to}`;
    const waiting = this.#open.get(name);
    const mate = waiting?.find((flight) => (isSent ? flight.sent : flight.received) === undefined);
    if (mate === undefined || waiting === undefined) {
      const flight = this.#begin(event, from, to);
      if (waiting === undefined) this.#open.set(name, [flight]);
      else waiting.push(flight);
      return;
    }
    if (isSent) mate.sent = event;
    else mate.received = event;
    if (waiting.length === 1) this.#open.delete(name);
    else waiting.splice(waiting.indexOf(mate), 1);
    this.#complete(mate);
  }

  #begin(event: WireEvent, from: NodeIndex | string, to: NodeIndex | string): Flight {
    const isSent = event.direction === 'sent';
    this.#keys += 1;
    const flight: Flight = {
      key: this.#keys,
      kind: event.kind,
      family: familyOf(event.kind),
      ...{ from, to, at: event.at },
      sent: isSent ? event : undefined,
      received: isSent ? undefined : event,
      isLate: false,
    };
    this.families.add(flight.family);
    this.flights.push(flight);
    for (let place = this.flights.length - 1; place > 0; place -= 1) {
      const before = this.flights[place - 1];
      if (before === undefined || before.at <= flight.at) break;
      this.flights[place] = before;
      this.flights[place - 1] = flight;
    }
    return flight;
  }

  #complete(flight: Flight): void {
    const { sent, received } = flight;
    if (sent === undefined || received === undefined) return;
    const tookMs = received.at - sent.at;
    this.spanMax = Math.max(this.spanMax, Math.abs(tookMs));
    flight.isLate = this.#durations.length >= 8 && tookMs > Math.max(LATE_MS_MIN, LATE_FACTOR * this.#median);
    this.#durations.push(tookMs);
    if (this.#durations.length < NEIGHBOURS && this.#durations.length !== 8) return;
    this.#median = this.#durations.toSorted((one, other) => one - other)[this.#durations.length >> 1] ?? 0;
    if (this.#durations.length >= NEIGHBOURS) this.#durations.splice(0, NEIGHBOURS / 2);
  }

  #isUnsure(at: At): boolean {
    return this.#drops.some(({ from, to }) => at >= from - LOST_AFTER_MS && at <= to);
  }

  /** A tenth at once, so that this is seldom. */
  #forget(): void {
    if (this.flights.length <= FLIGHTS_MAX) return;
    const gone = this.flights.splice(0, this.flights.length - FLIGHTS_MAX * 0.9);
    for (const { sent, received, from, to } of gone) {
      const id = sent?.id ?? received?.id;
      if (sent === undefined || received === undefined) this.#open.delete(`${id} ${from} ${to}`);
    }
    this.spanMax = this.flights.reduce(
      (span, { sent, received }) =>
        sent === undefined || received === undefined ? span : Math.max(span, Math.abs(received.at - sent.at)),
      0,
    );
  }
}

/** Undefined where one end was not seen. @unit ms */
export const tookMsOf = ({ sent, received }: Flight): number | undefined =>
  sent === undefined || received === undefined ? undefined : received.at - sent.at;
