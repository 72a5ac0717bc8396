/**
 * Refusals that say when to come again. Whoever comes before that and is refused again hears it only then: so there are no more of them a second
 * than connections, whatever clients send. What finds a place is served at once, early or not; whoever keeps to Retry-After never waits here.
 * One call of a connection waits, and nothing more is read of it meanwhile; a second one, which was sent without an answer to the first, ends
 * the connection. Boundary: sockets, timers, the clock. BR-2, docs/operator-guide.md.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Millis, millis } from '../base/units.ts';
import type { Caller } from './caller.ts';
import { clientOf } from './connections.ts';
import type { RpcError } from './json-rpc.ts';
import { sendBusy } from './replies.ts';

/** What the header says. @source chosen: some ten blocks, in which places become free */
export const RETRY_AFTER = millis(1_000);

/** Addresses of closed connections. @source as many as refusals that a processor can say in that time, at some 100 µs each */
const CLIENTS_MAX = 10_000;

/** `held`: it waits for its refusal. `closed`: it gets none, one before it waits already, and the connection is closed after that. */
export type EarlyCall = (typeof EARLY_CALLS)[number];
export const EARLY_CALLS = ['held', 'closed'] as const;

export interface RetryAfterOptions {
  readonly connectionsPerAddressMax: number;
  readonly requestTimeout: Millis;
  /** Told of each call that came early and was refused. */
  readonly onEarly: (what: EarlyCall) => void;
}

/** A call that is refused. */
export interface Refused {
  readonly request: Pick<IncomingMessage, 'socket'>;
  readonly response: ServerResponse;
  readonly caller: Caller;
}

interface Held {
  /** Monotonic. @unit ms */
  readonly since: number;
  /** Sends the refusal now. */
  readonly release: () => void;
  /** More was sent behind it: the connection ends with it. */
  isLast: boolean;
}

/** One connection that was refused. */
interface Place {
  /** Its last refusal; monotonic. @unit ms */
  refusedAt: number;
  held: Held | undefined;
}

export class RetryAfter {
  readonly #options: RetryAfterOptions;
  readonly #debts: Debts;
  /** Of connections that were refused. */
  readonly #places = new WeakMap<Socket, Place>();
  /** Calls that wait: at most one of each connection. */
  readonly #held = new Set<Held>();
  /** Their answers, and those that will never be given. */
  readonly #waiting = new WeakSet<ServerResponse>();
  #isClosing = false;

  constructor(options: RetryAfterOptions) {
    this.#options = options;
    const { connectionsPerAddressMax: perClientMax } = options;
    this.#debts = new Debts({ clientsMax: CLIENTS_MAX, perClientMax });
  }

  /** A new connection stands where one was that was refused and closed since. */
  connected(socket: Socket): void {
    const refusedAt = this.#debts.take(clientOf(socket), performance.now());
    if (refusedAt !== undefined) this.#placeOf(socket, clientOf(socket)).refusedAt = refusedAt;
  }

  /** Nothing of the call was done: the words are sent now, or when it should have come. Keeps nothing of the call's body. */
  refuse({ request, response, caller }: Refused, status: 429 | 503, error: RpcError): void {
    if (response.destroyed) return;
    const place = this.#placeOf(request.socket, caller.client);
    const { since } = caller;
    const send = (): void => {
      place.refusedAt = performance.now();
      sendBusy(response, status, error, RETRY_AFTER);
    };
    // What came before the last refusal did not know of it.
    const isEarly = since >= place.refusedAt && since < place.refusedAt + RETRY_AFTER;
    // Answers go out in the order of their calls: one before that which waits has to be given.
    if (!isEarly || this.#isClosing || since < (place.held?.since ?? 0)) send();
    else if (place.held === undefined) this.#hold(place, { request, response, caller }, send);
    else {
      place.held.isLast = true;
      this.#waiting.add(response);
      this.#options.onEarly('closed');
    }
  }

  /** Nothing was done of the call, and its answer waits, or is none: closing the connection takes nothing from a client. */
  isWaiting(response: ServerResponse): boolean {
    return this.#waiting.has(response);
  }

  /** All that wait are answered, and nobody waits any more. */
  close(): void {
    this.#isClosing = true;
    for (const held of this.#held) {
      held.isLast = true;
      held.release();
    }
  }

  #hold(place: Place, { request: { socket }, response, caller }: Refused, send: () => void): void {
    const { since } = caller;
    const due = Math.min(place.refusedAt + RETRY_AFTER, since + this.#options.requestTimeout);
    // Bodies that are read of other calls make the socket read again.
    const stopReading = (): void => void socket.pause();
    const forget = (): void => {
      clearTimeout(timer);
      socket.off('resume', stopReading);
      response.off('close', forget);
      this.#held.delete(held);
      place.held = undefined;
    };
    const release = (): void => {
      forget();
      this.#waiting.delete(response);
      if (held.isLast) response.setHeader('Connection', 'close');
      send();
      if (!held.isLast) socket.resume();
    };
    const held: Held = { since, release, isLast: false };
    const timer = setTimeout(release, Math.max(0, Math.ceil(due - performance.now())));
    place.held = held;
    this.#held.add(held);
    this.#waiting.add(response);
    response.once('close', forget);
    socket.on('resume', stopReading);
    socket.pause();
    this.#options.onEarly('held');
  }

  #placeOf(socket: Socket, client: string): Place {
    const known = this.#places.get(socket);
    if (known !== undefined) return known;
    const place: Place = { refusedAt: Number.NEGATIVE_INFINITY, held: undefined };
    this.#places.set(socket, place);
    socket.once('close', () => {
      if (performance.now() < place.refusedAt + RETRY_AFTER) this.#debts.leave(client, place.refusedAt);
    });
    return place;
  }
}

export interface DebtBounds {
  /** Beyond, the client that left one longest ago is forgotten. */
  readonly clientsMax: number;
  /** Of one client; beyond, the oldest is forgotten. */
  readonly perClientMax: number;
}

/** Refusals of connections that were closed before Retry-After had passed: each is for one new connection of the client. Mutable, no I/O. */
export class Debts {
  readonly #bounds: DebtBounds;
  /** Who left one longest ago is first. */
  readonly #byClient = new Map<string, readonly number[]>();

  constructor(bounds: DebtBounds) {
    this.#bounds = bounds;
  }

  leave(client: string, refusedAt: number): void {
    const debts = [...(this.#byClient.get(client) ?? []), refusedAt].slice(-this.#bounds.perClientMax);
    this.#byClient.delete(client);
    this.#byClient.set(client, debts);
    const [oldest] = this.#byClient.keys();
    if (this.#byClient.size > this.#bounds.clientsMax && oldest !== undefined) this.#byClient.delete(oldest);
  }

  /** The newest that has not passed; undefined when there is none. */
  take(client: string, now: number): number | undefined {
    const debts = this.#byClient.get(client);
    if (debts === undefined) return undefined;
    const open = debts.filter((refusedAt) => now < refusedAt + RETRY_AFTER);
    const newest = open.pop();
    if (open.length === 0) this.#byClient.delete(client);
    else this.#byClient.set(client, open);
    return newest;
  }
}
