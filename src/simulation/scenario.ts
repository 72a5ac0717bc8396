/**
 * Scenario files: a plan as JSON, written by hand, by `althing simulate --write-scenario`, or converted from other
 * people's Twins scenarios. The gateway from text to `RunPlan`: what is wrong is said with path, value and remedy. Pure.
 * Rules SM-3, SM-6; the format is described in docs/simulation.md.
 */
import { z } from 'zod';
import { millis } from '../base/units.ts';
import { BRIDGE_KINDS } from '../protocol/bridge/messages.ts';
import { quorumPowerOf } from '../protocol/chain/validator-set.ts';
import { LEADER_SCHEDULES } from '../protocol/consensus/leader.ts';
import { SYNC_KINDS } from '../protocol/sync/messages.ts';
import { CALM } from '../transport/hub.ts';
import { nodesOf } from './acts.ts';
import { LIE_KINDS } from './byzantine/index.ts';
import { FILLABLE_CELLS, KEYS_EACH, KILLABLE_CELLS, type RunPlan } from './plan.ts';

/** Of the format. A reader refuses what is newer. */
export const SCENARIO_VERSION = 1;

/** Bounds of what one process can simulate. @unit validators, ms of virtual time @source chosen */
const VALIDATORS_MAX = 200;
const DURATION_MS_MAX = 86_400_000;

export interface ScenarioProblem {
  /** `acts[3].act.node` */
  readonly path: string;
  /** What is there, what may be there, what to do. */
  readonly message: string;
}

export type ScenarioReading =
  | { readonly status: 'read'; readonly plan: RunPlan }
  | { readonly status: 'refused'; readonly problems: readonly [ScenarioProblem, ...ScenarioProblem[]] };

const index = z.int().min(0);
const duration = z.number().min(0).max(DURATION_MS_MAX);
const share = z.number().min(0).max(1);
const time = duration.transform(millis);
const groups = z.array(z.array(index));

const links = z.strictObject({
  delayMin: time.default(CALM.delayMin),
  delayMean: time.default(CALM.delayMean),
  drop: share.default(0),
  duplicate: share.default(0),
  copies: z.int().min(1).max(100).exactOptional(),
  reorder: z.boolean().default(false),
});

const onNode = { node: index };
const direction = { from: index, to: index };
const times = z.int().min(1);

const act = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('crash'), ...onNode }),
  z.strictObject({ kind: z.literal('restart'), ...onNode }),
  z.strictObject({ kind: z.literal('pause'), ...onNode, ms: duration }),
  z.strictObject({ kind: z.literal('partition'), groups }),
  z.strictObject({ kind: z.literal('isolate-leader') }),
  z.strictObject({ kind: z.literal('cut'), ...direction }),
  z.strictObject({ kind: z.literal('clog'), ...direction, ms: duration }),
  z.strictObject({ kind: z.literal('heal') }),
  z.strictObject({
    kind: z.literal('links'),
    faults: links,
    direction: z.strictObject(direction).exactOptional(),
  }),
  z.strictObject({
    kind: z.literal('disk'),
    ...onNode,
    fault: z.enum(['ok', 'IO', 'FULL', 'IO_AFTER_WRITE']),
    times,
  }),
  z.strictObject({ kind: z.literal('disk-slow'), ...onNode, syncMs: duration, ms: duration }),
  z.strictObject({ kind: z.literal('disk-bit-flip'), ...onNode, times }),
  z.strictObject({ kind: z.literal('clock-step'), ...onNode, ms: z.number() }),
  z.strictObject({ kind: z.literal('application-crash'), ...onNode, times }),
  z.strictObject({
    kind: z.literal('mailbox-overflow'),
    ...onNode,
    cell: z.enum(FILLABLE_CELLS),
    messages: z.int().min(1).max(1_000_000),
  }),
  z.strictObject({ kind: z.literal('kill-cell'), ...onNode, cell: z.enum(KILLABLE_CELLS) }),
  z.strictObject({ kind: z.literal('order-view-change'), ...onNode }),
  z.strictObject({ kind: z.literal('submit'), ...onNode, transaction: z.string() }),
  z.strictObject({
    kind: z.literal('change-validator'),
    ...onNode,
    validator: index,
    power: z.int().min(0),
    key: index.max(KEYS_EACH - 1).default(0),
  }),
  z.strictObject({
    kind: z.literal('load'),
    ...onNode,
    transactions: z.int().min(1).max(10_000),
    bytes: z.int().min(1).max(1_048_576),
  }),
]);

const oneOrMore = <Item extends z.ZodType>(item: Item) => z.tuple([item], item);

