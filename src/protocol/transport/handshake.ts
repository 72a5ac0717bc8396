/**
 * Who may talk to us: what a Hello's signature covers, and the verdict on one. Pure; the signature itself is
 * verified by the caller with the crypto it has. Rule TP-1, docs/protocol/transport.md.
 */
import { concatBytes, equalBytes, toHex } from '../../base/bytes.ts';
import { prefixed, text, u64 } from '../chain/canonical.ts';
import { digestBytes } from '../chain/parse.ts';
import type { ChainDomain } from '../chain/types.ts';
import type { End, HelloMessage, NodeId, ProtocolVersion } from './messages.ts';
import type { HandshakeRefusal } from './refusal.ts';

/** Label of the TLS exporter (RFC 8446 section 7.5). */
export const EXPORTER_LABEL = 'EXPORTER-althing-hello-v1';
/** @unit bytes */
export const EXPORTER_BYTES = 32;

/**
 * The bytes a Hello's signature covers: domain ‖ exporter ‖ chain id ‖ genesis ‖ epoch ‖ version ‖ role ‖ end ‖
 * key ‖ instance. Integers big-endian u64; texts and byte strings with their length before them.
 * `end` is the signer's: a Hello cannot be reflected to its author.
 */
export function helloStatement(
  hello: Omit<HelloMessage, 'kind' | 'signature' | 'moniker'>,
  end: End,
  exporter: Uint8Array,
): Uint8Array {
  return concatBytes(
    text('althing/hello/v1'),
    prefixed(exporter),
    text(hello.chainId),
    digestBytes(hello.genesisHash),
    u64(hello.epoch),
    u64(hello.version.major),
    u64(hello.version.minor),
    text(hello.role),
    text(end),
    prefixed(hello.nodeKey),
    prefixed(hello.instance),
  );
}

/** What this node holds a Hello against. */
export interface HelloExpectation {
  readonly chain: ChainDomain;
  readonly version: ProtocolVersion;
  readonly self: NodeId;
  /** The key that the peer's TLS certificate carries; undefined only on a plain development connection. */
  readonly certificateKey: Uint8Array | undefined;
  /** The node that was dialed; undefined at the listener. */
  readonly expectedPeer: NodeId | undefined;
}

/** What the caller computed of the Hello: the id of its key, and whether its signature verifies. */
export interface HelloProof {
  readonly id: NodeId;
  readonly signatureVerifies: boolean;
}

/** The first clause that fails, or undefined. The epoch is never one (TP-1). */
export function ruleOnHello(
  hello: HelloMessage,
  proof: HelloProof,
  expectation: HelloExpectation,
): HandshakeRefusal | undefined {
  const { chain, version, self, certificateKey, expectedPeer } = expectation;
  if (hello.version.major !== version.major) {
    return { code: 'WRONG_VERSION', expected: version.major, got: hello.version.major };
  }
  if (hello.chainId !== chain.chainId) {
    return { code: 'WRONG_CHAIN', expected: chain.chainId, got: hello.chainId };
  }
  if (hello.genesisHash !== chain.genesisHash) {
    return { code: 'WRONG_GENESIS', expected: chain.genesisHash, got: hello.genesisHash };
  }
  if (certificateKey !== undefined && !equalBytes(certificateKey, hello.nodeKey)) {
    return { code: 'WRONG_IDENTITY', expected: toHex(certificateKey), got: toHex(hello.nodeKey) };
  }
  if (expectedPeer !== undefined && proof.id !== expectedPeer) {
    return { code: 'WRONG_IDENTITY', expected: expectedPeer, got: proof.id };
  }
  if (!proof.signatureVerifies) return { code: 'WRONG_SIGNATURE', peer: proof.id };
  if (proof.id === self) return { code: 'SELF_CONNECTION', peer: proof.id };
  return undefined;
}
