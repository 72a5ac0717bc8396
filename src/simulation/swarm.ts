/**
 * Swarm testing: every seed draws who takes part, which faults happen at all, how often each, and each one's details
 * (Groce et al. 2012), so that runs differ more than a fixed mix would make them. Deterministic. Rules SM-1 to SM-3, SM-5.
 */
import { type RandomStream, seededRandom } from '../actors/runtime/index.ts';
import { millis } from '../base/units.ts';
import { quorumPowerOf } from '../protocol/chain/validator-set.ts';
import { LEADER_SCHEDULES } from '../protocol/consensus/leader.ts';
import { LIE_KINDS } from './byzantine/index.ts';
import { between, drawLinks, pick, shuffled } from './draws.ts';
import { isRight, ROOT_DISPERSION_MS } from './ntp-servers.ts';
import type { ClockError, Liar, LieKind, NtpServerPlan, RunPlan, TimedAct, TimePlan } from './plan.ts';
import { drawActs } from './swarm-acts.ts';
import { drawChanges, drawEpochs, followable, STRANGERS_MAX } from './swarm-epochs.ts';
import { drawBehind } from './swarm-sync.ts';

export interface SwarmOptions {
  /** Number of validators; drawn without, mostly 4. */
  readonly validators?: number;
  /** One validator tells this lie, always, and nobody else is faulty; drawn without. Of fewer than four validators none may lie. */
  readonly lie?: LieKind;
}

/** How long faults happen. @unit ms of virtual time */
const FAULTS_MS_MIN = 8_000;
const FAULTS_MS_SPAN = 24_000;
/** With real BLS: a block costs ten times as much. @unit ms of virtual time */
const BLS_FAULTS_MS = 4_000;
/**
 * A slow network has so many times the pauses between blocks and between faults, and lasts so many times as long: backoff,
 * pings and lifetimes run to their ends only there. Drawn evenly by its logarithm. @unit ratio
 */
const PACE_MAX = 10;
/** One seed in so many uses real BLS, and so on. @unit seeds @source SM-1; others chosen */
const ONE_IN = {
  bls: 20,
  codec: 5,
  liar: 4,
  twin: 12,
  powers: 6,
  otherSize: 7,
  lateStart: 8,
  servers: 4,
  behind: 6,
  leadership: 4,
  epochs: 3,
} as const;

/** Worst offset and drift of a machine's clock that somebody cares for. @unit ms, ppm @source chosen; cheap quartz */
const GOOD_CLOCK = { offsetMs: 200, driftPpm: 200 } as const;
/** Of one that nobody sets: adjusted time copes. @unit ms, ppm @source the goal of TM-4; cheap quartz */
const UNSET_CLOCK = { offsetMs: 10_000, driftPpm: 200 } as const;
/** Of one that does not work. @unit ms, ppm */
const BAD_CLOCK = { offsetMs: 3_600_000, driftPpm: 50_000 } as const;

/** Of an NTP server that nobody overrules. @unit ms @source chosen: far beyond the precision of TM-8 */
const WRONG_SERVER_MS = 5_000;

