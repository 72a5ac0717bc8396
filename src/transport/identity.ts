/**
 * Who this node is on the network: its Ed25519 key, its id, and the TLS credentials made of both.
 * Pure. Rule TP-1, docs/protocol/transport.md.
 */
import { invariant } from '../base/invariant.ts';
import { ed25519Pkcs8, ed25519PublicKeyOf, ed25519Sign } from '../crypto/ed25519.ts';
import { nodeIdOf as idOfKey } from '../crypto/node-id.ts';
import type { NodeId } from '../protocol/transport/messages.ts';
import { pem, selfSignedCertificate } from './certificate.ts';

export interface NodeIdentity {
  readonly id: NodeId;
  /** Ed25519 public key, 32 bytes. */
  readonly nodeKey: Uint8Array;
  /** PEM, for TLS. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly privateKey: string;
  /** Ed25519, 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
}

/** The identity of the node whose Ed25519 secret (RFC 8032 seed, 32 bytes) this is. */
export function nodeIdentity(secret: Uint8Array): NodeIdentity {
  const nodeKey = ed25519PublicKeyOf(secret);
  const pkcs8 = ed25519Pkcs8(secret);
  invariant(nodeKey !== undefined && pkcs8 !== undefined, 'an Ed25519 secret has 32 bytes', {
    bytes: secret.byteLength,
  });
  const id = nodeIdOf(nodeKey);
  const sign = (message: Uint8Array): Uint8Array => {
    const signature = ed25519Sign(secret, message);
    invariant(signature !== undefined, 'a valid secret signs');
    return signature;
  };
  return {
    id,
    nodeKey,
    certificate: pem('CERTIFICATE', selfSignedCertificate(nodeKey, id, sign)),
    privateKey: pem('PRIVATE KEY', pkcs8),
    sign,
  };
}

/** The first 20 bytes of SHA-256 of the key, in hex: an `Address`, for validators and others alike. */
export function nodeIdOf(nodeKey: Uint8Array): NodeId {
  const id = idOfKey(nodeKey);
  invariant(id !== undefined, 'a node key has 32 bytes', { bytes: nodeKey.byteLength });
  return id as NodeId;
}
