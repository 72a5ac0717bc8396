import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Monotonic, monotonic, type WallTime, wallTime } from '../../src/base/units.ts';
import { adjustedTime, type Discipline } from '../../src/protocol/time/adjusted.ts';
import { AdjustedClock } from '../../src/time/adjusted-clock.ts';

/** Two clocks that stand where the test puts them. */
function clocks() {
  const hands = { now: 1_000, wall: 50_000 };
  const clock = new AdjustedClock({
    now: (): Monotonic => monotonic(hands.now),
    wall: (): WallTime => wallTime(hands.wall),
  });
  return { hands, clock };
}

const discipline = (at: number, time: number, slewMs = 0, ratePpm = 0): Discipline => ({
  at: monotonic(at),
  time: wallTime(time),
  ratePpm,
  slewMs,
});

describe('the adjusted clock (TM-6)', () => {
  it('is the system clock, steps and all, until it is disciplined', () => {
    const { hands, clock } = clocks();
    expect(clock.read()).toBe(50_000);
    hands.wall = 40_000;
    expect(clock.read()).toBe(40_000);
    expect(clock.ahead).toBe(0);
  });

  it('follows its discipline on the monotonic clock, whatever becomes of the system clock', () => {
    const { hands, clock } = clocks();
    clock.discipline(discipline(1_000, 60_000, 100), false);
    expect(clock.read()).toBe(60_000);
    hands.now = 2_000;
    hands.wall = 0;
    expect(clock.read()).toBe(61_005);
    hands.wall = 3_600_000;
    expect(clock.read()).toBe(61_005);
    expect(clock.ahead).toBe(0);
  });

  it('may fall with the first discipline, since nobody had adjusted time before', () => {
    const { clock } = clocks();
    clock.read();
    clock.discipline(discipline(1_000, 20_000), true);
    expect(clock.ahead).toBe(0);
    expect(clock.read()).toBe(20_000);
  });

  it('does not fall below what it showed as system clock, unless told that this is the first', () => {
    const { hands, clock } = clocks();
    clock.read();
    hands.wall = 45_000;
    clock.read();
    clock.discipline(discipline(1_000, 20_000), false);
    expect(clock.read()).toBe(50_000);
    expect(clock.ahead).toBe(30_000);
  });

  it('holds still after a step back until time has caught up, and says by how much', () => {
    const { hands, clock } = clocks();
    clock.discipline(discipline(1_000, 60_000), true);
    clock.read();
    clock.discipline(discipline(1_000, 57_000), false);
    expect(clock.ahead).toBe(3_000);
    hands.now = 3_000;
    expect([clock.read(), clock.ahead]).toEqual([60_000, 1_000]);
    hands.now = 4_500;
    expect([clock.read(), clock.ahead]).toEqual([60_500, 0]);
  });

  it('takes no second "first": the coordinator that says so has started anew, the clock has not', () => {
    const { clock } = clocks();
    clock.discipline(discipline(1_000, 60_000), true);
    clock.read();
    clock.discipline(discipline(1_000, 20_000), true);
    expect(clock.read()).toBe(60_000);
    expect(clock.ahead).toBe(40_000);
  });

  it('never decreases once it is disciplined, over any steps of both clocks', () => {
    const act = fc.oneof(
      fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 5_000 }) }),
      fc.record({ kind: fc.constant('setWall' as const), ms: fc.integer({ min: 0, max: 9_000_000 }) }),
      fc.record({
        kind: fc.constant('discipline' as const),
        ms: fc.integer({ min: -20_000, max: 20_000 }),
        slewMs: fc.integer({ min: -200, max: 200 }),
        ratePpm: fc.integer({ min: -500, max: 500 }),
        isFirst: fc.boolean(),
      }),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const { hands, clock } = clocks();
        let last = clock.read();
        let current: Discipline | undefined;
        for (const step of acts) {
          const isFirstEver = step.kind === 'discipline' && current === undefined && step.isFirst;
          if (step.kind === 'wait') hands.now += step.ms;
          else if (step.kind === 'setWall') hands.wall = step.ms;
          else {
            current = discipline(hands.now, hands.wall + step.ms, step.slewMs, step.ratePpm);
            clock.discipline(current, step.isFirst);
          }
          const next = clock.read();
          if (current !== undefined) {
            if (!isFirstEver) expect(next).toBeGreaterThanOrEqual(last);
            expect(next - clock.ahead).toBeCloseTo(adjustedTime(current, monotonic(hands.now)), 6);
          }
          if (current !== undefined || next > last) last = next;
        }
      }),
    );
  });
});
