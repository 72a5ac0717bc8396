import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis, monotonic } from '../../../src/base/units.ts';
import { parseEpoch } from '../../../src/protocol/chain/parse.ts';
import type { Address, QuorumCertificate, TimeoutCertificate } from '../../../src/protocol/chain/types.ts';
import { leaderOf, roundRobin, simpleLeaderElection } from '../../../src/protocol/consensus/leader.ts';
import {
  adoptCertificates,
  answerToLaggard,
  deadlinesOf,
  failuresOf,
  justificationOf,
  type Pacemaker,
  proposeAt,
  setCommitted,
  setRoundTrip,
  setWork,
  startPacemaker,
} from '../../../src/protocol/consensus/pacemaker.ts';
import {
  DURATION_WINDOW,
  NO_DURATIONS,
  P99_FACTOR,
  recordDuration,
  roundTimeoutBase,
  STRETCH_MAX,
  TIMEOUT_DEFAULTS,
  type TimeoutConfig,
  timeoutsFor,
} from '../../../src/protocol/consensus/timeouts.ts';
import { chainOf, height, present, round, tcOf, world } from './fixture.ts';

const place = world();
const { rootQC } = place.epoch;
const { qcs } = chainOf(place, [1, 2, 3, 4, 5, 6]);
const qcAt = (inRound: number) => (inRound === 0 ? rootQC : present(qcs[inRound - 1], `QC ${inRound}`));
const tcAt = (inRound: number, high = 0) => tcOf(place, inRound, [qcAt(high), rootQC, rootQC]);

const config: TimeoutConfig = {
  roundTimeoutMsMin: millis(100),
  roundTimeoutMsMax: millis(10_000),
  roundTimeoutMsInitial: millis(1_000),
  growth: 2,
  grace: 1,
  proposeShare: 0.5,
  viewChangeShare: 0.25,
  emptyBlockIntervalMs: millis(500),
};
const started = (more: Partial<Parameters<typeof startPacemaker>[0]> = {}): Pacemaker =>
  startPacemaker({ highQC: rootQC, committedRound: round(0), hasWork: true, now: monotonic(0), ...more });
const adopt = (
  pacemaker: Pacemaker,
  certificates: { readonly qc?: QuorumCertificate; readonly tc?: TimeoutCertificate },
  now = 0,
) =>
  adoptCertificates(
    pacemaker,
    certificates,
    leaderOf(roundRobin(place.epoch.set), pacemaker.round),
    monotonic(now),
    config,
  );

