/** A map by hexadecimal text or whole number that never changes in place: a change copies one of 256 shards. Pure. */

const SHARDS = 256;

export interface ShardedMap<Key extends string | number, Value> {
  readonly size: number;
  readonly shards: readonly (ReadonlyMap<Key, Value> | undefined)[];
}

export const emptyMap = <Key extends string | number, Value>(): ShardedMap<Key, Value> => ({
  size: 0,
  shards: new Array<undefined>(SHARDS).fill(undefined),
});

export const lookup = <Key extends string | number, Value>(
  map: ShardedMap<Key, Value>,
  key: Key,
): Value | undefined => map.shards[shardOf(key)]?.get(key);

export const holds = <Key extends string | number, Value>(map: ShardedMap<Key, Value>, key: Key): boolean =>
  map.shards[shardOf(key)]?.has(key) ?? false;

export function withEntry<Key extends string | number, Value>(
  map: ShardedMap<Key, Value>,
  key: Key,
  value: Value,
): ShardedMap<Key, Value> {
  const index = shardOf(key);
  const shard = new Map(map.shards[index]);
  const size = shard.has(key) ? map.size : map.size + 1;
  shard.set(key, value);
  return { size, shards: map.shards.with(index, shard) };
}

export function withoutEntry<Key extends string | number, Value>(
  map: ShardedMap<Key, Value>,
  key: Key,
): ShardedMap<Key, Value> {
  const index = shardOf(key);
  if (!(map.shards[index]?.has(key) ?? false)) return map;
  const shard = new Map(map.shards[index]);
  shard.delete(key);
  return { size: map.size - 1, shards: map.shards.with(index, shard) };
}

/** All values, by shard. Sort before their order can reach a message or a choice. */
export function valuesOf<Key extends string | number, Value>(map: ShardedMap<Key, Value>): readonly Value[] {
  const values: Value[] = [];
  // Most maps are small: the last value ends it, and not the last shard.
  for (let index = 0; index < SHARDS && values.length < map.size; index += 1) {
    const shard = map.shards[index];
    if (shard !== undefined) for (const value of shard.values()) values.push(value);
  }
  return values;
}

/** By the first two letters, or the lowest eight bits. */
const shardOf = (key: string | number): number =>
  (typeof key === 'number' ? key : Number.parseInt(key.slice(0, 2), 16)) & (SHARDS - 1);
