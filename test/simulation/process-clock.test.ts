/** A machine's clocks: the oscillator drives timers and both clocks, and setting the wall clock moves neither. Rules SM-1, SM-2. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { virtualClock } from '../../src/actors/runtime/index.ts';
import { processClock, WallClock } from '../../src/simulation/process-clock.ts';

const START = 1_700_000_000_000;
const SECOND = 1_000;

/** One machine under a virtual clock, and a process on it. */
function machine(error: { readonly offsetMs?: number; readonly driftPpm?: number } = {}) {
  const shared = virtualClock({ startWallMs: START });
  const wall = new WallClock(shared, { offsetMs: 0, driftPpm: 0, ...error });
  const fired: string[] = [];
  return {
    shared,
    wall,
    process: processClock(shared, wall),
    fired,
    /** Notes a name when it fires. */
    note: (name: string) => (): void => {
      fired.push(name);
    },
  };
}

const ppms = fc.integer({ min: -50_000, max: 50_000 });
const delays = fc.array(fc.double({ min: 0, max: 10 * SECOND, noNaN: true }), {
  minLength: 1,
  maxLength: 20,
});

describe('a machine whose oscillator is right', () => {
  it('has the shared time and the shared deadlines, to the bit (SM-1)', () => {
    fc.assert(
      fc.property(delays, fc.double({ min: 0, max: SECOND, noNaN: true }), (all, from) => {
        const { shared, process } = machine({ offsetMs: 77 });
        shared.advance(from);
        const [due = 0] = all;
        process.schedule(due, () => undefined);
        expect(shared.nextDue()).toBe(shared.now() + due);
        process.scheduleAt(from + due, () => undefined);
        for (const ms of all) {
          shared.advance(ms);
          expect(process.now()).toBe(shared.now());
        }
      }),
    );
  });

  it('is not moved by a correction, and neither are its timers', () => {
    const { shared, wall, process, fired, note } = machine({ offsetMs: 77 });
    process.schedule(SECOND, note('first'));
    shared.schedule(SECOND, note('second'));
    shared.advance(300.3);
    wall.correct();
    expect([process.now(), shared.nextDue()]).toEqual([300.3, SECOND]);
    shared.advance(SECOND);
    expect(fired).toEqual(['first', 'second']);
  });
});

describe('a machine whose oscillator drifts', () => {
  it('counts so much more or less, on both clocks', () => {
    const { shared, wall, process } = machine({ offsetMs: 250, driftPpm: 20_000 });
    shared.advance(10 * SECOND);
    expect(process.now()).toBeCloseTo(10_200, 6);
    expect([wall.read(), process.wall()]).toEqual([START + 10_450, START + 10_450]);
  });

  it('fires each timer at its own deadline, never before and not a microsecond after', () => {
    fc.assert(
      fc.property(ppms, delays, fc.double({ min: 0, max: 1e7, noNaN: true }), (driftPpm, all, from) => {
        const { shared, process } = machine({ driftPpm });
        shared.advance(from);
        let left = all.length;
        const start = process.now();
        for (const delay of all) {
          const isRelative = left % 2 === 0;
          const check = (): void => {
            left -= 1;
            expect(process.now()).toBeGreaterThanOrEqual(start + delay);
            expect(process.now()).toBeLessThan(start + delay + 1e-3);
            expect(shared.now() - from).toBeCloseTo(delay / (1 + driftPpm / 1e6), 3);
          };
          if (isRelative) process.schedule(delay, check);
          else process.scheduleAt(start + delay, check);
        }
        shared.advance(12 * SECOND);
        expect(left).toBe(0);
      }),
    );
  });

  it('fires a timer that is armed again and again as often as its clock says', () => {
    const { shared, process } = machine({ driftPpm: 50_000 });
    let times = 0;
    const again = (): void => {
      times += 1;
      process.schedule(1, again);
    };
    process.schedule(1, again);
    shared.advance(10 * SECOND);
    expect(times).toBeGreaterThanOrEqual(10_499);
    expect(times).toBeLessThanOrEqual(10_500);
  });

  it('fires what is overdue at once', () => {
    const { shared, process, fired, note } = machine({ driftPpm: -50_000 });
    shared.advance(SECOND);
    process.schedule(-5, note('of a negative delay'));
    process.scheduleAt(3, note('of long ago'));
    shared.advance(0.001);
    expect(fired.toSorted()).toEqual(['of a negative delay', 'of long ago']);
  });

  it('has the same monotonic clock in its next process', () => {
    const { shared, wall, process } = machine({ driftPpm: 50_000 });
    shared.advance(SECOND);
    process.kill();
    const next = processClock(shared, wall);
    expect(next.now()).toBeCloseTo(1_050, 6);
    let at = 0;
    next.schedule(1_050, () => {
      at = shared.now();
    });
    shared.advance(2 * SECOND);
    expect(at).toBeCloseTo(2 * SECOND, 6);
  });

  it('runs forward, or it is no oscillator', () => {
    const { shared } = machine();
    expect(() => new WallClock(shared, { offsetMs: 0, driftPpm: -1_000_000 })).toThrow(
      'an oscillator runs forward (driftPpm=-1000000)',
    );
  });
});

