/** Each claim about clocks is silent on the true history and broken by a forged one. Rules TM-4 to TM-7, SM-4. */
import { describe, expect, it } from 'vitest';
import type { Address } from '../../../src/protocol/chain/types.ts';
import {
  ADJUSTED_FIRST,
  AGREED,
  BOUND_HOLDS,
  LED_WITHIN,
  NEVER_FALLS,
  NO_PANIC,
  type Showing,
  SLEWED,
  Times,
  TOLD,
  type UpdateSeen,
  type UsedReading,
} from '../../../src/simulation/checkers/time.ts';
import { A, B, C, D } from './forged.ts';

const SECOND = 1_000;
const POWERS = new Map<Address, bigint>([A, B, C, D].map((address) => [address, 1n]));

/** Four of equal power, of whom D is not trusted. */
function judged(trusted: readonly Address[] = [A, B, C]) {
  const claims: string[] = [];
  const setting = { trusted: new Set(trusted), driftPpmMax: 250, panicThresholdMs: 1_000 * SECOND };
  return { claims, times: new Times(setting, (claim) => claims.push(claim)) };
}

const showing = (at: number, offset: number, change: Partial<Showing> = {}): Showing => ({
  at,
  offset,
  isSteady: false,
  isHeld: false,
  ...change,
});

/** A reading of 4 ms there and back, taken at once. */
const reading = (peer: Address, change: Partial<UsedReading> = {}): UsedReading => ({
  peer,
  since: 9_996,
  delay: 4,
  dispersion: 0,
  age: 0,
  isSynchronised: true,
  isAdmitted: true,
  ...change,
});

const update = (change: Partial<UpdateSeen>): UpdateSeen => ({
  at: 10 * SECOND,
  by: 'peers',
  from: 0,
  to: 0,
  error: 5,
  system: 0,
  powers: POWERS,
  readings: [reading(B), reading(C), reading(D)],
  wasSynchronised: true,
  ...change,
});

/** A, B and C show these offsets while they are read. */
function threeThatTold(a: number, b: number, c: number, trusted?: readonly Address[]) {
  const made = judged(trusted);
  for (const [node, offset] of [
    [A, a],
    [B, b],
    [C, c],
  ] as const)
    made.times.told(node, { at: 9_998, offset }, undefined);
  return made;
}

describe('an update that the peers lead', () => {
  it.each<readonly [number, readonly string[]]>([
    [0, []],
    [34, []],
    [-4, []],
    [35, [LED_WITHIN]],
    [-5, [LED_WITHIN]],
  ])('to %i ms, of honest clocks at 0, 10 and 30 ms, read on a way of 4 ms (TM-4)', (to, claims) => {
    const { times, claims: found } = threeThatTold(10, 0, 30);
    times.updated(A, update({ from: 10, to }));
    expect(found).toEqual(claims);
  });

  it('is not excused by what a liar, or a machine that drifts, tells (TM-4)', () => {
    const { times, claims } = threeThatTold(0, 10, 30);
    times.told(D, { at: 9_998, offset: 500 }, undefined);
    times.updated(A, update({ to: 400 }));
    expect(claims).toEqual([LED_WITHIN]);
  });

  it('is not excused by what honest clocks told before they were asked (TM-4)', () => {
    const { times, claims } = judged();
    for (const node of [A, B, C]) times.told(node, { at: 5_000, offset: 400 }, undefined);
    for (const node of [A, B, C]) times.told(node, { at: 9_998, offset: 0 }, undefined);
    times.updated(A, update({ to: 400 }));
    expect(claims).toEqual([LED_WITHIN]);
  });

  it('is excused by the age of a reading and by a slow way (TM-4)', () => {
    const { times, claims } = threeThatTold(0, 10, 30);
    times.updated(A, update({ to: 130, readings: [reading(B), reading(C, { delay: 100 })] }));
    times.updated(A, update({ to: 45, readings: [reading(B), reading(C, { age: 2 * SECOND })] }));
    expect(claims).toEqual([]);
    times.updated(A, update({ to: 50, readings: [reading(B), reading(C, { age: 2 * SECOND })] }));
    expect(claims).toEqual([LED_WITHIN]);
  });

  it('is judged as well when NTP was clamped into what the peers say, and not when NTP leads alone (TM-5)', () => {
    const { times, claims } = threeThatTold(0, 10, 30);
    times.updated(A, update({ by: 'ntp', to: 5_000 }));
    expect(claims).toEqual([]);
    times.updated(A, update({ by: 'hybrid', to: 5_000 }));
    expect(claims).toEqual([LED_WITHIN]);
  });

  it('is not judged at all when more power lies or drifts than TM-4 bears', () => {
    const { times, claims } = threeThatTold(0, 10, 30, [A, B]);
    times.updated(A, update({ to: 5_000 }));
    expect(claims).toEqual([]);
  });

  it('is judged by the powers of its epoch (TM-4, CS-16)', () => {
    const { times, claims } = threeThatTold(0, 10, 30);
    const heavy = new Map([...POWERS, [D, 2n]]);
    times.updated(A, update({ to: 5_000, powers: heavy }));
    expect(claims).toEqual([]);
    times.updated(A, update({ to: 5_000, powers: new Map([...heavy, [A, 3n]]) }));
    expect(claims).toEqual([LED_WITHIN]);
  });
});

