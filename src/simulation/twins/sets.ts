/**
 * Sets of Twins scenarios as JSON: this project's format, and those of two published executors (novifinancial's
 * twins-simulator and relab's hotstuff), told apart by their fields. The gateway from text to `TwinsScenario`. Pure.
 * Rule SM-3; the formats are described in docs/simulation/twins.md.
 */
import { z } from 'zod';
import type { PeerMessageKind } from '../../protocol/consensus/types.ts';
import { SYNC_KINDS } from '../../protocol/sync/messages.ts';
import { instancesOf, type ScenarioRound, type TwinsScenario, type Wall } from './scenario.ts';

export type SetReading =
  | { readonly status: 'read'; readonly scenarios: readonly TwinsScenario[] }
  /** Where, what is wrong, what may be there. */
  | { readonly status: 'refused'; readonly problems: readonly [string, ...string[]] };

/** Bounds of what one executor plays. @source chosen */
const VALIDATORS_MAX = 64;
const ROUNDS_MAX = 1_000;
const SCENARIOS_MAX = 1_000_000;

const index = z.int().min(0);
const groups = z.array(z.array(index));
const KINDS = [
  'Proposal',
  'Vote',
  'QC',
  'ViewChange',
  'NewView',
  ...SYNC_KINDS,
] as const satisfies readonly PeerMessageKind[];

const ours = z.strictObject({
  validators: z.int().min(1).max(VALIDATORS_MAX),
  twins: z.array(index).default([]),
  note: z.string().exactOptional(),
  scenarios: z
    .array(
      z.strictObject({
        note: z.string().exactOptional(),
        rounds: z
          .array(
            z.strictObject({
              leader: index,
              groups,
              timeoutGroups: groups.exactOptional(),
              firewall: z
                .array(z.strictObject({ from: index, to: index, kind: z.enum(KINDS).exactOptional() }))
                .exactOptional(),
            }),
          )
          .min(1)
          .max(ROUNDS_MAX),
      }),
    )
    .min(1)
    .max(SCENARIOS_MAX),
});

const ROUND_NUMBER_MAX = 1_000_000_000;

/** By number of the round; no gaps that would make more rounds than one executor plays. */
const byRound = <Value extends z.ZodType>(value: Value) =>
  z.record(z.string().regex(/^\d{1,10}$/), value).refine((rounds) => {
    const numbers = Object.keys(rounds).map(Number);
    const spread = Math.max(0, ...numbers) - Math.min(ROUND_NUMBER_MAX, ...numbers);
    return spread < ROUNDS_MAX;
  }, `more than ${ROUNDS_MAX} rounds from the first to the last`);

/** twins-simulator: nodes from 0, the second instances last; leaders are the nodes that lead. */
const simulator = z.object({
  num_of_nodes: z.int().min(1).max(VALIDATORS_MAX),
  num_of_twins: index,
  scenarios: z
    .array(
      z.object({
        round_leaders: byRound(z.array(index).min(1)).refine(
          (rounds) => Object.keys(rounds).length > 0,
          'a scenario has a round at least',
        ),
        round_partitions: byRound(groups),
        firewall: byRound(byRound(z.array(index))).exactOptional(),
      }),
    )
    .min(1)
    .max(SCENARIOS_MAX),
});

/** relab/hotstuff: replicas and network ids from 1, the two instances of a replica one after the other. */
const hotstuff = z.object({
  num_nodes: z.int().min(1).max(VALIDATORS_MAX),
  num_twins: index,
  scenarios: z
    .array(
      z
        .array(z.object({ leader: z.int().min(1), partitions: z.array(z.array(z.int().min(1))) }))
        .min(1)
        .max(ROUNDS_MAX),
    )
    .min(1)
    .max(SCENARIOS_MAX),
});

export function readTwinsSet(text: string): SetReading {
  const json = parseJson(text);
  if ('problem' in json) return { status: 'refused', problems: [json.problem] };
  const { value } = json;
  const has = (field: string): boolean => typeof value === 'object' && value !== null && field in value;
  const parsed = has('num_of_nodes')
    ? read(simulator, value, fromSimulator)
    : has('num_nodes')
      ? read(hotstuff, value, fromHotstuff)
      : read(ours, value, fromOurs);
  if (parsed.status === 'refused') return parsed;
  const [first, ...others] = parsed.scenarios.flatMap((scenario, at) => contradictions(scenario, at));
  return first === undefined ? parsed : { status: 'refused', problems: [first, ...others] };
}

