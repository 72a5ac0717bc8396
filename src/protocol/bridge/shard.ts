/**
 * Which shard a key belongs to, by highest random weight (rendezvous) over SHA-256: whoever knows the shards' names finds the
 * same one, in whatever order they are told, and a shard more takes its share of the keys and moves no other. Pure.
 * Source: Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998). BR-12, docs/sharding.md.
 */
import { compareBytes, utf8 } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/hash.ts';
import { prefixed, text } from '../chain/canonical.ts';

const DOMAIN = text('althing/shard/v1');

/**
 * The shard whose weight SHA-256(text "althing/shard/v1", its name behind its length, key) is the greatest. One hash a shard:
 * a few µs each.
 * @param shards their names (chain ids), each once, in any order
 */
export function shardOf(key: Uint8Array, shards: readonly [string, ...string[]]): string {
  let [best] = shards;
  let bestWeight = weightOf(key, best);
  for (const shard of shards.slice(1)) {
    const weight = weightOf(key, shard);
    if (compareBytes(weight, bestWeight) <= 0) continue;
    [best, bestWeight] = [shard, weight];
  }
  return best;
}

const weightOf = (key: Uint8Array, shard: string): Uint8Array => sha256(DOMAIN, prefixed(utf8(shard)), key);
