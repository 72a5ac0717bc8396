/**
 * The network's boundary actors: the listener, a dialer for each attempt, a link for each live connection.
 * They turn sockets into messages and messages into bytes, and decide nothing. Rules TP-1 to TP-6.
 */
import { type BoundaryContext, type BoundaryLogic, boundary, handler } from '../actors/runtime/boundary.ts';
import type { DialerInput, LinkInput } from '../machines/peer/peer.setup.ts';
import type { PeerMessageReceived } from '../protocol/ports/network.ts';
import { type CellAddress, crash, type Message } from '../protocol/supervision/effect.ts';
import type { CloseReason } from '../protocol/transport/closing.ts';
import { isPeerMessage } from '../protocol/transport/kinds.ts';
import type { WireMessage } from '../protocol/transport/messages.ts';
import type {
  AddressesReceived,
  ConnectionOffered,
  ConnectionRefused,
  DialEvent,
  LinkEvent,
  LinkRequest,
  ListenerOpened,
  Route,
} from '../protocol/transport/peering.ts';
import type { CarrierClock } from './clock.ts';
import { Connection, type ConnectionEvents } from './connection.ts';
import { dial } from './dial.ts';
import type { Disturbance } from './disturbance.ts';
import type { SelfDescription } from './handshake.ts';
import { Listener, type ListenerCounts } from './listener.ts';
import type { RateBook } from './rates.ts';
import type { Room } from './room.ts';

/** What the boundary actors of one node share. */
export interface Carrier {
  readonly self: SelfDescription;
  readonly clock: CarrierClock;
  readonly room: Room;
  /** Plain `ws` on loopback, for development. */
  readonly insecure: boolean;
  readonly route: Route;
  readonly router: CellAddress;
  /** What peers may send; and how many operations of guests were turned away for it, since the start. */
  readonly rates: RateBook;
  readonly disturbance: Disturbance;
  operationsTurnedAway: number;
  /** The open listener's figures; undefined while there is none. */
  listening?: () => ListenerCounts & { readonly port: number };
  /** Why the last try to listen failed, as the system says it: an exit reason carries its words only. */
  notListening?: Error;
}

export interface ListenerInput {
  readonly host: string;
  readonly port: number;
}

/** The parent of a spawned cell: its address without the last name. */
const parentOf = (address: CellAddress): CellAddress => address.slice(0, address.lastIndexOf('/'));

/** Opens the server; a port in use is a failed start, with the system's error. */
export function listenerLogic(carrier: Carrier): BoundaryLogic<ListenerInput> {
  return handler<Listener, ConnectionRefused, ListenerInput>({
    async init({ input, tell }) {
      const { self, clock, insecure, room, router } = carrier;
      const opening = Listener.open({
        ...input,
        self,
        clock,
        insecure,
        onOffer: (offer) => {
          const offered: ConnectionOffered = {
            type: 'connection.offered',
            peer: offer.peer.id,
            card: room.keepOffer(offer),
          };
          if (tell(router, offered) !== 'accepted') {
            room.refuse(offered.card.connection, 'TOO_MANY_CONNECTIONS');
          }
        },
      });
      const listener = await opening.catch((cause: unknown) => {
        if (cause instanceof Error) carrier.notListening = cause;
        throw cause;
      });
      carrier.listening = () => ({ ...listener.counts, port: listener.port });
      const opened: ListenerOpened = { type: 'listener.opened', port: listener.port };
      tell(router, opened);
      return listener;
    },
    receive: ({ connection, reason }) => carrier.room.refuse(connection, reason),
    terminate({ state }) {
      state.close();
      carrier.room.close();
    },
  });
}

/** What a dial to a peer comes to that the network's page has cut off. */
const CUT = { outcome: 'failed', reason: 'UNREACHABLE', detail: 'the link is cut by order' } as const;

