/**
 * Operations on their way in: what is refused at the door, who is asked, and what the asker is told. A validator asks its mempool; another
 * node hands them to a validator whose breaker lets it. Pure. Rules BR-1, BR-2, BR-8, docs/protocol/bridge.md.
 */

import { emptyMap, getIn, removeIn, setIn, valuesOf } from '../../base/persistent-map.ts';
import type { Monotonic } from '../../base/units.ts';
import {
  type Door,
  type DoorRefusal,
  placesFor,
  queueFull,
  refusalOfHeight,
} from '../../protocol/bridge/admission.ts';
import type { OperationsAnsweredMessage } from '../../protocol/bridge/messages.ts';
import {
  type Admitted,
  admit,
  batchesExpired,
  countRejected,
  type Ended,
  executedOf,
  overdue,
  release,
  reserve,
} from '../../protocol/bridge/operations.ts';
import { transactionHashOf } from '../../protocol/chain/batch.ts';
import { GENESIS_HEIGHT } from '../../protocol/chain/ordinals.ts';
import type { Address, Digest, Height } from '../../protocol/chain/types.ts';
import { isValidator } from '../../protocol/chain/validator-set.ts';
import type { OperationsExpired } from '../../protocol/ports/bridge.ts';
import type { TransactionOutcome } from '../../protocol/ports/execution.ts';
import type { Admission } from '../../protocol/ports/mempool.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import type { BreakerReport, BreakerRequest } from './breaker.setup.ts';
import { handingOf, settleAgain } from './bridge.again.ts';
import { checkEffects, mayCheck, withHanded } from './bridge.checking.ts';
import {
  askConnectivity,
  askMempool,
  askSync,
  type BridgeContext,
  counted,
  type Decided,
  type Submission,
  type Waiting,
} from './bridge.live.ts';
import {
  admissionAt,
  admissionOf,
  answer,
  callTo,
  isTooMuch,
  KNOWN,
  loadOf,
  MAY_BE_TAKEN,
  nextValidator,
  nobody,
  tooMuch,
  UNJUDGED,
} from './bridge.remote.ts';

export interface Clock {
  readonly now: Monotonic;
  readonly address: CellAddress;
}

/** What other nodes hand over leaves half of the places to this node's own clients: whoever connects may hand over. */
const PEERS_SHARE = 0.5;

export const doorOf = (context: BridgeContext, asker: Received['asker']): Door => ({
  operations: context.operations,
  queued: context.queued,
  maxPendingOperations: Math.ceil(
    context.config.maxPendingOperations * (asker.kind === 'peer' ? PEERS_SHARE : 1),
  ),
  // Nothing is taken before it is known.
  committedHeight: context.committedHeight ?? GENESIS_HEIGHT,
  deduplicationHeights: context.deduplicationHeights,
});

/** As it comes in. */
export type Received = Omit<Waiting, 'tag' | 'since'>;

/** Takes what has a place and can be kept to; asks about it. @param since when it came in */
export function take(
  context: BridgeContext,
  waiting: Received,
  clock: Clock,
  since: Monotonic = clock.now,
): Decided {
  const { asker, client } = waiting;
  const door = doorOf(context, asker);
  const { transactions, unread } = readable(waiting, door);
  if (transactions.length === 0) return refuseAll(context, waiting, queueFull(door));
  const ids = transactions.map(transactionHashOf);
  const refused = new Map<number, Admission>();
  const asked: { position: number; hash: Digest; transaction: Uint8Array }[] = [];
  const places = placesFor(door, transactions.length);
  transactions.forEach((transaction, position) => {
    const hash = ids[position];
    if (hash === undefined) return;
    const refusal =
      refusalOfHeight(transaction, door) ?? (asked.length < places ? undefined : queueFull(door));
    if (refusal === undefined) asked.push({ position, hash, transaction });
    else refused.set(position, { status: 'refused', hash, ...refusal });
  });
  const submission: Submission = {
    ...{ tag: context.nextTag, asker, client, ids, refused, asked, since },
    ...{ handedTo: [], heldBack: [], early: waiting.early ?? NOTHING_EARLY },
    unread: unread === 0 ? undefined : queueFull(door),
    check: waiting.check,
  };
  const counts = countRejected(context.operations, refused.size + unread);
  const activity = context.activity + transactions.length;
  if (asked.length === 0) {
    return { context: { operations: counts, activity }, effects: answer(context, submission) };
  }
  const operations = reserve(counts, asked.length);
  return ask({ ...context, operations, activity }, submission, clock);
}

