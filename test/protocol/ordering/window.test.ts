import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leaderOf, roundRobin } from '../../../src/protocol/consensus/leader.ts';
import { HONEST_CARRIERS_MIN, isClosedBy, revealHeightsMin } from '../../../src/protocol/ordering/window.ts';
import { round, world } from '../consensus/fixture.ts';

describe('a window (OR-3)', () => {
  const opened = { height: 10, time: 1_000 };
  const window = { heights: 5, ms: 300 };
  it('closes at the first block that is high enough and late enough', () => {
    expect(isClosedBy(opened, { height: 15, time: 1_300 }, window)).toBe(true);
    expect(isClosedBy(opened, { height: 14, time: 9_999 }, window)).toBe(false);
    expect(isClosedBy(opened, { height: 99, time: 1_299 }, window)).toBe(false);
  });
});

describe('the least number of heights (OR-6)', () => {
  it.each([
    ['one validator', [1n], 9],
    ['four alike', [1n, 1n, 1n, 1n], 10],
    ['seven alike', Array<bigint>(7).fill(3n), 12],
    ['a hundred alike', Array<bigint>(100).fill(1n), 58],
    ['one of much power and three of little', [100n, 1n, 1n, 1n], 13],
  ] as const)('for %s', (_, powers, least) => {
    expect(revealHeightsMin(powers)).toBe(least);
  });

  it('leaves three honest leaders among those that can carry a reveal, whichever validators below J(W) are faulty, at whatever turn it begins', () => {
    const powers = fc.oneof(
      fc.array(fc.constant(1n), { minLength: 1, maxLength: 9 }),
      fc.array(fc.bigInt({ min: 1n, max: 5n }), { minLength: 1, maxLength: 9 }),
      fc.array(fc.bigInt({ min: 1n, max: 200n }), { minLength: 1, maxLength: 8 }),
    );
    let fewest = Number.POSITIVE_INFINITY;
    fc.assert(
      fc.property(powers, (given) => {
        const { set } = world(given).epoch;
        const { turns } = roundRobin(set);
        const carriers = revealHeightsMin(given) - 4;
        for (let faulty = 0; faulty < 1 << given.length; faulty += 1) {
          const names = new Set(
            set.validators.filter((_, index) => (faulty >> index) & 1).map(({ address }) => address),
          );
          const power = set.validators.reduce(
            (sum, each) => (names.has(each.address) ? sum + each.power : sum),
            0n,
          );
          if (power >= set.honestPower) continue;
          for (let first = 0; first < turns.length; first += 1) {
            let honest = 0;
            for (let turn = first; turn < first + carriers; turn += 1) {
              if (!names.has(leaderOf({ kind: 'round-robin', turns }, round(turn)))) honest += 1;
            }
            fewest = Math.min(fewest, honest);
            if (honest < HONEST_CARRIERS_MIN) return false;
          }
        }
        return true;
      }),
      { numRuns: 500, interruptAfterTimeLimit: 60_000 },
    );
    // Of a bound that is never met the test would say nothing.
    expect(fewest).toBe(HONEST_CARRIERS_MIN);
  }, 90_000);
});
