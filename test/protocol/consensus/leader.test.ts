import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Address, Validator, ValidatorSet } from '../../../src/protocol/chain/types.ts';
import { honestPowerOf } from '../../../src/protocol/chain/validator-set.ts';
import {
  type LeaderSchedule,
  type LeadershipParameters,
  leaderOf,
  passedOverPowerMax,
  scheduleOf,
} from '../../../src/protocol/consensus/leader.ts';
import { TIMEOUT_DEFAULTS, timeoutsFor } from '../../../src/protocol/consensus/timeouts.ts';
import { epochNumber, round, world } from './fixture.ts';

const DRAWN: LeadershipParameters = { leaderSchedule: 'stake_weighted', leaderReputation: true, vrf: true };
const TURNS: LeadershipParameters = { leaderSchedule: 'round_robin', leaderReputation: true, vrf: false };

const descriptorOf = (powers: readonly bigint[], change: { seed?: string; epoch?: number } = {}) => {
  const { descriptor } = world(powers, change.seed ?? 'leaders').epoch;
  return { ...descriptor, epoch: epochNumber(change.epoch ?? 0) };
};

function countsOf(schedule: LeaderSchedule, rounds: number): ReadonlyMap<Address, number> {
  const counts = new Map<Address, number>();
  for (let at = 1; at <= rounds; at += 1) {
    const leader = leaderOf(schedule, round(at));
    counts.set(leader, (counts.get(leader) ?? 0) + 1);
  }
  return counts;
}

/** Σ (seen − expected)² / expected, over validators of whom at least five rounds are expected. */
function chiSquareOf(set: ValidatorSet, counts: ReadonlyMap<Address, number>, rounds: number): number {
  return set.validators.reduce((sum, { address, power }) => {
    const expected = (rounds * Number(power)) / Number(set.totalPower);
    expect(expected).toBeGreaterThan(5);
    return sum + ((counts.get(address) ?? 0) - expected) ** 2 / expected;
  }, 0);
}

/** By Wilson and Hilferty: whoever draws by power stays below it but once in 1,000 times. */
const chiSquareLimit = (freedom: number): number =>
  freedom * (1 - 2 / (9 * freedom) + 3.0902 * Math.sqrt(2 / (9 * freedom))) ** 3;

describe('stake-weighted leaders (CS-15)', () => {
  const ROUNDS = 100_000;

  it.each([
    ['four alike', [1n, 1n, 1n, 1n]],
    ['very unequal', [1n, 3n, 10n, 100n, 1_000n, 9_000n]],
    ['near the limit of power', [2n ** 58n, 2n ** 58n + 1n, 2n ** 57n, 2n ** 47n]],
    ['a hundred', Array.from({ length: 100 }, (_, index) => BigInt(100 + index * index))],
  ])('lead 100,000 rounds by their power: chi-square, p > 0.001: %s', (name, powers) => {
    const descriptor = descriptorOf(powers, { seed: name });
    const { validators } = descriptor;
    const counts = countsOf(scheduleOf(descriptor, DRAWN), ROUNDS);
    const chiSquare = chiSquareOf(validators, counts, ROUNDS);
    expect(chiSquare).toBeLessThan(chiSquareLimit(powers.length - 1));
    // A count that fits too well would be turns, and no draw.
    expect(chiSquare).toBeGreaterThan(0.001);
  });

  it('are told from leaders by another power by the same test', () => {
    const descriptor = descriptorOf([10n, 10n, 10n, 10n]);
    const counts = countsOf(scheduleOf(descriptor, DRAWN), ROUNDS);
    const { set } = world([10n, 10n, 10n, 11n], 'leaders').epoch;
    expect(chiSquareOf(set, counts, ROUNDS)).toBeGreaterThan(chiSquareLimit(3));
  });

  it('follow one another independently: pairs of rounds by the product of their powers', () => {
    const descriptor = descriptorOf([1n, 2n, 3n]);
    const schedule = scheduleOf(descriptor, DRAWN);
    const pairs = new Map<string, number>();
    for (let at = 1; at <= ROUNDS; at += 2) {
      const pair = `${leaderOf(schedule, round(at))} ${leaderOf(schedule, round(at + 1))}`;
      pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
    }
    const { validators } = descriptor.validators;
    const chiSquare = validators
      .flatMap((one) => validators.map((other) => ({ one, other })))
      .reduce((sum, { one, other }) => {
        const expected = ((ROUNDS / 2) * Number(one.power * other.power)) / 36;
        return sum + ((pairs.get(`${one.address} ${other.address}`) ?? 0) - expected) ** 2 / expected;
      }, 0);
    expect(chiSquare).toBeLessThan(chiSquareLimit(8));
  });

  it('are others with another seed or epoch, and the same for everyone who computes them', () => {
    const powers = [1n, 1n, 1n, 1n, 1n, 1n];
    const first = (descriptor: ReturnType<typeof descriptorOf>): string =>
      Array.from({ length: 30 }, (_, at) => leaderOf(scheduleOf(descriptor, DRAWN), round(at))).join();
    const base = descriptorOf(powers);
    const ofEpoch = first({ ...base, epoch: epochNumber(1) });
    const ofSeed = first({ ...base, seed: descriptorOf(powers, { seed: 'other' }).seed });
    expect(first(descriptorOf(powers))).toBe(first(base));
    expect(new Set([first(base), ofEpoch, ofSeed]).size).toBe(3);
  });

  it('lead alone where there is one (CS-18)', () => {
    const descriptor = descriptorOf([7n]);
    const leaders = countsOf(scheduleOf(descriptor, DRAWN), 20);
    expect([...leaders.values()]).toEqual([20]);
  });

  it('may fail twelve times in a row before a round takes longer: no bound tells how long the dead lead', () => {
    const { epoch } = world([1n, 1n, 1n, 1n], 'drawn', undefined, DRAWN);
    expect(timeoutsFor(TIMEOUT_DEFAULTS, epoch).grace).toBe(12);
  });
});