/** Of what another node hands over, nothing is looked at that has no place: a stranger must not cost a hash for each (BR-2). */
function readable({ asker, transactions }: Received, door: Door) {
  const places = placesFor(door, transactions.length);
  if (asker.kind !== 'peer' || places === transactions.length) return { transactions, unread: 0 };
  return { transactions: transactions.slice(0, places), unread: transactions.length - places };
}

const NOTHING_EARLY: ReadonlySet<Digest> = new Set();

/** The own mempool; of a node that is no validator the own application, and then the next validator. */
export function ask(context: BridgeContext, submission: Submission, { now, address }: Clock): Decided {
  const tag = context.nextTag + 1;
  const transactions = submission.asked.map(({ transaction }) => transaction);
  const { operations, activity } = context;
  const asking = (handed: Submission, effects: readonly Effect[]): Decided => ({
    context: {
      operations,
      activity,
      nextTag: tag,
      submissions: setIn(context.submissions, String(tag), { ...handed, tag }),
    },
    effects,
  });
  if (isValidator(context.validators, context.self)) {
    // Of what others were handed before, and did not answer, the own mempool alone says that it has it.
    const handedTo = submission.handedTo.length === 0 ? [] : [...submission.handedTo, context.self];
    return asking({ ...submission, handedTo }, [askMempool(context, submission, tag, address)]);
  }
  const peer = nextValidator(context, submission, now);
  const isTooMuchForOne = isTooMuch(loadOf(transactions));
  if (peer === undefined || isTooMuchForOne) {
    const refusal = isTooMuchForOne ? tooMuch(transactions) : nobody(submission);
    return settle({ ...context, nextTag: tag }, submission, new Map(), refusal);
  }
  if (submission.check === 'due' && mayCheck(context)) {
    return asking({ ...submission, check: 'asked' }, checkEffects(context, submission, tag, address));
  }
  const check = submission.check === 'passed' ? 'passed' : 'over';
  const handed: Submission = { ...submission, check, handedTo: [...submission.handedTo, peer] };
  const { context: change, effects } = asking(handed, [callTo(peer, handed, tag, address)]);
  return { context: { ...change, handed: withHanded(context.handed, submission, now) }, effects };
}

/** The mempool judged what it was asked. */
export function recordAdmissions(
  context: BridgeContext,
  tag: number,
  admissions: readonly Admission[],
): Decided {
  const submission = submissionOf(context, tag);
  if (submission === undefined) return {};
  const judged = new Map(
    submission.asked.flatMap(({ position, hash }, index) => {
      const admission = admissions[index];
      // A judgement of another operation says nothing of this one.
      if (admission?.hash !== hash) return [];
      return [[position, admission] as const];
    }),
  );
  return settle(withoutSubmission(context, tag), submission, judged, UNJUDGED);
}

/** A validator answered what it was handed; one that was not asked is blamed for it (TP-6), one that is late is not. */
export function recordRemote(
  context: BridgeContext,
  from: Address,
  { tag, admissions }: OperationsAnsweredMessage,
  { address }: Clock,
): Decided {
  const submission = submissionOf(context, tag);
  // It is late, and another was asked meanwhile: that is what its breaker counts, and no lie.
  if (context.owed.get(tag) === from) {
    return { context: { owed: new Map([...context.owed].filter(([other]) => other !== tag)) } };
  }
  if (submission === undefined || submission.handedTo.at(-1) !== from) {
    const blame = { type: 'peer.misbehaved', peer: from, code: 'ANSWER_UNREQUESTED' } as const;
    return { effects: [telling(context.router, blame)] };
  }
  const answered: BreakerRequest = { type: 'call.answered', tag };
  const known = submission.asked.map(({ hash }, index) => admissionOf(hash, admissionAt(admissions, index)));
  const decided = recordAdmissions(context, tag, known);
  return { ...decided, effects: [telling(`${address}/${from}`, answered), ...(decided.effects ?? [])] };
}

