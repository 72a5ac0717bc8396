/**
 * How the ledger orders transfers: as blocks carry them, or sealed. Chosen in the genesis, and a pair of the state where they
 * are sealed. Pure. LG-20, docs/ledger.md.
 */
import type { RevealWindow } from '../../../protocol/ordering/window.ts';
import { revealHeightsMin } from '../../../protocol/ordering/window.ts';
import type { StateReader } from '../../state/rules.ts';
import { FieldReader, FieldWriter } from '../fields.ts';
import { bytesOf, textOf } from '../pairs.ts';

export interface OrderingParameters {
  readonly window: RevealWindow;
  /** Held from the seal to the close, for each place of its class; burned unless it is revealed and done. @unit units */
  readonly deposit: bigint;
  /** Burned at the seal, beside the base fee, for each place of its class. @unit units */
  readonly fee: bigint;
  /** Of one account. @unit open seals */
  readonly perSenderMax: number;
  /** Of all. @unit open seals */
  readonly openMax: number;
}

/** As `app.state.parameters` has them; each may be left out. */
export interface GivenOrdering {
  readonly ordering?: 'plain' | 'commit_reveal' | undefined;
  readonly reveal_heights?: number | undefined;
  readonly reveal_ms?: number | undefined;
  readonly seal_deposit?: bigint | undefined;
  readonly seal_fee?: bigint | undefined;
  readonly seals_per_sender_max?: number | undefined;
  readonly seals_open_max?: number | undefined;
}

/** R where the genesis says nothing and the set allows it. @unit heights @source ADR 0013: a drawn schedule leaves no honest leader among 19 once in 10^9 windows */
const REVEAL_HEIGHTS = 24;
const DEFAULTS = { revealMs: 5_000, deposit: 1_000_000n, fee: 100n, perSenderMax: 16, openMax: 65_536 };

/** The pair that stands in the state where transfers are sealed. */
export const ORDERING_KEY = 'Sp';

/** Undefined where transfers are ordered plainly. */
export function orderingOf(state: StateReader): OrderingParameters | undefined {
  const text = state.get(ORDERING_KEY);
  if (text === undefined) return undefined;
  const reader = new FieldReader(bytesOf(text));
  return {
    window: { heights: Number(reader.u64()), ms: Number(reader.u64()) },
    deposit: reader.u64(),
    fee: reader.u64(),
    perSenderMax: Number(reader.u64()),
    openMax: Number(reader.u64()),
  };
}

export const orderingPair = (ordering: OrderingParameters): readonly [string, string] => [
  ORDERING_KEY,
  textOf(
    new FieldWriter(48)
      .u64(BigInt(ordering.window.heights))
      .u64(BigInt(ordering.window.ms))
      .u64(ordering.deposit)
      .u64(ordering.fee)
      .u64(BigInt(ordering.perSenderMax))
      .u64(BigInt(ordering.openMax))
      .finish(),
  ),
];

/** What the genesis chose; undefined: plain. @param powers of its validators */
export function orderingFrom(
  given: GivenOrdering,
  powers: readonly bigint[],
): OrderingParameters | undefined | { readonly where: string; readonly problem: string } {
  const { ordering = 'plain', ...rest } = given;
  if (ordering === 'plain') {
    const stray = Object.entries(rest).find(([, value]) => value !== undefined)?.[0];
    return stray === undefined
      ? undefined
      : {
          where: stray,
          problem: 'is about sealed transfers: set ordering to "commit_reveal", or leave it away',
        };
  }
  const least = revealHeightsMin(powers);
  const heights = rest.reveal_heights ?? Math.max(REVEAL_HEIGHTS, least);
  if (heights < least) {
    return {
      where: 'reveal_heights',
      problem: `${heights} heights leave too few to honest leaders with these validators: at least ${least} (OR-6)`,
    };
  }
  return {
    window: { heights, ms: rest.reveal_ms ?? DEFAULTS.revealMs },
    deposit: rest.seal_deposit ?? DEFAULTS.deposit,
    fee: rest.seal_fee ?? DEFAULTS.fee,
    perSenderMax: rest.seals_per_sender_max ?? DEFAULTS.perSenderMax,
    openMax: rest.seals_open_max ?? DEFAULTS.openMax,
  };
}

/** As a genesis file and a query have them. */
export const orderingJson = (ordering: OrderingParameters | undefined) =>
  ordering === undefined
    ? { ordering: 'plain' }
    : {
        ordering: 'commit_reveal',
        reveal_heights: ordering.window.heights,
        reveal_ms: ordering.window.ms,
        seal_deposit: ordering.deposit.toString(),
        seal_fee: ordering.fee.toString(),
        seals_per_sender_max: ordering.perSenderMax,
        seals_open_max: ordering.openMax,
      };
