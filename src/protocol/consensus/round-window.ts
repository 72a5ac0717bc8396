/**
 * Bounds what one validator can make a book hold: its newest few rounds, and nothing older. A flood of far-away
 * rounds displaces only the flooder's own entries. Pure. Rule CS-13.
 */
import type { Address, Round } from '../chain/types.ts';

/** Rounds of which a book keeps a validator's statements; when full, its oldest makes room. @unit rounds */
export const ROUNDS_PER_VALIDATOR_MAX = 4;

/** For each validator the rounds that it occupies, ascending. */
export type RoundWindow = ReadonlyMap<Address, readonly Round[]>;

export type Admittance =
  /** `displaced`: the validator's oldest round, whose entry must go. */
  | { readonly status: 'admitted'; readonly window: RoundWindow; readonly displaced?: Round }
  | { readonly status: 'below'; readonly oldest: Round };

/** Makes room for `validator` in `round`, unless all its rounds are newer already. */
export function admit(window: RoundWindow, validator: Address, round: Round): Admittance {
  const held = window.get(validator) ?? [];
  if (held.includes(round)) return { status: 'admitted', window };
  const oldest = held[0];
  const full = held.length >= ROUNDS_PER_VALIDATOR_MAX;
  if (full && oldest !== undefined && round < oldest) return { status: 'below', oldest };
  const rounds = [...held, round].sort((left, right) => left - right).slice(full ? 1 : 0);
  return {
    status: 'admitted',
    window: new Map(window).set(validator, rounds),
    ...(full && oldest !== undefined ? { displaced: oldest } : {}),
  };
}

/** Forgets all rounds below `round`. */
export function forgetBelow(window: RoundWindow, round: Round): RoundWindow {
  const kept = new Map<Address, readonly Round[]>();
  for (const [validator, rounds] of window) {
    const newer = rounds.filter((held) => held >= round);
    if (newer.length > 0) kept.set(validator, newer);
  }
  return kept;
}
