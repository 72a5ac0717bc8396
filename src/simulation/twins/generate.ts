/**
 * Twins scenarios: all of them in a canonical order, each set of symmetric ones once, or a sample by seed. A round is a
 * leader and a partition of the instances in which someone can reach a quorum. Pure. Source: Bano et al., section 4;
 * docs/simulation/twins.md.
 */
import { type RandomStream, seededRandom } from '../../base/random.ts';
import { instancesOf, type ScenarioRound, type TwinsScenario, validatorOfInstance } from './scenario.ts';

export interface TwinsShape {
  readonly validators: number;
  /** Validators 0 to pairs − 1 run twice. */
  readonly pairs: number;
  readonly rounds: number;
  /** Groups of one partition at most. */
  readonly groupsMax: number;
}

/** What one round can be, and what the symmetries of the network make of it. */
export class RoundChoices {
  readonly shape: TwinsShape;
  /** In canonical order. */
  readonly all: readonly ScenarioRound[];
  #symmetries: readonly (readonly number[])[] | undefined;

  constructor(shape: TwinsShape) {
    this.shape = shape;
    const twins = twinsOf(shape);
    const count = instancesOf({ validators: shape.validators, twins });
    const partitions = partitionsOf(count, shape.groupsMax).filter((groups) => hasQuorum(shape, groups));
    this.all = partitions.flatMap((groups) =>
      Array.from({ length: shape.validators }, (_, leader): ScenarioRound => ({ leader, groups })),
    );
  }

  /** `symmetries[s][choice]`: the choice that symmetry `s` turns it into. The identity is left out. */
  get symmetries(): readonly (readonly number[])[] {
    this.#symmetries ??= symmetriesOf(this.all, this.shape);
    return this.#symmetries;
  }

  /** False when a symmetric scenario comes before it in canonical order. */
  isCanonical(choices: readonly number[]): boolean {
    return this.symmetries.every((symmetry) => !isAfter(choices, symmetry));
  }

  /** The first of its symmetric ones. */
  canonical(choices: readonly number[]): readonly number[] {
    const images = this.symmetries.map((symmetry) => choices.map((choice) => symmetry[choice] ?? choice));
    return images.reduce((least, image) => (compare(image, least) < 0 ? image : least), choices);
  }

  scenario(choices: readonly number[]): TwinsScenario {
    const [first, ...others] = choices.flatMap((choice) => this.all[choice] ?? []);
    if (first === undefined) throw new RangeError('a scenario has at least one round');
    const { validators } = this.shape;
    return { validators, twins: twinsOf(this.shape), rounds: [first, ...others] };
  }
}

/** Every scenario up to symmetry, in canonical order. There are (choices ^ rounds / symmetries) of them: take a few. */
export function* enumerateScenarios(choices: RoundChoices): Generator<TwinsScenario> {
  const { rounds } = choices.shape;
  const prefix: number[] = [];
  function* extend(symmetries: readonly (readonly number[])[]): Generator<TwinsScenario> {
    if (prefix.length === rounds) {
      yield choices.scenario(prefix);
      return;
    }
    for (let choice = 0; choice < choices.all.length; choice += 1) {
      // A symmetry that keeps the prefix and makes this choice smaller: the smaller one was listed.
      if (symmetries.some((symmetry) => (symmetry[choice] ?? choice) < choice)) continue;
      prefix.push(choice);
      yield* extend(symmetries.filter((symmetry) => symmetry[choice] === choice));
      prefix.pop();
    }
  }
  yield* extend(choices.symmetries);
}

/** Scenarios drawn evenly from all, by seed, no two symmetric; endless but for small shapes, which end when it is stuck. */
export function* sampleScenarios(choices: RoundChoices, seed: string | number): Generator<TwinsScenario> {
  const draws = seededRandom(`twins/${seed}`).stream('scenarios');
  const seen = new Set<string>();
  // With more validators there are hundreds of symmetries, and two symmetric draws are as good as never.
  const isSmall = choices.shape.validators <= SYMMETRIES_VALIDATORS_MAX;
  for (let misses = 0; misses < MISSES_MAX; ) {
    const rounds = drawRounds(choices, draws);
    const drawn = isSmall ? choices.canonical(rounds) : rounds;
    const key = drawn.join();
    if (seen.has(key)) misses += 1;
    else {
      misses = 0;
      seen.add(key);
      yield choices.scenario(drawn);
    }
  }
}

