import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis } from '../../../src/base/units.ts';
import { parseAddress } from '../../../src/protocol/chain/parse.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import {
  type Midpoint,
  midpointOf,
  type Reading,
  readingInterval,
} from '../../../src/protocol/time/midpoint.ts';

const NOW = 1_700_000_000_000;
/** What rounding may do at 1.7e12. @unit ms */
const ROUNDING = 1e-3;

const peer = (index: number): Address => {
  const address = parseAddress(index.toString(16).padStart(40, '0'));
  if (address === 'malformed') throw new Error(`address ${index}`);
  return address;
};
const reading = (index: number, lo: number, hi: number, more: Partial<Reading> = {}): Reading => ({
  peer: peer(index),
  power: 1n,
  offset: NOW + (lo + hi) / 2,
  interval: { lo: NOW + lo, hi: NOW + hi },
  reliability: 1,
  ...more,
});
const exactly = (...offsets: readonly number[]) =>
  offsets.map((offset, index) => reading(index, offset, offset));
const powerOf = (readings: readonly Reading[]) => readings.reduce((sum, { power }) => sum + power, 0n);
const agreed = (readings: readonly Reading[], totalPower = powerOf(readings)) => {
  const result: Midpoint = midpointOf({ readings, totalPower });
  if (result.status !== 'agreed') throw new Error(`${result.power} of ${result.needed}`);
  return result;
};
const edges = (readings: readonly Reading[], totalPower?: bigint) => {
  const { interval } = agreed(readings, totalPower);
  return [interval.lo - NOW, interval.hi - NOW];
};

const offset = fc.integer({ min: -10_000, max: 10_000 });
const reliability = fc.double({ min: 0, max: 1, noNaN: true });
const power = fc.oneof(fc.bigInt(1n, 10n), fc.bigInt(1n, 2n ** 50n));
/** Anything that a liar may say. */
const lie = fc.record({ offset, lo: offset, width: fc.nat(5_000), power, reliability });
/** An honest clock, and the two sides of an interval that holds it. */
const honestly = fc.record({
  offset,
  below: fc.nat(500),
  above: fc.nat(500),
  power,
  reliability,
});
type Lie = typeof lie extends fc.Arbitrary<infer T> ? T : never;
type Honest = typeof honestly extends fc.Arbitrary<infer T> ? T : never;

const told = (index: number, { lo, width, ...said }: Lie) =>
  reading(index, lo, lo + width, { ...said, offset: NOW + said.offset });
const meant = (index: number, { offset: clock, below, above, ...said }: Honest) =>
  reading(index, clock - below, clock + above, { ...said });
/** The first liars that have less than a third of all power together. */
const within = (lies: readonly Reading[], honestPower: bigint) =>
  lies.filter(
    (_, index) => 3n * powerOf(lies.slice(0, index + 1)) < honestPower + powerOf(lies.slice(0, index + 1)),
  );

