/**
 * Who leads a round. A schedule is a cyclic table of turns, computed once an epoch, so that every later kind
 * (with reputation, drawn by VRF) is only another table. Pure. Rule CS-15, ADR 0006.
 */
import { invariant } from '../../base/invariant.ts';
import type { Address, Round, ValidatorSet } from '../chain/types.ts';

/** `turns[round mod turns.length]` leads `round`. */
export interface LeaderSchedule {
  readonly kind: 'round-robin';
  readonly turns: readonly [Address, ...Address[]];
}

/** The leader of `round`, by the schedule. */
export function leaderOf(schedule: LeaderSchedule, round: Round): Address {
  return schedule.turns[round % schedule.turns.length] ?? schedule.turns[0];
}

/**
 * Turns by power, each validator's spread evenly over the cycle; equal powers take turns in the set's order. A commit needs
 * two rounds in a row whose leaders live. Turns that ignored power would let validators of little power, dead at every other
 * turn, stop the chain for good; of a cycle by power less than a third is theirs, so somewhere three in a row are not.
 */
export function roundRobin(set: ValidatorSet): LeaderSchedule {
  const shares = sharesOf(set.validators.map(({ power }) => power));
  const places = set.validators.map(({ address }, index) => ({
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
  invariant(first !== undefined, 'a validator set has at least one validator');
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
  const common = powers.reduce(greatestCommonDivisor, 0n);
  const total = powers.reduce((sum, power) => sum + power, 0n);
  const most = BigInt(Math.max(CYCLE_MAX, CYCLE_MAX_EACH * powers.length));
  if (total / common <= most) return powers.map((power) => Number(power / common));
  return powers.map((power) => Math.max(1, Number((power * most) / total)));
}

function greatestCommonDivisor(left: bigint, right: bigint): bigint {
  let [greater, less] = [left, right];
  while (less !== 0n) [greater, less] = [less, greater % less];
  return greater;
}

/** Without an epoch's schedule. */
export const simpleLeaderElection = (set: ValidatorSet, round: Round): Address =>
  leaderOf(roundRobin(set), round);
