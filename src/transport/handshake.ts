/**
 * Hellos: made and judged, each bound to one TLS connection by its exporter. They travel in the headers of the
 * WebSocket upgrade, so a peer is proven before there is a WebSocket. Rules TP-1, TP-3, docs/protocol/transport.md.
 */
import type { TLSSocket } from 'node:tls';
import { invariant } from '../base/invariant.ts';
import { ed25519Verify } from '../crypto/ed25519.ts';
import { sha256 } from '../crypto/hash.ts';
import type { ChainDomain, Epoch } from '../protocol/chain/types.ts';
import {
  EXPORTER_BYTES,
  EXPORTER_LABEL,
  helloStatement,
  ruleOnHello,
} from '../protocol/transport/handshake.ts';
import type { End, HelloMessage, NodeId, Role } from '../protocol/transport/messages.ts';
import type { HandshakeRefusal } from '../protocol/transport/refusal.ts';
import { PROTOCOL_VERSION } from '../protocol/transport/version.ts';
import { decode, encode } from './codec/codec.ts';
import { type NodeIdentity, nodeIdOf } from './identity.ts';

/** Header of the upgrade and of its answer: the Hello's frame in base64url. */
export const HELLO_HEADER = 'althing-hello';
/** Header of a refused upgrade: the close reason's name. */
export const REFUSAL_HEADER = 'althing-refusal';
/** Header of plain development connections: what stands for the exporter's value, half from each end. */
export const NONCE_HEADER = 'althing-nonce';
/** @unit bytes */
export const NONCE_BYTES = 16;

/** What this node says of itself in every Hello. */
export interface SelfDescription {
  readonly identity: NodeIdentity;
  readonly chain: ChainDomain;
  readonly moniker: string;
  /** 8 random bytes of this process. */
  readonly instance: Uint8Array;
  /** Of the epoch now, whose validators it is one of or not; informational, as the epoch is: peers go by the set (TP-9). */
  role(): Role;
  epoch(): Epoch;
}

/** A peer that has proven who it is. */
export interface PeerIdentity {
  readonly id: NodeId;
  readonly nodeKey: Uint8Array;
  readonly instance: Uint8Array;
  readonly role: Role;
  readonly moniker: string;
  readonly epoch: Epoch;
}

/** Key material that only the two ends of this TLS connection have (RFC 8446 section 7.5). */
export const exporterOf = (socket: TLSSocket): Uint8Array =>
  new Uint8Array(socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0)));

/**
 * What stands for the exporter on a plain connection: the dialer's nonce for its Hello, both for the listener's.
 * Fresh, but no defence against a middleman: loopback only.
 */
export const plainBinding = (...nonces: readonly Uint8Array[]): Uint8Array => sha256(...nonces);

/** The value of the Hello header, signed for `end` of the connection that `binding` names. */
export function helloHeader(self: SelfDescription, end: End, binding: Uint8Array): string {
  const unsigned = {
    version: PROTOCOL_VERSION,
    chainId: self.chain.chainId,
    genesisHash: self.chain.genesisHash,
    epoch: self.epoch(),
    role: self.role(),
    nodeKey: self.identity.nodeKey,
    instance: self.instance,
    moniker: self.moniker,
  };
  const signature = self.identity.sign(helloStatement(unsigned, end, binding));
  const encoding = encode({ kind: 'Hello', ...unsigned, signature });
  invariant(encoding.outcome === 'encoded', "our own Hello has a Hello's shape", {
    chainId: unsigned.chainId,
  });
  return Buffer.from(encoding.frame.bytes).toString('base64url');
}

/** What the receiving end knows when a Hello comes. */
export interface HelloContext {
  readonly self: SelfDescription;
  /** Which end the sender is. */
  readonly from: End;
  readonly binding: Uint8Array;
  readonly certificateKey: Uint8Array | undefined;
  readonly expectedPeer: NodeId | undefined;
}

export type HelloVerdict =
  | { readonly outcome: 'proven'; readonly peer: PeerIdentity }
  | { readonly outcome: 'refused'; readonly refusal: HandshakeRefusal };

/** Reads and judges a Hello header. Total: whatever the header holds. */
export function judgeHello(header: string | undefined, context: HelloContext): HelloVerdict {
  const hello = readHello(header);
  if (typeof hello === 'string') {
    return { outcome: 'refused', refusal: { code: 'HELLO_MALFORMED', problem: hello } };
  }
  const { self, from, binding, certificateKey, expectedPeer } = context;
  const id = nodeIdOf(hello.nodeKey);
  const signatureVerifies = ed25519Verify(
    hello.nodeKey,
    helloStatement(hello, from, binding),
    hello.signature,
  );
  const refusal = ruleOnHello(
    hello,
    { id, signatureVerifies },
    { chain: self.chain, version: PROTOCOL_VERSION, self: self.identity.id, certificateKey, expectedPeer },
  );
  if (refusal !== undefined) return { outcome: 'refused', refusal };
  const { nodeKey, instance, role, moniker, epoch } = hello;
  return { outcome: 'proven', peer: { id, nodeKey, instance, role, moniker, epoch } };
}

function readHello(header: string | undefined): HelloMessage | string {
  if (header === undefined || header === '') return `no ${HELLO_HEADER} header`;
  const decoding = decode(new Uint8Array(Buffer.from(header, 'base64url')));
  if (decoding.outcome === 'refused') return decoding.refusal.code;
  if (decoding.outcome !== 'decoded' || decoding.message.kind !== 'Hello') return 'not a Hello';
  return decoding.message;
}

/** One text for people, with every operand. */
export function describeRefusal(refusal: HandshakeRefusal): string {
  const { code, ...operands } = refusal;
  const shown = Object.entries(operands).map(([name, value]) => `${name} ${String(value)}`);
  return `${code}: ${shown.join(', ')}`;
}
