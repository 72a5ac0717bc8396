import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import {
  addSample,
  EMPTY_REGISTER,
  FILTER_SAMPLES,
  type FilterReading,
  type FilterRegister,
  readFilter,
} from '../../../src/protocol/time/clock-filter.ts';
import type { Sample } from '../../../src/protocol/time/types.ts';

const WALL = 1_782_864_000_000;
const config = { driftPpmMax: 250 };
/** Offset above `WALL`, delay, when. */
const sample = (offset: number, delay: number, at: number, dispersion = 0): Sample => ({
  offset: WALL + offset,
  delay,
  dispersion,
  at: monotonic(at),
});
const filled = (samples: readonly Sample[], from: FilterRegister = EMPTY_REGISTER): FilterRegister =>
  samples.reduce((register, each) => addSample(register, each, config), from);
function read(register: FilterRegister, now: number): FilterReading {
  const reading = readFilter(register, monotonic(now));
  if (reading === undefined) throw new Error('empty');
  return reading;
}
const times = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

describe('reading of the clock filter (TM-2)', () => {
  it('is nothing without samples', () => {
    expect(readFilter(EMPTY_REGISTER, monotonic(5))).toBeUndefined();
  });

  it('is the sample with the lowest delay, wherever it stands', () => {
    const delays = [9, 4, 7, 12, 5, 8, 6, 10];
    const register = filled(delays.map((delay, at) => sample(delay / 100, delay, at)));
    expect(read(register, 100)).toMatchObject({ offset: WALL + 0.04, delay: 4, at: 1 });
  });

  it('forgets the ninth sample, and the best with it', () => {
    const nine = times(9).map((at) => sample(0, at === 0 ? 1 : 20 + at, at));
    expect(read(filled(nine.slice(0, 8)), 10).at).toBe(0);
    const register = filled(nine);
    expect(register.samples).toHaveLength(FILTER_SAMPLES);
    expect(read(register, 10)).toMatchObject({ at: 1, delay: 21 });
  });

  it('counts each missing sample with 16 s of dispersion', () => {
    const dispersions = times(8).map((count) => {
      const register = filled(times(count + 1).map((at) => sample(0, 1, at)));
      return read(register, count).dispersion;
    });
    const expected = times(8).map((index) => 16_000 * (2 ** -(index + 1) - 2 ** -8));
    for (const [index, each] of dispersions.entries()) expect(each).toBeCloseTo(expected[index] ?? -1, 2);
    expect(expected.slice(0, 4)).toEqual([7_937.5, 3_937.5, 1_937.5, 937.5]);
  });

  it('halves the weight of each dispersion by increasing delay', () => {
    const register = filled(times(8).map((at) => sample(0, 8 - at, 0.001 * at, 2 ** at)));
    const weighted = times(8).reduce((sum, rank) => sum + 2 ** (7 - rank) / 2 ** (rank + 1), 0);
    expect(read(register, 0).dispersion).toBeCloseTo(weighted, 6);
  });

  it('ages by 15 ppm, up to 16 s', () => {
    const register = filled(times(8).map((at) => sample(0, 1 + at, at / 1_000)));
    const day = 86_400_000;
    expect(read(register, 10 * day).dispersion).toBeCloseTo((1 - 2 ** -8) * 150e-6 * day, 2);
    expect(read(register, 1_000 * day).dispersion).toBeCloseTo((1 - 2 ** -8) * 16_000, 6);
    expect(read(register, 0).dispersion).toBeCloseTo(0, 6);
  });

  it('has the RMS of the differences to the best as jitter', () => {
    expect(read(filled([sample(7, 1, 0)]), 1).jitter).toBe(0);
    const register = filled([sample(3, 5, 0), sample(0, 1, 1), sample(-4, 5, 2)]);
    expect(read(register, 3).jitter).toBeCloseTo(Math.sqrt((9 + 16) / 2), 6);
  });

  it('never goes back to an older sample while samples are added', () => {
    const arrival = fc.record({
      offset: fc.integer({ min: -300, max: 300 }),
      delay: fc.integer({ min: 0, max: 6 }),
      pause: fc.integer({ min: 1, max: 64_000 }),
    });
    fc.assert(
      fc.property(fc.array(arrival, { maxLength: 40 }), (arrivals) => {
        let [register, now, last] = [EMPTY_REGISTER, 0, -1];
        for (const { offset, delay, pause } of arrivals) {
          now += pause;
          register = addSample(register, sample(offset, delay, now), config);
          const { at } = read(register, now);
          expect(at).toBeGreaterThanOrEqual(last);
          expect(register.samples.length).toBeLessThanOrEqual(FILTER_SAMPLES);
          last = at;
        }
      }),
    );
  });

  it('passes over a sample that is not newer than the newest, even than a spike', () => {
    const four = filled(times(4).map((at) => sample(0, 1, at * 1_000)));
    expect(addSample(four, sample(0, 0, 3_000), config)).toBe(four);
    expect(addSample(four, sample(0, 0, 2_500), config)).toBe(four);
    const spiked = addSample(four, sample(90, 200, 4_000), config);
    expect(addSample(spiked, sample(0, 0, 4_000), config)).toBe(spiked);
  });
});

