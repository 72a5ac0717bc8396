/**
 * What comes from one peer: kind and size, role, ban, rate, then decoding, then the cell that is responsible.
 * A full mailbox pauses the socket. Mutable; touches no socket but through its port. Rules TP-5, TP-6, TP-8, TP-11.
 */
import { RingBuffer } from '../base/ring-buffer.ts';
import type { Millis, Monotonic } from '../base/units.ts';
import { KINDS, type WireKind } from '../protocol/transport/kinds.ts';
import { BATCHES_ASKED_BYTES, BATCHES_ASKED_BYTES_MAX } from '../protocol/transport/limits.ts';
import type { Role, WireMessage } from '../protocol/transport/messages.ts';
import type { FrameRefusal } from '../protocol/transport/refusal.ts';
import { decodeBody, readEnvelope } from './codec/codec.ts';
import { announcedOperations } from './codec/operations.ts';
import type { PeerRates } from './rates.ts';

/** What the inbox needs of its connection. */
export interface InboxPort {
  now(): Monotonic;
  pause(): void;
  resume(): void;
  /** Resolves after `delay`. */
  rest(delay: Millis): Promise<void>;
  /** Hands a message on. A promise means that there was no room: it resolves when there is, the message being in. */
  deliver(message: WireMessage): Promise<void> | undefined;
  refuse(refusal: FrameRefusal): void;
}

export interface InboxCounts {
  readonly frames: number;
  readonly bytes: number;
  /** Unknown kinds of newer minor versions (TP-10). */
  readonly ignored: number;
  readonly refused: number;
  /** Frames lost to the bound of the paused queue. */
  readonly overflowed: number;
  readonly pauses: number;
}

/** A paused socket may still hold one chunk of the smallest frames. @unit frames @source 64 KiB / 8 bytes */
const PAUSED_FRAMES_MAX = 8_192;

export class Inbox {
  readonly #port: InboxPort;
  #role: Role;
  readonly #rates: PeerRates;
  readonly #held = new RingBuffer<Uint8Array>();
  #reasonsToPause = 0;
  #closed = false;
  #syncLaneOpen = true;
  /** Of batches that this node has asked the peer for, and that have not come. @unit bytes */
  #batchesAsked = 0;
  #counts = { frames: 0, bytes: 0, ignored: 0, refused: 0, overflowed: 0, pauses: 0 };

  constructor(port: InboxPort, role: Role, rates: PeerRates) {
    this.#port = port;
    this.#role = role;
    this.#rates = rates;
  }

  /** Takes one frame off the socket. */
  take(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#counts.frames += 1;
    this.#counts.bytes += bytes.byteLength;
    if (!this.paused) this.#handle(bytes);
    else if (this.#held.length < PAUSED_FRAMES_MAX) this.#held.push(bytes);
    else this.#counts.overflowed += 1;
  }

  /** A text message: nothing that this protocol has. */
  takeText(): void {
    this.#refuse({ code: 'FRAME_NOT_BINARY' });
  }

  /** What the peer may speak of changes with the validator set (TP-9). */
  setRole(role: Role): void {
    this.#role = role;
  }

  /** Opens or closes the lanes `sync` and `gossip` (TP-6). */
  setSyncLane(open: boolean): void {
    this.#syncLaneOpen = open;
  }

  /** This node asks the peer for batches (MP-9). */
  expectBatches(): void {
    this.#batchesAsked = Math.min(BATCHES_ASKED_BYTES_MAX, this.#batchesAsked + BATCHES_ASKED_BYTES);
  }

  close(): void {
    this.#closed = true;
    this.#held.retain(() => false);
  }

  get counts(): InboxCounts {
    return { ...this.#counts };
  }

  get paused(): boolean {
    return this.#reasonsToPause > 0;
  }

  #refuse(refusal: FrameRefusal): void {
    this.#counts.refused += 1;
    this.#port.refuse(refusal);
  }

  #handle(bytes: Uint8Array): void {
    const rest = this.#rates.oweBytes(bytes.byteLength, this.#port.now());
    if (rest > 0) this.#pauseUntil(this.#port.rest(rest));
    const envelope = readEnvelope(bytes);
    if (envelope.outcome === 'ignored') this.#counts.ignored += 1;
    else if (envelope.outcome === 'refused') this.#refuse(envelope.refusal);
    else this.#handleKind(envelope.kind, bytes);
  }

  #handleKind(kind: WireKind, bytes: Uint8Array): void {
    const refusal = this.#refusalOf(kind) ?? this.#refusalOfGuest(kind, bytes);
    const decoding =
      refusal === undefined ? decodeBody(kind, bytes) : ({ outcome: 'refused', refusal } as const);
    if (decoding.outcome === 'refused') this.#refuse(decoding.refusal);
    if (decoding.outcome !== 'decoded') return;
    const room = this.#port.deliver(decoding.message);
    if (room !== undefined) this.#pauseUntil(room);
  }

  /** What speaks against a frame of this kind before its body is looked at. Takes a token (TP-5). */
  #refusalOf(kind: WireKind): FrameRefusal | undefined {
    const rule = KINDS[kind];
    if (kind === 'Hello') return { code: 'KIND_OUT_OF_PHASE', kind };
    if (rule.from === 'validator' && this.#role !== 'validator') {
      return { code: 'KIND_NOT_FOR_ROLE', kind, role: this.#role };
    }
    const isSync = rule.lane === 'sync' || rule.lane === 'gossip';
    if (isSync && !this.#syncLaneOpen) return { code: 'SYNC_LANE_BANNED', kind };
    return this.#rates.takeFrame(kind, this.#port.now()) ? undefined : { code: 'RATE_EXCEEDED', kind };
  }

  /** What strangers send that costs more than its frame is counted before it is decoded: operations (TP-5), and batches, of which only what was asked for is taken (TP-9). */
  #refusalOfGuest(kind: WireKind, bytes: Uint8Array): FrameRefusal | undefined {
    if (this.#role === 'validator') return undefined;
    if (kind === 'Batch') {
      if (bytes.byteLength > this.#batchesAsked) return { code: 'KIND_NOT_FOR_ROLE', kind, role: this.#role };
      this.#batchesAsked -= bytes.byteLength;
      return undefined;
    }
    if (kind !== 'SubmitOperations') return undefined;
    const count = announcedOperations(bytes);
    return this.#rates.takeOperations(count, bytes.byteLength, this.#port.now())
      ? undefined
      : { code: 'OPERATIONS_RATE_EXCEEDED', kind, operations: count };
  }

  /** Several reasons to pause may stand at once: reading goes on when the last is gone. */
  #pauseUntil(gone: Promise<void>): void {
    this.#reasonsToPause += 1;
    if (this.#reasonsToPause === 1) {
      this.#counts.pauses += 1;
      this.#port.pause();
    }
    const goOn = (): void => {
      this.#reasonsToPause -= 1;
      if (this.#reasonsToPause === 0) this.#resume();
    };
    void gone.then(goOn, goOn);
  }

  #resume(): void {
    while (!this.paused && !this.#closed) {
      const bytes = this.#held.shift();
      if (bytes === undefined) {
        this.#port.resume();
        return;
      }
      this.#handle(bytes);
    }
  }
}