/** One attempt; its end is told to the peer's chart, and the proven connection waits in the room. */
export function dialerLogic(carrier: Carrier): BoundaryLogic<DialerInput> {
  return boundary<Message, DialerInput>(async ({ input, self, signal, tell, inbox, exit }) => {
    const { attempt, endpoint, peer } = input;
    const report = (event: DialEvent): boolean => tell(parentOf(self), event) === 'accepted';
    const isCut = carrier.disturbance.isCut(peer);
    const outcome = isCut
      ? CUT
      : await dial({
          self: carrier.self,
          endpoint,
          expectedPeer: peer,
          clock: carrier.clock,
          signal,
          insecure: carrier.insecure,
          onUpgrading: () => void report({ type: 'dial.upgrading', attempt }),
        });
    const end: DialEvent =
      outcome.outcome === 'failed'
        ? { type: 'dial.failed', attempt, reason: outcome.reason, detail: outcome.detail }
        : { type: 'dial.succeeded', attempt, card: carrier.room.keepDialed(outcome.proven) };
    if (!signal.aborted && report(end)) await inbox.take();
    else if (end.type === 'dial.succeeded') carrier.room.refuse(end.card.connection, 'DUPLICATE');
    if (!signal.aborted) exit(crash('its peer has no room for its report'));
  });
}

/** A live connection as a cell: frames go out by messages to it, messages come in by its own tells. */
export function linkLogic(carrier: Carrier): BoundaryLogic<LinkInput> {
  return handler<Connection | undefined, LinkRequest, LinkInput>({
    init: (context) => openLink(carrier, context),
    receive(request, { state }) {
      if (state === undefined) return;
      switch (request.type) {
        case 'frame.sendRequested':
          carrier.disturbance.send(state, request.frame);
          return;
        case 'link.closeRequested':
          state.close(request.reason);
          return;
        case 'link.probeRequested':
          state.probe();
          return;
        case 'link.standingChanged':
          state.setRole(request.standing === 'validator' ? 'validator' : 'full');
          return;
        case 'link.syncLaneChanged':
          state.setSyncLane(request.open);
      }
    },
    terminate: ({ state }) => state?.close('SHUTTING_DOWN'),
  });
}

function openLink(carrier: Carrier, context: BoundaryContext<LinkInput>): Connection | undefined {
  const { input, self, signal, tell, exit } = context;
  const { card, peer, standing, syncLaneOpen } = input;
  const { room, clock } = carrier;
  const parent = parentOf(self);
  const report = (event: LinkEvent): boolean => tell(parent, event) === 'accepted';
  const ended = (reason: CloseReason, detail: string): void => {
    room.leave(card.connection);
    // The peer's chart hears why before it hears that; then it stops this cell.
    if (!report({ type: 'link.closed', connection: card.connection, reason, detail })) {
      exit(crash(`${reason}: ${detail}`));
    }
  };
  if (carrier.disturbance.isCut(peer)) room.refuse(card.connection, 'STALLED');
  const proven = room.take(card.connection);
  if (proven === undefined) {
    ended('CONNECTION_LOST', 'the connection went before it was opened');
    return undefined;
  }
  const events: ConnectionEvents = {
    deliver: (message) => deliver(carrier, context, message),
    refuse(refusal) {
      if (refusal.code === 'OPERATIONS_RATE_EXCEEDED') carrier.operationsTurnedAway += refusal.operations;
      report({ type: 'frame.refused', connection: card.connection, refusal });
    },
    ended,
  };
  const connection = new Connection(proven, clock, events, carrier.rates.of(peer, card.remote));
  connection.setRole(standing === 'validator' ? 'validator' : 'full');
  connection.setSyncLane(syncLaneOpen);
  room.enter(card, peer, connection);
  // A killed link is not terminated: its socket must not outlive it.
  signal.addEventListener('abort', () => connection.close('SHUTTING_DOWN'), { once: true });
  report({ type: 'link.opened', connection: card.connection });
  connection.open();
  return connection;
}

/** Hands a message to the cell of its kind; without room there, the promise resolves when it is in (TP-5). */
function deliver(
  { route, router }: Carrier,
  { input, tell, ready, signal }: BoundaryContext<LinkInput>,
  message: WireMessage,
): Promise<void> | undefined {
  const from = input.peer;
  if (message.kind === 'Addresses') {
    const received: AddressesReceived = { type: 'addresses.received', from, message };
    tell(router, received);
    return undefined;
  }
  if (!isPeerMessage(message)) return undefined;
  const to = route(message.kind);
  const received: PeerMessageReceived = { type: 'message.received', from, message };
  if (tell(to, received) !== 'full') return undefined;
  return (async () => {
    do await ready(to);
    while (!signal.aborted && tell(to, received) === 'full');
  })();
}