/** Late answers that are told from lies. @unit answers @source the open calls of sixteen peers */
const OWED_MAX = 1_024;

/** The breaker did not send it, or no answer came: the next validator gets it. */
export function handOn(
  context: BridgeContext,
  { tag, peer, reason }: Extract<BreakerReport, { type: 'call.failed' }>,
  clock: Clock,
): Decided {
  const submission = submissionOf(context, tag);
  if (submission === undefined) return {};
  const left = withoutSubmission(context, tag);
  // What is handed over again has time: the next one gets it when it is due.
  const goOn = (next: Submission): Decided =>
    next.asker.kind === 'again' ? { context: { submissions: left.submissions } } : ask(left, next, clock);
  if (reason === 'refused') return goOn({ ...submission, heldBack: [...submission.heldBack, peer] });
  const owed = new Map([...context.owed, [tag, peer] as const].slice(-OWED_MAX));
  const { context: change, effects = [] } = goOn(submission);
  return { context: { ...change, owed }, effects };
}

/** Seed 004: cleanup. Who is connected is the router's fact, and where the chain is network-sync's, so they are read again; and submissions whose asker the mempool forgot, since it was started anew, are answered. */
export function cleanUp(context: BridgeContext, { now, address }: Clock): Decided {
  const { cleanupInterval, consensusTimeout } = context.config;
  const left = valuesOf(context.submissions)
    .filter(({ since }) => now - since >= cleanupInterval)
    .sort((one, other) => one.tag - other.tag);
  const cleaned = left.reduce<{ context: BridgeContext; effects: readonly Effect[] }>(
    (done, submission) => {
      const { context: change = {}, effects = [] } = settle(
        withoutSubmission(done.context, submission.tag),
        submission,
        new Map(),
        submission.handedTo.length === 0 ? FORGOTTEN : nobody(submission),
      );
      const next = { ...done.context, ...change };
      return { context: { ...next, ...counted(next, 'unanswered') }, effects: [...done.effects, ...effects] };
    },
    { context, effects: [] },
  );
  const late = overdue(cleaned.context.operations, now, consensusTimeout);
  const effects = [...cleaned.effects, askConnectivity(context, address), ...askSync(context, address)];
  return { context: { ...cleaned.context, overdue: late, isApplicationLate: false }, effects };
}

const FORGOTTEN: DoorRefusal = {
  code: 'NOT_ANSWERED',
  log: `the mempool did not answer: ${MAY_BE_TAKEN}`,
};

/** Everything of the submission is judged: its places are free, what was admitted is pending, its asker hears. */
function settle(
  context: BridgeContext,
  submission: Submission,
  judged: ReadonlyMap<number, Admission>,
  otherwise: DoorRefusal,
): Decided {
  if (submission.asker.kind === 'again') return settleAgain(context, submission, judged);
  const { asked, since, early } = submission;
  const refused = new Map(submission.refused);
  const admitted: Admitted[] = [];
  const handing = handingOf(context, submission);
  // Who takes it may lie: that it was not executed before, the own application alone knows.
  const mayBeOld = handing.handing !== undefined && submission.check !== 'passed';
  for (const { position, hash, transaction } of asked) {
    const admission = judged.get(position) ?? { status: 'refused', hash, ...otherwise };
    if (admission.status === 'refused') refused.set(position, admission);
    // One who says that it knows it may lie low like one who takes it.
    const isKnown = admission.status === 'refused' && admission.code === KNOWN;
    if (admission.status === 'admitted' || (isKnown && handing.handing !== undefined))
      admitted.push({ id: hash, transaction, isKnown: isKnown || mayBeOld, ...handing });
  }
  const latest = (context.committedHeight ?? GENESIS_HEIGHT) + 2 * context.batchTtlHeights;
  const isKnown = early !== 'unknown';
  const operations = isKnown
    ? admit(context.operations, asked.length, admitted, latest, since, early)
    : release(context.operations, asked.length, asked.length - admitted.length);
  const { nextTag, submissions, activity } = context;
  const { counts } = counted(context, 'forgotten', isKnown ? 0 : admitted.length);
  return {
    context: { operations, nextTag, submissions, activity, counts },
    effects: answer(context, { ...submission, refused }),
  };
}