describe('two updates', () => {
  const pair = (left: Partial<UpdateSeen>, right: Partial<UpdateSeen>): readonly string[] => {
    const { times, claims } = threeThatTold(0, 10, 20);
    const others = (self: Address) => [A, B, C].filter((peer) => peer !== self).map((peer) => reading(peer));
    times.updated(A, update({ readings: others(A), ...left }));
    times.updated(B, update({ from: 10, readings: others(B), ...right }));
    return claims;
  };

  it('by the same honest clocks are apart by their bounds at most (TM-4)', () => {
    expect(pair({ to: 5, error: 5 }, { to: 15, error: 5 })).toEqual([]);
    expect(pair({ to: 5, error: 5 }, { to: 15.1, error: 5 })).toEqual([AGREED]);
    expect(pair({ to: 15.1, error: 5 }, { to: 5, error: 5 })).toEqual([AGREED]);
  });

  it('of which one lacked an honest clock, or only counted synchronised ones, are not compared', () => {
    const [far, near] = [{ to: 15.1 }, { to: 5 }];
    expect(pair({ ...near, readings: [reading(B), reading(D)] }, far)).toEqual([]);
    expect(pair({ ...near, readings: [reading(B), reading(C, { isAdmitted: false })] }, far)).toEqual([]);
    const three = [reading(B), reading(C, { isSynchronised: false }), reading(D)];
    expect(pair({ ...near, readings: three }, far)).toEqual([]);
    const others = [reading(B), reading(C), reading(D)];
    expect(pair({ ...near, readings: others, wasSynchronised: false }, far)).toEqual([]);
    // Too few are synchronised: all count.
    const cold = [reading(B, { isSynchronised: false }), reading(C)];
    expect(pair({ ...near, readings: cold }, far)).toEqual([AGREED]);
  });

  it('weighed by two epochs are not compared; of one epoch, they need not count who is no longer in it (CS-16)', () => {
    const [far, near] = [{ to: 15.1 }, { to: 5 }];
    const later = new Map(POWERS);
    expect(pair(near, { ...far, powers: later })).toEqual([]);
    expect(pair({ ...near, powers: later }, { ...far, powers: later })).toEqual([AGREED]);
    const two = new Map([...POWERS].filter(([node]) => node === A || node === B));
    const left = { ...near, readings: [reading(B)], powers: two };
    expect(pair(left, { ...far, readings: [reading(A)], powers: two })).toContain(AGREED);
  });

  it('between which a clock moved may be further apart by that', () => {
    const later = { at: 15 * SECOND, from: 10 };
    const readings = [A, C].map((peer) => reading(peer, { since: 14_996 }));
    const moving = (by: number): readonly string[] => {
      const { times, claims } = threeThatTold(0, 10, 20);
      times.updated(A, update({ to: 5, readings: [reading(B), reading(C)] }));
      for (const [node, offset] of [
        [A, 0],
        [B, 10],
        [C, 20 + by],
      ] as const) {
        times.told(node, { at: 14_998, offset }, undefined);
      }
      times.updated(B, update({ ...later, to: 20, readings }));
      return claims;
    };
    expect(moving(0)).toEqual([AGREED]);
    expect(moving(5)).toEqual([]);
  });
});

describe('what cells see', () => {
  it('never falls once it is adjusted, in one process (TM-6)', () => {
    const { times, claims } = judged();
    times.started(A);
    times.seen(A, 1_000, false);
    times.seen(A, 900, false);
    times.seen(A, 800, true);
    times.seen(A, 800, true);
    times.started(A);
    times.seen(A, 500, true);
    expect(claims).toEqual([]);
    times.seen(A, 499.999, true);
    expect(claims).toEqual([NEVER_FALLS]);
  });

  it.each([
    ['is slewed by 57.5 ms in 10 s', 57.5, {}, []],
    ['is slewed back as fast', -57.5, {}, []],
    ['is stepped', 58, {}, [SLEWED]],
    ['is stepped back', -58, {}, [SLEWED]],
    ['stands still, for it must not fall', -10_000, { isHeld: true }, []],
    ['is stepped forward though it stands still', 58, { isHeld: true }, [SLEWED]],
    ['is stepped in its first updates', 5_000, { isSteady: false }, []],
  ])('%s (TM-6)', (_, moved, change, claims) => {
    const { times, claims: found } = judged();
    times.showed(A, showing(0, 0, { isSteady: true, ...change }));
    times.showed(A, showing(10 * SECOND, moved, { isSteady: true }));
    expect(found).toEqual(claims);
  });
});

describe('a node', () => {
  it('led by right servers is within its error bound of the true time (TM-3)', () => {
    const { times, claims } = judged();
    times.bounded(A, 0, -20, 20);
    times.bounded(D, 0, 500, 20);
    expect(claims).toEqual([]);
    times.bounded(A, 0, -20.1, 20);
    expect(claims).toEqual([BOUND_HOLDS]);
  });

  it('is corrected beyond the panic threshold toward its system clock alone (TM-6)', () => {
    const { times, claims } = judged();
    const hour = 3_600 * SECOND;
    times.updated(A, update({ by: 'ntp', to: hour, system: hour }));
    times.updated(A, update({ by: 'ntp', to: hour, from: hour, system: 0 }));
    times.updated(A, update({ by: 'ntp', to: 999 * SECOND }));
    expect(claims).toEqual([]);
    times.updated(A, update({ by: 'ntp', to: hour }));
    expect(claims).toEqual([NO_PANIC]);
  });

  it('tells others the time that its cells see (TM-4)', () => {
    const { times, claims } = judged();
    times.told(A, { at: 0, offset: 5 }, 5);
    times.told(A, { at: 0, offset: 500 }, undefined);
    expect(claims).toEqual([]);
    times.told(A, { at: 0, offset: 5.1 }, 5);
    expect(claims).toEqual([TOLD]);
  });

  it('proposes with adjusted time only (TM-7)', () => {
    const { times, claims } = judged();
    times.proposed(A, 5, true);
    expect(claims).toEqual([]);
    times.proposed(A, 5, false);
    expect(claims).toEqual([ADJUSTED_FIRST]);
  });
});
