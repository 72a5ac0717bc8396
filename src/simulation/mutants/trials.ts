/**
 * The runs that mutants are put into: the swarm's own seeds, and sharper ones for what the swarm meets too rarely. Every
 * trial is clean on the true source (`npm run mutants -- --control`). Deterministic. Rules SM-2, SM-3, SM-8.
 */
import { seededRandom } from '../../base/random.ts';
import { millis } from '../../base/units.ts';
import { LEADER_SCHEDULES } from '../../protocol/consensus/leader.ts';
import { CALM, type LinkFaults } from '../../transport/hub.ts';
import { LIE_KINDS } from '../byzantine/index.ts';
import { between, pick } from '../draws.ts';
import type { Liar, LieKind, RunPlan, TimedAct } from '../plan.ts';
import { planForLiveness, planOf } from '../swarm.ts';
import { drawChanges } from '../swarm-epochs.ts';
import { CRAFTS, type Craft } from './crafts.ts';
import { SYNC_TRIALS, type SyncTrial, syncTrial } from './sync-trials.ts';

const OWN_TRIALS = [
  'swarm',
  'liveness',
  'twins',
  'powers',
  'slow-links',
  'lossy',
  'blackout',
  'power-failure',
  'mute',
  'resubmit',
  'expiring',
  'unset-clocks',
  'unset-clocks-and-a-liar',
  'liar-alone-heard',
  'far-clocks',
  'wrong-servers',
  'some-wrong-servers',
  'servers-gone',
  'epochs',
  'epochs-and-a-liar',
] as const;
export type TrialName = (typeof OWN_TRIALS)[number] | SyncTrial | LieKind | Craft;

/** Own ones, one for each lie, one for each craft. */
export const TRIALS: readonly TrialName[] = [...OWN_TRIALS, ...SYNC_TRIALS, ...LIE_KINDS, ...CRAFTS];

export const isTrialName = (text: string): text is TrialName => TRIALS.some((name) => name === text);
export const isCraft = (text: string): text is Craft => CRAFTS.some((name) => name === text);

/** Links on which rounds fail now and then. */
const ROUGH: LinkFaults = { ...CALM, delayMin: millis(5), delayMean: millis(30), drop: 0.1, reorder: true };
/** Half of a round takes longer than the first timeouts. */
const FAR: LinkFaults = { ...CALM, delayMin: millis(2_500), delayMean: millis(100) };
const LOSSY: LinkFaults = { ...ROUGH, drop: 0.35 };

/** How long faults last in most trials. @unit ms of virtual time */
const DURATION_MS = 8_000;

const BASE: Omit<RunPlan, 'seed'> = {
  validators: 4,
  twins: [],
  lateStarts: [],
  signatures: 'keyed-hash',
  carry: 'reference',
  links: ROUGH,
  timeouts: { emptyBlockIntervalMs: millis(150) },
  liars: [],
  clocks: [],
  acts: [],
  durationMs: DURATION_MS,
  ending: { kind: 'heal-all' },
};