describe('popcorn suppressor (TM-2)', () => {
  /** Jitter is √((1+1+1)/3) = 1 ms, so the gate is 3 ms and 250 ppm of the age. */
  const steady = filled([sample(0, 1, 0), sample(1, 2, 1), sample(-1, 2, 2), sample(1, 2, 3)]);

  it('keeps out what is beyond three times the jitter and the drift', () => {
    const gate = 3 + 1_000 * 250e-6;
    expect(addSample(steady, sample(gate - 0.01, 0.5, 1_000), config).spike).toBeUndefined();
    const spike = sample(gate + 0.01, 0.5, 1_000);
    const spiked = addSample(steady, spike, config);
    expect(spiked).toEqual({ samples: steady.samples, spike });
    expect(read(spiked, 1_000)).toEqual(read(steady, 1_000));
    expect(addSample(steady, sample(-gate - 0.01, 0.5, 1_000), config).spike).toBeDefined();
  });

  it('forgets a lone spike', () => {
    const after = filled([sample(50, 0.5, 1_000), sample(1, 2, 2_000)], steady);
    expect(after.spike).toBeUndefined();
    expect(after.samples.map(({ at }) => at)).toEqual([2_000, 3, 2, 1, 0]);
    const again = filled([sample(50, 0.5, 3_000)], after);
    expect(again.samples).toEqual(after.samples);
  });

  it('believes two in a row, and keeps the lowest delay where nothing is contradicted', () => {
    const congested = filled([sample(45, 100, 1_000), sample(44, 98, 2_000)], steady);
    expect(congested.samples.map(({ at }) => at)).toEqual([2_000, 1_000, 3, 2, 1, 0]);
    expect(read(congested, 2_000)).toMatchObject({ at: 0, delay: 1 });
  });

  it('drops what a clock said before it was set', () => {
    const set = filled([sample(5_000, 4, 1_000), sample(5_001, 4, 2_000)], steady);
    expect(set.samples.map(({ at }) => at)).toEqual([2_000, 1_000]);
    expect(read(set, 2_000)).toMatchObject({ offset: WALL + 5_001, at: 2_000 });
  });

  it('judges nothing by fewer than four samples', () => {
    const three = filled([sample(0, 1, 0), sample(0, 1, 1), sample(0, 1, 2), sample(500, 1, 3)]);
    expect(three.samples).toHaveLength(4);
    const four = filled(times(4).map((at) => sample(0, 1, at)));
    expect(addSample(four, sample(500, 1, 4), config).samples).toHaveLength(4);
  });
});
