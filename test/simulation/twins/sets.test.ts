/** Files of Twins scenarios: this project's format and the two published ones. */
import { describe, expect, it } from 'vitest';
import {
  planOfScenario,
  readTwinsSet,
  twinsScenarios,
  writeTwinsSet,
} from '../../../src/simulation/twins/index.ts';

const read = (text: string) => {
  const reading = readTwinsSet(text);
  if (reading.status === 'refused') throw new Error(reading.problems.join('\n'));
  return reading.scenarios;
};

describe('a set of scenarios', () => {
  it('is read as it was written', () => {
    const scenarios = [...twinsScenarios({ count: 20 })];
    expect(read(writeTwinsSet(scenarios, 'twenty'))).toEqual(scenarios);
  });

  it('of twins-simulator: nodes from 0, rounds by number, firewalls by sender', () => {
    const text = JSON.stringify({
      num_of_nodes: 5,
      num_of_twins: 1,
      scenarios: [
        {
          round_leaders: { 3: [0, 4], 4: [1] },
          round_partitions: {
            3: [
              [0, 1, 2],
              [3, 4],
            ],
            4: [[0, 1, 2, 3, 4]],
          },
          firewall: { 4: { 1: [0, 2] } },
        },
      ],
    });
    expect(read(text)).toEqual([
      {
        validators: 4,
        twins: [0],
        rounds: [
          {
            leader: 0,
            groups: [
              [0, 1, 2],
              [3, 4],
            ],
          },
          {
            leader: 1,
            groups: [[0, 1, 2, 3, 4]],
            firewall: [
              { from: 1, to: 0 },
              { from: 1, to: 2 },
            ],
          },
        ],
      },
    ]);
  });

  it('of relab/hotstuff: replicas and network ids from 1, both instances of a replica one after the other', () => {
    const text = JSON.stringify({
      num_nodes: 4,
      num_twins: 1,
      partitions: 2,
      views: 2,
      scenarios: [
        [
          {
            leader: 1,
            partitions: [
              [1, 3, 4],
              [2, 5],
            ],
          },
          { leader: 4, partitions: [[1, 2, 3, 4, 5], []] },
        ],
      ],
    });
    expect(read(text)).toEqual([
      {
        validators: 4,
        twins: [0],
        rounds: [
          {
            leader: 0,
            groups: [
              [0, 1, 2],
              [4, 3],
            ],
          },
          { leader: 3, groups: [[0, 4, 1, 2, 3]] },
        ],
      },
    ]);
  });

  it.each([
    ['not JSON', '{', 'not JSON'],
    ['an unknown field', '{"validators":4,"scenario":[]}', 'scenario'],
    ['a leader that is no validator', set({ leader: 4, groups: [] }), 'scenario 0: 4 is no validator'],
    ['a group with a stranger', set({ leader: 0, groups: [[5]] }), 'scenario 0: 5 is no instance'],
    [
      'a wall to a stranger',
      set({ leader: 0, groups: [], firewall: [{ from: 0, to: 9 }] }),
      '9 is no instance',
    ],
    ['no scenario', '{"validators":4,"scenarios":[]}', 'scenarios: '],
    [
      'a round far beyond the others',
      JSON.stringify({
        num_of_nodes: 5,
        num_of_twins: 1,
        scenarios: [{ round_leaders: { 1: [0], 999999999: [0] }, round_partitions: {} }],
      }),
      'more than 1000 rounds',
    ],
    [
      'a scenario without rounds',
      JSON.stringify({
        num_of_nodes: 5,
        num_of_twins: 1,
        scenarios: [{ round_leaders: {}, round_partitions: {} }],
      }),
      'a round at least',
    ],
  ])('with %s is refused, and told why', (_, text, part) => {
    const reading = readTwinsSet(text);
    expect(reading.status).toBe('refused');
    expect(reading.status === 'refused' ? reading.problems.join() : '').toContain(part);
  });
});

describe('a plan of a scenario', () => {
  it('has walls where its timeouts have another partition', () => {
    const rounds = [
      {
        leader: 2,
        groups: [
          [0, 1, 2],
          [3, 4],
        ],
        timeoutGroups: [[0, 1, 2, 3], [4]],
      },
    ] as const;
    const plan = planOfScenario({ validators: 4, twins: [0], rounds }, 1);
    const firewall = plan.rounds?.[0]?.firewall ?? [];
    expect(plan.leaders?.[0]).toBe(2);
    expect(firewall).toContainEqual({ from: 0, to: 3, kind: 'Proposal' });
    expect(firewall).not.toContainEqual({ from: 0, to: 3, kind: 'ViewChange' });
    expect(firewall).toContainEqual({ from: 4, to: 3, kind: 'ViewChange' });
    expect(firewall).not.toContainEqual({ from: 4, to: 3, kind: 'Vote' });
  });
});

function set(round: object): string {
  return JSON.stringify({ validators: 4, twins: [0], scenarios: [{ rounds: [round] }] });
}
