/** Rule SY-11: progress is never negative, never above its goal, and never claims a speed that is gone. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import { advanced, beginProgress, viewOf } from '../../../src/protocol/sync/progress.ts';
import { height } from '../consensus/fixture.ts';

const at = monotonic;

describe('progress (SY-11)', () => {
  it('knows no speed and no end before the first blocks', () => {
    const view = viewOf(beginProgress(height(10), at(0)), height(50), [], at(2_000));
    expect(view).toEqual({ tier: 2, from: 10, at: 10, to: 50, blocksPerSecond: 0, peers: [], startedAt: 0 });
  });

  it('tells the speed of the first sample whole, and the rest by it', () => {
    const progress = advanced(beginProgress(height(0), at(0)), height(100), at(1_000));
    const view = viewOf(progress, height(300), [], at(1_000));
    expect(view.blocksPerSecond).toBeCloseTo(100);
    expect(view.remainingMs).toBe(2_000);
  });

  it('moves towards a new speed by the time it lasts', () => {
    let progress = advanced(beginProgress(height(0), at(0)), height(100), at(1_000));
    progress = advanced(progress, height(300), at(2_000));
    const speed = viewOf(progress, height(900), [], at(2_000)).blocksPerSecond;
    expect(speed).toBeGreaterThan(110);
    expect(speed).toBeLessThan(130);
  });

  it('slows down and takes longer every second in which nothing comes', () => {
    const progress = advanced(beginProgress(height(0), at(0)), height(100), at(1_000));
    const views = [1_000, 3_000, 10_000, 60_000].map((now) => viewOf(progress, height(200), [], at(now)));
    const speeds = views.map(({ blocksPerSecond }) => blocksPerSecond);
    expect([...speeds].sort((left, right) => right - left)).toEqual(speeds);
    expect(new Set(speeds).size).toBe(4);
    expect(views[3]?.remainingMs).toBeGreaterThan(views[0]?.remainingMs ?? 0);
  });

  it('counts blocks that come in one moment together', () => {
    let progress = beginProgress(height(0), at(0));
    for (const next of [10, 20, 30]) progress = advanced(progress, height(next), at(10));
    progress = advanced(progress, height(40), at(1_000));
    expect(viewOf(progress, height(40), [], at(1_000)).blocksPerSecond).toBeCloseTo(40);
  });

  it('is done when the goal is reached, and does not go back', () => {
    const progress = advanced(beginProgress(height(0), at(0)), height(10), at(500));
    expect(advanced(progress, height(5), at(600))).toBe(progress);
    expect(viewOf(progress, height(10), [], at(600)).remainingMs).toBe(0);
    expect(viewOf(progress, height(7), [], at(600))).toMatchObject({ at: 10, to: 10, remainingMs: 0 });
  });

  it('stays within its bounds whatever comes when', () => {
    const step = fc.record({ more: fc.integer({ min: -5, max: 500 }), wait: fc.nat(5_000) });
    fc.assert(
      fc.property(fc.nat(1_000), fc.nat(2_000), fc.array(step, { maxLength: 30 }), (from, goal, steps) => {
        let now = 0;
        let tip = from;
        let progress = beginProgress(height(from), at(0));
        let before = from;
        for (const { more, wait } of steps) {
          now += wait;
          tip = Math.max(0, tip + more);
          progress = advanced(progress, height(tip), at(now));
          const view = viewOf(progress, height(goal), [], at(now));
          expect(view.from).toBeLessThanOrEqual(view.at);
          expect(view.at).toBeLessThanOrEqual(view.to);
          expect(view.at).toBeGreaterThanOrEqual(before);
          expect(view.blocksPerSecond).toBeGreaterThanOrEqual(0);
          expect(Number.isFinite(view.blocksPerSecond)).toBe(true);
          expect(view.remainingMs ?? 0).toBeGreaterThanOrEqual(0);
          before = view.at;
        }
      }),
    );
  });
});
