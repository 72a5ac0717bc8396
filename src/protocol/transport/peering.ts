/**
 * What the listener, the router, the peers' charts and their links say to each other. Types only.
 * Rules TP-1, TP-2, TP-6, TP-7, docs/protocol/transport.md.
 */
import type { Monotonic } from '../../base/units.ts';
import type { PeerMessageKind } from '../consensus/types.ts';
import type { CellAddress } from '../supervision/effect.ts';
import type { CloseReason, NamedCloseReason } from './closing.ts';
import type { Frame } from './frame.ts';
import type { AddressesMessage, AddressRecord, End, Endpoint, NodeId, Role } from './messages.ts';
import type { FrameRefusal } from './refusal.ts';

/** A proven connection that waits in the carrier's room, as charts know it. */
export interface ConnectionCard {
  /** Its number in the room. */
  readonly connection: number;
  readonly end: End;
  readonly instance: Uint8Array;
  readonly role: Role;
  readonly moniker: string;
  /** `host:port` of the other end. */
  readonly remote: string;
}

/** `validator`: of the present set. `guest`: anyone else that was admitted. */
export type Standing = 'validator' | 'guest';

/** listener → router → peer: someone proven stands at the door. */
export interface ConnectionOffered {
  readonly type: 'connection.offered';
  readonly peer: NodeId;
  readonly card: ConnectionCard;
}

/** router or peer → listener: the connection in the room is not wanted. */
export interface ConnectionRefused {
  readonly type: 'connection.refused';
  readonly connection: number;
  readonly reason: NamedCloseReason;
}

/** dialer → its peer. `attempt` tells late answers from present ones. */
export type DialEvent =
  | { readonly type: 'dial.upgrading'; readonly attempt: number }
  | { readonly type: 'dial.succeeded'; readonly attempt: number; readonly card: ConnectionCard }
  | {
      readonly type: 'dial.failed';
      readonly attempt: number;
      readonly reason: CloseReason;
      readonly detail: string;
    };

/** link → its peer. */
export type LinkEvent =
  | { readonly type: 'link.opened'; readonly connection: number }
  | {
      readonly type: 'link.closed';
      readonly connection: number;
      readonly reason: CloseReason;
      readonly detail: string;
    }
  | { readonly type: 'frame.refused'; readonly connection: number; readonly refusal: FrameRefusal };

/** peer or router → link. */
export type LinkRequest =
  | { readonly type: 'frame.sendRequested'; readonly frame: Frame }
  | { readonly type: 'link.closeRequested'; readonly reason: NamedCloseReason }
  | { readonly type: 'link.probeRequested' }
  | { readonly type: 'link.standingChanged'; readonly standing: Standing }
  | { readonly type: 'link.syncLaneChanged'; readonly open: boolean };

/** router → peer. */
export type PeerRequest =
  | { readonly type: 'peer.misbehaved'; readonly code: string }
  | { readonly type: 'endpoint.learned'; readonly endpoint: Endpoint }
  | { readonly type: 'standing.changed'; readonly standing: Standing }
  /** The router runs anew and knows no links. */
  | { readonly type: 'router.started' };

/** peer → router. */
export type PeerReport =
  | { readonly type: 'guest.started'; readonly peer: NodeId }
  | {
      readonly type: 'link.up';
      readonly peer: NodeId;
      readonly link: CellAddress;
    }
  /** A link that is down while its cell lives; a link whose cell ends needs no word. */
  | { readonly type: 'link.down'; readonly peer: NodeId; readonly link: CellAddress }
  | { readonly type: 'peer.banned'; readonly peer: NodeId; readonly until: Monotonic };

/** listener → router: the port that is listened on. */
export interface ListenerOpened {
  readonly type: 'listener.opened';
  readonly port: number;
}

/** link → router. */
export interface AddressesReceived {
  readonly type: 'addresses.received';
  readonly from: NodeId;
  readonly message: AddressesMessage;
}

/** Where the messages of a kind go on this node. */
export type Route = (kind: PeerMessageKind) => CellAddress;

/** Signs where this node is found (TP-7). */
export type SignAddress = (endpoint: Endpoint, sequence: number) => AddressRecord;
/** The id of a record's key, or undefined when its signature does not verify. */
export type VerifyAddress = (record: AddressRecord) => boolean;
