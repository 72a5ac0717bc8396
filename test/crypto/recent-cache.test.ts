import { describe, expect, it } from 'vitest';
import { createRecentCache } from '../../src/crypto/recent-cache.ts';

describe('the cache of recent values', () => {
  it('makes a value once while it is remembered, also the value undefined', () => {
    const cache = createRecentCache<undefined>(2);
    let made = 0;
    const make = (): undefined => {
      made += 1;
    };
    cache.of(Uint8Array.of(1), make);
    cache.of(Uint8Array.of(1), make);
    expect(made).toBe(1);
  });

  it('never holds more than its capacity, and forgets the least recently used', () => {
    const cache = createRecentCache<number>(2);
    const made: number[] = [];
    const ask = (key: number) =>
      cache.of(Uint8Array.of(key), () => {
        made.push(key);
        return key;
      });
    for (const key of [1, 2, 1, 3, 1, 2]) expect(ask(key)).toBe(key);
    expect(made).toEqual([1, 2, 3, 2]);
    expect(cache.size()).toBe(2);
  });

  it('tells keys apart by every byte and by length', () => {
    const cache = createRecentCache<string>(10);
    const keys = [[], [0], [0, 0], [0x80], [0xc2, 0x80], [255]].map((bytes) => Uint8Array.from(bytes));
    for (const key of keys) cache.of(key, (bytes) => bytes.join());
    for (const key of keys) expect(cache.of(key, () => 'forgotten')).toBe(key.join());
  });

  it('is not changed by what a caller later writes into the key', () => {
    const cache = createRecentCache<string>(10);
    const key = Uint8Array.of(1);
    cache.of(key, () => 'one');
    key[0] = 2;
    expect(cache.of(key, () => 'two')).toBe('two');
  });
});