/** A timeout of nothing would make rounds without an end in one instant. */
const timeout = z.number().min(1).transform(millis).exactOptional();
const scenario = z.strictObject({
  version: z.literal(SCENARIO_VERSION),
  /** For readers. */
  note: z.string().exactOptional(),
  seed: z.union([z.string(), z.number()]).default(1),
  validators: z.int().min(1).max(VALIDATORS_MAX),
  powers: z.array(z.int().min(1)).exactOptional(),
  twins: z.array(index).default([]),
  lateStarts: z.array(z.strictObject({ ...onNode, at: duration })).default([]),
  leaders: oneOrMore(index).exactOptional(),
  leadership: z
    .strictObject({
      leaderSchedule: z.enum(LEADER_SCHEDULES),
      leaderReputation: z.boolean(),
      vrf: z.boolean(),
    })
    .refine(
      ({ leaderSchedule, vrf }) => leaderSchedule === 'round_robin' || vrf,
      'a draw by stake needs vrf: true',
    )
    .exactOptional(),
  rounds: z
    .array(
      z.strictObject({
        groups: groups.exactOptional(),
        firewall: z
          .array(
            z.strictObject({
              ...direction,
              kind: z
                .enum([
                  'Proposal',
                  'Vote',
                  'QC',
                  'ViewChange',
                  'NewView',
                  'Batch',
                  'BatchAck',
                  'GetBatch',
                  ...SYNC_KINDS,
                  'TimeRequest',
                  'TimeReply',
                  ...BRIDGE_KINDS,
                ])
                .exactOptional(),
            }),
          )
          .exactOptional(),
      }),
    )
    .exactOptional(),
  signatures: z.enum(['keyed-hash', 'bls']).default('keyed-hash'),
  carry: z.enum(['codec', 'reference']).default('reference'),
  links: links.default(CALM),
  timeouts: z
    .strictObject({
      roundTimeoutMsMin: timeout,
      roundTimeoutMsMax: timeout,
      roundTimeoutMsInitial: timeout,
      growth: z.number().min(1).exactOptional(),
      grace: z.int().min(0).exactOptional(),
      proposeShare: share.exactOptional(),
      viewChangeShare: share.exactOptional(),
      emptyBlockIntervalMs: timeout,
    })
    .default({}),
  liars: z
    .array(z.strictObject({ validator: index, lies: oneOrMore(z.enum(LIE_KINDS)), rate: share.default(1) }))
    .default([]),
  clocks: z
    .array(z.strictObject({ ...onNode, offsetMs: z.number().default(0), driftPpm: z.number().default(0) }))
    .default([]),
  time: z
    .strictObject({
      source: z.enum(['system', 'ntp', 'peers', 'hybrid']).default('hybrid'),
      servers: z
        .array(
          z.strictObject({
            offsetMs: z.number().default(0),
            wrongFrom: duration.exactOptional(),
            isUnsynchronised: z.boolean().exactOptional(),
            silentFrom: duration.exactOptional(),
            silentUntil: duration.exactOptional(),
          }),
        )
        .default([]),
    })
    .exactOptional(),
  sync: z
    .strictObject({
      tier1Timeout: timeout,
      tier1ConsensusThreshold: z.number().min(0.5).max(1).exactOptional(),
      tier1MaxGap: z.int().min(1).exactOptional(),
      tier2TimeoutPerBlock: timeout,
      tier2MaxRetries: z.int().min(1).exactOptional(),
      tier2MaxGap: z.int().min(1).exactOptional(),
      tier3TrustTime: timeout,
      tier3BackupRetention: timeout,
      checkInterval: timeout,
      peerQueryTimeout: timeout,
      blockFetchTimeout: timeout,
      peerCacheTtl: timeout,
      redundantPeers: z.int().min(1).exactOptional(),
      genesisPeers: z.int().min(1).exactOptional(),
      fetchAttempts: z.int().min(1).exactOptional(),
    })
    .exactOptional(),
  epochs: z
    .strictObject({
      members: z.int().min(1),
      length: z.int().min(0).default(0),
      changePercent: z.int().min(1).max(100).default(100),
    })
    .exactOptional(),
  acts: z.array(z.strictObject({ at: duration, act })).default([]),
  durationMs: duration,
  ending: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('heal-all') }),
      z.strictObject({ kind: z.literal('heal-core'), core: oneOrMore(index) }),
      z.strictObject({ kind: z.literal('stop') }),
    ])
    .default({ kind: 'heal-all' }),
});

/** A scenario file's text as a plan, or everything that is wrong with it. */
export function readScenario(text: string): ScenarioReading {
  const json = parseJson(text);
  if ('problem' in json) return { status: 'refused', problems: [json.problem] };
  const parsed = scenario.safeParse(json.value);
  if (!parsed.success) {
    const [first, ...others] = parsed.error.issues.map((issue) => problemOf(issue, json.value));
    const unknown: ScenarioProblem = { path: '', message: 'is not a scenario' };
    return { status: 'refused', problems: [first ?? unknown, ...others] };
  }
  const { version, note, ...plan } = parsed.data;
  const [first, ...others] = contradictions(plan);
  if (first !== undefined) return { status: 'refused', problems: [first, ...others] };
  return { status: 'read', plan };
}

