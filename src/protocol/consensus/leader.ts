/**
 * Who leads a round: turns by power, or a draw by power out of the epoch's seed; the genesis chooses. A schedule is made once
 * an epoch, and everyone computes the same. Pure. Rules CS-15, CS-17, ADR 0006, ADR 0011.
 */
import { invariant } from '../../base/invariant.ts';
import { digestOf } from '../chain/canonical.ts';
import { CanonicalWriter } from '../chain/canonical-writer.ts';
import type {
  Address,
  Digest,
  Epoch,
  EpochDescriptor,
  Power,
  Round,
  Validator,
  ValidatorSet,
} from '../chain/types.ts';

export const LEADER_SCHEDULES = ['round_robin', 'stake_weighted'] as const;
export type LeaderScheduleKind = (typeof LEADER_SCHEDULES)[number];

/** What the genesis says of leaders. */
export interface LeadershipParameters {
  readonly leaderSchedule: LeaderScheduleKind;
  /** The next epoch passes over leaders whose rounds failed. */
  readonly leaderReputation: boolean;
  /** Each block carries its proposer's VRF proof, which the next seeds are made of (CS-17). */
  readonly vrf: boolean;
}

export type LeaderSchedule = RoundRobin | StakeWeighted;

/** `turns[round mod turns.length]` leads `round`. */
export interface RoundRobin {
  readonly kind: 'round-robin';
  readonly turns: readonly [Address, ...Address[]];
}

/** Each round is drawn for itself: a validator leads it with the probability of its share of the power, exactly. */
interface StakeWeighted {
  readonly kind: 'stake-weighted';
  readonly seed: Digest;
  readonly epoch: Epoch;
  /** In the set's order. */
  readonly shares: readonly Share[];
  readonly totalPower: Power;
}

interface Share {
  readonly address: Address;
  /** Its power and that of those before it: it leads where the draw is below, and not below theirs. */
  readonly upTo: Power;
}

/** The leader of `round`, by the schedule. */
export function leaderOf(schedule: LeaderSchedule, round: Round): Address {
  if (schedule.kind === 'stake-weighted') return drawnLeader(schedule, round);
  return schedule.turns[round % schedule.turns.length] ?? schedule.turns[0];
}

/** The schedule of an epoch. Those passed over lead nothing, and vote as ever. */
export function scheduleOf(
  { epoch, validators, seed, passedOver }: EpochDescriptor,
  { leaderSchedule }: LeadershipParameters,
): LeaderSchedule {
  const leaders = validators.validators.filter(({ address }) => !passedOver.includes(address));
  if (leaderSchedule === 'round_robin') return turnsOf(leaders);
  let totalPower = 0n;
  const shares = leaders.map(({ address, power }): Share => {
    totalPower += power;
    return { address, upTo: totalPower };
  });
  return { kind: 'stake-weighted', seed, epoch, shares, totalPower };
}

export const roundRobin = (set: ValidatorSet): RoundRobin => turnsOf(set.validators);

/**
 * A draw below the total power, without bias: of 2^256 values the last few, which would favour some, are drawn again. Found
 * by bisection.
 */
function drawnLeader({ seed, epoch, shares, totalPower }: StakeWeighted, round: Round): Address {
  const draw = drawBelow(totalPower, (attempt) =>
    digestOf(
      new CanonicalWriter().text('althing/leader/v1').hex(seed).u64(epoch).u64(round).u64(attempt).finish(),
    ),
  );
  let [low, high] = [0, shares.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (draw < (shares[middle]?.upTo ?? 0n)) high = middle;
    else low = middle + 1;
  }
  const drawn = shares[low];
  invariant(drawn !== undefined, 'an epoch has at least one leader', { epoch });
  return drawn.address;
}

const DIGESTS = 2n ** 256n;

/** A second attempt is needed less than once in 2^196 times, since powers are below 2^60. */
function drawBelow(limit: bigint, digestAt: (attempt: number) => Digest): bigint {
  const fair = DIGESTS - (DIGESTS % limit);
  for (let attempt = 0; ; attempt += 1) {
    const value = BigInt(`0x${digestAt(attempt)}`);
    if (value < fair) return value % limit;
  }
}

/**
 * Turns by power, each validator's spread evenly over the cycle; equal powers take turns in the set's order. A commit needs
 * two rounds in a row whose leaders live. Turns that ignored power would let validators of little power, dead at every other
 * turn, stop the chain for good; of a cycle by power less than a third is theirs, so somewhere three in a row are not.
 */
function turnsOf(leaders: readonly Validator[]): RoundRobin {
  const shares = sharesOf(leaders.map(({ power }) => power));
  const places = leaders.map(({ address }, index) => ({
    address,
    share: shares[index] ?? 0,
    credit: 0,
  }));
  const cycle = shares.reduce((sum, share) => sum + share, 0);
  // Whoever is owed most is next: smooth weighted round-robin, as in nginx and, by priorities, in Tendermint.
  const turns = Array.from({ length: cycle }, () => {
    for (const place of places) place.credit += place.share;
    const next = places.reduce((best, place) => (place.credit > best.credit ? place : best));
    next.credit -= cycle;
    return next.address;
  });
  const [first, ...others] = turns;
  invariant(first !== undefined, 'an epoch has at least one leader');
  return { kind: 'round-robin', turns: [first, ...others] };
}

/** A cycle of more turns is rounded to about so many: for the set, and for each validator. @unit turns @source chosen */
const CYCLE_MAX = 1_024;
const CYCLE_MAX_EACH = 32;

/**
 * Turns of a cycle, at least one for each validator. Exact while that is short. Else rounded: of T + n turns at most, with
 * T >= 32 n, those of less than a third of the power are then less than (T/3 + n) / (T − n) < 0.4, and two in a row are not theirs.
 */
function sharesOf(powers: readonly bigint[]): readonly number[] {
  const { common, total, most } = cycleOf(powers);
  if (total <= most * common) return powers.map((power) => Number(power / common));
  return powers.map((power) => Math.max(1, Number((power * most) / total)));
}

const cycleOf = (powers: readonly bigint[]) => ({
  common: powers.reduce(greatestCommonDivisor, 0n),
  total: powers.reduce((sum, power) => sum + power, 0n),
  most: BigInt(Math.max(CYCLE_MAX, CYCLE_MAX_EACH * powers.length)),
});

/**
 * How much power an epoch may pass over (CS-15): J(W) − 1. As much again may then be dead, and still more than half of the
 * other leaders' power lives, so that in a cycle of turns two in a row do, which is what a commit needs. A rounded cycle has
 * up to n turns too many or too few for either side, a sixteenth of it together: there it is a quarter of the power.
 */
export function passedOverPowerMax({ validators, totalPower, honestPower }: ValidatorSet): Power {
  const { common, total, most } = cycleOf(validators.map(({ power }) => power));
  return total <= most * common ? honestPower - 1n : totalPower / 4n;
}

function greatestCommonDivisor(left: bigint, right: bigint): bigint {
  let [greater, less] = [left, right];
  while (less !== 0n) [greater, less] = [less, greater % less];
  return greater;
}

/** Without an epoch's schedule. */
export const simpleLeaderElection = (set: ValidatorSet, round: Round): Address =>
  leaderOf(roundRobin(set), round);
