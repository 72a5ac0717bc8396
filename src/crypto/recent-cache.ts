/**
 * Values worth keeping, found again by the bytes they were made from. Bounded: the least recently used entry
 * leaves when a new one comes. Forgetting costs time, never an answer.
 */
import { toHex } from '../base/bytes.ts';

export interface RecentCache<Value> {
  /** The value made from `key` earlier, else `make(key)`, which is kept. */
  readonly of: (key: Uint8Array, make: (key: Uint8Array) => Value) => Value;
  readonly size: () => number;
}

/** A cache of at most `capacity` entries (>= 1). */
export function createRecentCache<Value>(capacity: number): RecentCache<Value> {
  const entries = new Map<string, { readonly value: Value }>();
  return {
    of: (key, make) => {
      const name = toHex(key);
      const found = entries.get(name);
      if (found !== undefined) {
        entries.delete(name);
        entries.set(name, found);
        return found.value;
      }
      const value = make(key);
      entries.set(name, { value });
      const [oldest] = entries.size > capacity ? entries.keys() : [];
      if (oldest !== undefined) entries.delete(oldest);
      return value;
    },
    size: () => entries.size,
  };
}