/** @unit validators */
const SYMMETRIES_VALIDATORS_MAX = 5;
/** Draws in a row of scenarios that were drawn before: all are, nearly. @source chosen */
const MISSES_MAX = 10_000;

const drawRounds = ({ shape, all }: RoundChoices, draws: RandomStream): readonly number[] =>
  Array.from({ length: shape.rounds }, () => draws.below(all.length));

export const twinsOf = ({ pairs }: TwinsShape): readonly number[] =>
  Array.from({ length: pairs }, (_, index) => index);

/** Partitions of 0 … count − 1 into at most `groupsMax` groups, by restricted growth strings in order. */
export function partitionsOf(count: number, groupsMax: number): readonly (readonly (readonly number[])[])[] {
  const found: (readonly (readonly number[])[])[] = [];
  const groups: number[][] = [];
  const place = (item: number): void => {
    if (item === count) {
      found.push(groups.map((group) => [...group]));
      return;
    }
    for (const group of groups) {
      group.push(item);
      place(item + 1);
      group.pop();
    }
    if (groups.length >= groupsMax) return;
    groups.push([item]);
    place(item + 1);
    groups.pop();
  };
  place(0);
  return found;
}

/** Without a quorum in any group the round never ends, and with it the scenario. */
function hasQuorum(shape: TwinsShape, groups: readonly (readonly number[])[]): boolean {
  const { validators } = shape;
  const twins = twinsOf(shape);
  const quorum = Math.floor((2 * validators) / 3) + 1;
  return groups.some((group) => {
    const members = new Set(group.map((instance) => validatorOfInstance({ validators, twins }, instance)));
    return members.size >= quorum;
  });
}

function symmetriesOf(all: readonly ScenarioRound[], shape: TwinsShape): readonly (readonly number[])[] {
  const indexByKey = new Map(all.map((choice, index) => [keyOf(choice), index]));
  return renamings(shape)
    .filter((renaming) => renaming.some((to, from) => to !== from))
    .map((renaming) => all.map((choice) => indexByKey.get(keyOf(renamed(choice, renaming, shape))) ?? -1));
}

/** Renamings of the instances that change nothing: of pairs, within pairs, of those without a twin. */
function renamings({ validators, pairs }: TwinsShape): readonly (readonly number[])[] {
  const singles = Array.from({ length: validators - pairs }, (_, index) => pairs + index);
  const pairOrders = permutationsOf(Array.from({ length: pairs }, (_, index) => index));
  const swaps = Array.from({ length: 2 ** pairs }, (_, bits) => bits);
  return pairOrders.flatMap((order) =>
    swaps.flatMap((bits) =>
      permutationsOf(singles).map((renamedSingles) => {
        const first = order.map((pair, at) => ((bits >> at) & 1 ? validators + pair : pair));
        const second = order.map((pair, at) => ((bits >> at) & 1 ? pair : validators + pair));
        return [...first, ...renamedSingles, ...second];
      }),
    ),
  );
}

function permutationsOf(items: readonly number[]): readonly (readonly number[])[] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) =>
    permutationsOf(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}

function renamed(
  { leader, groups }: ScenarioRound,
  renaming: readonly number[],
  shape: TwinsShape,
): ScenarioRound {
  const { validators } = shape;
  const to = (instance: number): number => renaming[instance] ?? instance;
  return {
    leader: validatorOfInstance({ validators, twins: twinsOf(shape) }, to(leader)),
    groups: groups.map((group) => group.map(to)),
  };
}

/** The same for the same round, in whatever order its groups and their members are written. */
function keyOf({ leader, groups }: ScenarioRound): string {
  const texts = groups.map((group) => [...group].sort((left, right) => left - right).join());
  return `${leader}:${texts.sort().join('|')}`;
}

const isAfter = (choices: readonly number[], symmetry: readonly number[]): boolean =>
  compare(
    choices.map((choice) => symmetry[choice] ?? choice),
    choices,
  ) < 0;

function compare(left: readonly number[], right: readonly number[]): number {
  for (const [index, value] of left.entries()) {
    const difference = value - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
