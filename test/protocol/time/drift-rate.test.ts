import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import {
  NO_TARGETS,
  RATE_PPM_MAX,
  RATE_TARGETS_MAX,
  ratePpmOf,
  type Target,
  withTarget,
} from '../../../src/protocol/time/drift-rate.ts';

const NOW = 1_700_000_000_000;
const target = (at: number, offset: number): Target => ({ at: monotonic(at), offset: NOW + offset });
const windowOf = (...targets: readonly (readonly [number, number])[]) =>
  targets.reduce((window, [at, offset]) => withTarget(window, target(at, offset)), NO_TARGETS);

describe('drift rate (TM-6)', () => {
  it('is undefined before targets span a minute', () => {
    expect(ratePpmOf(NO_TARGETS)).toBeUndefined();
    expect(ratePpmOf(windowOf([0, 0]))).toBeUndefined();
    expect(ratePpmOf(windowOf([0, 0], [59_999, 3]))).toBeUndefined();
    expect(ratePpmOf(windowOf([0, 0], [60_000, 3]))).toBeCloseTo(50, 3);
  });

  it('is the slope of a line, whatever its sign and its origin', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -400, max: 400 }),
        fc.nat(1e9),
        fc.array(fc.integer({ min: 1_000, max: 64_000 }), { minLength: 3, maxLength: 40 }),
        (ppm, origin, pauses) => {
          let at = 0;
          const window = pauses.reduce(
            (so, pause) => {
              at += pause;
              return withTarget(so, target(origin + at, (at * ppm) / 1e6));
            },
            windowOf([origin, 0]),
          );
          const span = at - pauses.slice(0, -(RATE_TARGETS_MAX - 1)).reduce((sum, pause) => sum + pause, 0);
          if (span < 60_000) expect(ratePpmOf(window)).toBeUndefined();
          else expect(Math.abs((ratePpmOf(window) ?? Number.NaN) - ppm)).toBeLessThan(0.02);
        },
      ),
    );
  });

  it('is the least-squares slope, not that of the ends', () => {
    // Distances from the middle, squared: 4e9 ms²; times the offsets: 8e4 ms². The ends alone say 0.
    const window = windowOf([0, 0], [20_000, 4], [40_000, 0], [60_000, 8], [80_000, 0]);
    expect(ratePpmOf(window)).toBeCloseTo(20, 3);
  });

  it('is within ±500 ppm, though a clock jumps', () => {
    expect(ratePpmOf(windowOf([0, 0], [64_000, 5_000]))).toBe(RATE_PPM_MAX);
    expect(ratePpmOf(windowOf([0, 0], [64_000, -5_000]))).toBe(-RATE_PPM_MAX);
  });

  it('forgets all but the last sixteen targets, and changes no window in place', () => {
    const bent = windowOf([0, 1_000]);
    const straight = Array.from({ length: RATE_TARGETS_MAX }, (_, index) => target(64_000 * (index + 1), 0));
    const full = straight.slice(0, -1).reduce(withTarget, bent);
    const next = straight.slice(-1).reduce(withTarget, full);
    expect(full).toHaveLength(RATE_TARGETS_MAX);
    expect(ratePpmOf(full)).not.toBeCloseTo(0, 3);
    expect(next).toHaveLength(RATE_TARGETS_MAX);
    expect(ratePpmOf(next)).toBeCloseTo(0, 9);
    expect(bent).toHaveLength(1);
  });
});
