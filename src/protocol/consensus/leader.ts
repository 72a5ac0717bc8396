/**
 * Who leads a round. A schedule is a cyclic table of turns, computed once an epoch, so that every later kind
 * (weighted, with reputation, drawn by VRF) is only another table. Pure. Rule CS-15.
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

/** Each validator in the set's order, whatever its power. */
export function roundRobin(set: ValidatorSet): LeaderSchedule {
  const [first, ...others] = set.validators.map(({ address }) => address);
  invariant(first !== undefined, 'a validator set has at least one validator');
  return { kind: 'round-robin', turns: [first, ...others] };
}

/** Round-robin, without an epoch's schedule. */
export const simpleLeaderElection = (set: ValidatorSet, round: Round): Address =>
  leaderOf(roundRobin(set), round);
