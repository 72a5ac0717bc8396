/**
 * Up to which height a transaction may execute: its owner signs that, so that whoever sends its bytes on, bare or in an operation
 * of their own (EX-7), cannot make them last longer. Pure. LG-18, docs/ledger.md.
 */
import type { Height } from '../../protocol/chain/types.ts';
import { CODES, type Refusal, refused } from './codes.ts';
import type { UnsignedTransaction } from './transaction.ts';

/**
 * From the block that executes a transaction to its last height. @unit heights
 * @source that of DC-2: deduplication_heights of a genesis by default, which an operation's expiry may be ahead (EX-7)
 */
export const LIFETIME_HEIGHTS_MAX = 1_000;

/** @param height of the block that would execute it */
export function refusalOfLifetime(
  { lastHeight }: Pick<UnsignedTransaction, 'lastHeight'>,
  height: Height,
): Refusal | undefined {
  if (BigInt(height) > lastHeight) {
    return refused(
      CODES.tooLate,
      `this was signed for heights up to ${lastHeight}, and it is ${height}: no block does it any more; sign it anew`,
    );
  }
  const highest = BigInt(height) + BigInt(LIFETIME_HEIGHTS_MAX);
  if (lastHeight <= highest) return undefined;
  return refused(
    CODES.tooLong,
    `the last height is ${lastHeight}, and at height ${height} it is ${highest} at most: sign it anew with a lower one`,
  );
}
