/**
 * Which gossip was seen of late (seed 004: MessageDeduplicator): a bounded memory with a time to live. For gossip alone: on the
 * lanes of consensus and sync a swallowed re-send would cost liveness. A value. Pure. Rule BR-7, docs/protocol/bridge.md.
 */
import { emptyMap, getIn, type PersistentMap, removeIn, setIn } from '../../base/persistent-map.ts';
import type { Millis, Monotonic } from '../../base/units.ts';

export interface DeduplicatorLimits {
  readonly entries: number;
  readonly ttl: Millis;
}

interface Sighting {
  readonly id: string;
  readonly at: Monotonic;
}

export interface Deduplicator {
  /** When each was seen first. */
  readonly seen: PersistentMap<Monotonic>;
  /** The same by place: places from `oldest` up to `next` are taken, oldest first. */
  readonly places: PersistentMap<Sighting>;
  readonly oldest: number;
  readonly next: number;
}

export const EMPTY_DEDUPLICATOR: Deduplicator = {
  seen: emptyMap(),
  places: emptyMap(),
  oldest: 0,
  next: 0,
};

export interface Seen {
  readonly deduplicator: Deduplicator;
  readonly isDuplicate: boolean;
}

/**
 * Notes a message. What was seen within `ttl` is a duplicate, and does not live longer for it: else a message that is repeated
 * for ever would never be heard again. Beyond `entries` the oldest is forgotten.
 */
export function see(
  deduplicator: Deduplicator,
  id: string,
  now: Monotonic,
  { entries, ttl }: DeduplicatorLimits,
): Seen {
  const at = getIn(deduplicator.seen, id);
  if (at !== undefined && now - at < ttl) return { deduplicator, isDuplicate: true };
  let { seen, places, oldest, next } = deduplicator;
  for (; oldest < next; oldest += 1) {
    const first = getIn(places, String(oldest));
    if (first === undefined || (seen.size < entries && now - first.at < ttl)) break;
    seen = removeIn(seen, first.id);
    places = removeIn(places, String(oldest));
  }
  seen = setIn(seen, id, now);
  places = setIn(places, String(next), { id, at: now });
  next += 1;
  return { deduplicator: { seen, places, oldest, next }, isDuplicate: false };
}
