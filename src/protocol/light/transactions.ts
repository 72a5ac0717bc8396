/** Whether a transaction is in the block of a header, which names its batches by their digests. Pure and total. */
import { batchDigestOf, parseBatch, transactionsOf } from '../chain/batch.ts';
import type { Header } from '../chain/types.ts';
import { BATCH_BYTES_MAX } from '../transport/limits.ts';
import type { TransactionProof, TransactionRefusal } from './types.ts';

/** The largest that any genesis allows. */
const LIMITS = { batchBytesMax: BATCH_BYTES_MAX, transactionBytesMax: BATCH_BYTES_MAX };

export type TransactionVerdict =
  /** The bytes that the block has there. Whether it succeeded, only the application's state says. */
  | { readonly status: 'proven'; readonly transaction: Uint8Array }
  | { readonly status: 'refused'; readonly refusal: TransactionRefusal };

/** @param header of a proof that was verified */
export function verifyTransaction(
  header: Pick<Header, 'batches'>,
  { batch, bytes, index }: TransactionProof,
): TransactionVerdict {
  const named = header.batches[batch];
  if (named === undefined) return refused({ code: 'BATCH_NOT_NAMED', batch, batches: header.batches.length });
  const digest = batchDigestOf(bytes);
  if (digest !== named.digest) return refused({ code: 'BATCH_DIGEST_WRONG', digest, expected: named.digest });
  const view = parseBatch(bytes, LIMITS);
  if (view === 'malformed') return refused({ code: 'BATCH_MALFORMED', bytes: bytes.byteLength });
  const transaction = transactionsOf(view)[index];
  if (transaction === undefined) return refused({ code: 'TRANSACTION_NOT_HELD', index, count: view.count });
  return { status: 'proven', transaction: new Uint8Array(transaction) };
}

const refused = (refusal: TransactionRefusal): TransactionVerdict => ({ status: 'refused', refusal });
