/** Which submitted transactions enter a batch: size, room, repetition, the client's rate, the application. Pure. MP-1 to MP-3. */
import { type Monotonic, monotonic } from '../../base/units.ts';
import { TRANSACTION_OVERHEAD_BYTES } from '../chain/batch.ts';
import { isEmptyOperation } from '../chain/operation.ts';
import type { Digest } from '../chain/types.ts';
import { isValidator } from '../chain/validator-set.ts';
import type { CheckResult } from '../ports/application.ts';
import { DUPLICATE_CODE, NODE_CODESPACE } from '../ports/execution.ts';
import type { Admission, MempoolRequest, NodeRefusalCode } from '../ports/mempool.ts';
import { fullBucket, refilled } from '../transport/bucket.ts';
import { bucketOf, withBucket } from './clients.ts';
import { hasFingerprint, withFingerprints } from './fingerprints.ts';
import { withArrived } from './pacing.ts';
import { claimed } from './senders.ts';
import { lookup, valuesOf, withEntry, withoutEntry } from './sharded-map.ts';
import {
  type MempoolState,
  type OpenTransaction,
  type Step,
  type Submission,
  tell,
  unchanged,
  withoutPending,
} from './state.ts';

type Refused = Extract<Admission, { readonly status: 'refused' }>;
type Submitted = Extract<MempoolRequest, { readonly type: 'transactions.submitted' }>;

/** Refuses what the node itself can judge, reserves room for the rest, and asks the application about it (MP-1). */
export function submit(state: MempoolState, request: Submitted, now: Monotonic): Step {
  const { transactions, hashes } = request;
  const refusesAll = refusalOfAll(state);
  const { bucket, allowed } = allowance(state, request.client, transactions.length, now);
  const refused = new Map<number, Admission>();
  const positions: number[] = [];
  const seen = new Set<Digest>();
  let bytes = 0;
  transactions.forEach((transaction, position) => {
    const hash = hashes[position];
    if (hash === undefined) return;
    const refusal =
      refusesAll ??
      (position >= allowed ? rateLimited(state, request.client) : undefined) ??
      refusalOf(state, transaction, hash, seen, positions.length, bytes);
    if (refusal !== undefined) {
      refused.set(position, { status: 'refused', hash, ...refusal });
      return;
    }
    seen.add(hash);
    positions.push(position);
    bytes += transaction.byteLength;
  });
  const clients =
    refusesAll === undefined
      ? withBucket(state.clients, request.client, bucket, state.config.clientsMax)
      : state.clients;
  const submission = { replyTo: request.replyTo, tag: request.tag, hashes, refused };
  if (positions.length === 0) return { state: { ...state, clients }, effects: [answer(submission)] };
  const id = state.nextTag;
  const checked = positions.flatMap((position) => transactions[position] ?? []);
  const until = monotonic(now + state.config.checkTimeout);
  return {
    state: {
      ...state,
      nextTag: id + 1,
      clients,
      pending: withFingerprints(state.pending, [...seen]),
      pendingBytes: state.pendingBytes + bytes,
      submissions: withEntry(state.submissions, id, {
        ...submission,
        id,
        stage: { status: 'checking', positions, transactions: checked, until },
      }),
    },
    effects: [
      tell(state.addresses.executor, {
        type: 'check.requested',
        replyTo: state.addresses.self,
        tag: id,
        transactions: checked,
        hashes: [...seen],
      }),
    ],
  };
}

