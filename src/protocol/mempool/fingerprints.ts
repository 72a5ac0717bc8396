/**
 * A set of transaction hashes that never changes in place, cheap to grow and shrink by hundreds at a time.
 * Holds 96 of each hash's 256 bits: two hashes agree there by chance once in 2^96, and the worst that follows is a
 * refusal of a transaction as already known. Pure. Source: docs/protocol/mempool.md.
 */
import type { Digest } from '../chain/types.ts';

const BUCKETS = 1024;
const BUCKET_MASK = BUCKETS - 1;
/** Hexadecimal letters in one number: 48 bits, exact in a double. */
const WORD_LETTERS = 12;

export interface FingerprintSet {
  readonly size: number;
  /** Pairs of numbers, one pair a hash. */
  readonly buckets: readonly (readonly number[])[];
}

export const EMPTY_FINGERPRINTS: FingerprintSet = {
  size: 0,
  buckets: new Array<readonly number[]>(BUCKETS).fill([]),
};

export function hasFingerprint(set: FingerprintSet, hash: Digest): boolean {
  const high = wordAt(hash, 0);
  return indexIn(set.buckets[high & BUCKET_MASK] ?? [], high, wordAt(hash, WORD_LETTERS)) >= 0;
}

/** The set and `hashes`; those that it holds already change nothing. */
export function withFingerprints(set: FingerprintSet, hashes: readonly Digest[]): FingerprintSet {
  const draft = draftOf(set);
  for (const hash of hashes) {
    const high = wordAt(hash, 0);
    const low = wordAt(hash, WORD_LETTERS);
    const index = high & BUCKET_MASK;
    if (indexIn(draft.buckets[index] ?? [], high, low) >= 0) continue;
    own(draft, index).push(high, low);
    draft.size += 1;
  }
  return { size: draft.size, buckets: draft.buckets };
}

/** The set without `hashes`, and which of them (by position) it held: each only once. */
export function withoutFingerprints(
  set: FingerprintSet,
  hashes: readonly Digest[],
): { readonly set: FingerprintSet; readonly removed: readonly number[] } {
  const draft = draftOf(set);
  const removed: number[] = [];
  for (let position = 0; position < hashes.length && draft.size > 0; position += 1) {
    const hash = hashes[position];
    if (hash === undefined) break;
    const high = wordAt(hash, 0);
    const index = high & BUCKET_MASK;
    const at = indexIn(draft.buckets[index] ?? [], high, wordAt(hash, WORD_LETTERS));
    if (at < 0) continue;
    removePair(own(draft, index), at);
    draft.size -= 1;
    removed.push(position);
  }
  return removed.length === 0
    ? { set, removed }
    : { set: { size: draft.size, buckets: draft.buckets }, removed };
}

interface Draft {
  size: number;
  readonly buckets: (readonly number[])[];
  /** The copies made for this change, which alone may be written to. */
  readonly owned: Map<number, number[]>;
}

const draftOf = (set: FingerprintSet): Draft => ({
  size: set.size,
  buckets: set.buckets.slice(),
  owned: new Map(),
});

function own(draft: Draft, index: number): number[] {
  const held = draft.owned.get(index);
  if (held !== undefined) return held;
  const copy = (draft.buckets[index] ?? []).slice();
  draft.owned.set(index, copy);
  draft.buckets[index] = copy;
  return copy;
}

function removePair(bucket: number[], at: number): void {
  const low = bucket.pop();
  const high = bucket.pop();
  if (low === undefined || high === undefined || at === bucket.length) return;
  bucket[at] = high;
  bucket[at + 1] = low;
}

function indexIn(bucket: readonly number[], high: number, low: number): number {
  for (let at = 0; at < bucket.length; at += 2) {
    if (bucket[at] === high && bucket[at + 1] === low) return at;
  }
  return -1;
}

/** 48 bits of a hexadecimal text as a number; one pass over the letters, no slice. */
function wordAt(hash: string, from: number): number {
  let high = 0;
  let low = 0;
  for (let offset = 0; offset < 6; offset += 1) high = (high << 4) | nibble(hash.charCodeAt(from + offset));
  for (let offset = 6; offset < 12; offset += 1) low = (low << 4) | nibble(hash.charCodeAt(from + offset));
  return high * 0x1000000 + low;
}

/** Of a lower-case hexadecimal letter. */
const nibble = (code: number): number => (code < 58 ? code - 48 : code - 87);
