/** What was seen is known for a time, in a bounded memory. BR-7. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis, monotonic } from '../../../src/base/units.ts';
import {
  type Deduplicator,
  type DeduplicatorLimits,
  EMPTY_DEDUPLICATOR,
  see,
} from '../../../src/protocol/bridge/deduplicator.ts';

const LIMITS: DeduplicatorLimits = { entries: 3, ttl: millis(100) };

/** Ids at their times, one after the other; whether each was a duplicate. */
function seen(
  sightings: readonly (readonly [id: string, at: number])[],
  limits = LIMITS,
): { readonly duplicates: readonly boolean[]; readonly memory: Deduplicator } {
  let memory = EMPTY_DEDUPLICATOR;
  const duplicates = sightings.map(([id, at]) => {
    const { deduplicator, isDuplicate } = see(memory, id, monotonic(at), limits);
    memory = deduplicator;
    return isDuplicate;
  });
  return { duplicates, memory };
}

describe('a message (BR-7)', () => {
  it('is a duplicate within its time to live, and not at its end', () => {
    expect(
      seen([
        ['a', 0],
        ['a', 99],
        ['a', 100],
        ['a', 101],
      ]).duplicates,
    ).toEqual([false, true, false, true]);
  });

  it('that is repeated for ever is heard again: a duplicate does not prolong its life', () => {
    const every40ms = Array.from({ length: 9 }, (_, index) => ['a', index * 40] as const);
    const heard = seen(every40ms).duplicates.filter((isDuplicate) => !isDuplicate);
    expect(heard).toHaveLength(3);
  });

  it('leaves by the bound, the oldest first', () => {
    const { duplicates } = seen([
      ['a', 0],
      ['b', 1],
      ['c', 2],
      ['d', 3],
      ['b', 4],
      ['c', 5],
      ['d', 6],
      ['a', 7],
    ]);
    expect(duplicates).toEqual([false, false, false, false, true, true, true, false]);
  });

  it('is kept by a memory of one', () => {
    const { duplicates } = seen(
      [
        ['a', 0],
        ['a', 1],
        ['b', 2],
        ['a', 3],
      ],
      { ...LIMITS, entries: 1 },
    );
    expect(duplicates).toEqual([false, true, false, false]);
  });
});

it('the memory is within its bound and agrees with a plain one, whatever comes', () => {
  const sighting = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), fc.nat(60));
  fc.assert(
    fc.property(fc.array(sighting, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (drawn, entries) => {
      let now = 0;
      const sightings = drawn.map(([id, pause]) => {
        now += pause;
        return [id, now] as const;
      });
      const plain = new Map<string, number>();
      const expected = sightings.map(([id, at]) => {
        const before = plain.get(id);
        if (before !== undefined && at - before < LIMITS.ttl) return true;
        for (const [old, since] of plain) if (at - since >= LIMITS.ttl) plain.delete(old);
        const [oldest] = plain.keys();
        if (plain.size >= entries && oldest !== undefined) plain.delete(oldest);
        plain.set(id, at);
        return false;
      });
      const { duplicates, memory } = seen(sightings, { ...LIMITS, entries });
      expect(duplicates).toEqual(expected);
      expect(memory.seen.size).toBeLessThanOrEqual(entries);
      expect(memory.places.size).toBe(memory.seen.size);
    }),
  );
});
