/**
 * What waits for one peer: five lanes, bounded in bytes and frames, the most urgent first. The socket's own buffer
 * is kept short, so that a vote never queues behind a megabyte. Mutable; touches no socket but through its port.
 * Rule TP-4, docs/protocol/transport.md.
 */
import { RingBuffer } from '../base/ring-buffer.ts';
import type { Frame } from '../protocol/transport/frame.ts';
import { KINDS, LANES, type Lane } from '../protocol/transport/kinds.ts';
import {
  hasRoom,
  LANE_LIMITS,
  type LaneLimit,
  SOCKET_BUFFER_BYTES_MAX,
} from '../protocol/transport/lanes.ts';

/** The socket, as the outbox sees it. */
export interface OutboxPort {
  /** Bytes that were written and have not left. @unit bytes */
  buffered(): number;
  /** Writes a frame; calls back when the socket has taken it. */
  write(bytes: Uint8Array, taken: () => void): void;
  /** Several writes may be joined between these two. */
  cork(): void;
  uncork(): void;
}

export interface LaneState {
  readonly frames: number;
  readonly bytes: number;
  /** Frames that found no room or were pushed out, since the start. */
  readonly overflowed: number;
}

interface LaneQueue {
  readonly limit: LaneLimit;
  readonly frames: RingBuffer<Frame>;
  bytes: number;
  overflowed: number;
}

export class Outbox {
  readonly #port: OutboxPort;
  readonly #lanes: ReadonlyMap<Lane, LaneQueue>;
  #flushPlanned = false;
  #waiting = 0;
  #closed = false;
  #framesSent = 0;
  #bytesSent = 0;

  constructor(port: OutboxPort, limits: Readonly<Record<Lane, LaneLimit>> = LANE_LIMITS) {
    this.#port = port;
    this.#lanes = new Map(
      LANES.map((lane) => [
        lane,
        { limit: limits[lane], frames: new RingBuffer<Frame>(), bytes: 0, overflowed: 0 },
      ]),
    );
  }

  /** Takes a frame for sending. `overflowed`: this one or older ones of its lane are lost, and counted. */
  put(frame: Frame): 'queued' | 'overflowed' {
    const queue = this.#lanes.get(KINDS[frame.kind].lane);
    if (queue === undefined || this.#closed) return 'overflowed';
    const overflowedBefore = queue.overflowed;
    if (this.#makeRoom(queue, frame.bytes.byteLength)) {
      queue.frames.push(frame);
      queue.bytes += frame.bytes.byteLength;
      this.#waiting += 1;
      this.#planFlush();
    }
    return queue.overflowed === overflowedBefore ? 'queued' : 'overflowed';
  }

  /** False when the lane keeps what it has, or is too small for the frame. Everything lost is counted. */
  #makeRoom(queue: LaneQueue, size: number): boolean {
    const { limit } = queue;
    while (!hasRoom(limit, queue.frames.length, queue.bytes, size)) {
      queue.overflowed += 1;
      const oldest = limit.overflow === 'drop_oldest' ? queue.frames.shift() : undefined;
      if (oldest === undefined) return false;
      queue.bytes -= oldest.bytes.byteLength;
      this.#waiting -= 1;
    }
    return true;
  }

  #planFlush(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    queueMicrotask(() => {
      this.#flushPlanned = false;
      this.flush();
    });
  }

  /** Writes what the socket's buffer has room for. */
  flush(): void {
    if (this.#closed || this.#waiting === 0) return;
    this.#port.cork();
    while (this.#waiting > 0 && this.#port.buffered() < SOCKET_BUFFER_BYTES_MAX) {
      const frame = this.#next();
      if (frame === undefined) break;
      this.#framesSent += 1;
      this.#bytesSent += frame.bytes.byteLength;
      this.#port.write(frame.bytes, () => this.#planFlush());
    }
    this.#port.uncork();
  }

  #next(): Frame | undefined {
    for (const queue of this.#lanes.values()) {
      const frame = queue.frames.shift();
      if (frame === undefined) continue;
      queue.bytes -= frame.bytes.byteLength;
      this.#waiting -= 1;
      return frame;
    }
    return undefined;
  }

  /** Forgets all that waits; nothing is written any more. */
  close(): void {
    this.#closed = true;
    for (const queue of this.#lanes.values()) {
      queue.frames.retain(() => false);
      queue.bytes = 0;
    }
    this.#waiting = 0;
  }

  /** Frames that wait here, the socket's own buffer not counted. */
  get waiting(): number {
    return this.#waiting;
  }

  get framesSent(): number {
    return this.#framesSent;
  }

  /** @unit bytes */
  get bytesSent(): number {
    return this.#bytesSent;
  }

  lane(lane: Lane): LaneState {
    const queue = this.#lanes.get(lane);
    return {
      frames: queue?.frames.length ?? 0,
      bytes: queue?.bytes ?? 0,
      overflowed: queue?.overflowed ?? 0,
    };
  }
}
