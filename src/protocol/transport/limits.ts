/** Deadlines, numbers of connections, and what messages hold at most. Pure data. Rules TP-2, TP-3, TP-9, docs/protocol/transport.md. */
import { millis } from '../../base/units.ts';
import { OPERATIONS_MAX } from '../bridge/messages.ts';
import type { BucketRate } from './bucket.ts';
import { KINDS } from './kinds.ts';

/** From accept or connect until the upgrade is asked for: TCP and TLS. @unit ms */
export const UPGRADE_DEADLINE_MS = millis(5_000);
/** From accept or connect until both Hellos stand. @unit ms */
export const HANDSHAKE_DEADLINE_MS = millis(20_000);
/** All headers of the upgrade, the Hello among them: what an unproven peer may send at all. @unit bytes */
export const HANDSHAKE_BYTES_MAX = 4_096;
/** Silence after which a Ping is sent. @unit ms */
export const KEEPALIVE_INTERVAL_MS = millis(5_000);
/** Silence after which the peer is gone. @unit ms */
export const KEEPALIVE_TIMEOUT_MS = millis(15_000);
/** Silence of a connection whose peer dials again: it is asked, and given this long. @unit ms */
export const PROBE_TIMEOUT_MS = millis(2_000);
/** Frames wait and the socket takes nothing for so long: the peer reads no more. @unit ms */
export const STALL_TIMEOUT_MS = millis(30_000);
/** A connection that held so long clears the count of failures. @unit ms */
export const STABLE_AFTER_MS = millis(10_000);
/** Wait for the peer's close frame. @unit ms */
export const CLOSE_TIMEOUT_MS = millis(1_000);
/** Pieces of one WebSocket message: ours have one. */
export const FRAGMENTS_MAX = 4;
/** Chunks that one unfinished message may be buffered in. @source a 2 MiB frame in Ethernet's 1,460-byte segments */
export const BUFFERED_CHUNKS_MAX = 4_096;
/** What one peer may send, all kinds together; above it the socket rests. @unit tokens: bytes */
export const PEER_QUOTA: BucketRate = { ratePerSecond: 128 * 1024 * 1024, burst: 64 * 1024 * 1024 };
/** What may be handed over by nodes that are no validators: whoever connects may, and each operation costs processor time. */
export interface HandingRates {
  /** @unit tokens: operations */
  readonly operations: BucketRate;
  /** Of whole frames. @unit tokens: bytes */
  readonly bytes: BucketRate;
}
export interface GuestRates {
  /** One node, and so much one address. */
  readonly each: HandingRates;
  /** All guests together; kept nodes (TP-2) have their own besides. */
  readonly all: HandingRates;
}
/**
 * Bursts are two seconds of a rate, and one whole message at least.
 * @param operations unit operations/s
 * @param bytes unit bytes/s
 */
export const handingRates = (operations: number, bytes: number): HandingRates => ({
  operations: { ratePerSecond: operations, burst: Math.max(2 * operations, OPERATIONS_MAX) },
  bytes: { ratePerSecond: bytes, burst: Math.max(2 * bytes, KINDS.SubmitOperations.bytesMax) },
});
/** @source measured: an operation costs a validator up to 5 µs, so all guests together a fiftieth of a processor; chosen: four guests' share */
export const GUEST_RATES_DEFAULT: GuestRates = {
  each: handingRates(1_000, 1024 * 1024),
  all: handingRates(4_000, 4 * 1024 * 1024),
};
/** Batches that a node which is no validator may send for one GetBatch. @unit bytes @source what one answer has at most (MP-10), and the heads of its frames */
export const BATCHES_ASKED_BYTES = 8 * 1024 * 1024 + 64 * 1024;
/** … and for all that it was asked lately. @unit bytes @source as many answers as one peer reads at once */
export const BATCHES_ASKED_BYTES_MAX = 4 * BATCHES_ASKED_BYTES;
/** Connections that have not proven themselves; one more ends the oldest. */
export const PENDING_MAX = 128;
/** Of those, from one IP address (`networks.ts`). */
export const PENDING_PER_HOST_MAX = 48;
/** Connections of nodes that are not validators. Validators have slots of their own. */
export const GUESTS_MAX = 32;
/** Of those, from one IP address (`networks.ts`) that is not this machine's own: node ids are free. @source as of the rates: a quarter of what all have */
export const GUESTS_PER_HOST_MAX = 8;
/** Most records in one message and in the book. */
export const ADDRESS_RECORDS_MAX = 256;
/** @unit bytes @source RFC 1035: a name has at most 255 octets */
export const HOST_BYTES_MAX = 253;
/** Largest set whose bitmaps and timeout certificates fit their frames. @unit validators */
export const VALIDATORS_MAX = 512;
/** Digests in one BatchAck or GetBatch. */
export const DIGESTS_MAX = 512;
/** Batches that one block may name, or its proposal does not fit a frame. */
export const BATCH_REFERENCES_MAX = 1_000;
/**
 * Evidence that one block carries: each costs every voter two pairings, where it is new to it, and at most 0.8 KB.
 * @unit evidence @source chosen: about 8 ms; the offenders of a set of 100 fit into nine blocks
 */
export const EVIDENCE_PER_BLOCK_MAX = 4;
/** Blocks in one answer; `answerThatFits` says how many of a given list. */
export const BLOCKS_MAX = 256;
/** Batches that all blocks of one answer name. @source measured: decoding stays below 10 ms, bench/transport.bench.ts */
export const ANSWER_REFERENCES_MAX = 8_192;
/** Batches whose bytes go with an answer. */
export const ANSWER_BATCHES_MAX = 1_024;
/** Largest batch that fits a frame. @unit bytes */
export const BATCH_BYTES_MAX = 2 * 1024 * 1024 - 64;
/** How long learned addresses are gathered before they are told on. @unit ms */
export const ADDRESS_GOSSIP_MS = millis(1_000);
/** Banned guests that are remembered; the oldest is forgotten first. */
export const BANS_KEPT_MAX = 256;
/** What tells one process of a node from the next. @unit bytes */
export const INSTANCE_BYTES = 8;