describe('who is passed over (CS-15)', () => {
  const powers = fc.array(fc.oneof(fc.bigInt(1n, 12n), fc.bigInt(1n, 2n ** 52n)), {
    minLength: 1,
    maxLength: 30,
  });
  /** Some of them, of no more power than `spare`, the small ones first: the most of them, and the most turns for the power. */
  const someOf = (
    list: readonly Validator[],
    spare: bigint,
    draws: Iterator<boolean>,
  ): ReadonlySet<Address> => {
    const chosen = new Set<Address>();
    let left = spare;
    for (const { address, power } of list.toSorted((one, other) => (one.power < other.power ? -1 : 1))) {
      if (draws.next().value === false || power > left) continue;
      left -= power;
      chosen.add(address);
    }
    return chosen;
  };

  it('leads no round by either schedule; all others lead', () => {
    const descriptor = descriptorOf([1n, 2n, 3n, 4n]);
    const [first, , third] = descriptor.validators.validators.map(({ address }) => address);
    const passedOver = [first, third].filter((one) => one !== undefined);
    for (const parameters of [DRAWN, TURNS]) {
      const leaders = countsOf(scheduleOf({ ...descriptor, passedOver }, parameters), 500);
      expect(leaders.size).toBe(2);
      for (const address of passedOver) expect(leaders.has(address)).toBe(false);
    }
  });

  it('has less power than J(W): so an honest leader remains', () => {
    fc.assert(
      fc.property(powers, (list) => {
        const { set } = world(list).epoch;
        expect(passedOverPowerMax(set)).toBeLessThan(honestPowerOf(set.totalPower));
      }),
    );
  });

  it('leaves turns in which two in a row live, whoever else of less than a third of the power is dead', () => {
    fc.assert(
      fc.property(powers, fc.infiniteStream(fc.boolean()), (list, draws) => {
        const { descriptor, set } = world(list).epoch;
        const passedOver = [...someOf(set.validators, passedOverPowerMax(set), draws)];
        const schedule = scheduleOf({ ...descriptor, passedOver }, TURNS);
        if (schedule.kind !== 'round-robin') throw new Error('these are turns');
        const { turns } = schedule;
        const leading = set.validators.filter(({ address }) => !passedOver.includes(address));
        const dead = someOf(leading, set.totalPower - set.quorumPower, draws);
        const isAlive = (turn: number): boolean => !dead.has(turns[turn % turns.length] ?? turns[0]);
        expect(new Set(turns).size).toBe(leading.length);
        expect(turns.some((_, turn) => isAlive(turn) && isAlive(turn + 1))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
