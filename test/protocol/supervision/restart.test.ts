import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Monotonic, millis, monotonic } from '../../../src/base/units.ts';
import type { RestartType } from '../../../src/protocol/supervision/child.ts';
import type { ExitReason } from '../../../src/protocol/supervision/effect.ts';
import { countIncident } from '../../../src/protocol/supervision/intensity.ts';
import {
  backoffDelay,
  concernedBy,
  deservesRestart,
  nextAttempt,
} from '../../../src/protocol/supervision/restart.ts';

describe('intensity', () => {
  it('escalates exactly when more than intensity incidents lie in [now − period, now] (RT-1)', () => {
    const gaps = fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(gaps, fc.nat({ max: 5 }), fc.nat({ max: 60 }), (waits, intensity, period) => {
        const all: number[] = [];
        let kept: readonly Monotonic[] = [];
        let now = 0;
        for (const wait of waits) {
          now += wait;
          all.push(now);
          const counted = countIncident(kept, monotonic(now), intensity, millis(period));
          kept = counted.restarts;
          expect(counted.exceeded).toBe(all.filter((at) => at >= now - period).length > intensity);
        }
      }),
    );
  });

  it('counts an incident that is exactly one period old (RT-1)', () => {
    const old = [monotonic(0)];
    expect(countIncident(old, monotonic(5_000), 1, millis(5_000)).exceeded).toBe(true);
    expect(countIncident(old, monotonic(5_001), 1, millis(5_000)).exceeded).toBe(false);
  });
});

describe('restart types', () => {
  const reasons: readonly (readonly [ExitReason, boolean])[] = [
    [{ kind: 'normal' }, true],
    [{ kind: 'shutdown' }, true],
    [{ kind: 'shutdown', detail: 'why' }, true],
    [{ kind: 'killed' }, false],
    [{ kind: 'crash', error: 'x' }, false],
    [{ kind: 'overflow' }, false],
    [{ kind: 'escalated', child: 'a', error: 'x' }, false],
  ];
  it('restarts permanent always, transient after an abnormal end, temporary never (RT-2)', () => {
    for (const [reason, isOrderly] of reasons) {
      const expected: Record<RestartType, boolean> = {
        permanent: true,
        transient: !isOrderly,
        temporary: false,
      };
      for (const type of ['permanent', 'transient', 'temporary'] as const) {
        expect(deservesRestart(type, reason), `${type} ${reason.kind}`).toBe(expected[type]);
      }
    }
  });

  it('concerns one, all, or the failed and those after it (RT-4)', () => {
    const ids = ['a', 'b', 'c', 'd'];
    expect(concernedBy('one_for_one', ids, 'b')).toEqual(['b']);
    expect(concernedBy('one_for_all', ids, 'b')).toEqual(ids);
    expect(concernedBy('rest_for_one', ids, 'b')).toEqual(['b', 'c', 'd']);
    expect(concernedBy('rest_for_one', ids, 'z')).toEqual([]);
  });
});

describe('backoff', () => {
  const backoffs = fc
    .record({
      min: fc.integer({ min: 1, max: 1_000 }),
      span: fc.nat({ max: 100_000 }),
      factor: fc.double({ min: 1, max: 4, noNaN: true }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
      resetAfter: fc.nat({ max: 10_000 }),
    })
    .map(({ min, span, factor, jitter, resetAfter }) => ({
      min: millis(min),
      max: millis(min + span),
      factor,
      jitter,
      resetAfter: millis(resetAfter),
    }));

  it('stays within [min, max] and never shrinks by a further attempt at equal luck (RT-5)', () => {
    fc.assert(
      fc.property(
        backoffs,
        fc.nat({ max: 60 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (backoff, attempt, draw) => {
          const wait = backoffDelay(backoff, attempt, draw);
          expect(wait).toBeGreaterThanOrEqual(backoff.min - 1e-9);
          expect(wait).toBeLessThanOrEqual(backoff.max);
          expect(backoffDelay(backoff, attempt + 1, draw)).toBeGreaterThanOrEqual(wait - 1e-9);
        },
      ),
    );
  });

  it('grows by the factor without jitter, up to max (RT-5)', () => {
    const backoff = { min: millis(100), max: millis(1_000), factor: 3, jitter: 0, resetAfter: millis(1) };
    expect([0, 1, 2, 3].map((attempt) => backoffDelay(backoff, attempt, 0.7))).toEqual([
      100, 300, 900, 1_000,
    ]);
  });

  it('starts again at min after resetAfter of health, and not before (RT-5)', () => {
    fc.assert(
      fc.property(backoffs, fc.nat({ max: 20 }), fc.nat({ max: 20_000 }), (backoff, attempt, health) => {
        const next = nextAttempt(backoff, attempt, monotonic(50), monotonic(50 + health));
        expect(next).toBe(health >= backoff.resetAfter ? 0 : attempt);
      }),
    );
  });
});
