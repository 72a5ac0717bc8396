/** A failing plan becomes small and still fails. Rule SM-6. */
import { describe, expect, it } from 'vitest';
import type { RunPlan } from '../../src/simulation/plan.ts';
import { runPlan } from '../../src/simulation/run.ts';
import { failsLike, shrink } from '../../src/simulation/shrink.ts';
import { planOf } from '../../src/simulation/swarm.ts';
import { CALM } from '../../src/transport/hub.ts';

const LARGE = planOf(3);

/** Fails as long as a crash of 1 comes before a restart of 1. */
const crashThenRestart = ({ acts }: RunPlan): boolean => {
  const crash = acts.findIndex(({ act }) => act.kind === 'crash' && act.node === 1);
  return crash >= 0 && acts.slice(crash).some(({ act }) => act.kind === 'restart' && act.node === 1);
};

const FAILING: RunPlan = {
  ...LARGE,
  acts: [
    ...LARGE.acts.slice(0, 40),
    { at: 20_000, act: { kind: 'crash', node: 1 } },
    ...LARGE.acts.slice(40, 60).map(({ act }) => ({ at: 20_500, act })),
    { at: 21_000, act: { kind: 'restart', node: 1 } },
  ],
  durationMs: 30_000,
};

describe('shrinking', () => {
  it('leaves the two acts that matter, on calm links, with nobody faulty, in little time', () => {
    const { plan, isMinimal } = shrink(FAILING, { fails: crashThenRestart });
    expect(plan.acts.map(({ act }) => act)).toEqual([
      { kind: 'crash', node: 1 },
      { kind: 'restart', node: 1 },
    ]);
    expect(plan).toMatchObject({ links: CALM, liars: [], twins: [], clocks: [], lateStarts: [] });
    expect(plan.durationMs).toBeLessThan(3_000);
    expect(isMinimal).toBe(true);
  });

  it('leaves one NTP server with the one trait that matters, or none and no source of time', () => {
    const right = { offsetMs: 0, silentFrom: 5, silentUntil: 9 };
    const wrong = { offsetMs: 700, wrongFrom: 40, isUnsynchronised: true, silentFrom: 5 };
    const plan: RunPlan = { ...FAILING, time: { source: 'hybrid', servers: [right, wrong, right] } };
    const isWrongLater = ({ time }: RunPlan): boolean =>
      time?.servers.some(({ offsetMs, wrongFrom }) => offsetMs === 700 && wrongFrom === 40) === true;
    expect(shrink(plan, { fails: isWrongLater }).plan.time).toEqual({
      source: 'hybrid',
      servers: [{ offsetMs: 700, wrongFrom: 40 }],
    });
    expect(shrink(plan, { fails: crashThenRestart }).plan.time).toBeUndefined();
  });

  it('keeps what it has when the bound on runs ends it', () => {
    const { plan, runs, isMinimal } = shrink(FAILING, { fails: crashThenRestart, runsMax: 5 });
    expect({ runs, isMinimal }).toEqual({ runs: 5, isMinimal: false });
    expect(crashThenRestart(plan)).toBe(true);
  });

  it('keeps what it has when its time is up, and asks no further', () => {
    let asked = 0;
    const isTimeUp = (): boolean => {
      asked += 1;
      return asked > 12;
    };
    const { plan, runs, isMinimal } = shrink(FAILING, { fails: crashThenRestart, isTimeUp });
    expect(isMinimal).toBe(false);
    expect(runs).toBeLessThanOrEqual(12);
    expect(asked).toBe(13);
    expect(crashThenRestart(plan)).toBe(true);
    expect(plan.acts.length).toBeLessThan(FAILING.acts.length);
  });

  it('first keeps only the beginning, when that fails alone: what follows costs less then', () => {
    const durations: number[] = [];
    const early: RunPlan = { ...FAILING, durationMs: 64_000 };
    shrink(early, {
      fails: crashThenRestart,
      runsMax: 1,
      progress: ({ durationMs }) => durations.push(durationMs),
    });
    expect(durations).toEqual([32_000]);
  });

  it('gives back a plan of which nothing can go', () => {
    const { plan } = shrink(FAILING, { fails: () => false });
    expect(plan).toEqual(FAILING);
  });

  it('holds a real failure: two of four validators that run twice on both sides of a partition fork the chain', () => {
    const plan: RunPlan = {
      ...planOf(7, { validators: 4 }),
      seed: 7,
      twins: [0, 1],
      liars: [],
      lateStarts: [],
      links: CALM,
      signatures: 'keyed-hash',
      acts: [
        {
          at: 0,
          act: {
            kind: 'partition',
            groups: [
              [0, 1, 2],
              [3, 4, 5],
            ],
          },
        },
        { at: 500, act: { kind: 'submit', node: 2, transaction: 'left=1' } },
        { at: 600, act: { kind: 'submit', node: 3, transaction: 'right=1' } },
        { at: 2_500, act: { kind: 'clock-step', node: 2, ms: 5 } },
      ],
      durationMs: 5_000,
      ending: { kind: 'stop' },
    };
    const first = runPlan(plan);
    expect(first.violations.map(({ claim }) => claim)).toContain('no two commits differ at a height');
    const { plan: small } = shrink(plan, { fails: failsLike(first, (one) => runPlan(one)), runsMax: 60 });
    expect(small.acts.map(({ act }) => act.kind)).toEqual(['partition']);
    expect(small.twins).toEqual([0, 1]);
  });
});