describe('midpoint of the peers (TM-4)', () => {
  it.each([
    [1, [5], 5, 5],
    [2, [0, 10], 0, 10],
    [3, [0, 4, 10], 0, 10],
    [4, [0, 4, 10, 1_000_000], 4, 10],
    [6, [0, 4, 6, 8, 10, 1_000], 4, 10],
    [7, [-1_000, 0, 4, 6, 8, 10, 1_000], 4, 8],
  ])('drops ⌊(n−1)/3⌋ at either end: n = %s', (_, offsets, lo, hi) => {
    expect(edges(exactly(...offsets))).toEqual([lo, hi]);
  });

  it('drops by the minima at the low end and by the maxima at the high one', () => {
    const wide = reading(0, -100, 100);
    expect(edges([wide, reading(1, 0, 2), reading(2, 1, 3), reading(3, 2, 4)])).toEqual([0, 4]);
  });

  it('drops by power, not by heads: one of (10, 1, 1, 1) decides, and the others together do not', () => {
    const [, ...small] = exactly(0, 100, 200, 300);
    expect(edges([reading(0, 0, 0, { power: 10n }), ...small])).toEqual([0, 0]);
    const twelve = [3n, 3n, 3n, 1n, 1n, 1n].map((of, index) =>
      reading(index, index * 10, index * 10, { power: of }),
    );
    // F = 3: the first alone is 3, and dropped; from above 1 + 1 + 1 are.
    expect(edges(twelve)).toEqual([10, 20]);
  });

  it('names whom it dropped, in order of address', () => {
    const { low, high } = agreed([reading(3, 90, 90), reading(2, 0, 0), reading(0, 0, 90), reading(1, 5, 6)]);
    expect([low, high]).toEqual([[], []]);
    const wide = agreed([reading(3, 0, 90), reading(2, -9, 5), reading(1, 1, 6), reading(0, 1, 6)]);
    expect([wide.interval.lo - NOW, wide.interval.hi - NOW]).toEqual([0, 6]);
    expect([wide.low, wide.high]).toEqual([[peer(2)], [peer(3)]]);
    const seven = [7, 6, 5, 4, 3, 2, 1].map((index) => reading(index, index, index));
    expect(agreed(seven)).toMatchObject({ low: [peer(1), peer(2)], high: [peer(6), peer(7)] });
  });

  it('needs answers of power 2F+1', () => {
    expect(midpointOf({ readings: exactly(0, 1), totalPower: 4n })).toEqual({
      status: 'tooFewAnswers',
      power: 2n,
      needed: 3n,
    });
    expect(edges(exactly(0, 1, 5), 4n)).toEqual([1, 1]);
    expect(midpointOf({ readings: exactly(0, 1, 2, 3), totalPower: 7n }).status).toBe('tooFewAnswers');
    expect(midpointOf({ readings: [], totalPower: 1n }).status).toBe('tooFewAnswers');
    const heavy = reading(0, 0, 0, { power: 10n });
    expect(midpointOf({ readings: [heavy], totalPower: 13n }).status).toBe('agreed');
    expect(midpointOf({ readings: exactly(1, 2, 3), totalPower: 13n })).toMatchObject({
      power: 3n,
      needed: 9n,
    });
  });

  it('is the middle where all are equally reliable and evenly spread, and its error reaches the farther edge', () => {
    expect(agreed(exactly(0, 10))).toMatchObject({ offset: NOW + 5, error: 5 });
    const leant = agreed([reading(0, 0, 0, { reliability: 0 }), reading(1, 80, 80)]);
    expect(leant).toMatchObject({ offset: NOW + 50, error: 50 });
    expect(agreed([reading(0, 0, 0), reading(1, 80, 80, { reliability: 0 })])).toMatchObject({
      offset: NOW + 30,
      error: 50,
    });
  });

  it('leans toward the reliable by an eighth of the width at most, by power, and not toward nobody', () => {
    const lean = (...weights: readonly (readonly [bigint, number])[]) =>
      agreed(
        weights.map(([of, score], index) =>
          reading(index, index * 80, index * 80, { power: of, reliability: score }),
        ),
        2n,
      ).offset - NOW;
    expect(lean([1n, 0.5], [1n, 0.5])).toBe(40);
    expect(lean([1n, 0.5], [1n, 0.7])).toBeCloseTo(46.667, 2);
    expect(lean([3n, 0.5], [4n, 0.5])).toBeCloseTo(45.714, 2);
    expect(lean([1n, 0.1], [1n, 0.9])).toBe(50);
    expect(lean([1n, 0], [1n, 0])).toBe(40);
  });

  it('lets no far offset weigh more than the edge of what was left', () => {
    const liar = (at: number) =>
      agreed([...exactly(0, 0, 80, 80, 80), reading(9, at, at), reading(8, 80, 80)]);
    expect(liar(-1e9).offset).toBe(liar(-1).offset);
  });

  it('is within the honest range, whatever less than a third of the power says', () => {
    fc.assert(
      fc.property(
        fc.array(honestly, { minLength: 1, maxLength: 9 }),
        fc.array(lie, { maxLength: 6 }),
        fc.nat(),
        (clocks, lies, missing) => {
          const honest = clocks.map((clock, index) => meant(index, clock));
          const liars = within(
            lies.map((said, index) => told(100 + index, said)),
            powerOf(honest),
          );
          const all = [...honest, ...liars];
          // One honest answer may be missing, if there are enough.
          const heard = all.filter((_, index) => index !== missing % (2 * honest.length));
          const result = midpointOf({ readings: heard, totalPower: powerOf(all) });
          if (result.status === 'tooFewAnswers') {
            expect(heard).not.toHaveLength(all.length);
            return;
          }
          const lowest = Math.min(...honest.map(({ interval }) => interval.lo));
          const highest = Math.max(...honest.map(({ interval }) => interval.hi));
          const { interval, error } = result;
          expect(interval.lo).toBeGreaterThanOrEqual(lowest);
          expect(interval.hi).toBeLessThanOrEqual(highest);
          expect(interval.lo).toBeLessThanOrEqual(result.offset);
          expect(result.offset).toBeLessThanOrEqual(interval.hi);
          expect(error).toBe(Math.max(result.offset - interval.lo, interval.hi - result.offset));
        },
      ),
    );
  });

  it('brings two honest nodes to 5/8 of their spread, whatever liars tell each of them', () => {
    fc.assert(
      fc.property(
        fc.array(honestly, { minLength: 1, maxLength: 9 }),
        fc.array(fc.tuple(lie, lie, reliability), { maxLength: 6 }),
        fc.array(reliability, { minLength: 9, maxLength: 9 }),
        (clocks, lies, scores) => {
          const honest = clocks.map((clock, index) => meant(index, { ...clock, below: 0, above: 0 }));
          const one = lies.map(([said], index) => told(100 + index, said));
          const liars = within(one, powerOf(honest));
          const other = liars.map((first, index) => {
            const said = lies.at(index)?.[1];
            return said === undefined ? first : { ...told(100 + index, said), power: first.power };
          });
          const totalPower = powerOf([...honest, ...liars]);
          const seen = honest.map((clock, index) => ({ ...clock, reliability: scores[index] ?? 1 }));
          const apart =
            agreed([...honest, ...liars], totalPower).offset - agreed([...seen, ...other], totalPower).offset;
          const offsets = honest.map(({ offset: clock }) => clock);
          const spread = Math.max(...offsets) - Math.min(...offsets);
          expect(Math.abs(apart)).toBeLessThanOrEqual((5 / 8) * spread + ROUNDING);
        },
      ),
    );
  });

  it('can reach 5/8 of the spread, no less: the worst liar of four', () => {
    const honest = (low: number, high: number) =>
      [0, 0, 80].map((clock, index) =>
        reading(index, clock, clock, { reliability: clock === 0 ? low : high }),
      );
    const up = agreed([...honest(0, 1), reading(9, 500, 500)]).offset;
    const down = agreed([...honest(1, 0), reading(9, -500, -500)]).offset;
    expect(up - down).toBe(50);
  });

  it('is the rule by count where powers are equal', () => {
    fc.assert(
      fc.property(
        fc.array(honestly, { minLength: 1, maxLength: 12 }),
        fc.bigInt(1n, 2n ** 40n),
        fc.nat(3),
        (clocks, each, silent) => {
          const readings = clocks.map((clock, index) => meant(index, { ...clock, power: each }));
          const result = midpointOf({
            readings,
            totalPower: each * BigInt(readings.length + silent),
          });
          const faulty = Math.floor((readings.length + silent - 1) / 3);
          if (result.status === 'tooFewAnswers') {
            // In units of a whole validator the answers that are needed may round up to one more each third.
            expect(readings.length).toBeLessThan(2 * faulty + 3);
            return;
          }
          const minima = readings.map(({ interval }) => interval.lo).sort((left, right) => left - right);
          const maxima = readings.map(({ interval }) => interval.hi).sort((left, right) => right - left);
          expect(result.interval).toEqual({ lo: minima[faulty], hi: maxima[faulty] });
        },
      ),
    );
  });

  it('does not depend on the order of the answers', () => {
    fc.assert(
      fc.property(
        fc
          .array(lie, { minLength: 1, maxLength: 9 })
          .map((lies) => lies.map((said, index) => told(index, said)))
          .chain((all) =>
            fc.tuple(
              fc.constant(all),
              fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length }),
            ),
          ),
        ([all, shuffled]) => {
          expect(agreed(shuffled)).toEqual(agreed(all));
        },
      ),
    );
  });
});

