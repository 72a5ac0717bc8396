/**
 * Transactions from clients: `broadcast_tx_async`, `_sync` and `_commit`, with CometBFT's answers and words.
 * `_commit` answers committed, expired or refused, or says that it stopped waiting: never silence.
 */
import { transactionHashOf } from '../protocol/chain/batch.ts';
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
  const { code, log, hash, applicationCode } = admission;
  if (code !== 'CHECK_FAILED') return fail(refusalText(admission));
  return succeed({ code: applicationCode, data: '', log, codespace: '', hash: upperHex(hash) });
}

export async function broadcastCommit(
  { tx }: Given,
  { port, submissions, client, commitTimeout }: CallContext,
): Promise<Answer> {
  const admission = await submitOne(submissions, tx, client);
  const hash = upperHex(admission.hash);
  if (admission.status === 'refused' && admission.code === 'CHECK_FAILED') {
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
      return fail(`transaction ${hash} expired at height ${fate.height}: it can never commit; send it again`);
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
    applicationCode: 0,
  };
}

/** CometBFT's clients look for these words. */
const COMET_WORDS: Readonly<Record<string, string>> = {
  ALREADY_KNOWN: 'tx already exists in cache',
  MEMPOOL_FULL: 'mempool is full',
  TOO_LARGE: 'Tx too large',
};

function refusalText({ code, log }: Extract<Admission, { status: 'refused' }>): string {
  const words = COMET_WORDS[code];
  const detail = log === '' || log === words ? '' : `: ${log}`;
  return words === undefined ? `${code}${detail}` : `${words} (${code})${detail}`;
}