/** The application's answer: what it or a sender's bounds refuse gives its room back, the rest waits for a batch (MP-2, MP-13). */
export function acceptChecked(state: MempoolState, tag: number, results: readonly CheckResult[]): Step {
  const submission = lookup(state.submissions, tag);
  if (submission?.stage.status !== 'checking') return unchanged(state);
  const { positions, transactions } = submission.stage;
  const refused = new Map(submission.refused);
  const open: OpenTransaction[] = [];
  let { senders } = state;
  positions.forEach((position, index) => {
    const hash = submission.hashes[position];
    const bytes = transactions[index];
    if (hash === undefined || bytes === undefined) return;
    const result = results[index];
    if (result?.code !== 0) {
      refused.set(position, refusedByCheck(hash, result));
      return;
    }
    const { sender, priority } = result;
    const transaction = { submission: submission.id, position, hash, bytes, priority };
    if (sender === undefined) {
      open.push(transaction);
      return;
    }
    if (state.rechecks.size > 0) {
      refused.set(position, notChecked(hash, RECHECKING));
      return;
    }
    const ruling = claimed(senders, hash, sender, state.config);
    if (ruling.status === 'refused') {
      refused.set(position, { status: 'refused', hash, code: ruling.code, log: ruling.log });
      return;
    }
    senders = ruling.senders;
    const { id, sequence } = sender;
    open.push({
      ...transaction,
      priority: ruling.isNext || priority < 0n ? priority : 0n,
      sender: { id, sequence },
    });
  });
  if (open.length === 0) return closeSubmission(state, submission, positions, refused);
  const dropped =
    positions.length === open.length ? [] : positions.filter((position) => refused.has(position));
  const freed = release(state, submission, dropped);
  const openBytes = open.reduce((sum, { bytes }) => sum + bytes.byteLength + TRANSACTION_OVERHEAD_BYTES, 0);
  return unchanged({
    ...freed,
    senders,
    open: state.open.concat(open),
    openBytes: state.openBytes + openBytes,
    pacing: withArrived(state.pacing, openBytes),
    submissions: withEntry(state.submissions, submission.id, {
      ...submission,
      refused,
      stage: { status: 'sealing', left: open.length },
    }),
  });
}

/** The check failed as a whole, or took too long: none of its transactions is admitted. */
export function refuseChecked(state: MempoolState, tag: number, log: string): Step {
  const submission = lookup(state.submissions, tag);
  if (submission?.stage.status !== 'checking') return unchanged(state);
  const { positions } = submission.stage;
  const refused = new Map(submission.refused);
  for (const position of positions) {
    const hash = submission.hashes[position];
    if (hash !== undefined) refused.set(position, notChecked(hash, log));
  }
  return closeSubmission(state, submission, positions, refused);
}

/** Ids of the submissions that the application has not answered in time. */
export function overdueChecks(state: MempoolState, now: Monotonic): readonly number[] {
  const overdue: number[] = [];
  for (const { id, stage } of valuesOf(state.submissions)) {
    if (stage.status === 'checking' && stage.until <= now) overdue.push(id);
  }
  return overdue.sort((left, right) => left - right);
}

/** When the application's first answer is overdue; infinity when none is awaited. @unit ms */
export function nextCheckDue({ submissions }: MempoolState): number {
  let due = Number.POSITIVE_INFINITY;
  for (const { stage } of valuesOf(submissions)) {
    if (stage.status === 'checking') due = Math.min(due, stage.until);
  }
  return due;
}

/** True when not every legal transaction would find room. */
export function isFull({ pending, pendingBytes, submissions, config }: MempoolState): boolean {
  return (
    pending.size >= config.pendingCountMax ||
    pendingBytes + config.transactionBytesMax > config.pendingBytesMax ||
    submissions.size >= config.submissionsMax
  );
}

/** `count` transactions of a submission became durable: once all are, it is answered (MP-3). */
export function settleSubmission(state: MempoolState, id: number, count: number): Step {
  const submission = lookup(state.submissions, id);
  if (submission?.stage.status !== 'sealing') return unchanged(state);
  const left = submission.stage.left - count;
  if (left > 0) {
    const waiting: Submission = { ...submission, stage: { status: 'sealing', left } };
    return unchanged({ ...state, submissions: withEntry(state.submissions, id, waiting) });
  }
  return {
    state: { ...state, submissions: withoutEntry(state.submissions, id) },
    effects: [answer(submission)],
  };
}

/** Transactions whose batch could not be made durable. Their room was given back by the caller. */
export function refuseUnsaved(
  state: MempoolState,
  id: number,
  positions: readonly number[],
  log: string,
): Step {
  const submission = lookup(state.submissions, id);
  if (submission === undefined) return unchanged(state);
  const refused = new Map(submission.refused);
  for (const position of positions) {
    const hash = submission.hashes[position];
    if (hash === undefined) continue;
    refused.set(position, { status: 'refused', hash, code: 'STORAGE_FAILED', log });
  }
  const submissions = withEntry(state.submissions, id, { ...submission, refused });
  return settleSubmission({ ...state, submissions }, id, positions.length);
}

const RECHECKING =
  'since this node started, the application has not said yet what was pending of this sender: send it again in a second';

type Refusal = { readonly code: NodeRefusalCode; readonly log: string };

