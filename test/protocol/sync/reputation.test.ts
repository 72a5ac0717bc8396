import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis, type WallTime, wallTime } from '../../../src/base/units.ts';
import {
  consistentUptime,
  contradicted,
  FAILURES_MAX,
  failed,
  isDistrusted,
  isRemoved,
  lied,
  newReputation,
  praised,
  REMOVED_MS_MAX,
  REMOVED_MS_MIN,
  removalOf,
  resumed,
  SCORE_HALF_LIFE_MS,
  SCORE_START,
  SEEN_EVERY_MS_MAX,
  scoreAt,
  seen,
} from '../../../src/protocol/sync/reputation.ts';
import type { Reputation } from '../../../src/protocol/sync/types.ts';
import { world } from '../consensus/fixture.ts';

const peer = world().addressAt(1);
const HOUR = 3_600_000;
const at = (ms: number): WallTime => wallTime(1_700_000_000_000 + ms);
const fresh = newReputation(peer, at(0));
const trust = { tier3TrustTime: millis(5 * HOUR) };

describe('score of a peer (SY-6)', () => {
  it('rises with what is good, falls faster with failures, and most with a lie', () => {
    const good = scoreAt(praised(fresh, at(1)), at(1));
    const bad = scoreAt(failed(fresh, 1, at(1)), at(1));
    const lie = scoreAt(lied(fresh, 1, at(1)), at(1));
    expect(good).toBeGreaterThan(SCORE_START);
    expect(SCORE_START - bad).toBeGreaterThan(good - SCORE_START);
    expect(lie).toBeLessThan(bad);
  });

  it('moves half of the way back to 0.5 in each half-life, from above and from below', () => {
    for (const score of [0.9, 0.1]) {
      const known = { ...fresh, score };
      const half = scoreAt(known, at(SCORE_HALF_LIFE_MS));
      expect(half).toBeCloseTo((score + SCORE_START) / 2);
      expect(scoreAt(known, at(100 * SCORE_HALF_LIFE_MS))).toBeCloseTo(SCORE_START);
    }
  });

  it('removes a peer after failures in a row, each time for twice as long, up to an hour', () => {
    expect(isRemoved(failed(fresh, FAILURES_MAX - 1, at(0)), at(1))).toBe(false);
    const removed = failed(fresh, FAILURES_MAX, at(0));
    expect(isRemoved(removed, at(REMOVED_MS_MIN - 1))).toBe(true);
    expect(isRemoved(removed, at(REMOVED_MS_MIN))).toBe(false);
    expect(removalOf(FAILURES_MAX + 1)).toBe(2 * REMOVED_MS_MIN);
    expect(removalOf(1_000)).toBe(REMOVED_MS_MAX);
    expect(isRemoved(praised(removed, at(1)), at(1))).toBe(false);
  });

  it('never leaves 0..1, whatever happens in whatever order, on a clock that steps back too', () => {
    const turns = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: -HOUR, max: 9 * HOUR })),
    );
    fc.assert(
      fc.property(turns, (list) => {
        let known: Reputation = fresh;
        let now = 0;
        for (const [turn, passed] of list) {
          now += passed;
          const ways = [
            praised(known, at(now)),
            failed(known, turn * 3, at(now)),
            lied(known, 1, at(now)),
            contradicted(known, at(now), trust),
            seen(known, at(now)),
            resumed(known, at(now)),
          ];
          known = ways[turn] ?? known;
          expect(scoreAt(known, at(now))).toBeGreaterThanOrEqual(0);
          expect(scoreAt(known, at(now))).toBeLessThanOrEqual(1);
          expect(consistentUptime(known, at(now))).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});

describe('bug "re-sync from the peer that caused the fork" (SY-5, SY-6)', () => {
  it('does not trust a peer that contradicted for as long as tier 3 asks of anybody, whatever it gives meanwhile', () => {
    let known = contradicted(fresh, at(0), trust);
    for (let minute = 1; minute < 5 * 60; minute += 1)
      known = praised(seen(known, at(minute * 60_000)), at(minute * 60_000));
    expect(isDistrusted(known, at(5 * HOUR - 1))).toBe(true);
    expect(scoreAt(known, at(5 * HOUR - 1))).toBe(0);
    expect(isDistrusted(known, at(5 * HOUR))).toBe(false);
    expect(scoreAt(known, at(5 * HOUR + SCORE_HALF_LIFE_MS))).toBeCloseTo(SCORE_START / 2);
  });

  it('does not make it whole again by failures or further lies', () => {
    const known = contradicted(fresh, at(0), trust);
    expect(isDistrusted(failed(known, 1, at(1)), at(2))).toBe(true);
    expect(isDistrusted(lied(known, 1, at(1)), at(2))).toBe(true);
  });
});

describe('what a clock years ahead has kept (SY-6)', () => {
  const YEARS = 14 * 365 * 24 * HOUR;
  const then = newReputation(peer, at(YEARS));

  it('moves back with the clock: who was removed for a minute is not banned for years', () => {
    const removed = lied(then, 0, at(YEARS));
    const back = resumed(removed, at(0));
    expect([isRemoved(back, at(59_999)), isRemoved(back, at(60_000))]).toEqual([true, false]);
    expect(back).toEqual({ ...removed, at: at(0), consistentSince: at(0), removedUntil: at(60_000) });
  });

  it('uptime counts from now on, and a score fades again', () => {
    const back = resumed({ ...then, score: 1 }, at(0));
    expect(consistentUptime(back, at(HOUR))).toBe(HOUR);
    expect(scoreAt(back, at(HOUR))).toBeLessThan(1);
    expect(back.removedUntil).toBeUndefined();
    const trusted = resumed({ ...then, consistentSince: at(-6 * HOUR) }, at(0));
    expect(trusted.consistentSince, 'what was before the clock leapt stays').toBe(at(-6 * HOUR));
  });
});

describe('consistent uptime (SY-9)', () => {
  it('counts only time in which the peer was connected', () => {
    let known = seen(fresh, at(60_000));
    known = resumed(known, at(60_000 + 8 * HOUR));
    known = seen(known, at(120_000 + 8 * HOUR));
    expect(consistentUptime(known, at(120_000 + 8 * HOUR))).toBe(120_000);
  });

  it('begins anew with a lie and with a contradiction, not with a failure', () => {
    const old = { ...fresh, at: at(6 * HOUR) };
    expect(consistentUptime(failed(old, 9, at(6 * HOUR)), at(6 * HOUR))).toBe(6 * HOUR);
    expect(consistentUptime(lied(old, 1, at(6 * HOUR)), at(6 * HOUR))).toBe(0);
    expect(consistentUptime(contradicted(old, at(6 * HOUR), trust), at(6 * HOUR))).toBe(0);
  });

  it('does not grow by hours because a clock leapt or a machine slept', () => {
    const leapt = seen(fresh, at(9 * HOUR));
    expect(consistentUptime(leapt, at(9 * HOUR))).toBe(0);
    expect(consistentUptime(seen(fresh, at(SEEN_EVERY_MS_MAX)), at(SEEN_EVERY_MS_MAX))).toBe(
      SEEN_EVERY_MS_MAX,
    );
  });
});
