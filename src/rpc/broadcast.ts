/**
 * Transactions from clients: `broadcast_tx_async`, `_sync` and `_commit`, with CometBFT's answers and words.
 * `_commit` answers committed, expired or refused, or says that it stopped waiting: never silence.
 */
import { transactionHashOf } from '../protocol/chain/batch.ts';
import type { Height } from '../protocol/chain/types.ts';
import type { Admission } from '../protocol/ports/mempool.ts';
import { type Answer, fail, succeed } from './json-rpc.ts';
import type { CallContext } from './method.ts';
import { checkResultJson, transactionResultJson, upperHex } from './shapes.ts';
import type { Submissions } from './submissions.ts';

interface Given {
  readonly tx: Uint8Array | undefined;
}

export async function broadcastAsync({ tx }: Given, { submissions, client }: CallContext): Promise<Answer> {
  const transaction = tx ?? new Uint8Array();
  // Not awaited, as in CometBFT: the caller asked not to hear of a refusal.
  submissions.submit(transaction, client).catch(() => undefined);
  return succeed({
    code: 0,
    data: '',
    log: '',
    codespace: '',
    hash: upperHex(transactionHashOf(transaction)),
  });
}

export async function broadcastSync({ tx }: Given, { submissions, client }: CallContext): Promise<Answer> {
  const admission = await submitOne(submissions, tx, client);
  if (admission.status === 'admitted') {
    return succeed({ code: 0, data: '', log: '', codespace: '', hash: upperHex(admission.hash) });
  }
  if (!isChecked(admission)) return fail(refusalText(admission));
  const { log, hash, applicationCode } = admission;
  return succeed({ code: applicationCode, data: '', log, codespace: '', hash: upperHex(hash) });
}

export async function broadcastCommit(
  { tx }: Given,
  { port, submissions, client, commitTimeout }: CallContext,
): Promise<Answer> {
  const admission = await submitOne(submissions, tx, client);
  const hash = upperHex(admission.hash);
  if (admission.status === 'refused' && isChecked(admission)) {
    const check = checkResultJson(admission.applicationCode, admission.log, '');
    return succeed({ check_tx: check, tx_result: checkResultJson(0, '', ''), hash, height: '0' });
  }
  // A transaction that is known already is waited for like a new one: the caller wants its end.
  if (admission.status === 'refused' && admission.code !== 'ALREADY_KNOWN')
    return fail(refusalText(admission));
  const fate = await port.waitCommitted(admission.hash, commitTimeout);
  switch (fate.status) {
    case 'committed':
      return succeed({
        check_tx: checkResultJson(0, '', ''),
        tx_result: transactionResultJson(fate.result),
        hash,
        height: String(fate.height),
      });
    case 'expired':
      return fail(expiredText(hash, fate.height));
    case 'timeout':
      return fail(`timed out waiting for tx to be included in a block: ask tx for ${hash} later`);
  }
}

async function submitOne(
  submissions: Submissions,
  tx: Uint8Array | undefined,
  client: string,
): Promise<Admission> {
  const transaction = tx ?? new Uint8Array();
  const admission = await submissions.submit(transaction, client);
  if (admission !== undefined) return admission;
  return {
    status: 'refused',
    hash: transactionHashOf(transaction),
    code: 'NOT_ANSWERED',
    log: 'the mempool gave no answer',
  };
}

/** CometBFT's clients look for these words. */
const COMET_WORDS: Readonly<Record<string, string>> = {
  ALREADY_KNOWN: 'tx already exists in cache',
  MEMPOOL_FULL: 'mempool is full',
  TOO_LARGE: 'Tx too large',
};

type Refused = Extract<Admission, { status: 'refused' }>;

/** Code 0 is the word for success: a refusal never goes out with it, whatever it is called. */
const isChecked = (refused: Refused): refused is Extract<Refused, { code: 'CHECK_FAILED' }> =>
  refused.code === 'CHECK_FAILED' && refused.applicationCode !== 0;

/** Expiry is the batch's, not the transaction's: docs/protocol/mempool.md, "What a client is promised". */
const expiredText = (hash: string, height: Height): string =>
  `transaction ${hash} expired at height ${height}: this node's batch with it can no longer commit, but another ` +
  'validator that has seen it may still commit it; ask tx for it, then send the same bytes again: a copy that commits ' +
  'soon after is executed only once, a newly made transaction would be another one';

function refusalText({ code, log }: Refused): string {
  const words = COMET_WORDS[code];
  const detail = log === '' || log === words ? '' : `: ${log}`;
  return words === undefined ? `${code}${detail}` : `${words} (${code})${detail}`;
}
