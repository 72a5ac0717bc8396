import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import {
  EMPTY_FINGERPRINTS,
  hasFingerprint,
  withFingerprints,
  withoutFingerprints,
} from '../../../src/protocol/mempool/fingerprints.ts';
import {
  emptyMap,
  holds,
  lookup,
  type ShardedMap,
  valuesOf,
  withEntry,
  withoutEntry,
} from '../../../src/protocol/mempool/sharded-map.ts';

const hash = (index: number) => digestOf(utf8(String(index)));
const changes = fc.array(fc.record({ add: fc.boolean(), indexes: fc.array(fc.nat(60), { maxLength: 20 }) }), {
  maxLength: 20,
});

describe('a fingerprint set', () => {
  it('holds what a Set would, says once what it removed, and leaves every earlier set alone', () => {
    fc.assert(
      fc.property(changes, (steps) => {
        const model = new Set<string>();
        let set = EMPTY_FINGERPRINTS;
        for (const { add, indexes } of steps) {
          const before = set;
          const held = new Set(model);
          const hashes = indexes.map(hash);
          if (add) {
            set = withFingerprints(set, hashes);
            for (const value of hashes) model.add(value);
          } else {
            const step = withoutFingerprints(set, hashes);
            set = step.set;
            const expected = hashes.flatMap((value, position) => (model.delete(value) ? [position] : []));
            expect(step.removed).toEqual(expected);
          }
          expect(set.size).toBe(model.size);
          for (let index = 0; index <= 60; index += 1) {
            expect(hasFingerprint(set, hash(index))).toBe(model.has(hash(index)));
            expect(hasFingerprint(before, hash(index))).toBe(held.has(hash(index)));
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it('keeps a hundred thousand apart', () => {
    const hashes = Array.from({ length: 100_000 }, (_, index) => hash(index));
    const set = withFingerprints(EMPTY_FINGERPRINTS, hashes);
    expect(set.size).toBe(100_000);
    expect(withoutFingerprints(set, hashes).set.size).toBe(0);
  });
});

describe('a sharded map', () => {
  it('holds what a Map would, and leaves every earlier map alone', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(300), fc.boolean(), fc.nat(9))), (steps) => {
        const model = new Map<number, number>();
        let map: ShardedMap<number, number> = emptyMap();
        for (const [key, remove, value] of steps) {
          const before = map;
          const size = model.size;
          map = remove ? withoutEntry(map, key) : withEntry(map, key, value);
          expect([...valuesOf(before)]).toHaveLength(size);
          if (remove) model.delete(key);
          else model.set(key, value);
          expect(map.size).toBe(model.size);
          expect(lookup(map, key)).toBe(model.get(key));
          expect(holds(map, key)).toBe(!remove);
        }
        expect([...valuesOf(map)].sort()).toEqual([...model.values()].sort());
      }),
    );
  });
});