/** A plan as the text of a scenario file. `readScenario` gives the same plan back. */
export function writeScenario(plan: RunPlan, note?: string): string {
  const head = { version: SCENARIO_VERSION, ...(note === undefined ? {} : { note }) };
  const { acts, ...rest } = plan;
  const fields = Object.entries({ ...head, ...rest }).map(
    ([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`,
  );
  const lines = acts.map((timed) => `    ${JSON.stringify(timed)}`);
  const list = lines.length === 0 ? '  "acts": []' : `  "acts": [\n${lines.join(',\n')}\n  ]`;
  return `{\n${[...fields, list].join(',\n')}\n}\n`;
}

function parseJson(text: string): { readonly value: unknown } | { readonly problem: ScenarioProblem } {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { problem: { path: '', message: `is not JSON: ${detail}` } };
  }
}

function problemOf(issue: z.core.$ZodIssue, root: unknown): ScenarioProblem {
  const found = issue.path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
    root,
  );
  const shown = found === undefined ? 'nothing is there' : `${JSON.stringify(found)?.slice(0, 80)} is there`;
  return { path: pathOf(issue.path), message: `${issue.message}; ${shown}` };
}

const pathOf = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, key) =>
      typeof key === 'number' ? `${text}[${key}]` : `${text}${text === '' ? '' : '.'}${String(key)}`,
    '',
  );

/** What each field allows and all together do not. */
function contradictions(plan: RunPlan): readonly ScenarioProblem[] {
  const { validators, twins } = plan;
  const nodes = validators + twins.length;
  const range = (limit: number, what: string) => (path: string, value: number) =>
    value < limit
      ? []
      : [
          {
            path,
            message: `${value} is no ${what}: ${limit} of them, numbered from 0; see "Numbers" in docs/simulation.md`,
          },
        ];
  const validator = range(validators, 'validator');
  const node = range(nodes, 'node');
  const member = range(plan.epochs?.members ?? validators, 'validator of the first epoch');
  return [
    ...(plan.powers !== undefined && plan.powers.length !== validators
      ? [
          {
            path: 'powers',
            message: `${plan.powers.length} powers for ${validators} validators: give one for each`,
          },
        ]
      : []),
    ...twins.flatMap((value, at) => validator(`twins[${at}]`, value)),
    ...(new Set(twins).size === twins.length
      ? []
      : [{ path: 'twins', message: 'a validator runs twice at most: name each once' }]),
    ...(plan.rounds ?? []).flatMap(({ groups: parts = [], firewall = [] }, at) => [
      ...parts.flat().flatMap((value) => node(`rounds[${at}].groups`, value)),
      ...firewall.flatMap(({ from, to }) =>
        [from, to].flatMap((value) => node(`rounds[${at}].firewall`, value)),
      ),
    ]),
    ...(plan.leaders ?? []).flatMap((value, at) => member(`leaders[${at}]`, value)),
    ...plan.liars.flatMap((liar, at) => validator(`liars[${at}].validator`, liar.validator)),
    ...plan.clocks.flatMap((clock, at) => node(`clocks[${at}].node`, clock.node)),
    ...plan.lateStarts.flatMap((late, at) => node(`lateStarts[${at}].node`, late.node)),
    ...(plan.ending.kind === 'heal-core'
      ? [...plan.ending.core.flatMap((value, at) => node(`ending.core[${at}]`, value)), ...weakCore(plan)]
      : []),
    ...(plan.epochs === undefined ? [] : validator('epochs.members', plan.epochs.members - 1)),
    ...plan.acts.flatMap((timed, at) => [
      ...('validator' in timed.act ? validator(`acts[${at}].act.validator`, timed.act.validator) : []),
      ...nodesOf(timed.act).flatMap((value) => node(`acts[${at}].act`, value)),
      ...(timed.at < (plan.acts[at - 1]?.at ?? 0)
        ? [
            {
              path: `acts[${at}].at`,
              message: `${timed.at} is before the act above it: put acts in order of time`,
            },
          ]
        : []),
    ]),
  ];
}

/** A core that is healed must be able to commit: a quorum of validators that neither lie nor run twice. */
export function weakCore({ validators, powers, twins, liars, ending }: RunPlan): readonly ScenarioProblem[] {
  if (ending.kind !== 'heal-core') return [];
  const faulty = new Set([...twins, ...liars.map(({ validator }) => validator)]);
  const powerOf = (validator: number): bigint => BigInt(powers?.[validator] ?? 1);
  const sum = (of: readonly number[]): bigint => of.reduce((total, one) => total + powerOf(one), 0n);
  const core = [...new Set(ending.core)].filter((one) => one < validators && !faulty.has(one));
  const quorum = quorumPowerOf(sum(Array.from({ length: validators }, (_, one) => one)));
  if (sum(core) >= quorum) return [];
  return [
    {
      path: 'ending.core',
      message: `power ${sum(core)} of honest validators is no quorum, which needs ${quorum}: name more`,
    },
  ];
}
