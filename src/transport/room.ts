/**
 * Where a node's boundary actors keep what no message can carry: proven connections that a chart has yet to decide on,
 * and the live ones, for whoever asks about them. Mutable. Rule TP-2, docs/protocol/transport.md.
 */
import type { WallTime } from '../base/units.ts';
import { CLOSE_CODES, type NamedCloseReason } from '../protocol/transport/closing.ts';
import { CLOSE_TIMEOUT_MS, HANDSHAKE_DEADLINE_MS } from '../protocol/transport/limits.ts';
import type { NodeId } from '../protocol/transport/messages.ts';
import type { ConnectionCard } from '../protocol/transport/peering.ts';
import { after, type CarrierClock } from './clock.ts';
import type { Connection, ConnectionStatus } from './connection.ts';
import type { Offer } from './listener.ts';
import type { ProvenSocket } from './websocket.ts';

/** A live connection, as people are told of it. */
export interface PeerConnection extends ConnectionStatus {
  readonly id: NodeId;
  readonly moniker: string;
  /** `host:port` of the other end. */
  readonly remote: string;
  readonly outbound: boolean;
  readonly connectedAt: WallTime;
}

interface Waiting {
  open(): ProvenSocket | undefined;
  refuse(reason: NamedCloseReason): void;
  readonly cancel: () => void;
}

interface Live {
  readonly card: ConnectionCard;
  readonly peer: NodeId;
  readonly connection: Connection;
  readonly connectedAt: WallTime;
}

export class Room {
  readonly #clock: CarrierClock & { wall(): WallTime };
  #numbers = 0;
  /** Bounded by the listener's and the dialers' own bounds, and emptied by a deadline. */
  readonly #waiting = new Map<number, Waiting>();
  readonly #live = new Map<number, Live>();

  constructor(clock: CarrierClock & { wall(): WallTime }) {
    this.#clock = clock;
  }

  /** Keeps an inbound offer until it is taken, refused, or too old. */
  keepOffer(offer: Offer): ConnectionCard {
    const connection = this.#keep(
      () => offer.accept(),
      (reason) => offer.refuse(reason),
    );
    const { instance, role, moniker } = offer.peer;
    return { connection, end: 'listener', instance, role, moniker, remote: offer.remote };
  }

  /** Keeps an outbound connection until it is taken, refused, or too old. */
  keepDialed(proven: ProvenSocket): ConnectionCard {
    const connection = this.#keep(
      () => proven,
      (reason) => farewell(proven, reason, this.#clock),
    );
    const { instance, role, moniker } = proven.peer;
    return { connection, end: 'dialer', instance, role, moniker, remote: proven.remote };
  }

  #keep(open: Waiting['open'], refuse: Waiting['refuse']): number {
    this.#numbers += 1;
    const number = this.#numbers;
    const cancel = after(this.#clock, HANDSHAKE_DEADLINE_MS, () => this.refuse(number, 'HANDSHAKE_TIMEOUT'));
    this.#waiting.set(number, { open, refuse, cancel });
    return number;
  }

  /** Ends the live connections with these. */
  closeTo(peers: readonly NodeId[], reason: NamedCloseReason, detail: string): void {
    for (const { peer, connection } of this.#live.values()) {
      if (peers.includes(peer)) connection.close(reason, detail);
    }
  }

  /** The connection, out of the room; undefined when it is gone. */
  take(number: number): ProvenSocket | undefined {
    return this.#release(number)?.open();
  }

  refuse(number: number, reason: NamedCloseReason): void {
    this.#release(number)?.refuse(reason);
  }

  #release(number: number): Waiting | undefined {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    waiting?.cancel();
    return waiting;
  }

  enter(card: ConnectionCard, peer: NodeId, connection: Connection): void {
    this.#live.set(card.connection, { card, peer, connection, connectedAt: this.#clock.wall() });
  }

  leave(number: number): void {
    this.#live.delete(number);
  }

  /** Ends all that waits here. */
  close(): void {
    for (const number of [...this.#waiting.keys()]) this.refuse(number, 'SHUTTING_DOWN');
  }

  /** Live connections, in order of the peers' ids. */
  connections(): readonly PeerConnection[] {
    return [...this.#live.values()]
      .map(({ card, peer, connection, connectedAt }) => ({
        id: peer,
        moniker: card.moniker,
        remote: card.remote,
        outbound: card.end === 'dialer',
        connectedAt,
        ...connection.status,
      }))
      .sort((left, right) => (left.id < right.id ? -1 : 1));
  }
}

function farewell({ ws }: ProvenSocket, reason: NamedCloseReason, clock: CarrierClock): void {
  ws.resume();
  ws.close(CLOSE_CODES[reason], reason);
  after(clock, CLOSE_TIMEOUT_MS, () => ws.terminate());
}
