/** What is drawn in more than one place: one of several, an order, the behaviour of links. Deterministic. */
import type { RandomStream } from '../actors/runtime/index.ts';
import { invariant } from '../base/invariant.ts';
import { millis } from '../base/units.ts';
import type { LinkFaults } from '../transport/hub.ts';

/** One of them; there is at least one. */
export function pick<Item>(draws: RandomStream, items: readonly Item[]): Item {
  const item = items[draws.below(Math.max(1, items.length))];
  invariant(item !== undefined, 'there is something to pick from');
  return item;
}

/** In another order. */
export function shuffled<Item>(draws: RandomStream, items: readonly Item[]): readonly Item[] {
  return items
    .map((item) => ({ item, draw: draws.next() }))
    .sort((left, right) => left.draw - right.draw)
    .map(({ item }) => item);
}

/** A whole number from `min` to `max`. */
export const between = (draws: RandomStream, min: number, max: number): number =>
  min + draws.below(max - min + 1);

/** Links for a run, or for a while. */
export function drawLinks(draws: RandomStream): LinkFaults {
  const bursts = draws.next() < 0.15;
  const duplicates = draws.next() < 0.5 ? draws.next() * (bursts ? 0.02 : 0.2) : 0;
  return {
    delayMin: millis(draws.below(30)),
    delayMean: millis(draws.below(100)),
    drop: draws.next() < 0.5 ? draws.next() * 0.3 : 0,
    duplicate: duplicates,
    ...(bursts ? { copies: between(draws, 2, 100) } : {}),
    reorder: draws.next() < 0.7,
  };
}
