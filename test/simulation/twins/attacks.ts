/** Scenarios made by hand. Instances 0 and 4 are the two of validator 0. */
import type { ScenarioRound, TwinsScenario } from '../../../src/simulation/twins/index.ts';

const round = (
  leader: number,
  groups: ScenarioRound['groups'],
  timeoutGroups: ScenarioRound['groups'],
): ScenarioRound => ({ leader, groups, timeoutGroups });

/**
 * Four rounds, four QCs, each known to its collector alone: b1 ← b3 and b2 ← b4. A rule that commits the parent of any
 * certified block commits b1 and b2, both at height 1.
 */
export const HIDDEN_QCS: TwinsScenario = {
  validators: 4,
  twins: [0],
  rounds: [
    round(
      0,
      [
        [0, 1, 2],
        [3, 4],
      ],
      [
        [1, 3, 4],
        [0, 2],
      ],
    ),
    round(
      3,
      [
        [1, 3, 4],
        [0, 2],
      ],
      [
        [0, 1, 2],
        [3, 4],
      ],
    ),
    round(
      2,
      [
        [0, 1, 2],
        [3, 4],
      ],
      [
        [1, 3, 4],
        [0, 2],
      ],
    ),
    round(
      3,
      [
        [1, 3, 4],
        [0, 2],
      ],
      [
        [1, 3, 4],
        [0, 2],
      ],
    ),
  ],
};

const ALL = [[0, 1, 2, 3, 4]];

/** Everyone hears everyone: both instances of the twinned leader propose. */
export const CALM_ROUNDS: TwinsScenario = {
  validators: 4,
  twins: [0],
  rounds: [
    { leader: 1, groups: ALL },
    { leader: 2, groups: ALL },
    { leader: 3, groups: ALL },
    { leader: 0, groups: ALL },
    { leader: 1, groups: ALL },
    { leader: 2, groups: ALL },
  ],
};

/** The set of twins-simulator against Fast-HotStuff: no twins, rounds 3 to 11 (novifinancial, fhs_twins.json). */
export const FAST_HOTSTUFF = {
  num_of_nodes: 4,
  num_of_twins: 0,
  scenarios: [
    {
      round_leaders: { 3: [0], 4: [0], 5: [1], 6: [0], 7: [2], 8: [1], 9: [1], 10: [2], 11: [2] },
      round_partitions: {
        3: [[0, 1, 2, 3]],
        4: [[0, 1, 2, 3]],
        5: [[0, 1, 2, 3]],
        6: [[0, 2, 3], [1]],
        7: [[0, 2, 3], [1]],
        8: [[0, 1, 3], [2]],
        9: [[0, 1, 3], [2]],
        10: [[0, 2, 3], [1]],
        11: [[0, 2, 3], [1]],
      },
      firewall: { 5: { 1: [0, 2, 3] }, 7: { 2: [0, 1, 3] }, 9: { 1: [0, 2, 3] } },
    },
  ],
};
