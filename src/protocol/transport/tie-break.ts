/**
 * Which of two connections between one pair of nodes stays. Both ends decide alike from what both know.
 * Pure. Rule TP-2, docs/protocol/transport.md.
 */
import { compareBytes } from '../../base/bytes.ts';
import type { End, NodeId } from './messages.ts';

export interface ConnectionIdentity {
  /** Which end this node is. */
  readonly end: End;
  /** The peer's process, as its Hello named it. */
  readonly instance: Uint8Array;
}

export type TieBreak = 'keep' | 'replace';

/**
 * What to do with `offered` while `held` stands.
 * A new instance means that the peer restarted: what is held is dead, whoever dialed.
 * Otherwise the connection dialed by the lower id stays; of two by the same dialer the newer.
 */
export function breakTie(
  self: NodeId,
  peer: NodeId,
  held: ConnectionIdentity,
  offered: ConnectionIdentity,
): TieBreak {
  if (compareBytes(held.instance, offered.instance) !== 0) return 'replace';
  if (held.end === offered.end) return 'replace';
  const preferred: End = self < peer ? 'dialer' : 'listener';
  return offered.end === preferred ? 'replace' : 'keep';
}
