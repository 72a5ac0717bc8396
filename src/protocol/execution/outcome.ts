/** From a block's transactions to what the application gets, and from its answer to every transaction's result. Pure. EX-1, EX-2, EX-7. */
import { parseOperation } from '../chain/operation.ts';
import type { Digest, Height } from '../chain/types.ts';
import {
  type BlockExecuted,
  type BlockResults,
  DUPLICATE_CODE,
  EXPIRED_CODE,
  EXPIRES_TOO_LATE_CODE,
  NODE_CODESPACE,
} from '../ports/execution.ts';
import type { ExecutedTransaction, TransactionResult } from '../ports/storage.ts';

/** One committed block's transactions in the order of its header and its batches, and what the application gets of each. */
export interface OrderedTransactions {
  readonly transactions: readonly Uint8Array[];
  readonly hashes: readonly Digest[];
  /** By position: the application's part, or the result that the node itself gives. */
  readonly given: readonly (Uint8Array | TransactionResult)[];
}

const NOTHING = new Uint8Array(0);

const withheld = (code: number, log: string): TransactionResult => ({
  code,
  data: NOTHING,
  log,
  codespace: NODE_CODESPACE,
  gasWanted: 0n,
  gasUsed: 0n,
  events: [],
});

/**
 * The application did not get it: a duplicate, or an operation outside its heights (EX-2, EX-7). Results of the node's own are never anything
 * else. Not looked up by its hash: it may be the copy, long after, of one that was executed.
 */
export const isWithheld = ({ codespace }: TransactionResult): boolean => codespace === NODE_CODESPACE;

/** What a transaction gets that appeared before, within the deduplication window. It was not executed again. */
export const DUPLICATE_RESULT = withheld(DUPLICATE_CODE, 'appeared before: executed once, not again');

/** What the application gets of a transaction whose hash appears for the first time, or why it does not (EX-7). */
export function partOf(
  transaction: Uint8Array,
  height: Height,
  deduplicationHeights: number,
): Uint8Array | TransactionResult {
  const operation = parseOperation(transaction);
  if (operation === undefined) return transaction;
  const { expiresAtHeight, payload } = operation;
  if (height > expiresAtHeight) {
    return withheld(EXPIRED_CODE, `expired at height ${expiresAtHeight}, this is height ${height}`);
  }
  // Beyond the window it could appear again, and execute twice.
  if (expiresAtHeight > height + deduplicationHeights) {
    const latest = height + deduplicationHeights;
    return withheld(EXPIRES_TOO_LATE_CODE, `expires at height ${expiresAtHeight}, at most ${latest} here`);
  }
  return payload;
}

const isBytes = (part: Uint8Array | TransactionResult): part is Uint8Array => part instanceof Uint8Array;

/** What `finalizeBlock` is given. */
export const applicationParts = ({ given }: OrderedTransactions): readonly Uint8Array[] =>
  given.every(isBytes) ? given : given.filter(isBytes);

/** A result for every transaction, or undefined when the application did not give one for each that it was given. */
export function outcomes(
  ordered: OrderedTransactions,
  results: readonly TransactionResult[],
): readonly ExecutedTransaction[] | undefined {
  const executed: ExecutedTransaction[] = [];
  let used = 0;
  for (let index = 0; index < ordered.transactions.length; index += 1) {
    const bytes = ordered.transactions[index];
    const hash = ordered.hashes[index];
    const part = ordered.given[index];
    if (bytes === undefined || hash === undefined || part === undefined) return undefined;
    const result = isBytes(part) ? results[used++] : part;
    if (result === undefined) return undefined;
    executed.push({ hash, index, bytes, result });
  }
  return used === results.length ? executed : undefined;
}

/** A block's results without what no cell decides about. */
export function toldToCells({ transactions, events: _, type: __, ...facts }: BlockResults): BlockExecuted {
  return {
    type: 'block.executed',
    ...facts,
    transactions: transactions.map(({ hash, bytes, result: { code, codespace } }) => ({
      ...{ hash, byteLength: bytes.byteLength },
      ...{ code, codespace },
    })),
  };
}