/** As the text of a file; all scenarios are of the same validators and twins as the first. */
export function writeTwinsSet(scenarios: readonly TwinsScenario[], note?: string): string {
  const [{ validators, twins } = { validators: 1, twins: [] }] = scenarios;
  const head = { validators, twins, ...(note === undefined ? {} : { note }) };
  const fields = Object.entries(head).map(
    ([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`,
  );
  const lines = scenarios.map(({ rounds }) => `    ${JSON.stringify({ rounds })}`);
  return `{\n${[...fields, `  "scenarios": [\n${lines.join(',\n')}\n  ]`].join(',\n')}\n}\n`;
}

function parseJson(text: string): { readonly value: unknown } | { readonly problem: string } {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { problem: `not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function read<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  convert: (set: z.output<Schema>) => readonly TwinsScenario[],
): SetReading {
  const parsed = schema.safeParse(value);
  if (parsed.success) return { status: 'read', scenarios: convert(parsed.data) };
  const [first, ...others] = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  return { status: 'refused', problems: [first ?? 'not a set of scenarios', ...others] };
}

function scenarioOf(
  validators: number,
  twins: readonly number[],
  rounds: readonly ScenarioRound[],
): readonly TwinsScenario[] {
  const [first, ...others] = rounds;
  return first === undefined ? [] : [{ validators, twins, rounds: [first, ...others] }];
}

const fromOurs = ({ validators, twins, scenarios }: z.output<typeof ours>): readonly TwinsScenario[] =>
  scenarios.flatMap(({ rounds }) => scenarioOf(validators, twins, rounds));

/** Rounds that the file leaves out (they count from 3 in one published set) join all, under the first leader. */
function fromSimulator({ num_of_nodes, num_of_twins, scenarios }: z.output<typeof simulator>) {
  const validators = num_of_nodes - num_of_twins;
  const twins = Array.from({ length: num_of_twins }, (_, twin) => twin);
  const everyone = [Array.from({ length: num_of_nodes }, (_, node) => node)];
  return scenarios.flatMap(({ round_leaders, round_partitions, firewall = {} }) => {
    const numbers = Object.keys(round_leaders).map(Number);
    const first = Math.min(...numbers);
    const rounds = Array.from({ length: Math.max(...numbers) - first + 1 }, (_, at): ScenarioRound => {
      const round = String(first + at);
      const [leader = 0] = round_leaders[round] ?? [];
      const walls = Object.entries(firewall[round] ?? {}).flatMap(([from, tos]) =>
        tos.map((to): Wall => ({ from: Number(from), to })),
      );
      return {
        leader: leader < validators ? leader : leader - validators,
        groups: round_partitions[round] ?? everyone,
        ...(walls.length === 0 ? {} : { firewall: walls }),
      };
    });
    return scenarioOf(validators, twins, rounds);
  });
}

function fromHotstuff({ num_nodes, num_twins, scenarios }: z.output<typeof hotstuff>) {
  const twins = Array.from({ length: num_twins }, (_, twin) => twin);
  // Network ids 1, 2 are the instances of replica 1 when it runs twice, and so on.
  const instanceOf = (id: number): number => {
    if (id > 2 * num_twins) return id - 1 - num_twins;
    const replica = Math.floor((id - 1) / 2);
    return id % 2 === 1 ? replica : num_nodes + replica;
  };
  return scenarios.flatMap((views) =>
    scenarioOf(
      num_nodes,
      twins,
      views.map(({ leader, partitions }) => ({
        leader: leader - 1,
        groups: partitions.filter((group) => group.length > 0).map((group) => group.map(instanceOf)),
      })),
    ),
  );
}

/** What each field allows and all together do not. */
function contradictions(scenario: TwinsScenario, at: number): readonly string[] {
  const { validators, twins, rounds } = scenario;
  const instances = instancesOf(scenario);
  const within = (limit: number, what: string) => (value: number) =>
    value < limit ? [] : [`scenario ${at}: ${value} is no ${what}: ${limit} of them, numbered from 0`];
  const [validator, instance] = [within(validators, 'validator'), within(instances, 'instance')];
  return [
    ...twins.flatMap(validator),
    ...(new Set(twins).size === twins.length ? [] : [`scenario ${at}: a validator has one twin at most`]),
    ...rounds.flatMap(({ leader, groups: parts, timeoutGroups = [], firewall = [] }) => [
      ...validator(leader),
      ...[...parts, ...timeoutGroups].flat().flatMap(instance),
      ...firewall.flatMap(({ from, to }) => [...instance(from), ...instance(to)]),
    ]),
  ];
}
