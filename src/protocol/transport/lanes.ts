/**
 * The outbox's policy: how much waits for a slow peer in each lane, and what goes when there is no room.
 * Pure data and arithmetic. Rule TP-4, docs/protocol/transport.md.
 */
import type { Lane } from './kinds.ts';

/** `drop_oldest`: newer messages of the lane make older ones worthless. `drop_newest`: a reader asks again. */
export type LaneOverflow = 'drop_oldest' | 'drop_newest';

export interface LaneLimit {
  readonly framesMax: number;
  /** @unit bytes */
  readonly bytesMax: number;
  readonly overflow: LaneOverflow;
}

const MIB = 1024 * 1024;

/** At most 29 MiB for one peer that reads nothing. @source chosen: 256 MB a node at full load */
export const LANE_LIMITS: Readonly<Record<Lane, LaneLimit>> = {
  control: { framesMax: 4_096, bytesMax: 4 * MIB, overflow: 'drop_oldest' },
  proposals: { framesMax: 64, bytesMax: 4 * MIB, overflow: 'drop_oldest' },
  batches: { framesMax: 1_024, bytesMax: 12 * MIB, overflow: 'drop_newest' },
  sync: { framesMax: 256, bytesMax: 8 * MIB, overflow: 'drop_newest' },
  gossip: { framesMax: 64, bytesMax: MIB, overflow: 'drop_oldest' },
};

/** What the socket's own buffer may hold before the outbox waits. @unit bytes @source bench/transport.bench.ts */
export const SOCKET_BUFFER_BYTES_MAX = 256 * 1024;

/** True when one more frame of `bytes` finds room beside what the lane holds. */
export const hasRoom = (limit: LaneLimit, frames: number, bytesHeld: number, bytes: number): boolean =>
  frames < limit.framesMax && bytesHeld + bytes <= limit.bytesMax;
