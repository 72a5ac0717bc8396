/**
 * Twins (Bano et al., OPODIS 2021): validators that run twice under partitions that change with the round. Scenarios are
 * generated or read; played fast by an executor of charts alone, or as plans by the whole simulator. Deterministic.
 * Rules SM-3, SM-4, SM-8; docs/simulation/twins.md.
 */
import { CALM } from '../../transport/hub.ts';
import { NOTHING_IS_THROWN, thrown } from '../checkers/claim.ts';
import type { Violation } from '../checkers/index.ts';
import type { RoundRule, RunPlan } from '../plan.ts';
import { type Afterwards, TwinsExecutor } from './executor.ts';
import { enumerateScenarios, RoundChoices, sampleScenarios, type TwinsShape } from './generate.ts';
import { hidingScenarios } from './hiding.ts';
import {
  instancesOf,
  type Partition,
  type ScenarioRound,
  type TwinsScenario,
  type Wall,
} from './scenario.ts';

export { type Afterwards, TwinsExecutor } from './executor.ts';
export { enumerateScenarios, RoundChoices, sampleScenarios, type TwinsShape } from './generate.ts';
export type { ScenarioRound, TwinsScenario } from './scenario.ts';
export { readTwinsSet, writeTwinsSet } from './sets.ts';

export interface TwinsOptions {
  /** Default 4. */
  readonly validators?: number;
  /** Validators that run twice; default 1. At most f, or agreement is not promised. */
  readonly pairs?: number;
  /** Default 8. */
  readonly rounds?: number;
  /** Groups of one partition at most; default 3. */
  readonly groupsMax?: number;
  /** A sample by this seed; `all`: every scenario in canonical order. Default 1. */
  readonly seed?: string | number | 'all';
  /**
   * `even`: each round any leader and partition, as likely as another. `hiding`: most rounds keep their QC from those who
   * time out. `mixed`: in turn. Default `mixed`.
   */
  readonly sampling?: 'even' | 'hiding' | 'mixed';
  /** Scenarios that are passed over, so that several processes share one order. Default 0. */
  readonly from?: number;
  /** Default 1,000. */
  readonly count?: number;
}

export interface TwinsRunOptions extends TwinsOptions {
  /** Instead of generated ones: those of a file. */
  readonly scenarios?: Iterable<TwinsScenario>;
  /** Every so many scenarios one is healed at its end and must commit; 0: none. Default 20. */
  readonly healEvery?: number;
  /** Ends at the first that is unsafe. Default false. */
  readonly stopAtFirst?: boolean;
  /** After each scenario, with what was unsafe about it; true ends the run. */
  readonly progress?: (played: number, unsafe: UnsafeScenario | undefined) => boolean;
}

export interface UnsafeScenario {
  /** Its number in the run, from 0. */
  readonly number: number;
  readonly scenario: TwinsScenario;
  readonly afterwards: Afterwards;
  readonly violations: readonly Violation[];
}

export interface TwinsReport {
  readonly scenarios: number;
  readonly healed: number;
  /** At most UNSAFE_KEPT_MAX; `unsafe` counts all. */
  readonly findings: readonly UnsafeScenario[];
  readonly unsafe: number;
  /** Scenarios by the newest height that anyone committed. */
  readonly byHeight: Readonly<Record<number, number>>;
  /** Messages that arrived, of all scenarios. */
  readonly delivered: number;
  /** @unit ms of virtual time, of all scenarios */
  readonly virtualMs: number;
}

/** Findings that a report holds; later ones are only counted. @unit scenarios */
const UNSAFE_KEPT_MAX = 16;

export function* twinsScenarios(options: TwinsOptions = {}): Generator<TwinsScenario> {
  const { from = 0, count = 1_000 } = options;
  let number = 0;
  for (const scenario of endless(options)) {
    if (number >= from + count) return;
    if (number >= from) yield scenario;
    number += 1;
  }
}

function endless(options: TwinsOptions): Generator<TwinsScenario> {
  const { validators = 4, pairs = 1, rounds = 8, groupsMax = 3, seed = 1, sampling = 'mixed' } = options;
  const shape: TwinsShape = { validators, pairs, rounds, groupsMax };
  if (seed === 'all') return enumerateScenarios(new RoundChoices(shape));
  if (sampling === 'hiding') return hidingScenarios(shape, seed);
  const even = sampleScenarios(new RoundChoices(shape), seed);
  return sampling === 'even' ? even : inTurn(even, hidingScenarios(shape, seed));
}

function* inTurn(...sources: readonly Generator<TwinsScenario>[]): Generator<TwinsScenario> {
  for (let left = sources; left.length > 0; ) {
    const ended = new Set<Generator<TwinsScenario>>();
    for (const source of left) {
      const next = source.next();
      if (next.done === true) ended.add(source);
      else yield next.value;
    }
    left = left.filter((source) => !ended.has(source));
  }
}

/** Plays scenarios by the fast executor. */
export function runTwins(options: TwinsRunOptions = {}): TwinsReport {
  const playing = twinsInSteps(options);
  for (;;) {
    const step = playing.next();
    if (step.done === true) return step.value;
  }
}