describe('a step of the wall clock', () => {
  it('moves the wall clock alone: no timer, and not the monotonic clock', () => {
    for (const driftPpm of [0, 10_000]) {
      const { shared, wall, process, fired, note } = machine({ driftPpm });
      process.schedule(1_010, note('timer'));
      shared.advance(900);
      const before = { now: process.now(), wall: wall.read() };
      wall.step(-3_600_000);
      expect([process.now(), wall.read()]).toEqual([before.now, before.wall - 3_600_000]);
      shared.advance(driftPpm === 0 ? 109 : 99);
      expect(fired).toEqual([]);
      shared.advance(1.5);
      expect(fired).toEqual(['timer']);
    }
  });
});

describe('a correction of a drifting oscillator', () => {
  it('sets the wall clock right, and the monotonic clock goes on from where it is, at the right rate', () => {
    fc.assert(
      fc.property(ppms, (driftPpm) => {
        const { shared, wall, process } = machine({ offsetMs: 500, driftPpm });
        shared.advance(20 * SECOND);
        const before = process.now();
        expect(before).toBeCloseTo(20 * SECOND * (1 + driftPpm / 1e6), 6);
        wall.correct();
        expect([process.now(), wall.read()]).toEqual([before, START + 20 * SECOND]);
        shared.advance(7 * SECOND);
        expect(process.now()).toBeCloseTo(before + 7 * SECOND, 6);
        wall.correct();
        expect([process.now(), wall.read()]).toEqual([before + 7 * SECOND, START + 27 * SECOND]);
      }),
    );
  });

  it('fires a timer of before it at its deadline all the same, whether it was fast or slow', () => {
    for (const driftPpm of [50_000, -50_000]) {
      const { shared, wall, process } = machine({ driftPpm });
      const firedAt: number[] = [];
      process.schedule(10 * SECOND, () => {
        firedAt.push(process.now(), shared.now());
      });
      shared.advance(2 * SECOND);
      wall.correct();
      shared.advance(20 * SECOND);
      const [local = 0, at] = firedAt;
      expect(firedAt).toHaveLength(2);
      expect(local).toBeGreaterThanOrEqual(10 * SECOND);
      expect(local).toBeCloseTo(10 * SECOND, 6);
      expect(at).toBeCloseTo(10 * SECOND - (2 * SECOND * driftPpm) / 1e6, 6);
    }
  });

  it('keeps the order of equal deadlines, also with those of after it', () => {
    const { shared, wall, process, fired, note } = machine({ driftPpm: -30_000 });
    for (const name of ['1', '2', '3']) process.scheduleAt(5 * SECOND, note(name));
    shared.advance(SECOND);
    wall.correct();
    process.scheduleAt(5 * SECOND, note('4'));
    shared.advance(10 * SECOND);
    expect(fired).toEqual(['1', '2', '3', '4']);
  });

  it('leaves cancelled timers cancelled, and those that stay can be cancelled after it', () => {
    const { shared, wall, process, fired, note } = machine({ driftPpm: 50_000 });
    const [before, after] = [
      process.schedule(SECOND, note('before')),
      process.schedule(SECOND, note('after')),
    ];
    process.schedule(SECOND, note('kept'));
    process.cancel(before);
    wall.correct();
    process.cancel(after);
    shared.advance(2 * SECOND);
    expect(fired).toEqual(['kept']);
    expect(shared.nextDue()).toBeUndefined();
  });

  it('arms nothing for a process that is dead', () => {
    const { shared, wall, process, fired, note } = machine({ driftPpm: 50_000 });
    process.schedule(SECOND, note('first'));
    process.kill();
    process.schedule(SECOND, note('of the dead'));
    wall.correct();
    expect(shared.nextDue()).toBeUndefined();
    shared.advance(2 * SECOND);
    expect(fired).toEqual([]);
  });
});

describe('a paused process', () => {
  it('fires once what came due meanwhile, when it goes on, though its clock was corrected', () => {
    const { shared, wall, process, fired, note } = machine({ driftPpm: 50_000 });
    process.schedule(SECOND, note('due meanwhile'));
    const cancelled = process.schedule(SECOND, note('cancelled'));
    process.schedule(3 * SECOND, note('later'));
    process.pause();
    shared.advance(1.5 * SECOND);
    wall.correct();
    expect(shared.nextDue()).toBeGreaterThan(shared.now());
    process.cancel(cancelled);
    shared.advance(0.1 * SECOND);
    expect(fired).toEqual([]);
    process.resume();
    expect(fired).toEqual(['due meanwhile']);
    shared.advance(3 * SECOND);
    expect(fired).toEqual(['due meanwhile', 'later']);
  });

  it('fires nothing when it dies before it goes on', () => {
    const { shared, process, fired, note } = machine();
    process.schedule(SECOND, note('first'));
    process.pause();
    shared.advance(2 * SECOND);
    process.kill();
    process.resume();
    expect(fired).toEqual([]);
  });
});