export const submissionOf = ({ submissions }: BridgeContext, tag: number): Submission | undefined =>
  getIn(submissions, String(tag));

export const withoutSubmission = (context: BridgeContext, tag: number): BridgeContext => ({
  ...context,
  submissions: removeIn(context.submissions, String(tag)),
});

/** Nothing is taken now, for a reason that concerns all of it. */
export function refuseAll(
  context: BridgeContext,
  { asker, transactions }: Received,
  refusal: DoorRefusal,
): Decided {
  const operations = countRejected(context.operations, transactions.length);
  // Another node is told once for all: what it sent is not even hashed.
  const ids = asker.kind === 'peer' ? [] : transactions.map(transactionHashOf);
  const refused = new Map(
    ids.map((hash, position): [number, Admission] => [position, { status: 'refused', hash, ...refusal }]),
  );
  return { context: { operations }, effects: answer(context, { asker, ids, refused, unread: refusal }) };
}

/** A block was executed while its operations' admissions were on their way, or waited for a message once they were checked: they end when they are admitted. */
export function withEarly(
  context: BridgeContext,
  transactions: readonly TransactionOutcome[],
): Pick<BridgeContext, 'submissions' | 'queue'> {
  let { submissions, queue } = context;
  if (submissions.size + queue.size === 0 || transactions.length === 0) return { submissions, queue };
  const executed = new Set(executedOf(transactions));
  const more = (early: Submission['early'], ids: readonly Digest[]): Submission['early'] => {
    const found = ids.filter((id) => executed.has(id));
    return early === 'unknown' || found.length === 0 ? early : new Set([...early, ...found]);
  };
  for (const submission of valuesOf(submissions)) {
    const early = more(submission.early, submission.ids);
    if (early !== submission.early)
      submissions = setIn(submissions, String(submission.tag), { ...submission, early });
  }
  for (const waiting of valuesOf(queue)) {
    if (waiting.early === undefined || waiting.asker.kind !== 'rest') continue;
    const early = more(waiting.early, waiting.asker.ids);
    if (early !== waiting.early) queue = setIn(queue, String(waiting.tag), { ...waiting, early });
  }
  return { submissions, queue };
}

/** What several submissions know together of blocks that were executed meanwhile. */
export function togetherEarly(all: readonly Pick<Waiting, 'early'>[]): Submission['early'] {
  const known = all.map(({ early = NOTHING_EARLY }) => early);
  return known.includes('unknown')
    ? 'unknown'
    : new Set(known.flatMap((early) => (early === 'unknown' ? [] : [...early])));
}

/**
 * A block was executed that this cell was not told of (its mailbox was full): what was pending may have been in it, and must not
 * be told as expired. The chain knows what became of it.
 */
export function withoutForgotten(context: BridgeContext, height: Height): BridgeContext {
  const [newest] = context.recent;
  const { pending } = context.operations;
  if (newest === undefined || height <= newest.height + 1) return context;
  let { submissions, queue } = context;
  for (const submission of valuesOf(submissions)) {
    submissions = setIn(submissions, String(submission.tag), { ...submission, early: 'unknown' });
  }
  for (const waiting of valuesOf(queue).filter(({ early }) => early !== undefined)) {
    queue = setIn(queue, String(waiting.tag), { ...waiting, early: 'unknown' });
  }
  return {
    ...context,
    ...{ submissions, queue },
    operations: { ...context.operations, pending: emptyMap(), keptBytes: 0 },
    ...counted(context, 'forgotten', pending.size),
  };
}

/** Some operations ended: those that never execute are told. */
export function recordEnded(
  context: BridgeContext,
  { operations, expired, forgotten }: Ended,
  height: Height,
): Decided {
  const ended = { operations, ...counted(context, 'forgotten', forgotten) };
  if (expired.length === 0) return { context: ended };
  const message: OperationsExpired = { type: 'operations.expired', ids: expired, height };
  return {
    context: ended,
    effects: context.listeners.map((listener) => telling(listener, message)),
  };
}

export const recordBatchesExpired = (
  context: BridgeContext,
  hashes: readonly Digest[],
  height: Height,
): Decided => recordEnded(context, batchesExpired(context.operations, hashes), height);
