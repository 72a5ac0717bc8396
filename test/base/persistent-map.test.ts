import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  emptyMap,
  getIn,
  type PersistentMap,
  removeIn,
  setIn,
  valuesOf,
} from '../../src/base/persistent-map.ts';

// Keys with equal FNV-1a hashes, found by search: they meet below the last level.
const EQUAL_HASHES = ['costarring', 'liquid', 'declinate', 'macallums', 'altarage', 'zinke'];
const keys = fc.oneof(
  fc.constantFrom(...EQUAL_HASHES),
  fc.integer({ min: 0, max: 400 }).map(String),
  fc.string(),
);

describe('persistent map', () => {
  it('holds what a Map holds, and leaves earlier maps as they were', () => {
    const operation = fc.oneof(
      { weight: 3, arbitrary: fc.record({ set: keys, value: fc.integer() }) },
      fc.record({ remove: keys }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 400, size: 'max' }), (operations) => {
        let map: PersistentMap<number> = emptyMap();
        const model = new Map<string, number>();
        const history: { readonly map: PersistentMap<number>; readonly values: readonly number[] }[] = [];
        for (const one of operations) {
          if ('set' in one) {
            map = setIn(map, one.set, one.value);
            model.set(one.set, one.value);
          } else {
            map = removeIn(map, one.remove);
            model.delete(one.remove);
          }
          if (history.length < 20) history.push({ map, values: [...model.values()].toSorted() });
        }
        expect(map.size).toBe(model.size);
        for (const [key, value] of model) expect(getIn(map, key)).toBe(value);
        for (const one of operations) {
          const key = 'set' in one ? one.set : one.remove;
          expect(getIn(map, key)).toBe(model.get(key));
        }
        for (const past of history) expect(valuesOf(past.map).toSorted()).toEqual(past.values);
      }),
    );
  });

  it('gives values in an order that the keys alone decide, and comes back from JSON', () => {
    fc.assert(
      fc.property(fc.uniqueArray(keys, { maxLength: 60 }), (list) => {
        const fill = (order: readonly string[]): PersistentMap<string> =>
          order.reduce((map, key) => setIn(map, key, key), emptyMap<string>());
        const ordered = valuesOf(fill(list));
        if (list.filter((key) => EQUAL_HASHES.includes(key)).length < 2) {
          expect(valuesOf(fill(list.toReversed()))).toEqual(ordered);
        }
        const back: PersistentMap<string> = JSON.parse(JSON.stringify(fill(list)));
        for (const key of list) expect(getIn(back, key)).toBe(key);
      }),
    );
  });

  it('is empty in every part after all keys are removed', () => {
    const full = [...EQUAL_HASHES, ...Array.from({ length: 500 }, (_, index) => `k${index}`)];
    const map = full.reduce((filled, key) => setIn(filled, key, 1), emptyMap<number>());
    expect(map.size).toBe(full.length);
    expect(full.reduce((left, key) => removeIn(left, key), map)).toEqual(emptyMap());
  });
});
