/** A block's transactions and results in parts: a frame each, so that no block is too large for one. Pure. Rule AP-2. */
import { PART_BYTES } from './frames.ts';

/** In order, none empty; each but the last has PART_BYTES or more, by no more than one item. */
export function* partsOf<Item>(
  items: readonly Item[],
  bytesOf: (item: Item) => number,
): Generator<readonly Item[], void> {
  let bytes = 0;
  let from = 0;
  for (const [index, item] of items.entries()) {
    bytes += bytesOf(item);
    if (bytes < PART_BYTES) continue;
    yield items.slice(from, index + 1);
    from = index + 1;
    bytes = 0;
  }
  if (from < items.length) yield items.slice(from);
}