/** The plan of one seed of a trial. */
export function trialPlan(name: TrialName, seed: number): RunPlan {
  const draws = seededRandom(`trial/${name}/${seed}`).stream('plan');
  const plan = { ...BASE, seed: `${name}/${seed}` };
  const nodes = [0, 1, 2, 3] as const;
  switch (name) {
    case 'swarm':
      return planOf(seed);
    case 'liveness':
      return planForLiveness(seed);
    case 'one-in-all-groups':
    case 'one-in-all-places': {
      const liar = { validator: draws.below(4), lies: ['flood'], rate: 0 } as const;
      return { ...plan, liars: [liar], signatures: 'bls', durationMs: 3_000 };
    }
    case 'answer-for-another':
      return { ...plan, liars: [{ validator: draws.below(4), lies: ['lie-clocks'], rate: 1 }] };
    case 'lie-vrf': {
      const leadership = { leaderSchedule: 'stake_weighted', leaderReputation: false, vrf: true } as const;
      return { ...plan, leadership, liars: [{ validator: draws.below(4), lies: ['lie-vrf'], rate: 0.6 }] };
    }
    case 'twins':
      return { ...plan, twins: [draws.below(4)], acts: partitions(draws, [0, 1, 2, 3, 4], DURATION_MS) };
    case 'powers': {
      const acts = [...crashes(draws, nodes, DURATION_MS), ...partitions(draws, nodes, DURATION_MS)];
      return { ...plan, powers: [7, 1, 1, 1], acts };
    }
    case 'slow-links':
      return { ...plan, links: FAR, ending: { kind: 'stop' }, durationMs: 120_000 };
    case 'lossy':
      return { ...plan, links: LOSSY, durationMs: 60_000 };
    case 'blackout':
      return { ...plan, acts: blackouts(draws, nodes, DURATION_MS) };
    case 'power-failure': {
      const timeouts = { emptyBlockIntervalMs: millis(700) };
      return { ...plan, links: CALM, timeouts, acts: powerFailures(draws, nodes, DURATION_MS) };
    }
    case 'mute':
      return { ...plan, links: LOSSY, acts: mutings(draws, nodes, 40_000), durationMs: 40_000 };
    case 'resubmit': {
      const acts = [...resubmissions(draws, nodes, DURATION_MS), ...crashes(draws, nodes, DURATION_MS)];
      return { ...plan, acts: acts.sort(byTime) };
    }
    case 'expiring': {
      const acts = [...resubmissions(draws, nodes, 15_000), ...partitions(draws, nodes, 15_000)];
      return { ...plan, links: LOSSY, acts: acts.sort(byTime), durationMs: 15_000 };
    }
    case 'behind':
    case 'behind-and-a-liar':
    case 'far-behind':
    case 'fork':
      return syncTrial(name, plan, draws);
    case 'epochs':
      return { ...plan, ...ofEpochs(draws, nodes) };
    case 'epochs-and-a-liar': {
      const liar: Liar = { validator: draws.below(4), lies: ['equivocate'], rate: 0.6 };
      return { ...plan, ...ofEpochs(draws, nodes, liar) };
    }
    case 'unset-clocks':
    case 'unset-clocks-and-a-liar':
    case 'liar-alone-heard':
    case 'far-clocks':
    case 'wrong-servers':
    case 'some-wrong-servers':
      return { ...plan, ...ofTime(name, draws), timeouts: { emptyBlockIntervalMs: millis(1_000) } };
    case 'servers-gone':
      return { ...plan, ...ofTime(name, draws), timeouts: { emptyBlockIntervalMs: millis(20_000) } };
    default:
      return { ...plan, ...ofLie(name, draws, nodes) };
  }
}

/** One lies, or does what a craft says; nodes crash, and clients send again. */
function ofLie(name: LieKind | Craft, draws: Draws, nodes: readonly number[]): Partial<RunPlan> {
  const lies = isCraft(name) ? (['flood'] as const) : ([name] as const);
  const liar = { validator: draws.below(4), lies, rate: isCraft(name) ? 0 : 0.6 };
  const acts = [...crashes(draws, nodes, DURATION_MS), ...resubmissions(draws, nodes, DURATION_MS)];
  return { liars: [liar], acts: acts.sort(byTime) };
}

