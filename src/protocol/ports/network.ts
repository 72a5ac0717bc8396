/**
 * What cells ask of the network, and what it tells them. Messages only; carriers are `src/transport/`.
 * A cell cannot tell which carrier it has: TLS WebSockets, the in-memory hub, or a simulator's faulty links.
 */
import type { Address } from '../chain/types.ts';
import type { Outgoing, PeerMessage } from '../consensus/types.ts';
import type { CellAddress } from '../supervision/effect.ts';

/** To whoever is connected and is no validator: guests, and kept nodes (SY-15). */
export interface GuestsTellRequested {
  readonly type: 'guests.tellRequested';
  readonly message: PeerMessage;
}

/** To one of those whom `guests.tellRequested` reaches, with each turn another; to nobody where there is none. */
export interface GuestAskRequested {
  readonly type: 'guest.askRequested';
  readonly message: PeerMessage;
  /** A whole number from 0 on. */
  readonly turn: number;
}

/** To the network's router. Sending to oneself arrives in one's own mailbox, like any other message (CS-18). */
export type NetworkRequest =
  | { readonly type: 'network.sendRequested'; readonly outgoing: readonly Outgoing[] }
  | GuestsTellRequested
  | GuestAskRequested
  /** A cell refused what this peer sent: the peer's score falls by the code's weight (TP-6). */
  | { readonly type: 'peer.misbehaved'; readonly peer: Address; readonly code: string }
  /** By a cell that holds a copy of who is connected, at its start and now and then. Answered by `connectivity.told`. */
  | { readonly type: 'connectivity.requested'; readonly replyTo: CellAddress }
  /** By a cell that asks for the chain, when it begins: it is told `peer.connected` of every kept node that is no validator. */
  | { readonly type: 'sources.requested'; readonly replyTo: CellAddress };

/** From the network to the cell that is responsible for the message's kind. */
export interface PeerMessageReceived<Message extends PeerMessage = PeerMessage> {
  readonly type: 'message.received';
  /** The authenticated validator at the other end (or this node itself). */
  readonly from: Address;
  readonly message: Message;
}

/** Every validator that can be reached now: what was told before, and perhaps lost in a full mailbox, counts no more. */
export interface ConnectivityTold {
  readonly type: 'connectivity.told';
  readonly connected: readonly Address[];
}

/** To the cells that care which validators can be reached. */
export type ConnectivityEvent =
  | { readonly type: 'peer.connected'; readonly peer: Address }
  | { readonly type: 'peer.disconnected'; readonly peer: Address };
