/**
 * Swarm testing: every seed draws who takes part, which faults happen at all, how often each, and each one's details
 * (Groce et al. 2012), so that runs differ more than a fixed mix would make them. Deterministic. Rules SM-1 to SM-3, SM-5.
 */
import { type RandomStream, seededRandom } from '../actors/runtime/index.ts';
import { millis } from '../base/units.ts';
import { quorumPowerOf } from '../protocol/chain/validator-set.ts';
import { LIE_KINDS } from './byzantine/index.ts';
import { between, drawLinks, pick, shuffled } from './draws.ts';
import type { ClockError, Liar, RunPlan, TimedAct } from './plan.ts';
import { drawActs } from './swarm-acts.ts';

export interface SwarmOptions {
  /** Number of validators; drawn without, mostly 4. */
  readonly validators?: number;
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
const ONE_IN = { bls: 20, codec: 5, liar: 4, twin: 12, powers: 6, otherSize: 7, lateStart: 8 } as const;

/** Worst offset and drift of a clock that works. @unit ms, ppm @source CS-16's precision; cheap quartz */
const GOOD_CLOCK = { offsetMs: 200, driftPpm: 200 } as const;
/** Of one that does not. @unit ms, ppm */
const BAD_CLOCK = { offsetMs: 3_600_000, driftPpm: 50_000 } as const;

/** The plan of a seed: drawn faults for a while, then all is healed and must commit. */
export function planOf(seed: number, options: SwarmOptions = {}): RunPlan {
  const random = seededRandom(`plan/${seed}`);
  const draws = random.stream('cast');
  const oneIn = (seeds: number): boolean => draws.below(seeds) === 0;
  const drawnSize = oneIn(ONE_IN.otherSize) ? pick(draws, [1, 2, 3, 5, 7]) : 4;
  const validators = options.validators ?? drawnSize;
  const { liars, twins } = drawFaulty(draws, validators);
  const powers =
    oneIn(ONE_IN.powers) && liars.length + twins.length === 0
      ? Array.from({ length: validators }, () => 1 + draws.below(10))
      : undefined;
  const nodes = validators + twins.length;
  const badClock = validators >= 4 && liars.length + twins.length === 0 ? draws.below(validators) : undefined;
  const signatures = oneIn(ONE_IN.bls) ? 'bls' : 'keyed-hash';
  const pace = PACE_MAX ** draws.next();
  const faultsMs = signatures === 'bls' ? BLS_FAULTS_MS : FAULTS_MS_MIN + draws.below(FAULTS_MS_SPAN);
  const durationMs = Math.round(faultsMs * pace);
  return {
    seed,
    validators,
    ...(powers === undefined ? {} : { powers }),
    twins,
    lateStarts: oneIn(ONE_IN.lateStart) ? [{ node: draws.below(nodes), at: draws.below(durationMs) }] : [],
    signatures,
    carry: oneIn(ONE_IN.codec) ? 'codec' : 'reference',
    links: drawLinks(draws),
    timeouts: { emptyBlockIntervalMs: millis(Math.round((100 + draws.below(900)) * pace)) },
    liars,
    // With equal clocks both instances of a twin would propose the same empty block.
    clocks: draws.next() < 0.5 || twins.length > 0 ? drawClocks(draws, nodes, badClock) : [],
    acts: drawActs(random.stream('acts'), { nodes, validators, durationMs, badClock, pace }),
    durationMs,
    ending: { kind: 'heal-all' },
  };
}

/** As `planOf`, but only a quorum of honest nodes is healed; what the others suffer goes on (SM-5). */
export function planForLiveness(seed: number, options: SwarmOptions = {}): RunPlan {
  const plan = planOf(seed, options);
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

function drawLiar(draws: RandomStream, validator: number): Liar {
  const lie = pick(draws, LIE_KINDS);
  const more = LIE_KINDS.filter((kind) => kind !== lie && draws.next() < 0.15);
  return { validator, lies: [lie, ...more], rate: draws.next() < 0.3 ? 1 : draws.next() };
}

function drawClocks(draws: RandomStream, nodes: number, badClock: number | undefined): readonly ClockError[] {
  return Array.from({ length: nodes }, (_, node) => {
    const worst = node === badClock && draws.next() < 0.3 ? BAD_CLOCK : GOOD_CLOCK;
    return {
      node,
      offsetMs: between(draws, -worst.offsetMs, worst.offsetMs),
      driftPpm: between(draws, -worst.driftPpm, worst.driftPpm),
    };
  });
}