/** Short epochs, changed validators, drawn leaders, crashes; and who lies, if anybody does. */
function ofEpochs(draws: Draws, nodes: readonly number[], liar?: Liar): Partial<RunPlan> {
  const durationMs = 20_000;
  const liars = liar === undefined ? [] : [liar];
  const faulty = liars.map(({ validator }) => validator);
  const scope = { members: 4, validators: 6, nodes: 6, faulty, powerMax: 3, durationMs };
  return {
    liars,
    validators: scope.validators,
    epochs: { members: scope.members, length: between(draws, 4, 12), changePercent: 100 },
    // Fewer blocks, and sync is soon done: what is looked for is between epochs.
    timeouts: { emptyBlockIntervalMs: millis(300) },
    sync: { checkInterval: millis(1_000), peerQueryTimeout: millis(500) },
    leadership: { leaderSchedule: pick(draws, LEADER_SCHEDULES), leaderReputation: true, vrf: true },
    acts: [...drawChanges(draws, scope), ...crashes(draws, nodes, durationMs)].sort(byTime),
    durationMs,
  };
}

type TimeTrial =
  | 'unset-clocks'
  | 'unset-clocks-and-a-liar'
  | 'liar-alone-heard'
  | 'far-clocks'
  | 'wrong-servers'
  | 'some-wrong-servers'
  | 'servers-gone';

function ofTime(name: TimeTrial, draws: Draws): Pick<RunPlan, 'clocks' | 'durationMs'> & Partial<RunPlan> {
  const nodes = [0, 1, 2, 3] as const;
  const clocks = nodes.map((node) => ({
    node,
    offsetMs: between(draws, -10_000, 10_000),
    driftPpm: between(draws, -200, 200),
  }));
  const liar: Liar = { validator: draws.below(4), lies: ['lie-clocks'], rate: 1 };
  const acts = crashes(draws, nodes, DURATION_MS);
  switch (name) {
    case 'unset-clocks':
      return { clocks, acts, durationMs: 30_000 };
    case 'unset-clocks-and-a-liar':
      return { clocks, acts, liars: [liar], durationMs: 30_000 };
    case 'liar-alone-heard': {
      const alone = draws.below(4);
      const rest = nodes.filter((node) => node !== alone);
      const act = { kind: 'partition', groups: [[alone, liar.validator], rest] } as const;
      return { clocks, liars: [liar], acts: [{ at: 0, act }], durationMs: 10_000 };
    }
    case 'far-clocks': {
      const far = { node: draws.below(4), offsetMs: between(draws, 1_100_000, 3_600_000), driftPpm: 0 };
      return { clocks: [far], durationMs: 10_000 };
    }
    case 'wrong-servers': {
      // Silent while the peers acquire time without them.
      const late = { silentFrom: 0, silentUntil: between(draws, 3_000, 8_000) };
      const servers = [1, 2, 3].map(() => ({ offsetMs: 5_000, ...late }));
      return { clocks, time: { source: 'hybrid', servers }, durationMs: 60_000 };
    }
    case 'some-wrong-servers': {
      const wrong = { offsetMs: pick(draws, [-1, 1]) * between(draws, 3_000, 20_000) };
      const servers = [0, 1, 2].map(() => ({ offsetMs: 0 })).with(draws.below(3), wrong);
      return { clocks, time: { source: 'hybrid', servers }, durationMs: 60_000 };
    }
    case 'servers-gone': {
      // Before the drift is learnt, and for so long that nothing that they said is used any more.
      const silentFrom = between(draws, 20_000, 50_000);
      const servers = [{ offsetMs: 0, silentFrom, silentUntil: 7_000_000 }];
      const alone = { node: 0, offsetMs: 0, driftPpm: pick(draws, [-250, 250]) };
      return { validators: 1, clocks: [alone], time: { source: 'ntp', servers }, durationMs: 9_000_000 };
    }
  }
}

type Draws = Parameters<typeof pick>[0];

const byTime = (left: TimedAct, right: TimedAct): number => left.at - right.at;

/** Moments a few hundred milliseconds apart. @param until unit ms */
function moments(draws: Draws, apart: number, until: number): readonly number[] {
  const times: number[] = [];
  for (let at = between(draws, 100, apart); at < until; at += between(draws, apart >> 1, apart))
    times.push(at);
  return times;
}

