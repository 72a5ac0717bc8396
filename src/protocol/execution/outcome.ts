/** From a block's transactions to what the application gets, and from its answer to every transaction's result. Pure. EX-1, EX-2. */
import type { Digest } from '../chain/types.ts';
import { DUPLICATE_CODE, NODE_CODESPACE } from '../ports/execution.ts';
import type { ExecutedTransaction, TransactionResult } from '../ports/storage.ts';

/** One committed block's transactions in the order of its header and its batches; `duplicate` by position. */
export interface OrderedTransactions {
  readonly transactions: readonly Uint8Array[];
  readonly hashes: readonly Digest[];
  readonly duplicate: readonly boolean[];
}

const NOTHING = new Uint8Array(0);

/** What a transaction gets that appeared before, within the deduplication window. It was not executed again. */
export const DUPLICATE_RESULT: TransactionResult = {
  code: DUPLICATE_CODE,
  data: NOTHING,
  log: 'appeared before: executed once, not again',
  codespace: NODE_CODESPACE,
  gasWanted: 0n,
  gasUsed: 0n,
  events: [],
};

/** What `finalizeBlock` is given: no duplicates. */
export function firstAppearances({ transactions, duplicate }: OrderedTransactions): readonly Uint8Array[] {
  return duplicate.includes(true)
    ? transactions.filter((_, index) => duplicate[index] === false)
    : transactions;
}

/** A result for every transaction, or undefined when the application did not give one for each that it was given. */
export function outcomes(
  ordered: OrderedTransactions,
  results: readonly TransactionResult[],
): readonly ExecutedTransaction[] | undefined {
  const executed: ExecutedTransaction[] = [];
  let given = 0;
  for (let index = 0; index < ordered.transactions.length; index += 1) {
    const bytes = ordered.transactions[index];
    const hash = ordered.hashes[index];
    const result = ordered.duplicate[index] === true ? DUPLICATE_RESULT : results[given++];
    if (bytes === undefined || hash === undefined || result === undefined) return undefined;
    executed.push({ hash, index, bytes, result });
  }
  return given === results.length ? executed : undefined;
}
