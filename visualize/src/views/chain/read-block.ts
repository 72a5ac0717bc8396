/** Gateway: a node's answer to the question 'block'. Pure and total: a part that is not there is left out, and an answer of nothing is said so. */
import type { BlockAnswer } from '../../../../src/observe/feed/feed.ts';
import { fieldOf, listOf, numberOf, textOf } from '../answers.ts';

/** @source BlockAnswer, feed.ts */
const TRANSACTIONS_MAX = 256;
/** @source BATCH_REFERENCES_MAX, src/protocol/transport/limits.ts, and more */
const BATCHES_MAX = 4_096;

export interface ReadBlock {
  readonly answer: Pick<BlockAnswer, 'header' | 'batches' | 'transactions' | 'transactionsTotal'> | undefined;
  readonly words: string;
}

export function readBlockAnswer(raw: unknown): ReadBlock {
  const header = fieldOf(raw, 'header');
  if (typeof header !== 'object' || header === null)
    return { answer: undefined, words: 'The node’s answer is not in the shape of a block.' };
  const transactions = listOf(raw, 'transactions', TRANSACTIONS_MAX).flatMap((entry) => {
    const [hash, shown] = [textOf(entry, 'hash'), textOf(entry, 'shown')];
    if (hash === undefined || shown === undefined) return [];
    const [code, log] = [numberOf(entry, 'code'), textOf(entry, 'log')];
    return [
      {
        ...{ hash, shown, bytes: numberOf(entry, 'bytes') ?? 0 },
        ...(code === undefined ? {} : { code }),
        ...(log === undefined ? {} : { log }),
      },
    ];
  });
  const batches = listOf(raw, 'batches', BATCHES_MAX).flatMap((entry) => {
    const digest = textOf(entry, 'digest');
    if (digest === undefined) return [];
    return [{ digest, count: numberOf(entry, 'count') ?? 0, bytes: numberOf(entry, 'bytes') ?? 0 }];
  });
  const transactionsTotal = numberOf(raw, 'transactionsTotal') ?? transactions.length;
  return { answer: { header: { ...header }, batches, transactions, transactionsTotal }, words: '' };
}