/** The plan of a seed: drawn faults for a while, then all is healed and must commit. */
export function planOf(seed: number, options: SwarmOptions = {}): RunPlan {
  const random = seededRandom(`plan/${seed}`);
  const draws = random.stream('cast');
  const oneIn = (seeds: number): boolean => draws.below(seeds) === 0;
  const drawnSize = oneIn(ONE_IN.otherSize) ? pick(draws, [1, 2, 3, 5, 7]) : 4;
  const members = options.validators ?? (options.lie === undefined ? drawnSize : Math.max(4, drawnSize));
  const drawn = drawFaulty(draws, members);
  const { liars, twins } = options.lie === undefined ? drawn : onlyLiar(draws, members, options.lie);
  const ofEpochs = random.stream('epochs');
  const epochs = ofEpochs.below(ONE_IN.epochs) === 0 ? drawEpochs(ofEpochs, members) : undefined;
  const validators = epochs === undefined ? members : members + ofEpochs.below(STRANGERS_MAX + 1);
  const powers =
    oneIn(ONE_IN.powers) && liars.length + twins.length === 0
      ? Array.from({ length: validators }, () => 1 + draws.below(10))
      : undefined;
  const nodes = validators + twins.length;
  const faulty = [...liars.map(({ validator }) => validator), ...twins];
  const powerMax = powers === undefined ? 3 : 10;
  const isSoundButOne =
    epochs === undefined && validators >= 4 && liars.length + twins.length === 0 && powers === undefined;
  const badClock = isSoundButOne ? draws.below(validators) : undefined;
  const signatures = oneIn(ONE_IN.bls) ? 'bls' : 'keyed-hash';
  const ofSync = random.stream('sync');
  const isBehind = options.lie === 'lie-sync' || ofSync.below(ONE_IN.behind) === 0;
  const drawnPace = PACE_MAX ** draws.next();
  const pace = isBehind ? 1 : drawnPace;
  const faultsMs = signatures === 'bls' ? BLS_FAULTS_MS : FAULTS_MS_MIN + draws.below(FAULTS_MS_SPAN);
  const durationMs = Math.round(faultsMs * pace);
  const plan: RunPlan = {
    seed,
    validators,
    ...(powers === undefined ? {} : { powers }),
    twins,
    ...(epochs === undefined ? {} : { epochs }),
    ...drawLeadership(random.stream('leaders')),
    lateStarts: oneIn(ONE_IN.lateStart) ? [{ node: draws.below(nodes), at: draws.below(durationMs) }] : [],
    signatures,
    carry: oneIn(ONE_IN.codec) ? 'codec' : 'reference',
    links: drawLinks(draws),
    timeouts: { emptyBlockIntervalMs: millis(Math.round((100 + draws.below(900)) * pace)) },
    liars,
    // With equal clocks both instances of a twin would propose the same empty block.
    clocks:
      draws.next() < 0.5 || twins.length > 0 ? drawClocks(random.stream('clocks'), nodes, badClock) : [],
    ...(oneIn(ONE_IN.servers) ? { time: drawTime(random.stream('servers'), durationMs) } : {}),
    acts: merged(
      drawActs(random.stream('acts'), { nodes, validators, durationMs, badClock, pace }),
      epochs === undefined
        ? []
        : drawChanges(ofEpochs, { members, validators, nodes, faulty, powerMax, durationMs }),
    ),
    durationMs,
    ending: { kind: 'heal-all' },
  };
  if (!isBehind) return withFollowableEpochs(plan);
  const behind = drawBehind(ofSync, {
    members,
    nodes,
    liars: liars.map(({ validator }) => validator),
    durationMs,
  });
  return withFollowableEpochs({ ...plan, ...behind, acts: merged(plan.acts, behind.acts) });
}

function withFollowableEpochs(plan: RunPlan): RunPlan {
  const { epochs, timeouts } = plan;
  const { emptyBlockIntervalMs: blockMs } = timeouts;
  return epochs === undefined || blockMs === undefined
    ? plan
    : { ...plan, epochs: followable(epochs, blockMs) };
}

const merged = (acts: readonly TimedAct[], more: readonly TimedAct[]): readonly TimedAct[] =>
  more.length === 0 ? acts : [...acts, ...more].sort((left, right) => left.at - right.at);

/**
 * As `planOf`, but only a quorum of honest nodes is healed; what the others suffer goes on (SM-5). All are in the set from the
 * start, and nobody changes: else which nodes are a quorum would depend on which changes took effect.
 */
export function planForLiveness(seed: number, options: SwarmOptions = {}): RunPlan {
  const plan = withoutChanges(planOf(seed, options));
  const draws = seededRandom(`plan/${seed}`).stream('core');
  const faulty = new Set([...plan.liars.map(({ validator }) => validator), ...plan.twins]);
  const powerOf = (node: number): bigint => BigInt(plan.powers?.[node] ?? 1);
  const all = Array.from({ length: plan.validators }, (_, index) => index);
  const quorum = quorumPowerOf(all.reduce((sum, node) => sum + powerOf(node), 0n));
  const core: number[] = [];
  let power = 0n;
  for (const node of shuffled(draws, all)) {
    if (faulty.has(node) || power >= quorum) continue;
    core.push(node);
    power += powerOf(node);
  }
  const nodes = all.length + plan.twins.length;
  const broken = Array.from({ length: nodes }, (_, node) => node).filter((node) => !core.includes(node));
  const last = broken.flatMap((node) => breakForGood(draws, node, core, plan.durationMs));
  return { ...plan, acts: [...plan.acts, ...last], ending: { kind: 'heal-core', core } };
}

function withoutChanges(plan: RunPlan): RunPlan {
  const { epochs, validators, acts } = plan;
  if (epochs === undefined) return plan;
  return {
    ...plan,
    epochs: { ...epochs, members: validators },
    acts: acts.filter(({ act }) => act.kind !== 'change-validator'),
  };
}

/** One way in which a node stays broken. */
function breakForGood(
  draws: RandomStream,
  node: number,
  core: readonly number[],
  at: number,
): readonly TimedAct[] {
  const timed = (act: TimedAct['act']): TimedAct => ({ at, act });
  switch (draws.below(6)) {
    case 0:
      return [timed({ kind: 'crash', node })];
    case 1:
      return core.map((from) => timed({ kind: 'cut', from, to: node }));
    case 2:
      return core.map((to) => timed({ kind: 'cut', from: node, to }));
    case 3:
      return [timed({ kind: 'restart', node }), timed({ kind: 'disk', node, fault: 'IO', times: 1_000_000 })];
    case 4:
      return core.map((to) =>
        timed({ kind: 'links', faults: { ...drawLinks(draws), drop: 0.7 }, direction: { from: node, to } }),
      );
    default:
      return [];
  }
}

