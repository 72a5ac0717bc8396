/** When an operation that was handed over goes to one more validator, and to whom. BR-8. */
import { describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import {
  HAND_AGAIN_HEIGHTS,
  HAND_AGAIN_MS,
  HAND_AGAIN_MS_MAX,
  type Handing,
  handedTo,
  isDue,
  merged,
  nextFor,
  takenBy,
} from '../../../src/protocol/bridge/handing.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import { height, world } from '../consensus/fixture.ts';

const place = world();
const validators = place.epoch.set;
const [A, B, C, D] = [place.addressAt(0), place.addressAt(1), place.addressAt(2), place.addressAt(3)];
const GONE = world([1n], 'elsewhere').addressAt(0);
const facts = (now: number, committed: number) => ({
  ...{ now: monotonic(now), committedHeight: height(committed), validators },
});
const toA: Handing = { to: [A], times: 1, takenBy: [A], since: monotonic(0), height: height(7) };
const ENOUGH = 7 + HAND_AGAIN_HEIGHTS;

describe('an operation that was handed over (BR-8)', () => {
  it('is due when its wait is over and blocks were committed meanwhile, with neither alone', () => {
    expect(isDue(toA, facts(HAND_AGAIN_MS, ENOUGH))).toBe(true);
    expect(isDue(toA, facts(HAND_AGAIN_MS - 1, ENOUGH))).toBe(false);
    expect(isDue(toA, facts(10 * HAND_AGAIN_MS, ENOUGH - 1))).toBe(false);
  });

  it('waits twice as long after each further time, up to the longest wait', () => {
    const waits = [1, 2, 3, 4, 5, 2_000].map((times) => {
      const handing = { ...toA, times };
      return [HAND_AGAIN_MS, 2 * HAND_AGAIN_MS, 4 * HAND_AGAIN_MS, HAND_AGAIN_MS_MAX].find((wait) =>
        isDue(handing, facts(wait, ENOUGH)),
      );
    });
    const [first, second, third] = [HAND_AGAIN_MS, 2 * HAND_AGAIN_MS, 4 * HAND_AGAIN_MS];
    expect(waits).toEqual([first, second, third, ...Array(3).fill(HAND_AGAIN_MS_MAX)]);
  });

  it('rests once so many of the present validators say that they have it that one of them is honest', () => {
    const late = facts(HAND_AGAIN_MS_MAX, ENOUGH);
    expect(isDue(takenBy(toA, GONE), late)).toBe(true);
    expect(isDue(takenBy(toA, A), late)).toBe(true);
    expect(isDue(takenBy(toA, B), late)).toBe(false);
  });

  it('goes to who never had it, in turn, then to who had it longest ago, never to who says that he has it', () => {
    expect(nextFor(toA, [A, C, B])).toBe(C);
    const around = [C, B, D].reduce((handing, peer) => handedTo(handing, peer, facts(5, 9)), toA);
    expect(around).toEqual({ to: [A, C, B, D], times: 4, takenBy: [A], since: 5, height: 9 });
    expect(nextFor(around, [A, B, C, D])).toBe(C);
    expect(nextFor(around, [A])).toBeUndefined();
    expect(nextFor(handedTo(around, C, facts(6, 9)), [A, B, C, D])).toBe(B);
  });

  it('remembers nobody twice, and nobody who has left the set', () => {
    const next = (peer: Address) => handedTo({ ...toA, to: [GONE, A, B] }, peer, facts(5, 9)).to;
    expect([next(A), next(C)]).toEqual([
      [B, A],
      [A, B, C],
    ]);
  });

  it('that its client submits again is with all that had it, and waits anew', () => {
    const again: Handing = { to: [B], times: 1, takenBy: [B], since: monotonic(40), height: height(9) };
    expect(merged(undefined, again)).toBe(again);
    expect(merged(toA, undefined)).toBe(toA);
    expect(merged(toA, again)).toEqual({ ...again, to: [A, B], times: 2, takenBy: [A, B] });
    expect(merged(again, again)).toEqual({ ...again, times: 2 });
  });
});
