import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis, monotonic, wallTime } from '../../../src/base/units.ts';
import { adjustedTime, type Discipline, SLEW_PPM } from '../../../src/protocol/time/adjusted.ts';
import {
  type Correction,
  type CorrectionState,
  correct,
  type Steps,
} from '../../../src/protocol/time/discipline.ts';

const STEPS: readonly Steps[] = ['any', 'forward', 'none'];
const START = 1_700_000_000_000;
const config = { panicThresholdMs: millis(1_000_000) };
const clock = (more: Partial<Discipline> = {}): Discipline => ({
  at: monotonic(0),
  time: wallTime(START),
  ratePpm: 0,
  slewMs: 0,
  ...more,
});
const state = (more: Partial<CorrectionState> = {}): CorrectionState => ({
  discipline: clock(),
  steps: 'any',
  ratePpm: undefined,
  ...more,
});
/** A correction toward a target so far from where an undisciplined clock is, at `now`. */
const toward = (offset: number, from = state(), now = 1_000, systemTime = START + now): Correction =>
  correct(from, {
    now: monotonic(now),
    targetOffset: START + offset,
    systemTime: wallTime(systemTime),
    config,
  });
const disciplineOf = (correction: Correction): Discipline => {
  if (correction.status === 'refused') throw new Error(`refused: ${correction.correction} ms`);
  return correction.discipline;
};

describe('correction (TM-6)', () => {
  it('slews below 128 ms, and starts where adjusted time is', () => {
    const from = state({ discipline: clock({ ratePpm: 20 }), steps: 'forward' });
    expect(toward(127, state({ steps: 'forward' }))).toEqual({
      status: 'slewed',
      discipline: clock({ at: monotonic(1_000), time: wallTime(START + 1_000), slewMs: 127 }),
      correction: 127,
    });
    expect(toward(-127, state({ steps: 'forward' })).status).toBe('slewed');
    expect(disciplineOf(toward(50, from)).time).toBe(adjustedTime(from.discipline, monotonic(1_000)));
  });

  it('steps from 128 ms on where steps are allowed, forward only where time was handed out, and slews else', () => {
    const statuses = (offset: number) => STEPS.map((steps) => toward(offset, state({ steps })).status);
    expect(statuses(128)).toEqual(['stepped', 'stepped', 'slewed']);
    expect(statuses(-128)).toEqual(['stepped', 'slewed', 'slewed']);
    expect(statuses(127.9)).toEqual(['stepped', 'slewed', 'slewed']);
    expect(disciplineOf(toward(5_000))).toEqual(
      clock({ at: monotonic(1_000), time: wallTime(START + 6_000), slewMs: 0 }),
    );
    expect(disciplineOf(toward(5_000, state({ steps: 'none' })))).toEqual(
      clock({ at: monotonic(1_000), time: wallTime(START + 1_000), slewMs: 5_000 }),
    );
  });

  it('steps from 1 ms on at a first start: nobody goes by this clock yet', () => {
    expect([0.9, 1, -1, -0.9].map((offset) => toward(offset).status)).toEqual([
      'slewed',
      'stepped',
      'stepped',
      'slewed',
    ]);
  });

  it('replaces what was left of the correction before it', () => {
    const first = toward(50, state({ steps: 'none' }));
    // After 2 s 10 ms of the 50 are made up; the target is still 50 ms off the undisciplined clock.
    const again = toward(50, state({ discipline: disciplineOf(first), steps: 'none' }), 3_000);
    expect(disciplineOf(again).time - START).toBeCloseTo(3_010, 3);
    expect(disciplineOf(again).slewMs).toBeCloseTo(40, 3);
    const back = toward(0, state({ discipline: disciplineOf(first), steps: 'none' }), 3_000);
    expect(disciplineOf(back).slewMs).toBeCloseTo(-10, 3);
  });

  it('takes a measured rate, and keeps the old one without', () => {
    const from = { discipline: clock({ ratePpm: 20 }) };
    for (const offset of [0, 5_000]) {
      expect(disciplineOf(toward(offset, state(from))).ratePpm).toBe(20);
      expect(disciplineOf(toward(offset, state({ ...from, ratePpm: -7 }))).ratePpm).toBe(-7);
    }
  });

  it('refuses what is beyond the panic threshold, with every operand, whatever steps are allowed', () => {
    expect(toward(1_000_001)).toEqual({
      status: 'refused',
      correction: 1_000_001,
      fromSystemTime: 1_000_001,
      limit: 1_000_000,
    });
    for (const steps of STEPS) expect(toward(-1_000_001, state({ steps })).status).toBe('refused');
    expect(toward(1_000_000).status).toBe('stepped');
    expect(toward(1_000_000, state(), 1_000, START - 1_000_000).status).toBe('stepped');
  });

  it('does not panic after a suspend: the monotonic clock stood still, target and system clock agree', () => {
    const slept = 8 * 3_600_000;
    expect(toward(slept, state(), 1_000, START + slept + 1_000).status).toBe('stepped');
    expect(toward(slept, state(), 1_000, START + slept - 999_000).status).toBe('stepped');
    expect(toward(slept, state(), 1_000, START + slept - 999_001).status).toBe('refused');
    expect(toward(slept, state(), 1_000, START + slept + 1_001_001).status).toBe('refused');
  });

  it('follows adjusted time where only the system clock is far off', () => {
    expect(toward(10, state({ steps: 'none' }), 1_000, START + 3_600_000).status).toBe('slewed');
  });
});

describe('a disciplined clock (TM-6)', () => {
  it('is at its target once the correction is made up', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -10_000, max: 10_000 }),
        fc.constantFrom(...STEPS),
        fc.integer({ min: -128, max: 128 }),
        (offset, steps, slewMs) => {
          const result = toward(offset, state({ steps, discipline: clock({ slewMs }) }));
          const discipline = disciplineOf(result);
          const done = 1_000 + (Math.abs(discipline.slewMs) * 1e6) / SLEW_PPM + 1;
          expect(adjustedTime(discipline, monotonic(done))).toBeCloseTo(START + offset + done, 2);
        },
      ),
    );
  });

  it('never falls, but by a step where any is allowed', () => {
    const update = fc.record({
      pause: fc.double({ min: 0, max: 20_000, noNaN: true }),
      offset: fc.double({ min: -300, max: 300, noNaN: true }),
      steps: fc.constantFrom(...STEPS),
      ratePpm: fc.option(fc.double({ min: -500, max: 500, noNaN: true }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(update, { maxLength: 30 }), (list) => {
        let discipline = clock();
        let now = 0;
        for (const { pause, offset, steps, ratePpm } of list) {
          now += pause;
          const before = adjustedTime(discipline, monotonic(now));
          expect(before).toBeGreaterThanOrEqual(discipline.time);
          const result = toward(offset, { discipline, steps, ratePpm }, now);
          discipline = disciplineOf(result);
          const after = adjustedTime(discipline, monotonic(now));
          if (result.status === 'slewed') expect(after).toBe(before);
          else expect(after - before).toBeCloseTo(result.correction, 2);
          if (steps !== 'any') expect(after).toBeGreaterThanOrEqual(before);
        }
      }),
    );
  });
});