/** In most runs as of a genesis that says nothing. A draw by stake needs VRF; turns may have it for the seeds alone. */
function drawLeadership(draws: RandomStream): Pick<RunPlan, 'leadership'> {
  if (draws.below(ONE_IN.leadership) > 0) return {};
  const leaderSchedule = pick(draws, LEADER_SCHEDULES);
  const leaderReputation = draws.below(2) === 0;
  const vrf = leaderSchedule === 'stake_weighted' || draws.below(2) === 0;
  return { leadership: { leaderSchedule, leaderReputation, vrf } };
}

/** At most f validators that lie or run twice. */
function drawFaulty(
  draws: RandomStream,
  validators: number,
): { readonly liars: readonly Liar[]; readonly twins: readonly number[] } {
  const faultyMax = Math.floor((validators - 1) / 3);
  const order = shuffled(
    draws,
    Array.from({ length: validators }, (_, index) => index),
  );
  const [first = 0, second = 0] = order;
  const wants = { liar: draws.below(ONE_IN.liar) === 0, twin: draws.below(ONE_IN.twin) === 0 };
  const liar = drawLiar(draws, first);
  if (faultyMax === 0) return { liars: [], twins: [] };
  if (wants.liar && wants.twin && faultyMax >= 2) return { liars: [liar], twins: [second] };
  return { liars: wants.liar ? [liar] : [], twins: wants.twin && !wants.liar ? [first] : [] };
}

const onlyLiar = (
  draws: RandomStream,
  validators: number,
  lie: LieKind,
): { readonly liars: readonly Liar[]; readonly twins: readonly number[] } => ({
  liars: [{ validator: draws.below(validators), lies: [lie], rate: 1 }],
  twins: [],
});

function drawLiar(draws: RandomStream, validator: number): Liar {
  const lie = pick(draws, LIE_KINDS);
  const more = LIE_KINDS.filter((kind) => kind !== lie && draws.next() < 0.15);
  return { validator, lies: [lie, ...more], rate: draws.next() < 0.3 ? 1 : draws.next() };
}

function drawClocks(draws: RandomStream, nodes: number, badClock: number | undefined): readonly ClockError[] {
  const usual = draws.next() < 0.5 ? UNSET_CLOCK : GOOD_CLOCK;
  return Array.from({ length: nodes }, (_, node) => {
    const worst = node === badClock && draws.next() < 0.3 ? BAD_CLOCK : usual;
    return {
      node,
      offsetMs: between(draws, -worst.offsetMs, worst.offsetMs),
      driftPpm: between(draws, -worst.driftPpm, worst.driftPpm),
    };
  });
}

const lessWrong = (server: NtpServerPlan): NtpServerPlan => ({
  ...server,
  offsetMs: Math.max(-WRONG_SERVER_MS, Math.min(WRONG_SERVER_MS, server.offsetMs)),
});

/**
 * Whom all nodes ask. Wrong servers may be an hour off where as many others are right and always there: a network that only
 * they tell the time stops by right (TM-6). NTP alone is followed only where most servers are.
 */
function drawTime(draws: RandomStream, durationMs: number): TimePlan {
  const count = 1 + draws.below(4);
  const wrong = draws.below(Math.ceil(count / 2) + 1);
  const worst = wrong < count / 2 ? BAD_CLOCK.offsetMs : WRONG_SERVER_MS;
  const servers = Array.from({ length: count }, (_, index): NtpServerPlan => {
    const isWrong = index < wrong;
    const off = isWrong ? worst : ROOT_DISPERSION_MS;
    const [offsetMs, from, trait] = [between(draws, -off, off), draws.below(durationMs), draws.next()];
    return {
      offsetMs,
      ...(isWrong && trait < 0.5 ? { wrongFrom: from } : {}),
      ...(!isWrong && trait < 0.1 ? { isUnsynchronised: true } : {}),
      ...(draws.next() < 0.3 ? { silentFrom: from, silentUntil: from + draws.below(durationMs) } : {}),
    };
  });
  const steady = servers.filter(
    (server) => isRight(server) && server.silentFrom === undefined && server.isUnsynchronised === undefined,
  );
  const source = steady.length > count / 2 && draws.next() < 0.5 ? 'ntp' : 'hybrid';
  return { source, servers: steady.length < wrong ? servers.map(lessWrong) : servers };
}