describe('interval of one reading (TM-4)', () => {
  it('is half the way to either side, and 2 · drift, the slew rate and the greatest rate with age', () => {
    expect(readingInterval(NOW, millis(8), millis(0), 250)).toEqual({ lo: NOW - 4, hi: NOW + 4 });
    // 10 s at 2 · 250 + 5,000 + 500 ppm.
    const aged = readingInterval(NOW, millis(8), millis(10_000), 250);
    expect(aged.hi - NOW).toBeCloseTo(64, 3);
    expect(NOW - aged.lo).toBeCloseTo(64, 3);
    expect(readingInterval(NOW, millis(8), millis(-1), 250)).toEqual({ lo: NOW - 4, hi: NOW + 4 });
  });

  it('holds the clock of an honest peer: any share of the way there, any drift and slew', () => {
    const share = fc.double({ min: -1, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        share,
        share,
        share,
        share,
        fc.nat(500),
        fc.nat(60_000),
        (way, mine, its, slew, rtt, age) => {
          const measured = NOW + (way * rtt) / 2;
          const nowThere = NOW + ((its * 250 - mine * 250 + slew * 5_000) / 1e6) * age;
          const { lo, hi } = readingInterval(measured, millis(rtt), millis(age), 250);
          expect(nowThere).toBeGreaterThanOrEqual(lo - ROUNDING);
          expect(nowThere).toBeLessThanOrEqual(hi + ROUNDING);
        },
      ),
    );
  });
});