describe('current round (CS-1)', () => {
  it('is taken from QC and TC after a restart (pitfall: babylon-node#243)', () => {
    expect(started({ highQC: qcAt(2), lastTC: tcAt(4) }).round).toBe(5);
    expect(started({ highQC: qcAt(2) }).round).toBe(3);
  });

  it('grows by a QC, by a TC, and never falls', () => {
    const byQc = adopt(started(), { qc: qcAt(1) });
    expect(byQc).toMatchObject({ qcAdopted: true, entered: { by: 'qc', qc: qcAt(1) } });
    const byTc = adopt(byQc.pacemaker, { tc: tcAt(2) });
    expect(byTc.pacemaker.round).toBe(3);
    expect(byTc.entered).toEqual({ by: 'tc', tc: tcAt(2) });
    const older = adopt(byTc.pacemaker, { qc: rootQC, tc: tcAt(1) });
    expect(older.pacemaker).toBe(byTc.pacemaker);
    expect(older.entered).toBeUndefined();
  });

  it('takes a late QC without leaving the round, and a TC’s high QC with the TC', () => {
    const inThree = adopt(started(), { tc: tcAt(2) }).pacemaker;
    const late = adopt(inThree, { qc: qcAt(1) });
    expect(late).toMatchObject({ qcAdopted: true, pacemaker: { round: 3, highQC: qcAt(1) } });
    expect(late.entered).toBeUndefined();
    expect(adopt(started(), { tc: tcAt(5, 3) }).pacemaker).toMatchObject({ round: 6, highQC: qcAt(3) });
  });

  it('passes over certificates of another epoch (CS-16)', () => {
    const later = parseEpoch(1);
    if (later === 'malformed') throw new Error('epoch');
    expect(
      adopt(started(), { qc: { ...qcAt(1), epoch: later }, tc: { ...tcAt(2), epoch: later } }),
    ).toMatchObject({
      qcAdopted: false,
      pacemaker: { round: 1 },
    });
  });

  it('is monotonic, with its certificates, under every order of adoption', () => {
    const certificate = fc.record({
      qc: fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }),
      tc: fc.option(fc.tuple(fc.integer({ min: 4, max: 9 }), fc.integer({ min: 0, max: 3 })), {
        nil: undefined,
      }),
    });
    fc.assert(
      fc.property(fc.array(certificate, { maxLength: 8 }), (list) => {
        let pacemaker = started();
        let best = 0;
        for (const { qc, tc } of list) {
          const before = pacemaker;
          const given = {
            ...(qc === undefined ? {} : { qc: qcAt(qc) }),
            ...(tc === undefined ? {} : { tc: tcAt(tc[0], tc[1]) }),
          };
          const step = adopt(pacemaker, given);
          pacemaker = step.pacemaker;
          best = Math.max(best, qc ?? 0, tc?.[0] ?? 0);
          expect(pacemaker.round).toBe(best + 1);
          expect(pacemaker.highQC.round).toBeGreaterThanOrEqual(before.highQC.round);
          expect(pacemaker.lastTC?.round ?? 0).toBeGreaterThanOrEqual(before.lastTC?.round ?? 0);
          expect(step.entered !== undefined).toBe(pacemaker.round > before.round);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is justified by the QC alone, or by QC and TC where the QC does not open it (CS-9)', () => {
    expect(justificationOf(started({ highQC: qcAt(2) }))).toEqual({ qc: qcAt(2) });
    expect(justificationOf(started({ highQC: qcAt(1), lastTC: tcAt(2) }))).toEqual({
      qc: qcAt(1),
      tc: tcAt(2),
    });
    expect(justificationOf(started({ highQC: qcAt(2), lastTC: tcAt(2) }))).toEqual({ qc: qcAt(2) });
  });

  it('is told to a laggard by the certificate that opens it (CS-7)', () => {
    const label = { height: height(1), leader: place.addressAt(0) };
    expect(answerToLaggard(started({ highQC: qcAt(2) }), label)).toEqual({ kind: 'QC', qc: qcAt(2) });
    expect(answerToLaggard(started({ highQC: qcAt(1), lastTC: tcAt(2) }), label)).toMatchObject({
      kind: 'NewView',
      round: 3,
      tc: tcAt(2),
    });
  });
});

describe('deadline of a round (CS-11)', () => {
  const failing = (failures: number, hasWork = true) =>
    started({ lastTC: tcAt(failures + 1), committedRound: round(0), hasWork });

  it('counts failures from the last commit; two rounds of pipeline are none', () => {
    expect(failuresOf(started())).toBe(0);
    expect(failuresOf(failing(0))).toBe(0);
    expect(failuresOf(failing(3))).toBe(3);
    expect(failuresOf(setCommitted(failing(3), round(2)))).toBe(1);
    expect(failuresOf(setCommitted(setCommitted(failing(3), round(2)), round(1)))).toBe(1);
  });

  it('grows by b for each failure beyond the grace, up to the greatest', () => {
    const timeouts = [0, 1, 2, 3, 4, 8].map((failures) => deadlinesOf(failing(failures), config).timeout);
    expect(timeouts).toEqual([1_000, 1_000, 2_000, 4_000, 8_000, 10_000]);
  });

  it.each([
    ['four', Array<bigint>(4).fill(1n), 3],
    ['seven', Array<bigint>(7).fill(1n), 3],
    ['ten', Array<bigint>(10).fill(1n), 4],
    ['a hundred', Array<bigint>(100).fill(1n), 34],
    ['four light and one heavy', [1n, 1n, 1n, 1n, 9n], 5],
  ])(
    'does not grow while as many leaders in a row failed as may be dead, and one more: %s',
    (_, powers, grace) => {
      const forSet = timeoutsFor(TIMEOUT_DEFAULTS, world(powers).epoch);
      const timeoutAfter = (failures: number) => deadlinesOf(failing(failures), forSet).timeout;
      expect(forSet.grace).toBe(grace);
      expect([timeoutAfter(0), timeoutAfter(grace), timeoutAfter(grace + 1)]).toEqual([1_000, 1_000, 1_500]);
    },
  );

  it('has the configured grace where that is longer', () => {
    expect(timeoutsFor({ ...TIMEOUT_DEFAULTS, grace: 7 }, place.epoch).grace).toBe(7);
  });

  it('keeps its backoff on entering the next round (pitfall: backoff overwritten on entering)', () => {
    const third = failing(3);
    const next = adopt(third, { tc: tcAt(third.round) }, 50).pacemaker;
    expect(deadlinesOf(next, config)).toMatchObject({ timeout: 8_000, vote: 8_050 });
    const byQc = adopt(failing(3), { qc: qcAt(6) }, 50).pacemaker;
    expect(deadlinesOf(byQc, config).timeout).toBe(10_000);
  });

  it('has a propose, a vote and a view-change part', () => {
    const entered = adopt(started(), { tc: tcAt(1) }, 10).pacemaker;
    expect(deadlinesOf(entered, config)).toEqual({
      timeout: 1_000,
      propose: 510,
      vote: 1_010,
      resendEvery: 250,
    });
  });

  it('adds empty_block_interval without work, and is shortened when work appears', () => {
    const idle = started({ hasWork: false });
    expect(deadlinesOf(idle, config).vote).toBe(1_500);
    expect(proposeAt(idle, config)).toBe(500);
    const busy = setWork(idle, true, monotonic(200));
    expect(deadlinesOf(busy, config).vote).toBe(1_200);
    expect(proposeAt(busy, config)).toBe(200);
    const late = setWork(idle, true, monotonic(900));
    expect(deadlinesOf(late, config).vote).toBe(1_500);
    expect(setWork(busy, true, monotonic(300))).toBe(busy);
    expect(deadlinesOf(setWork(busy, false, monotonic(300)), config).vote).toBe(1_500);
  });

  it('lets a leader with work propose at once (CS-10)', () => {
    expect(proposeAt(adopt(started(), { qc: qcAt(1) }, 77).pacemaker, config)).toBe(77);
  });

  it('is never below two round trips, even above the configured greatest', () => {
    expect(deadlinesOf(setRoundTrip(started(), millis(700)), config).timeout).toBe(1_400);
    expect(deadlinesOf(setRoundTrip(started(), millis(6_000)), config).timeout).toBe(12_000);
  });

  it('resolves fractions of a millisecond (pitfall: a pacemaker with one-second resolution)', () => {
    const at = adopt(started(), { tc: tcAt(1) }, 0.25).pacemaker;
    expect(deadlinesOf(at, config).vote).toBe(1_000.25);
  });
});

describe('measured rounds (CS-11)', () => {
  it('set the base to 4 × smoothed p99, within the bounds', () => {
    expect(roundTimeoutBase(config, NO_DURATIONS, millis(0))).toBe(1_000);
    const settled = (duration: number) => {
      let durations = NO_DURATIONS;
      for (let sample = 0; sample < 200; sample += 1) {
        durations = recordDuration(durations, millis(duration), config);
      }
      return roundTimeoutBase(config, durations, millis(0));
    };
    expect(settled(5)).toBe(100);
    expect(settled(50)).toBeCloseTo(200);
    expect(settled(99_999)).toBe(10_000);
  });

  it('are smoothed: each p99 moves the base an eighth of the way, from the configured start on', () => {
    const towards = (before: number, p99: number) => before + (p99 - before) / 8;
    const first = recordDuration(NO_DURATIONS, millis(200), config);
    expect(first.smoothedP99).toBe(towards(250, 200));
    const third = recordDuration(recordDuration(first, millis(460), config), millis(460), config);
    expect(third.smoothedP99).toBe(towards(towards(towards(250, 200), 200), 460));
  });

  it('do not follow one round that took much longer than the others', () => {
    let durations = NO_DURATIONS;
    for (let sample = 0; sample < DURATION_WINDOW; sample += 1) {
      durations = recordDuration(durations, millis(sample === 50 ? 9_000 : 50), config);
    }
    expect(roundTimeoutBase(config, durations, millis(0))).toBeLessThan(201);
  });

  it('are the newest of a bounded window', () => {
    let durations = NO_DURATIONS;
    for (let sample = 0; sample < 3 * DURATION_WINDOW; sample += 1) {
      durations = recordDuration(durations, millis(sample), config);
    }
    expect(durations.recent.length).toBe(DURATION_WINDOW);
    expect(durations.recent[0]).toBe(2 * DURATION_WINDOW);
  });

  it('leave out idle waits, failed rounds and leaps', () => {
    const samples = (pacemaker: Pacemaker) => pacemaker.durations.recent;
    /** Rounds 1 and 2, the second of which confirms the first. */
    const sampledAfter = (pacemaker: Pacemaker, first: Parameters<typeof adopt>[1]) =>
      samples(adopt(adopt(pacemaker, first, 30).pacemaker, { qc: qcAt(2) }, 40).pacemaker);
    expect(sampledAfter(started(), { qc: qcAt(1) })).toEqual([30]);
    expect(sampledAfter(started({ hasWork: false }), { qc: qcAt(1) })).toEqual([]);
    const woken = setWork(started({ hasWork: false }), true, monotonic(20));
    expect(sampledAfter(woken, { qc: qcAt(1) })).toEqual([10]);
    expect(sampledAfter(started(), { tc: tcAt(1) })).toEqual([]);
    expect(samples(adopt(started(), { qc: qcAt(4) }, 30).pacemaker)).toEqual([]);
  });

  it('hold the base where one of four leaders takes as long as it may, and collects as late as it may', () => {
    let at = started();
    let now = 0;
    let slowest = 0;
    for (let one = 1; one <= 400; one += 1) {
      const { timeout } = deadlinesOf(at, config);
      slowest = Math.max(slowest, timeout);
      // It leads every fourth round, and the votes of the round before go to it.
      now += one % 4 >= 2 ? 0.45 * timeout : 20;
      const qc = { ...qcAt(1), round: round(one), parentRound: round(one - 1) };
      at = setCommitted(adopt(at, { qc }, now).pacemaker, round(Math.max(0, one - 1)));
    }
    expect(slowest).toBeLessThanOrEqual(1_000);
    expect(deadlinesOf(at, config).timeout).toBeCloseTo(P99_FACTOR * STRETCH_MAX * 20);
  });

  it('hold the base where liars of less than a third slow three of four rounds: turns are rounded up for many validators of little power', () => {
    let at = started();
    let now = 0;
    for (let one = 1; one <= 400; one += 1) {
      now += one % 4 === 0 ? 20 : 0.45 * deadlinesOf(at, config).timeout;
      const qc = { ...qcAt(1), round: round(one), parentRound: round(one - 1) };
      at = setCommitted(adopt(at, { qc }, now).pacemaker, round(Math.max(0, one - 1)));
    }
    expect(deadlinesOf(at, config).timeout).toBeCloseTo(P99_FACTOR * STRETCH_MAX * 20);
  });

  it('leave out a round whose QC came late because the next leader is dead: the wait must not feed on itself', () => {
    const waited = adopt(started(), { qc: qcAt(1) }, 500).pacemaker;
    const failed = adopt(waited, { tc: tcAt(2) }, 1_500).pacemaker;
    const next = adopt(failed, { qc: qcAt(3) }, 1_520).pacemaker;
    expect(adopt(next, { qc: qcAt(4) }, 1_540).pacemaker.durations.recent).toEqual([20]);
  });
});

/** Rounds one after the other: what each takes, or that its leader is dead. */
function lived(from: Pacemaker, rounds: number, takes: (inRound: number) => number | 'dead') {
  let [at, now, failed] = [from, from.enteredAt as number, 0];
  const timeouts: number[] = [];
  const first: number = from.round;
  for (let one = first; one < first + rounds; one += 1) {
    const { timeout } = deadlinesOf(at, config);
    const took = takes(one);
    const fails = took === 'dead' || took > timeout;
    now += fails ? timeout : took;
    timeouts.push(timeout);
    if (fails) failed += 1;
    const qc = { ...qcAt(1), round: round(one), parentRound: round(one - 1) };
    at = adopt(at, fails ? { tc: { ...tcAt(1), round: round(one) } } : { qc }, now).pacemaker;
    at = setCommitted(at, round(Math.max(0, one - 1)));
  }
  return { at, timeouts, failed };
}

describe('a timeout that was too short (CS-11)', () => {
  it('grows until rounds whose leaders live do not fail, and falls when they are quick again', () => {
    const quick = lived(started(), 300, () => 40);
    expect(quick.timeouts.at(-1)).toBeCloseTo(160);
    // Every third round a validator is busy for longer than the timeout: the rounds that succeed are the quick ones.
    const busy = lived(quick.at, 300, (one) => (one % 3 === 0 ? 500 : 40));
    const later = lived(busy.at, 300, (one) => (one % 3 === 0 ? 500 : 40));
    expect(later.failed).toBeLessThan(10);
    expect(Math.max(...later.timeouts)).toBeLessThanOrEqual(P99_FACTOR * STRETCH_MAX * 40);
    expect(lived(later.at, 300, () => 40).timeouts.at(-1)).toBeCloseTo(160);
  });

  it('is not assumed where a leader is dead: its last round alone counts, and the greatest alone never does', () => {
    const quick = lived(started(), 300, () => 40);
    const { timeouts } = lived(quick.at, 400, (one) =>
      one % place.epoch.set.validators.length === 1 ? 'dead' : 40,
    );
    expect(Math.max(...timeouts)).toBeLessThan(161);
  });

  it('is not assumed at the start, when others are not there yet', () => {
    expect(lived(started(), 8, () => 'dead').timeouts.every((timeout) => timeout === 1_000)).toBe(true);
  });

  it('may be claimed by a leader that fails every other turn of its own, and grows no more than by a slow one', () => {
    const quick = lived(started(), 300, () => 40);
    const size = place.epoch.set.validators.length;
    const { timeouts } = lived(quick.at, 800, (one) => (one % (2 * size) === 1 ? 'dead' : 40));
    expect(Math.max(...timeouts)).toBeLessThanOrEqual(P99_FACTOR * STRETCH_MAX * 40);
  });
});

describe('leaders', () => {
  it('of equal power take turns in the set’s order (simpleLeaderElection, CS-15)', () => {
    const { epoch, validators } = world([7n, 7n, 7n]);
    const schedule = roundRobin(epoch.set);
    for (let inRound = 0; inRound < 7; inRound += 1) {
      const expected = validators[inRound % 3]?.address;
      expect(leaderOf(schedule, round(inRound))).toBe(expected);
      expect(simpleLeaderElection(epoch.set, round(inRound))).toBe(expected);
    }
  });

  it('take turns by power, each spread over the cycle (CS-15)', () => {
    const { epoch, validators } = world([4n, 2n, 2n]);
    const [a, b, c] = validators.map(({ address }) => address);
    expect(roundRobin(epoch.set).turns).toEqual([a, b, c, a]);
  });

  const power = fc.oneof(fc.bigInt(1n, 12n), fc.bigInt(1n, 2n ** 52n));

  it('live two in a row whoever of less than a third of the power is dead, however small and many they are (CS-15)', () => {
    fc.assert(
      fc.property(
        fc.array(power, { minLength: 1, maxLength: 40 }),
        fc.infiniteStream(fc.boolean()),
        (powers, draws) => {
          const { set } = world(powers).epoch;
          let spare = set.totalPower - set.quorumPower;
          const dead = new Set<Address>();
          // The small ones first: the most turns for the least power.
          for (const one of [...set.validators].sort((l, r) => (l.power < r.power ? -1 : 1))) {
            if (one.power > spare || draws.next().value === false) continue;
            spare -= one.power;
            dead.add(one.address);
          }
          const { turns } = roundRobin(set);
          expect(new Set(turns).size).toBe(set.validators.length);
          expect(turns.length).toBeLessThanOrEqual(Math.max(1_024, 32 * powers.length) + powers.length);
          const isAlive = (turn: number): boolean => !dead.has(turns[turn % turns.length] as Address);
          expect(turns.some((_, turn) => isAlive(turn) && isAlive(turn + 1))).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });
});