function refusalOfAll(state: MempoolState): Refusal | undefined {
  const { config, submissions, validators, author } = state;
  if (!isValidator(validators, author)) {
    return { code: 'NOT_A_VALIDATOR', log: `node ${author} is no validator: submit to one that is` };
  }
  if (submissions.size < config.submissionsMax) return undefined;
  return full(`${submissions.size} submissions wait, at most ${config.submissionsMax}`);
}

function refusalOf(
  state: MempoolState,
  transaction: Uint8Array,
  hash: Digest,
  seen: ReadonlySet<Digest>,
  count: number,
  bytes: number,
): Refusal | undefined {
  const { config, pending, pendingBytes } = state;
  const { byteLength } = transaction;
  if (byteLength === 0) return { code: 'EMPTY', log: 'a transaction has at least one byte' };
  if (isEmptyOperation(transaction)) {
    return { code: 'EMPTY', log: 'an operation has at least one byte of payload' };
  }
  if (byteLength > config.transactionBytesMax) {
    return { code: 'TOO_LARGE', log: `${byteLength} bytes, at most ${config.transactionBytesMax}` };
  }
  if (seen.has(hash) || hasFingerprint(pending, hash)) {
    return { code: 'ALREADY_KNOWN', log: `${hash} was submitted before and is not committed yet` };
  }
  if (pending.size + count >= config.pendingCountMax) {
    return full(`${pending.size + count} transactions are pending, at most ${config.pendingCountMax}`);
  }
  if (pendingBytes + bytes + byteLength > config.pendingBytesMax) {
    return full(`${pendingBytes + bytes} bytes are pending, at most ${config.pendingBytesMax}`);
  }
  return undefined;
}

const full = (log: string): Refusal => ({ code: 'MEMPOOL_FULL', log: `${log}: try again later` });

const rateLimited = (state: MempoolState, client: string): Refusal => ({
  code: 'RATE_LIMITED',
  log: `client ${client} passed ${state.config.clientRate.ratePerSecond} transactions/s: try again later`,
});

/** What the application, or the memory of duplicates, refuses. */
export function refusedByCheck(hash: Digest, result: CheckResult | undefined): Refused {
  if (result === undefined) return notChecked(hash, 'the application gave no result for this transaction');
  const { code, codespace, log } = result;
  if (code === DUPLICATE_CODE && codespace === NODE_CODESPACE) {
    return { status: 'refused', hash, code: 'ALREADY_KNOWN', log };
  }
  return { status: 'refused', hash, code: 'CHECK_FAILED', log, applicationCode: code };
}

/** Never CHECK_FAILED: its code would have to be the application's, and 0 reads as success. */
const notChecked = (hash: Digest, log: string): Refused => ({
  status: 'refused',
  hash,
  code: 'NOT_CHECKED',
  log,
});

/** Answers a submission of which nothing is left, and gives the room of `positions` back. */
function closeSubmission(
  state: MempoolState,
  submission: Submission,
  positions: readonly number[],
  refused: ReadonlyMap<number, Admission>,
): Step {
  const freed = release(state, submission, positions);
  return {
    state: { ...freed, submissions: withoutEntry(state.submissions, submission.id) },
    effects: [answer({ ...submission, refused })],
  };
}

/** Gives back the room of some transactions of a submission that is being checked. */
function release(state: MempoolState, submission: Submission, positions: readonly number[]): MempoolState {
  if (positions.length === 0 || submission.stage.status !== 'checking') return state;
  const { transactions } = submission.stage;
  const lengthAt = new Map(
    submission.stage.positions.map((position, index) => [position, transactions[index]?.byteLength ?? 0]),
  );
  const hashes = positions.flatMap((position) => submission.hashes[position] ?? []);
  return withoutPending(
    state,
    hashes,
    positions.map((position) => lengthAt.get(position) ?? 0),
  );
}

function answer(submission: Pick<Submission, 'replyTo' | 'tag' | 'hashes' | 'refused'>) {
  const admissions = submission.hashes.map(
    (hash, position): Admission => submission.refused.get(position) ?? { status: 'admitted', hash },
  );
  return tell(submission.replyTo, { type: 'transactions.admitted', tag: submission.tag, admissions });
}

function allowance(state: MempoolState, client: string, count: number, now: Monotonic) {
  const { clientRate } = state.config;
  const known = bucketOf(state.clients, client) ?? fullBucket(clientRate, now);
  const bucket = refilled(known, clientRate, now);
  const allowed = Math.min(count, Math.floor(bucket.tokens));
  return { bucket: { ...bucket, tokens: bucket.tokens - allowed }, allowed };
}
