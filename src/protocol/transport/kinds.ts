/**
 * The allow-list of what travels between nodes: number, size, structure, lane and rate of each kind.
 * A kind that is not here does not exist. Pure data. Rules TP-4, TP-5, TP-9, TP-10, docs/protocol/transport.md.
 */
import type { PeerMessage, PeerMessageKind } from '../consensus/types.ts';
import type { WireMessage } from './messages.ts';

/** Sending order: an earlier lane always goes first (TP-4). */
export const LANES = ['control', 'proposals', 'batches', 'sync', 'gossip'] as const;
export type Lane = (typeof LANES)[number];

/** Kinds of the transport itself; they never leave it. */
export type LinkMessageKind = 'Hello' | 'Ping' | 'Pong' | 'Addresses';
export type WireKind = LinkMessageKind | PeerMessageKind;

/** `digests`: ASCII, at most 64 bytes. `names`: UTF-8, at most 256 bytes. */
export type TextKind = 'digests' | 'names';

export interface KindRule {
  /** On the wire; never used again for anything else. 0 to 127. */
  readonly number: number;
  readonly lane: Lane;
  /** Greatest length of a frame. @unit bytes */
  readonly bytesMax: number;
  /** Greatest number of msgpack values in a frame, map keys counted too. */
  readonly nodesMax: number;
  /** What texts it holds: digests and words of ours, or what an operator wrote too. */
  readonly texts: TextKind;
  /** Sustained rate that one peer may send. @unit frames/s */
  readonly ratePerSecond: number;
  /** Frames at once, after silence. */
  readonly burst: number;
  /** Who may send it: a full node asks and answers, but does not speak in consensus. */
  readonly from: 'any' | 'validator';
}

const KIB = 1024;
const MIB = 1024 * 1024;

const rule = (
  number: number,
  lane: Lane,
  bytesMax: number,
  nodesMax: number,
  ratePerSecond: number,
  burst: number,
  from: KindRule['from'] = 'validator',
  texts: TextKind = 'digests',
): KindRule => ({ number, lane, bytesMax, nodesMax, texts, ratePerSecond, burst, from });

/**
 * Rates allow 200 rounds a second and 2,000 batches a second from one peer.
 * Sizes allow sets of 512 validators; `nodesMax` keeps a frame's decoding below 10 ms (TP-11).
 * @source measured: bench/transport.bench.ts
 */
export const KINDS: Readonly<Record<WireKind, KindRule>> = {
  Hello: rule(0, 'control', 2 * KIB, 64, 1, 1, 'any', 'names'),
  Ping: rule(1, 'control', 64, 16, 4, 16, 'any'),
  Pong: rule(2, 'control', 64, 16, 4, 16, 'any'),
  Addresses: rule(3, 'gossip', 128 * KIB, 4_096, 2, 16, 'any', 'names'),
  Proposal: rule(16, 'proposals', 256 * KIB, 8_000, 400, 800),
  Vote: rule(17, 'control', 2 * KIB, 64, 1_000, 4_000),
  QC: rule(18, 'control', 4 * KIB, 64, 1_000, 4_000),
  ViewChange: rule(19, 'control', 64 * KIB, 4_096, 200, 1_000),
  NewView: rule(20, 'control', 64 * KIB, 4_096, 200, 1_000),
  EpochChange: rule(24, 'sync', 2 * MIB, 64, 4, 16, 'any'),
  GetEpochChange: rule(25, 'sync', 64, 16, 4, 16, 'any'),
  Evidence: rule(22, 'gossip', 2 * KIB, 64, 20, 256),
  VoteShown: rule(23, 'gossip', KIB, 32, 20, 256),
  // Who has left the set may be the last that holds what a committed block names (MP-9); of it is taken what it was asked for (inbox.ts).
  Batch: rule(32, 'batches', 2 * MIB, 16, 2_000, 8_000, 'any'),
  BatchAck: rule(33, 'control', 64 * KIB, 1_100, 2_000, 8_000),
  GetBatch: rule(34, 'sync', 64 * KIB, 1_100, 500, 2_000, 'any'),
  // 48 and 50 were GetBlocks and Blocks of version 1.1.
  GetBlock: rule(49, 'sync', 256, 32, 200, 800, 'any'),
  GetBlocks: rule(51, 'sync', 256, 32, 200, 800, 'any'),
  Blocks: rule(52, 'sync', 2 * MIB, 1_100, 200, 800, 'any'),
  GetBlockHeight: rule(53, 'sync', 64, 16, 50, 200, 'any'),
  BlockHeight: rule(54, 'sync', KIB, 64, 50, 200, 'any'),
  GetGenesisHash: rule(55, 'sync', 64, 16, 50, 200, 'any'),
  GenesisHash: rule(56, 'sync', 256, 16, 50, 200, 'any'),
  GetBlockHash: rule(57, 'sync', 64, 16, 50, 200, 'any'),
  BlockHash: rule(58, 'sync', 256, 16, 50, 200, 'any'),
  GetChain: rule(59, 'sync', 64, 16, 4, 16, 'any'),
  Chain: rule(60, 'sync', 16 * KIB, 1_024, 4, 16, 'any'),
  GetSnapshot: rule(61, 'sync', 64, 16, 4, 16, 'any'),
  Snapshot: rule(62, 'sync', 288 * KIB, 4_200, 4, 16, 'any'),
  GetSnapshotChunk: rule(63, 'sync', 128, 16, 100, 400, 'any'),
  TimeRequest: rule(64, 'control', 64, 16, 8, 64, 'any'),
  TimeReply: rule(65, 'control', 128, 32, 8, 64),
  SnapshotChunk: rule(66, 'sync', MIB + KIB, 16, 100, 400, 'any'),
  GetEpochs: rule(67, 'sync', 64, 16, 50, 200, 'any'),
  Epochs: rule(68, 'sync', 2 * MIB, 512, 50, 200, 'any'),
  StateSync: rule(80, 'gossip', 32 * KIB, 32, 1, 8, 'any'),
  SubmitOperations: rule(81, 'batches', 256 * KIB, 1_024, 50, 200, 'any'),
  OperationsAnswered: rule(82, 'sync', 384 * KIB, 9_100, 50, 200, 'validator', 'names'),
};

/** Greatest length of any frame: what a connection takes at all. @unit bytes */
export const FRAME_BYTES_MAX = Math.max(...Object.values(KINDS).map((kind) => kind.bytesMax));

const KIND_BY_NUMBER: readonly (WireKind | undefined)[] = (() => {
  const byNumber = new Array<WireKind | undefined>(128).fill(undefined);
  for (const [kind, { number }] of Object.entries(KINDS)) byNumber[number] = kind as WireKind;
  return byNumber;
})();

/** The kind with this number on the wire. */
export const kindByNumber = (number: number): WireKind | undefined => KIND_BY_NUMBER[number];

const LINK_KINDS: ReadonlySet<string> = new Set<LinkMessageKind>(['Hello', 'Ping', 'Pong', 'Addresses']);

/** True for what leaves the transport: everything but its own messages. */
export const isPeerMessage = (message: WireMessage): message is PeerMessage => !LINK_KINDS.has(message.kind);