function crashes(draws: Draws, nodes: readonly number[], until: number): readonly TimedAct[] {
  return moments(draws, 1_500, until)
    .flatMap((at): readonly TimedAct[] => {
      const node = pick(draws, nodes);
      const back = at + between(draws, 20, 1_000);
      return [
        { at, act: { kind: 'crash', node } },
        { at: back, act: { kind: 'restart', node } },
      ];
    })
    .sort(byTime);
}

function partitions(draws: Draws, nodes: readonly number[], until: number): readonly TimedAct[] {
  return moments(draws, 1_200, until).map((at, index) => {
    if (index % 4 === 3) return { at, act: { kind: 'heal' } };
    const left = nodes.filter(() => draws.next() < 0.5);
    return { at, act: { kind: 'partition', groups: [left, nodes.filter((node) => !left.includes(node))] } };
  });
}

/** Nobody hears anybody, rounds fail; then all die at once and come back. */
function blackouts(draws: Draws, nodes: readonly number[], until: number): readonly TimedAct[] {
  return moments(draws, 4_000, until)
    .flatMap((at): readonly TimedAct[] => {
      const mutes = shuffledPairs(draws, nodes).slice(0, 5);
      const dies = at + between(draws, 300, 2_500);
      return [
        ...mutes.map(([from, to]): TimedAct => ({ at, act: { kind: 'cut', from, to } })),
        ...nodes.map((node): TimedAct => ({ at: dies, act: { kind: 'crash', node } })),
        ...nodes.map((node): TimedAct => ({ at: dies + 10, act: { kind: 'restart', node } })),
        { at: dies + between(draws, 10, 500), act: { kind: 'heal' } },
      ];
    })
    .sort(byTime);
}

/** All die at once, mostly while nobody has anything to do, and come back. */
function powerFailures(draws: Draws, nodes: readonly number[], until: number): readonly TimedAct[] {
  return moments(draws, 3_000, until).flatMap((at): readonly TimedAct[] => [
    ...nodes.map((node): TimedAct => ({ at, act: { kind: 'crash', node } })),
    ...nodes.map((node): TimedAct => ({ at: at + 10, act: { kind: 'restart', node } })),
  ]);
}

/** One hears all and is heard by nobody for a few rounds. */
function mutings(draws: Draws, nodes: readonly number[], until: number): readonly TimedAct[] {
  return moments(draws, 5_000, until)
    .flatMap((at): readonly TimedAct[] => {
      const from = pick(draws, nodes);
      const others = nodes.filter((node) => node !== from);
      return [
        ...others.map((to): TimedAct => ({ at, act: { kind: 'cut', from, to } })),
        { at: at + between(draws, 300, 4_000), act: { kind: 'heal' } },
      ];
    })
    .sort(byTime);
}

function shuffledPairs(draws: Draws, nodes: readonly number[]): readonly (readonly [number, number])[] {
  return nodes
    .flatMap((from) => nodes.filter((to) => to !== from).map((to) => [from, to] as const))
    .map((pair) => ({ pair, draw: draws.next() }))
    .sort((left, right) => left.draw - right.draw)
    .map(({ pair }) => pair);
}

/** The same transaction at several nodes, at once and again later. */
function resubmissions(draws: Draws, nodes: readonly number[], until: number): readonly TimedAct[] {
  return moments(draws, 400, until)
    .flatMap((at, index): readonly TimedAct[] => {
      const transaction = `again${index}=value${index}`;
      const first = pick(draws, nodes);
      return [
        { at, act: { kind: 'submit', node: first, transaction } },
        { at, act: { kind: 'submit', node: pick(draws, nodes), transaction: `once${index}=value${index}` } },
        { at: at + between(draws, 0, 5), act: { kind: 'submit', node: pick(draws, nodes), transaction } },
        { at: at + between(draws, 300, 900), act: { kind: 'submit', node: pick(draws, nodes), transaction } },
      ];
    })
    .sort(byTime);
}
