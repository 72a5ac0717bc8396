import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { monotonic, wallTime } from '../../../src/base/units.ts';
import { CLOCK_STEP_MS, clockStep, isStep, sampleOf } from '../../../src/protocol/time/sample.ts';

/** 2026-07-01: the size of real readings, where a float64 has a quarter of a microsecond. */
const WALL = 1_782_864_000_000;
const exchange = (sentAt: number, receivedAt: number, repliedAt: number, arrivedAt: number) => ({
  sentAt: monotonic(sentAt),
  receivedAt: wallTime(receivedAt),
  repliedAt: wallTime(repliedAt),
  arrivedAt: monotonic(arrivedAt),
});

describe('sample of four timestamps (TM-1)', () => {
  it('is the offset and the delay of RFC 5905 §8', () => {
    expect(sampleOf(exchange(1_000, WALL + 10, WALL + 13, 1_023), 0.5)).toEqual({
      offset: WALL - 1_000,
      delay: 20,
      dispersion: 0.5,
      at: 1_023,
    });
    expect(sampleOf(exchange(1_000, WALL + 15, WALL + 15, 1_020), 0)).toMatchObject({
      offset: WALL - 995,
      delay: 20,
    });
  });

  it('is wrong by half the delay at most, however the way is divided', () => {
    const way = fc.double({ min: 0, max: 5_000, noNaN: true });
    fc.assert(
      fc.property(way, way, way, (there, held, back) => {
        const truth = WALL - 7_777;
        const sent = 7_777;
        const sample = sampleOf(
          exchange(sent, sent + truth + there, sent + truth + there + held, sent + there + held + back),
          0,
        );
        if (sample === 'malformed') throw new Error('malformed');
        expect(sample.delay).toBeCloseTo(there + back, 2);
        expect(Math.abs(sample.offset - truth)).toBeLessThanOrEqual(sample.delay / 2 + 0.002);
      }),
    );
  });

  it('has no negative delay by rounding, but is malformed when more time is claimed than passed', () => {
    expect(sampleOf(exchange(0, WALL, WALL + 11, 10), 0)).toMatchObject({ delay: 0 });
    expect(sampleOf(exchange(0, WALL, WALL + 11.5, 10), 0)).toBe('malformed');
    expect(sampleOf(exchange(0, WALL, WALL + 11.5, 10), 0.5)).toMatchObject({ delay: 0, dispersion: 0.5 });
  });

  it('is malformed when an end is before its start or a value is no number', () => {
    expect(sampleOf(exchange(0, WALL + 0.5, WALL, 10), 0)).toBe('malformed');
    expect(sampleOf(exchange(10, WALL, WALL, 9.5), 0)).toBe('malformed');
    expect(sampleOf(exchange(0, WALL, WALL, 10), -1)).toBe('malformed');
    const readings: readonly [number, number, number, number] = [0, WALL, WALL, 10];
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (const place of [0, 1, 2, 3]) {
        const [t1, t2, t3, t4] = readings.map((reading, index) => (index === place ? bad : reading));
        expect(sampleOf(exchange(t1 ?? 0, t2 ?? 0, t3 ?? 0, t4 ?? 0), 0)).toBe('malformed');
      }
      expect(sampleOf(exchange(...readings), bad)).toBe('malformed');
    }
    expect(sampleOf(exchange(0, 1e308, 1e308, 10), 0)).toBe('malformed');
  });
});

describe('step of the system clock (TM-1)', () => {
  const look = (at: number, systemTime: number) => ({ at: monotonic(at), systemTime: wallTime(systemTime) });

  it('is how far it moved beyond the monotonic clock', () => {
    expect(clockStep(look(100, WALL), look(1_100, WALL + 1_000))).toBe(0);
    expect(clockStep(look(100, WALL), look(1_100, WALL + 1_030))).toBe(30);
    expect(clockStep(look(100, WALL), look(1_100, WALL - 3_600_000))).toBe(-3_601_000);
  });

  it('is one beyond 50 ms, either way', () => {
    expect(CLOCK_STEP_MS).toBe(50);
    expect([50, -50, 0].map(isStep)).toEqual([false, false, false]);
    expect([50.25, -50.25, 3_600_000, Number.NaN].map(isStep)).toEqual([true, true, true, true]);
  });
});
