/**
 * A guided sample of Twins scenarios: in each round a quorum votes, its collector learns the QC, and another quorum gives
 * the round up without it. All attacks on a two-chain commit are made of such rounds; drawn evenly they are too rare.
 * Timeouts carry their senders' votes (CS-6), so the second quorum must see too few votes. Pure. docs/simulation/twins.md.
 */
import { type RandomStream, seededRandom } from '../../base/random.ts';
import { partitionsOf, type TwinsShape, twinsOf } from './generate.ts';
import {
  instancesOf,
  type Partition,
  type ScenarioRound,
  type TwinsScenario,
  validatorOfInstance,
} from './scenario.ts';

/** Scenarios whose keys are kept, so that none comes twice; above it the oldest may. @unit scenarios */
const SEEN_MAX = 1_000_000;

export function* hidingScenarios(shape: TwinsShape, seed: string | number): Generator<TwinsScenario> {
  const draws = seededRandom(`twins/${seed}`).stream('hiding');
  const rounds = new HidingRounds(shape);
  const seen = new Set<string>();
  for (;;) {
    const drawn = Array.from({ length: shape.rounds }, () => rounds.draw(draws));
    const [first, ...others] = drawn;
    const key = JSON.stringify(drawn);
    if (first === undefined || seen.has(key)) continue;
    if (seen.size < SEEN_MAX) seen.add(key);
    yield { validators: shape.validators, twins: twinsOf(shape), rounds: [first, ...others] };
  }
}

class HidingRounds {
  readonly #shape: TwinsShape;
  readonly #twins: readonly number[];
  readonly #quorum: number;
  readonly #partitions: readonly Partition[];
  /** Sets of instances that are just a quorum. */
  readonly #quorums: readonly (readonly number[])[];
  readonly #instances: readonly number[];
  /** By leader, once asked for. */
  readonly #hidingOf = new Map<number, readonly ScenarioRound[]>();

  constructor(shape: TwinsShape) {
    this.#shape = shape;
    this.#twins = twinsOf(shape);
    const count = instancesOf({ validators: shape.validators, twins: this.#twins });
    this.#instances = Array.from({ length: count }, (_, instance) => instance);
    this.#quorum = Math.floor((2 * shape.validators) / 3) + 1;
    this.#partitions = partitionsOf(count, shape.groupsMax);
    this.#quorums = subsetsOf(this.#instances, this.#quorum).filter(
      (set) => this.#validatorsOf(set).size === this.#quorum,
    );
  }

  draw(draws: RandomStream): ScenarioRound {
    const leader = draws.below(this.#shape.validators);
    const hiding = this.#hiding(leader, draws);
    if (hiding !== undefined) return hiding;
    const groups = pick(this.#partitions, draws) ?? [this.#instances];
    const timeoutGroups = pick(this.#partitions, draws) ?? [this.#instances];
    return { leader, groups, timeoutGroups };
  }

  /** Undefined where no such round exists: without twins, and in networks of one. */
  #hiding(leader: number, draws: RandomStream): ScenarioRound | undefined {
    const known = this.#hidingOf.get(leader) ?? this.#listHiding(leader);
    this.#hidingOf.set(leader, known);
    return pick(known, draws);
  }

  #listHiding(leader: number): readonly ScenarioRound[] {
    return this.#quorums.flatMap((voting) => {
      const collector = voting.find((instance) => this.#validatorOf(instance) === leader);
      if (collector === undefined) return [];
      return this.#quorums
        .filter((leaving) => !leaving.includes(collector))
        .filter((leaving) => this.#votesSeen(leaving, voting, leader) < this.#quorum)
        .map((leaving) => ({
          leader,
          groups: this.#split(voting),
          timeoutGroups: this.#split(leaving),
        }));
    });
  }

  /** Votes that the timeouts of `leaving` bring together, and the leader's, which came with its block. */
  #votesSeen(leaving: readonly number[], voting: readonly number[], leader: number): number {
    const voters = leaving.filter((instance) => voting.includes(instance));
    return voters.length === 0 ? 0 : this.#validatorsOf([...voters, leader]).size;
  }

  #split(group: readonly number[]): Partition {
    const others = this.#instances.filter((instance) => !group.includes(instance));
    return others.length === 0 ? [group] : [group, others];
  }

  #validatorOf(instance: number): number {
    return validatorOfInstance({ validators: this.#shape.validators, twins: this.#twins }, instance);
  }

  #validatorsOf(instances: readonly number[]): ReadonlySet<number> {
    return new Set(instances.map((instance) => this.#validatorOf(instance)));
  }
}

const pick = <Item>(items: readonly Item[], draws: RandomStream): Item | undefined =>
  items[draws.below(Math.max(1, items.length))];

function subsetsOf(items: readonly number[], size: number): readonly (readonly number[])[] {
  if (size === 0) return [[]];
  return items.flatMap((item, at) => subsetsOf(items.slice(at + 1), size - 1).map((rest) => [item, ...rest]));
}
