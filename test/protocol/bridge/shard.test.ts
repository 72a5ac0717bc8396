/** Routing of keys to shards. BR-12. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { shardOf } from '../../../src/protocol/bridge/shard.ts';

const FOUR = ['shard-0', 'shard-1', 'shard-2', 'shard-3'] as const;
const keys = Array.from({ length: 4_000 }, (_, index) => utf8(`key ${index}`));

describe('shardOf (BR-12)', () => {
  it.each([
    ['', 'shard-2'],
    ['ada', 'shard-2'],
    ['bob', 'shard-1'],
    ['grace', 'shard-3'],
    ['0', 'shard-0'],
  ])('routes the key "%s" to %s, in this version and every later one', (key, shard) => {
    expect(shardOf(utf8(key), FOUR)).toBe(shard);
  });

  it('does not ask in which order the shards are told', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.shuffledSubarray([...FOUR], { minLength: 4 }), (key, shuffled) => {
        const [first = '', ...rest] = shuffled;
        expect(shardOf(key, [first, ...rest])).toBe(shardOf(key, FOUR));
      }),
    );
  });

  it('gives each of four shards a quarter of the keys, within a tenth of it', () => {
    const counts = FOUR.map((shard) => keys.filter((key) => shardOf(key, FOUR) === shard).length);
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(100);
  });

  it('moves keys to a shard that is new, and none between the others', () => {
    const moved = keys.filter((key) => shardOf(key, FOUR) !== shardOf(key, [...FOUR, 'shard-4']));
    expect(moved.every((key) => shardOf(key, [...FOUR, 'shard-4']) === 'shard-4')).toBe(true);
    expect(Math.abs(moved.length - 800)).toBeLessThan(100);
  });

  it('does not join the name and the key: "a" with "bc" is not "ab" with "c"', () => {
    const pair = ['a', 'ab'] as const;
    const chosen = new Set(keys.map((key) => shardOf(key, pair)));
    expect(chosen.size).toBe(2);
  });
});
