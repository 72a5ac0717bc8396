/**
 * What transactions about other chains carry: the proof of a header of that chain, and what it shows of that chain's state. One
 * encoding each, read strictly; whoever relays writes them. Pure. LG-31 to LG-34, LG-37, docs/ledger.md.
 */
import { CanonicalReader } from '../../protocol/chain/canonical-reader.ts';
import { CanonicalWriter } from '../../protocol/chain/canonical-writer.ts';
import type { ProvenHeader } from '../../protocol/chain/types.ts';
import {
  encodeProvenHeader,
  encodeStateProof,
  parseProvenHeader,
  parseStateProof,
} from '../../protocol/light/encoding.ts';
import type { StateProof } from '../../protocol/light/types.ts';
import { readTransfer, TRANSFER_BYTES, type Transfer, writeTransfer } from './chains.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { PROOF_BYTES_MAX } from './transaction.ts';

/** That a chain of this genesis hash runs, under the validators that our genesis names. */
export interface OpenProof {
  /** Place among the chains of our genesis. */
  readonly slot: number;
  readonly header: ProvenHeader;
}

/** What a header's `executed` shows of the other chain's state. */
interface ShownState {
  readonly header: ProvenHeader;
  readonly state: StateProof;
}

/** Transfers in the order of their sequences; the state shows the last of them in the outbox for us. */
export interface ReceiveProof extends ShownState {
  readonly firstSequence: bigint;
  /** 1 to TRANSFERS_MAX. */
  readonly transfers: readonly Transfer[];
}

/** The state shows the other chain's inbox for us. */
export interface AcknowledgeProof extends ShownState {
  /** Of the transfer that it credits next. */
  readonly nextSequence: bigint;
}

/** That the other chain has committed two blocks of one height. */
export interface ContradictProof {
  readonly left: ProvenHeader;
  readonly right: ProvenHeader;
}

/** In one transaction: its work is the same for one as for all of them. @unit transfers @source chosen: 6 KB, 4 ms with the pairings */
export const TRANSFERS_MAX = 128;

export const encodeOpenProof = ({ slot, header }: OpenProof): Uint8Array =>
  new CanonicalWriter().u64(slot).prefixed(encodeProvenHeader(header)).finish();

export function parseOpenProof(bytes: Uint8Array): OpenProof | 'malformed' {
  const reader = new CanonicalReader(bytes);
  const slot = reader.u64();
  const header = parseProvenHeader(reader.prefixed(PROOF_BYTES_MAX));
  return header === 'malformed' || !reader.isRead ? 'malformed' : { slot, header };
}

export function encodeReceiveProof(proof: ReceiveProof): Uint8Array {
  const writer = new CanonicalWriter().u64(proof.firstSequence).u64(proof.transfers.length);
  for (const transfer of proof.transfers) {
    writer.fixed(writeTransfer(new FieldWriter(TRANSFER_BYTES), transfer).finish());
  }
  return writeShown(writer, proof);
}

export function parseReceiveProof(bytes: Uint8Array): ReceiveProof | 'malformed' {
  const reader = new CanonicalReader(bytes);
  const firstSequence = reader.wide();
  const count = reader.u64(TRANSFERS_MAX);
  const packed = reader.fixed(count * TRANSFER_BYTES);
  const shown = readShown(reader);
  if (shown === 'malformed' || count === 0) return 'malformed';
  const transfers = new FieldReader(packed);
  return {
    ...{ firstSequence, ...shown },
    transfers: Array.from({ length: count }, () => readTransfer(transfers)),
  };
}

export const encodeAcknowledgeProof = (proof: AcknowledgeProof): Uint8Array =>
  writeShown(new CanonicalWriter().u64(proof.nextSequence), proof);

export function parseAcknowledgeProof(bytes: Uint8Array): AcknowledgeProof | 'malformed' {
  const reader = new CanonicalReader(bytes);
  const nextSequence = reader.wide();
  const shown = readShown(reader);
  return shown === 'malformed' ? 'malformed' : { nextSequence, ...shown };
}

export const encodeContradictProof = ({ left, right }: ContradictProof): Uint8Array =>
  new CanonicalWriter().prefixed(encodeProvenHeader(left)).prefixed(encodeProvenHeader(right)).finish();

export function parseContradictProof(bytes: Uint8Array): ContradictProof | 'malformed' {
  const reader = new CanonicalReader(bytes);
  const left = parseProvenHeader(reader.prefixed(PROOF_BYTES_MAX));
  const right = parseProvenHeader(reader.prefixed(PROOF_BYTES_MAX));
  return left === 'malformed' || right === 'malformed' || !reader.isRead ? 'malformed' : { left, right };
}

const writeShown = (writer: CanonicalWriter, { header, state }: ShownState): Uint8Array =>
  writer.prefixed(encodeProvenHeader(header)).prefixed(encodeStateProof(state)).finish();

/** The rest of the bytes. */
function readShown(reader: CanonicalReader): ShownState | 'malformed' {
  const header = parseProvenHeader(reader.prefixed(PROOF_BYTES_MAX));
  const state = parseStateProof(reader.prefixed(PROOF_BYTES_MAX));
  return header === 'malformed' || state === 'malformed' || !reader.isRead ? 'malformed' : { header, state };
}
