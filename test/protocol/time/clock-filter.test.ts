import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import {
  addSample,
  EMPTY_REGISTER,
  FILTER_SAMPLES,
  type FilterReading,
  type FilterRegister,
  type LocalClock,
  readFilter,
} from '../../../src/protocol/time/clock-filter.ts';
import type { Sample } from '../../../src/protocol/time/types.ts';

const WALL = 1_782_864_000_000;
const config = { driftPpmMax: 250 };
const clock = { driftPpmMax: 250, ratePpm: 0 };
const PPM = 1e-6;
/** Offset above `WALL`, delay, when. */
const sample = (offset: number, delay: number, at: number, dispersion = 0): Sample => ({
  offset: WALL + offset,
  delay,
  dispersion,
  at: monotonic(at),
});
const filled = (samples: readonly Sample[], from: FilterRegister = EMPTY_REGISTER): FilterRegister =>
  samples.reduce((register, each) => addSample(register, each, config), from);
function read(register: FilterRegister, now: number, local: LocalClock = clock): FilterReading {
  const reading = readFilter(register, monotonic(now), local);
  if (reading === undefined) throw new Error('empty');
  return reading;
}
const times = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

describe('reading of the clock filter (TM-2)', () => {
  it('is nothing without samples', () => {
    expect(readFilter(EMPTY_REGISTER, monotonic(5), clock)).toBeUndefined();
  });

  it('is the sample with the lowest delay of those as old, wherever it stands', () => {
    const delays = [9, 4, 7, 12, 5, 8, 6, 10];
    const register = filled(delays.map((delay, at) => sample(delay / 100, delay, at)));
    expect(read(register, 100)).toMatchObject({ offset: WALL + 0.04, delay: 4, at: 1 });
  });

  it('is a fresh sample once the older one may have drifted by half of what its delay is less', () => {
    const at = (newer: number, now: number) =>
      read(filled([sample(0, 2, 0), sample(0, 6, newer)]), newer + now).at;
    for (const now of [0, 1, 64_000, 10_000_000]) {
      expect([at(7_999, now), at(8_000, now), at(8_001, now)]).toEqual([0, 8_000, 8_001]);
    }
    const steady = filled([sample(0, 2, 0), sample(0, 6, 8_001)]);
    expect(read(steady, 8_001, { driftPpmMax: 15, ratePpm: 0 }).at).toBe(0);
  });

  it('is not a sample whose clock reads so coarsely that it may be wrong by more', () => {
    const register = filled([sample(0, 4, 0), sample(0, 0, 1, 3)]);
    expect(read(register, 1)).toMatchObject({ at: 0, delay: 4 });
    expect(read(filled([sample(0, 4, 0), sample(0, 0, 1, 1)]), 1)).toMatchObject({ at: 1, delay: 0 });
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

  it('halves the weight of each dispersion by increasing delay/2 + dispersion', () => {
    /** By delay: the last is the best. By both: the first one is. */
    for (const [delay, order] of [
      [1_000, [7, 6, 5, 4, 3, 2, 1, 0]],
      [1, [0, 1, 2, 3, 4, 5, 6, 7]],
    ] as const) {
      const register = filled(times(8).map((at) => sample(0, delay * (8 - at), 0.001 * at, 2 ** at)));
      const weighted = order.reduce<number>((sum, at, rank) => sum + 2 ** at / 2 ** (rank + 1), 0);
      expect(read(register, 0).dispersion).toBeCloseTo(weighted, 4);
      expect(read(register, 0).ownDispersion).toBeCloseTo(2 ** order[0], 4);
    }
  });

  it('ages by what the clock may drift, up to 16 s', () => {
    const register = filled(times(8).map((at) => sample(0, 1 + at, at / 1_000, 2)));
    const hour = 3_600_000;
    for (const driftPpmMax of [15, 250]) {
      const aged = 2 + driftPpmMax * PPM * hour;
      const reading = read(register, hour, { driftPpmMax, ratePpm: 0 });
      expect(reading.dispersion).toBeCloseTo((1 - 2 ** -8) * aged, 4);
      expect(reading.ownDispersion).toBeCloseTo(aged, 4);
    }
    const old = read(register, 24_000 * hour);
    expect(old.dispersion).toBeCloseTo((1 - 2 ** -8) * 16_000, 6);
    expect(old.ownDispersion).toBe(16_000);
    expect(read(register, 0).dispersion).toBeCloseTo((1 - 2 ** -8) * 2, 4);
  });

  it('has the RMS of the differences to the best as jitter', () => {
    expect(read(filled([sample(7, 1, 0)]), 1).jitter).toBe(0);
    const register = filled([sample(3, 5, 0), sample(0, 1, 1), sample(-4, 5, 2)]);
    expect(read(register, 3).jitter).toBeCloseTo(Math.sqrt((9 + 16) / 2), 6);
  });

  it('never goes back to an older sample while samples are added', () => {
    const arrival = fc.record({
      offset: fc.integer({ min: -300, max: 300 }),
      delay: fc.integer({ min: 0, max: 40 }),
      dispersion: fc.integer({ min: 0, max: 4 }),
      // 2,000 ms are half a millisecond of ageing, so that some are exactly as good as older ones; days, so that some are capped.
      pause: fc.oneof(
        fc.integer({ min: 1, max: 32 }).map((count) => count * 2_000),
        fc.integer({ min: 1, max: 64_000 }),
        fc.integer({ min: 1, max: 300_000_000 }),
      ),
    });
    fc.assert(
      fc.property(fc.array(arrival, { maxLength: 40 }), fc.nat(500), (arrivals, ratePpm) => {
        let [register, now, last] = [EMPTY_REGISTER, 0, -1];
        for (const { offset, delay, dispersion, pause } of arrivals) {
          const before = now;
          now += pause;
          for (const at of [before, now - 1]) {
            const reading = readFilter(register, monotonic(at), { ...clock, ratePpm });
            expect(reading?.at ?? -1).toBe(last);
          }
          register = addSample(register, sample(offset, delay, now, dispersion), config);
          const { at } = read(register, now, { ...clock, ratePpm });
          expect(at).toBeGreaterThanOrEqual(last);
          expect(register.samples.length).toBeLessThanOrEqual(FILTER_SAMPLES);
          last = at;
        }
      }),
      { numRuns: 300 },
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

describe('samples as time goes on (TM-2)', () => {
  /** A sample each `pause`, of a clock that the sources run `drift` ppm faster than; the way there takes `bias` of it all. */
  const run = fc.record({
    polls: fc.array(
      fc.record({
        pause: fc.integer({ min: 1_000, max: 64_000 }),
        delay: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 300 })),
        dispersion: fc.constantFrom(0, 1, 40),
        drift: fc.constantFrom(-1, -0.5, 0, 0.5, 1),
      }),
      { minLength: 1, maxLength: 12 },
    ),
    bias: fc.constantFrom(-1, -0.3, 0, 1),
    later: fc.oneof(fc.integer({ min: 0, max: 64_000 }), fc.integer({ min: 0, max: 50_000_000 })),
    ratePpm: fc.integer({ min: -200, max: 200 }),
  });

  it('are exact, and have no jitter, at any time when the clock drifts by just the measured rate', () => {
    fc.assert(
      fc.property(run, ({ polls, later, ratePpm }) => {
        let [register, now] = [EMPTY_REGISTER, 0];
        for (const { pause, delay, dispersion } of polls) {
          now += pause;
          register = addSample(register, sample(ratePpm * PPM * now, delay, now, dispersion), config);
        }
        expect(register).toMatchObject({ spike: undefined });
        expect(register.samples).toHaveLength(Math.min(polls.length, FILTER_SAMPLES));
        for (const at of [now, now + later]) {
          const { offset, jitter } = read(register, at, { ...clock, ratePpm });
          expect(Math.abs(offset - WALL - ratePpm * PPM * at)).toBeLessThan(0.002);
          expect(jitter).toBeLessThan(0.002);
        }
      }),
    );
  });

  it('go on at the measured rate: 100 ppm in 10 s are 1 ms, forward or back', () => {
    const register = filled([sample(0, 2, 0), sample(0, 2, 10_000)]);
    for (const ratePpm of [100, -100]) {
      const { offset, jitter } = read(register, 20_000, { ...clock, ratePpm });
      expect(offset - WALL).toBeCloseTo(ratePpm / 100, 3);
      expect(jitter).toBeCloseTo(1, 3);
    }
  });

  it('hold the truth within delay/2 + dispersion, while the clock drifts by no more than the bound off its rate', () => {
    fc.assert(
      fc.property(run, ({ polls, bias, later, ratePpm }) => {
        const local = { driftPpmMax: 250, ratePpm };
        // The drift itself is within the bound too: it is what tells a spike or a clock that was set.
        const ppmOf = (drift: number): number => Math.max(-250, Math.min(250, ratePpm + 250 * drift));
        let [register, now, truth] = [EMPTY_REGISTER, 0, 0];
        for (const { pause, delay, dispersion, drift } of polls) {
          now += pause;
          truth += pause * PPM * ppmOf(drift);
          const wrong = bias * (delay / 2 + dispersion);
          register = addSample(register, sample(truth + wrong, delay, now, dispersion), config);
          const { offset, delay: least, ownDispersion } = read(register, now, local);
          expect(Math.abs(offset - WALL - truth)).toBeLessThan(least / 2 + ownDispersion + 0.002);
        }
        for (const drift of [-1, 1]) {
          const { offset, delay, ownDispersion } = read(register, now + later, local);
          const then = truth + later * PPM * ppmOf(drift);
          expect(Math.abs(offset - WALL - then)).toBeLessThan(delay / 2 + ownDispersion + 0.002);
        }
      }),
      { numRuns: 300 },
    );
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
