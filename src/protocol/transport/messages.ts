/**
 * What nodes say to each other about the connection itself: who they are, that they live, where others are found.
 * Types only. Rules TP-1, TP-2, TP-7, docs/protocol/transport.md.
 */
import type { Address, Digest, Epoch } from '../chain/types.ts';
import type { PeerMessage } from '../consensus/types.ts';

/** `validator`: claims a key of the set. `full`: follows the chain. */
export type Role = 'validator' | 'full';

/** The end of a connection that opened it, or the other one. */
export type End = 'dialer' | 'listener';

/** Major: both must agree. Minor: newer ones may send kinds that older ones ignore (TP-10). */
export interface ProtocolVersion {
  readonly major: number;
  readonly minor: number;
}

/** First words on a connection; signed together with the TLS exporter's value, so they cannot be used on another. */
export interface HelloMessage {
  readonly kind: 'Hello';
  readonly version: ProtocolVersion;
  readonly chainId: string;
  readonly genesisHash: Digest;
  /** Informational: never a reason to close, or laggards could not be helped. */
  readonly epoch: Epoch;
  readonly role: Role;
  /** Ed25519 public key, 32 bytes. Its hash is the node's id. */
  readonly nodeKey: Uint8Array;
  /** 8 random bytes, new at each start of the process: tells a restarted peer from a second connection. */
  readonly instance: Uint8Array;
  /** The operator's name for the node; for people only. */
  readonly moniker: string;
  /** Ed25519, 64 bytes, over `helloStatement`. */
  readonly signature: Uint8Array;
}

export interface PingMessage {
  readonly kind: 'Ping';
  readonly nonce: number;
}

export interface PongMessage {
  readonly kind: 'Pong';
  readonly nonce: number;
}

export interface Endpoint {
  /** IP address or DNS name, without brackets. */
  readonly host: string;
  readonly port: number;
}

/** "I am found there", signed by the node it speaks of. The greater sequence is the newer. */
export interface AddressRecord extends Endpoint {
  readonly nodeKey: Uint8Array;
  readonly sequence: number;
  readonly signature: Uint8Array;
}

export interface AddressesMessage {
  readonly kind: 'Addresses';
  readonly records: readonly AddressRecord[];
}

export type LinkMessage = HelloMessage | PingMessage | PongMessage | AddressesMessage;

/** Everything that can stand in a frame. */
export type WireMessage = LinkMessage | PeerMessage;

/** Identity of a node: an `Address`, whether it is a validator or not. */
export type NodeId = Address;