/** The same, one scenario a step: who steps may do something else in between. */
export function* twinsInSteps(options: TwinsRunOptions = {}): Generator<undefined, TwinsReport> {
  const { healEvery = 20, stopAtFirst = false, progress } = options;
  const executors = new Map<number, TwinsExecutor>();
  const findings: UnsafeScenario[] = [];
  const byHeight: Record<number, number> = {};
  const sums = { scenarios: 0, healed: 0, unsafe: 0, delivered: 0, virtualMs: 0 };
  for (const scenario of options.scenarios ?? twinsScenarios(options)) {
    const executor = executors.get(scenario.validators) ?? new TwinsExecutor(scenario.validators);
    executors.set(scenario.validators, executor);
    const number = (options.from ?? 0) + sums.scenarios;
    const afterwards: Afterwards = healEvery > 0 && number % healEvery === 0 ? 'heal' : 'stop';
    const outcome = attempt(executor, scenario, afterwards);
    if (outcome.violations.some(({ claim }) => claim === NOTHING_IS_THROWN))
      executors.delete(scenario.validators);
    sums.scenarios += 1;
    sums.healed += afterwards === 'heal' ? 1 : 0;
    sums.delivered += outcome.delivered;
    sums.virtualMs += outcome.virtualMs;
    byHeight[outcome.committedHeight] = (byHeight[outcome.committedHeight] ?? 0) + 1;
    const { violations } = outcome;
    const unsafe = violations.length === 0 ? undefined : { number, scenario, afterwards, violations };
    if (unsafe !== undefined) {
      sums.unsafe += 1;
      if (findings.length < UNSAFE_KEPT_MAX) findings.push(unsafe);
    }
    const ends = progress?.(sums.scenarios, unsafe) ?? false;
    if (ends || (stopAtFirst && sums.unsafe > 0)) break;
    yield;
  }
  return { ...sums, findings, byHeight };
}

/** Whatever is thrown outside of a cell is a finding of this scenario; its executor is not used again. */
function attempt(executor: TwinsExecutor, scenario: TwinsScenario, afterwards: Afterwards) {
  try {
    return executor.run(scenario, afterwards);
  } catch (error) {
    const violations: readonly Violation[] = [thrown(error)];
    return { violations, delivered: 0, virtualMs: 0, committedHeight: 0 };
  }
}

/** The same scenarios for the whole simulator. */
export function* twinsPlans(options: TwinsOptions = {}): Generator<RunPlan> {
  let number = options.from ?? 0;
  for (const scenario of twinsScenarios(options)) {
    yield planOfScenario(scenario, `twins/${options.seed ?? 1}/${number}`);
    number += 1;
  }
}

/** Whole validators, production timeouts; later rounds are joined, and led in turn after the scenario's leaders. */
export function planOfScenario(scenario: TwinsScenario, seed: string | number): RunPlan {
  const { validators, twins, rounds } = scenario;
  const [first, ...others] = rounds;
  const turns = Array.from({ length: TURNS_AFTER }, (_, turn) => turn % validators);
  return {
    seed,
    validators,
    twins,
    lateStarts: [],
    leaders: [first.leader, ...others.map(({ leader }) => leader), ...turns],
    rounds: rounds.map((round) => ruleOf(round, instancesOf(scenario))),
    signatures: 'keyed-hash',
    carry: 'reference',
    links: CALM,
    timeouts: {},
    liars: [],
    // Else a twinned leader would propose the same block twice.
    clocks: twins.map((_, at) => ({ node: validators + at, offsetMs: 1, driftPpm: 0 })),
    acts: [],
    durationMs: rounds.length * ROUND_MS,
    ending: { kind: 'heal-all' },
  };
}

/** Plans know one partition a round: a second one for the timeouts is written as walls. */
function ruleOf({ groups, timeoutGroups, firewall = [] }: ScenarioRound, instances: number): RoundRule {
  if (timeoutGroups === undefined) return { groups, ...(firewall.length === 0 ? {} : { firewall }) };
  const apart = (partition: Partition, from: number, to: number): boolean =>
    !partition.some((group) => group.includes(from) && group.includes(to));
  const numbers = Array.from({ length: instances }, (_, instance) => instance);
  const pairs = numbers.flatMap((from) => numbers.filter((to) => to !== from).map((to) => ({ from, to })));
  const walls = pairs.flatMap(({ from, to }): readonly Wall[] => [
    ...(apart(groups, from, to) ? STEADY_KINDS.map((kind) => ({ from, to, kind })) : []),
    ...(apart(timeoutGroups, from, to) ? [{ from, to, kind: 'ViewChange' } as const] : []),
  ]);
  return { firewall: [...walls, ...firewall] };
}

/** Messages of a round that are no timeouts. */
const STEADY_KINDS = ['Proposal', 'Vote', 'QC', 'NewView'] as const;

/** Rounds after the scenario with leaders of their own in a plan. @unit rounds */
const TURNS_AFTER = 64;
/** Enough for a round that fails under the initial timeout of one second. @unit ms */
const ROUND_MS = 2_000;
