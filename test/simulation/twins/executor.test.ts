/** The executor: production charts under scenarios. Rules CS-5, SM-3, SM-4, SM-5. */
import { describe, expect, it } from 'vitest';
import { runPlan } from '../../../src/simulation/run.ts';
import {
  planOfScenario,
  readTwinsSet,
  runTwins,
  TwinsExecutor,
  type TwinsScenario,
  twinsPlans,
} from '../../../src/simulation/twins/index.ts';
import { CALM_ROUNDS, FAST_HOTSTUFF, HIDDEN_QCS } from './attacks.ts';

describe('a scenario', () => {
  const executor = new TwinsExecutor(4);

  it('without partitions commits in each round but the twins’, whose two blocks share the votes', () => {
    const { violations, committedHeight, round } = executor.run(CALM_ROUNDS);
    expect(violations).toEqual([]);
    expect(committedHeight).toBeGreaterThanOrEqual(2);
    expect(round).toBe(7);
  });

  it('of hidden QCs commits nothing where rounds are not consecutive (CS-5)', () => {
    const outcome = executor.run(HIDDEN_QCS);
    expect(outcome.violations).toEqual([]);
    expect(outcome.committedHeight).toBe(0);
  });

  it('without a quorum in any group ends by itself', () => {
    const rounds = [{ leader: 0, groups: [[0, 1], [2, 3], [4]] }] as const;
    const outcome = executor.run({ validators: 4, twins: [0], rounds });
    expect(outcome).toMatchObject({ violations: [], committedHeight: 0 });
  });

  it('is played alike each time', () => {
    expect(executor.run(HIDDEN_QCS, 'heal')).toEqual(new TwinsExecutor(4).run(HIDDEN_QCS, 'heal'));
  });

  it('of the published set against Fast-HotStuff is safe, and live once healed', () => {
    const reading = readTwinsSet(JSON.stringify(FAST_HOTSTUFF));
    const [scenario] = reading.status === 'read' ? reading.scenarios : [];
    expect(scenario).toBeDefined();
    if (scenario !== undefined) expect(executor.run(scenario, 'heal').violations).toEqual([]);
  });

  it('with a wall on one kind drops that kind only', () => {
    const walled = (kind?: 'Vote' | 'Proposal'): TwinsScenario => ({
      validators: 4,
      twins: [],
      rounds: [
        {
          leader: 1,
          groups: [[0, 1, 2, 3]],
          firewall: [0, 2, 3].map((to) => ({ from: 1, to, ...(kind === undefined ? {} : { kind }) })),
        },
        { leader: 2, groups: [[0, 1, 2, 3]] },
        { leader: 2, groups: [[0, 1, 2, 3]] },
      ],
    });
    expect(executor.run(walled('Vote')).committedHeight).toBeGreaterThan(
      executor.run(walled('Proposal')).committedHeight,
    );
  });

  it('with more twins than f forks: agreement is not promised then, and the checkers see it', () => {
    const both = [
      [0, 1, 2],
      [3, 4, 5],
    ];
    const rounds = Array.from({ length: 4 }, () => ({ leader: 0, groups: both }));
    const [first = { leader: 0, groups: both }, ...others] = rounds;
    const claims = executor
      .run({ validators: 4, twins: [0, 1], rounds: [first, ...others] })
      .violations.map(({ claim }) => claim);
    expect(claims).toContain('no two commits differ at a height');
  });
});

describe('generated scenarios', () => {
  it('are safe, and live when healed: four validators, one pair', () => {
    const report = runTwins({ count: 90, healEvery: 3 });
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ scenarios: 90, healed: 30, unsafe: 0 });
    expect(Object.keys(report.byHeight).length).toBeGreaterThan(4);
  });

  it('are safe: seven validators, two pairs', () => {
    const report = runTwins({ validators: 7, pairs: 2, groupsMax: 2, count: 12, healEvery: 4 });
    expect(report.findings).toEqual([]);
  });

  it('are safe as plans of the whole simulator', () => {
    for (const plan of twinsPlans({ count: 4 })) {
      expect(runPlan(plan).violations, String(plan.seed)).toEqual([]);
    }
  });

  it('play in the whole simulator as in the executor: the hidden QCs stay hidden', () => {
    const plan = {
      ...planOfScenario(HIDDEN_QCS, 'hidden'),
      ending: { kind: 'stop' },
      durationMs: 7_000,
    } as const;
    expect(runPlan(plan)).toMatchObject({ violations: [] });
  });
});
