import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isAdmitted,
  POLL_EVERY_MAX,
  type PollOutcome,
  pollEvery,
  RELIABILITY_START,
  reliabilityAfter,
} from '../../../src/protocol/time/reliability.ts';

const outcome = fc.constantFrom<PollOutcome>('success', 'timeout', 'failure');
const score = fc.double({ min: 0, max: 1, noNaN: true });
const scored = (...outcomes: readonly PollOutcome[]) => outcomes.reduce(reliabilityAfter, RELIABILITY_START);
const times = (count: number, what: PollOutcome) => Array.from({ length: count }, () => what);

describe('reliability (TM-4)', () => {
  it('starts at 0.5 and moves by 0.2, 0.1 and 0.15 of the way', () => {
    expect(scored()).toBe(0.5);
    expect(scored('success')).toBeCloseTo(0.6, 12);
    expect(scored('timeout')).toBeCloseTo(0.45, 12);
    expect(scored('failure')).toBeCloseTo(0.425, 12);
    expect(scored('success', 'success')).toBeCloseTo(0.68, 12);
  });

  it('stays within 0 and 1', () => {
    fc.assert(
      fc.property(score, fc.array(outcome), (start, outcomes) => {
        const end = outcomes.reduce(reliabilityAfter, start);
        expect(end).toBeGreaterThanOrEqual(0);
        expect(end).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('admits from 0.2 on: until the ninth timeout or the sixth failure of a new peer', () => {
    expect([isAdmitted(0.2), isAdmitted(0.199)]).toEqual([true, false]);
    expect([8, 9].map((count) => isAdmitted(scored(...times(count, 'timeout'))))).toEqual([true, false]);
    expect([5, 6].map((count) => isAdmitted(scored(...times(count, 'failure'))))).toEqual([true, false]);
  });

  it('admits any peer again after one success', () => {
    fc.assert(
      fc.property(score, (start) => {
        expect(isAdmitted(reliabilityAfter(start, 'success'))).toBe(true);
      }),
    );
  });

  it('polls a bad peer every 2, 4, 8 intervals, never less often', () => {
    expect([1, 0.2, 0.19, 0.1, 0.09, 0.05, 0.04, 0.02, 0.001, 0].map(pollEvery)).toEqual([
      1,
      1,
      2,
      2,
      4,
      4,
      8,
      8,
      8,
      POLL_EVERY_MAX,
    ]);
  });
});
