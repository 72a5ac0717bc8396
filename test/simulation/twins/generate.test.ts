/** The generators of Twins scenarios: what is listed, what is left out, what is drawn. Rule SM-3. */
import { describe, expect, it } from 'vitest';
import { partitionsOf } from '../../../src/simulation/twins/generate.ts';
import { hidingScenarios } from '../../../src/simulation/twins/hiding.ts';
import {
  enumerateScenarios,
  RoundChoices,
  sampleScenarios,
  type TwinsScenario,
  type TwinsShape,
} from '../../../src/simulation/twins/index.ts';
import { validatorOfInstance } from '../../../src/simulation/twins/scenario.ts';

const SHAPE: TwinsShape = { validators: 4, pairs: 1, rounds: 2, groupsMax: 2 };

const take = (count: number, scenarios: Iterable<TwinsScenario>): readonly TwinsScenario[] => {
  const taken: TwinsScenario[] = [];
  for (const scenario of scenarios) {
    if (taken.length === count) break;
    taken.push(scenario);
  }
  return taken;
};

/** Stirling numbers of the second kind, summed: partitions of n things into at most k groups. */
function countOf(n: number, k: number): number {
  const stirling = (items: number, groups: number): number => {
    if (items === groups) return 1;
    if (groups === 0 || groups > items) return 0;
    return groups * stirling(items - 1, groups) + stirling(items - 1, groups - 1);
  };
  return Array.from({ length: k }, (_, at) => stirling(n, at + 1)).reduce((sum, one) => sum + one, 0);
}

describe('partitions', () => {
  it.each([
    [4, 2],
    [5, 2],
    [5, 3],
    [6, 6],
  ])('of %i instances into at most %i groups are listed once each', (instances, groupsMax) => {
    const partitions = partitionsOf(instances, groupsMax);
    const texts = partitions.map((groups) => JSON.stringify(groups));
    expect(new Set(texts).size).toBe(texts.length);
    expect(texts).toHaveLength(countOf(instances, groupsMax));
    for (const groups of partitions) {
      expect(groups.flat().sort()).toEqual(Array.from({ length: instances }, (_, item) => item));
    }
  });
});

describe('the choices of a round', () => {
  it('leave out partitions in which nobody can reach a quorum: twins count once', () => {
    const { all } = new RoundChoices(SHAPE);
    const texts = new Set(all.map(({ groups }) => JSON.stringify(groups)));
    // 16 partitions of five into two groups; a quorum is three of the four validators.
    expect(texts.size).toBe(13);
    expect(texts).not.toContain(
      JSON.stringify([
        [0, 1, 4],
        [2, 3],
      ]),
    );
    expect(all).toHaveLength(13 * 4);
  });

  it('fall into classes under the twelve symmetries of one pair and three others', () => {
    const choices = new RoundChoices(SHAPE);
    expect(choices.symmetries).toHaveLength(11);
    for (const symmetry of choices.symmetries) expect(new Set(symmetry).size).toBe(choices.all.length);
  });
});

describe('enumeration', () => {
  it('lists of each class of symmetric scenarios exactly the first', () => {
    const choices = new RoundChoices(SHAPE);
    const listed = [...enumerateScenarios(choices)].map((scenario) => JSON.stringify(scenario));
    const count = choices.all.length;
    const first = new Set<string>();
    for (let one = 0; one < count; one += 1) {
      for (let two = 0; two < count; two += 1) {
        const canonical = choices.canonical([one, two]);
        first.add(JSON.stringify(choices.scenario(canonical)));
        expect(choices.isCanonical([one, two])).toBe(canonical[0] === one && canonical[1] === two);
      }
    }
    expect(new Set(listed)).toEqual(first);
    expect(listed).toHaveLength(first.size);
  });
});

describe('samples', () => {
  it('are the same for the same seed, others for another, and never repeat', () => {
    const choices = new RoundChoices({ ...SHAPE, rounds: 8, groupsMax: 3 });
    const texts = (seed: number) =>
      take(500, sampleScenarios(choices, seed)).map((scenario) => JSON.stringify(scenario));
    expect(texts(1)).toEqual(texts(1));
    expect(new Set([...texts(1), ...texts(2)]).size).toBe(1_000);
  });

  it('of a small shape end when all classes were drawn', () => {
    const choices = new RoundChoices({ ...SHAPE, rounds: 1 });
    expect([...sampleScenarios(choices, 1)]).toHaveLength([...enumerateScenarios(choices)].length);
  });

  it('of hidden QCs: the leaders’ collectors are cut off from a quorum that sees too few of their votes', () => {
    const shape: TwinsShape = { ...SHAPE, rounds: 8 };
    for (const scenario of take(200, hidingScenarios(shape, 1))) {
      const of = (instance: number): number => validatorOfInstance(scenario, instance);
      for (const { leader, groups, timeoutGroups = [] } of scenario.rounds) {
        const [voting = []] = groups;
        const [leaving = []] = timeoutGroups;
        expect(new Set(voting.map(of)).size).toBe(3);
        expect(new Set(leaving.map(of)).size).toBe(3);
        const collector = voting.find((instance) => of(instance) === leader);
        expect(leaving).not.toContain(collector);
        const voters = leaving.filter((instance) => voting.includes(instance));
        expect(new Set([...voters.map(of), leader]).size).toBeLessThan(3);
      }
    }
  });
});
