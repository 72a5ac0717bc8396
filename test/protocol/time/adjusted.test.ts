import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { monotonic, wallTime } from '../../../src/base/units.ts';
import { adjustedTime, type Discipline, SLEW_PPM, slewLeft } from '../../../src/protocol/time/adjusted.ts';

const NOW = 1_700_000_000_000;
const clock = (more: Partial<Discipline> = {}): Discipline => ({
  at: monotonic(1_000),
  time: wallTime(NOW),
  ratePpm: 0,
  slewMs: 0,
  ...more,
});
const shown = (discipline: Discipline, after: number) =>
  adjustedTime(discipline, monotonic(discipline.at + after)) - NOW;

const ratePpm = fc.double({ min: -500, max: 500, noNaN: true });
const slewMs = fc.double({ min: -128, max: 128, noNaN: true });

describe('adjusted time (TM-6)', () => {
  it('runs with the monotonic clock, by its rate', () => {
    expect(shown(clock(), 0)).toBe(0);
    expect(shown(clock(), 60_000)).toBe(60_000);
    expect(shown(clock({ ratePpm: 250 }), 60_000)).toBeCloseTo(60_015, 3);
    expect(shown(clock({ ratePpm: -250 }), 60_000)).toBeCloseTo(59_985, 3);
  });

  it('makes a correction up at 5,000 ppm, then no more', () => {
    expect(shown(clock({ slewMs: 10 }), 1_000)).toBeCloseTo(1_005, 3);
    expect(shown(clock({ slewMs: 10 }), 3_000)).toBeCloseTo(3_010, 3);
    expect(shown(clock({ slewMs: -10 }), 1_000)).toBeCloseTo(995, 3);
    expect(shown(clock({ slewMs: -10 }), 3_000)).toBeCloseTo(2_990, 3);
    expect(shown(clock({ slewMs: 10, ratePpm: 100 }), 3_000)).toBeCloseTo(3_010.3, 3);
  });

  it('stands at `time` before `at`', () => {
    expect(shown(clock({ slewMs: 10 }), -500)).toBe(0);
    expect(slewLeft(clock({ slewMs: 10 }), monotonic(500))).toBe(10);
  });

  it('says what is still to be made up', () => {
    expect(slewLeft(clock({ slewMs: 10 }), monotonic(2_000))).toBeCloseTo(5, 9);
    expect(slewLeft(clock({ slewMs: -10 }), monotonic(2_000))).toBeCloseTo(-5, 9);
    expect(slewLeft(clock({ slewMs: -10 }), monotonic(1e6))).toBe(0);
  });

  it('has made the whole correction up after |slew| / 5,000 ppm', () => {
    fc.assert(
      fc.property(ratePpm, slewMs, fc.double({ min: 0, max: 1e6, noNaN: true }), (rate, slew, more) => {
        const discipline = clock({ ratePpm: rate, slewMs: slew });
        const elapsed = (Math.abs(slew) * 1e6) / SLEW_PPM + more;
        expect(shown(discipline, elapsed)).toBeCloseTo(elapsed * (1 + rate / 1e6) + slew, 2);
        expect(Math.abs(slewLeft(discipline, monotonic(discipline.at + elapsed)))).toBeLessThan(1e-6);
      }),
    );
  });

  it('never falls between two readings, however close', () => {
    const apart = fc.oneof(
      fc.double({ min: 0, max: 1e-3, noNaN: true }),
      fc.double({ min: 0, max: 60_000, noNaN: true }),
    );
    fc.assert(
      fc.property(ratePpm, slewMs, fc.array(apart, { minLength: 2, maxLength: 50 }), (rate, slew, steps) => {
        const discipline = clock({ ratePpm: rate, slewMs: slew });
        let after = 0;
        let last = shown(discipline, 0);
        for (const step of steps) {
          after += step;
          const reading = shown(discipline, after);
          expect(reading).toBeGreaterThanOrEqual(last);
          last = reading;
        }
      }),
    );
  });

  it('never falls by rounding, nanosecond by nanosecond of a slew back', () => {
    const discipline = clock({ slewMs: -100 });
    let last = shown(discipline, 7);
    for (let count = 1; count <= 20_000; count += 1) {
      const reading = shown(discipline, 7 + count * 1e-6);
      if (reading < last) expect.fail(`${reading} after ${last}`);
      last = reading;
    }
    expect(last).toBeGreaterThan(shown(discipline, 7));
  });
});
