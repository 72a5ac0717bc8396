/**
 * The order of a sealed set: by hashes under a seed that nobody knows while a content can still be committed to or revealed.
 * Never by the order of commitments or reveals. Pure. Rule OR-4, docs/ordering.md.
 */
import { toHex, utf8 } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/hash.ts';

const SEED = utf8('althing/ordering/seed/v1');

/** Before the first block adds to it. */
export const ACCUMULATOR_START: Uint8Array = sha256(utf8('althing/ordering/accumulator/v1'));

/**
 * With the randomness of one block more. One accumulator serves all sets that are open: to a set of height h what it was
 * then is a constant that all know, and every output in (h, close] goes into its seed.
 */
export const accumulated = (accumulator: Uint8Array, randomness: Uint8Array): Uint8Array =>
  sha256(accumulator, randomness);

/** Of the set of one height, at its close. */
export function seedOf(accumulator: Uint8Array, height: number): Uint8Array {
  const place = new Uint8Array(8);
  new DataView(place.buffer).setBigUint64(0, BigInt(height));
  return sha256(SEED, accumulator, place);
}

/** Sorted by H(seed ‖ commit id). */
export const inOrder = <Item>(
  items: readonly Item[],
  seed: Uint8Array,
  commitIdOf: (item: Item) => Uint8Array,
): readonly Item[] =>
  items
    .map((item) => ({ item, place: toHex(sha256(seed, commitIdOf(item))) }))
    .sort((left, right) => (left.place < right.place ? -1 : 1))
    .map(({ item }) => item);
