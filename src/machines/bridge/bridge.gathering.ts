/**
 * How a node that is no validator hands operations over: the first at once, those that come within a moment together, so that it
 * stays below what a validator takes of one peer, however many clients it has. Pure. Rules BR-8, TP-5, docs/protocol/bridge.md.
 */
import { emptyMap, removeIn } from '../../base/persistent-map.ts';
import { millis, monotonic } from '../../base/units.ts';
import type { DoorRefusal } from '../../protocol/bridge/admission.ts';
import { postpone, release } from '../../protocol/bridge/operations.ts';
import { isValidator } from '../../protocol/chain/validator-set.ts';
import type { CheckResult } from '../../protocol/ports/application.ts';
import type { Effect } from '../../protocol/supervision/effect.ts';
import { GUEST_RATES_DEFAULT } from '../../protocol/transport/limits.ts';
import { handAgain, withoutCaredFor } from './bridge.again.ts';
import { endCheckTimer, hasJudged, mayCheck, refusedHere, withHanded } from './bridge.checking.ts';
import type { BridgeContext, Decided, Submission, Waiting } from './bridge.live.ts';
import {
  ask,
  type Clock,
  type Received,
  refuseAll,
  submissionOf,
  take,
  togetherEarly,
  withoutSubmission,
} from './bridge.operations.ts';
import { enqueue, inOrder, withoutLate } from './bridge.queue.ts';
import { answer, isTooMuch, loadOf } from './bridge.remote.ts';

/** Between two messages with operations. @unit ms @source TP-9: a validator takes 50 a second of one peer, and it may be the only one */
export const GATHER_MS = millis(25);

export interface GatherDue {
  readonly type: 'gather.due';
}

const MS_PER_SECOND = 1_000;

/** As long as all validators in reach together need for so much of one guest, by what they take unless configured otherwise (TP-5). */
function startGathering({ connected, breakers }: BridgeContext, transactions: readonly Uint8Array[]): Effect {
  const able = Math.max(1, [...connected].filter((peer) => breakers.get(peer) !== 'open').length);
  const { operations, bytes } = GUEST_RATES_DEFAULT.each;
  const load = loadOf(transactions);
  const seconds =
    Math.max(load.operations / operations.ratePerSecond, load.bytes / bytes.ratePerSecond) / able;
  const message: GatherDue = { type: 'gather.due' };
  const delayMs = Math.max(GATHER_MS, Math.ceil(seconds * MS_PER_SECOND));
  return { kind: 'startTimer', key: 'gather', delayMs, message };
}

/** A validator takes what comes at once: its mempool gathers by itself. */
export function takeOrGather(context: BridgeContext, submitted: Received, clock: Clock): Decided {
  if (isValidator(context.validators, context.self)) return take(context, submitted, clock);
  const { asker } = submitted;
  const isOwn = asker.kind === 'cell' && asker.address === context.mempool;
  const transactions = isOwn ? withoutCaredFor(context, submitted.transactions) : submitted.transactions;
  if (isOwn && transactions.length === 0) return {};
  const waiting = { ...submitted, transactions };
  // What the own application lets through is gathered: its time is not the same for all.
  if (waiting.check === 'due' && mayCheck(context)) return take(context, waiting, clock);
  if (context.isGathering) return enqueue(context, waiting, clock.now);
  const { context: change, effects = [] } = take(context, waiting, clock);
  return {
    context: { ...change, isGathering: true },
    effects: [...effects, startGathering(context, waiting.transactions)],
  };
}

/** What came of a question to the own application: without results it failed, is late, or far behind. */
interface Judgement {
  readonly tag: number;
  readonly results: readonly CheckResult[];
  readonly isLate: boolean;
}

/** What the own application refuses has its end here, the rest is handed over. */
export function recordCheck(
  before: BridgeContext,
  { tag, results, isLate: isApplicationLate }: Judgement,
  clock: Clock,
): Decided {
  const submission = submissionOf(before, tag);
  if (submission?.check !== 'asked') return { context: { isApplicationLate } };
  const refused = refusedHere(before, submission, results);
  const asked = submission.asked.filter(({ position }) => !refused.has(position));
  const ended = submission.asked.length - asked.length;
  const operations = release(before.operations, ended, ended);
  const check = hasJudged(submission, results) ? 'passed' : 'over';
  const judged: Submission = { ...submission, refused, asked, check };
  const handed = withHanded(before.handed, judged, clock.now);
  const context: BridgeContext = { ...withoutSubmission(before, tag), operations, isApplicationLate, handed };
  if (asked.length === 0) {
    const { submissions } = context;
    return {
      context: { operations, submissions, isApplicationLate },
      effects: [endCheckTimer(tag), ...answer(context, judged)],
    };
  }
  const { context: change, effects = [] } = handOverOrGather(context, judged, clock);
  return { context: { ...context, ...change }, effects: [endCheckTimer(tag), ...effects] };
}

/** Checked, with its places: at once where nothing was handed over a moment ago, else with the next message. */
function handOverOrGather(context: BridgeContext, submission: Submission, clock: Clock): Decided {
  const { asker, ids, refused, unread, client, since, early } = submission;
  const check = submission.check === 'passed' ? 'passed' : 'over';
  const transactions = submission.asked.map(({ transaction }) => transaction);
  const isCutOff = context.partition !== undefined && context.config.whenPartitioned === 'queue';
  if (!context.isGathering && !isCutOff) {
    const { context: change, effects = [] } = ask(context, submission, clock);
    return {
      context: { ...change, isGathering: true },
      effects: [...effects, startGathering(context, transactions)],
    };
  }
  const left: BridgeContext = {
    ...context,
    operations: postpone(context.operations, transactions.length),
    activity: context.activity - transactions.length,
  };
  const rest: Received['asker'] = { kind: 'rest', asker, ids, refused, unread };
  const { context: change, effects = [] } = enqueue(
    left,
    { asker: rest, client, transactions, check, early },
    since,
  );
  return { context: { ...left, ...change }, effects };
}

/** While operations are gathered, what is handed over again has the next message to itself (`handOverGathered`). */
export function handAgainIfDue(context: BridgeContext, clock: Clock): Decided {
  if (context.isGathering) return {};
  const { context: change = {}, effects = [], transactions } = handAgain(context, clock);
  if (effects.length === 0 || isValidator(context.validators, context.self))
    return { context: change, effects };
  return {
    context: { ...change, isGathering: true },
    effects: [...effects, startGathering(context, transactions)],
  };
}

/** As many of those that wait as one message takes, the oldest first; the others wait for the next. */
function handOverGathered(before: BridgeContext, clock: Clock): Decided {
  const again = handAgainIfDue({ ...before, isGathering: false }, clock);
  const looked: BridgeContext = { ...before, ...again.context };
  if (again.effects !== undefined && again.effects.length > 0) return { ...again, context: looked };
  const { context, effects: refusals } = withoutLate(looked, clock.now);
  const [first, ...others] = inOrder(context);
  if (first === undefined) return { context: { ...context, isGathering: false }, effects: refusals };
  const together: Waiting[] = [first];
  let load = loadOf(first.transactions);
  for (const one of others) {
    const { operations, bytes } = loadOf(one.transactions);
    load = { operations: load.operations + operations, bytes: load.bytes + bytes };
    if (isTooMuch(load)) break;
    together.push(one);
  }
  const transactions = together.flatMap((one) => one.transactions);
  const left: BridgeContext = {
    ...context,
    queue: together.reduce((queue, { tag }) => removeIn(queue, String(tag)), context.queue),
    queued: context.queued - transactions.length,
  };
  const parts = together.map((one) => ({ asker: one.asker, operations: one.transactions.length }));
  const check = checkOf(together);
  const asker: Received['asker'] = { kind: 'several', parts };
  const early = togetherEarly(together);
  const all: Received = { asker, client: 'several', transactions, check, early };
  // As long as the oldest has: so all of them hear in time.
  const since = monotonic(Math.min(...together.map((one) => one.since)));
  const taken = take(left, all, clock, since);
  return {
    context: { ...left, ...taken.context, isGathering: true },
    effects: [...refusals, ...(taken.effects ?? []), startGathering(context, transactions)],
  };
}

/** What waited for the end of a partition is taken, in order; or all refused, where this node can take nothing any more. */
export function takeQueue(context: BridgeContext, clock: Clock, refusal: DoorRefusal | undefined): Decided {
  if (refusal === undefined && !isValidator(context.validators, context.self)) {
    return handOverGathered(context, clock);
  }
  const timely = refusal === undefined ? withoutLate(context, clock.now) : { context, effects: [] };
  const effects: Effect[] = [...timely.effects];
  let left: BridgeContext = { ...timely.context, queue: emptyMap(), queued: 0, isGathering: false };
  for (const waiting of inOrder(timely.context)) {
    const taken =
      refusal === undefined ? take(left, waiting, clock, waiting.since) : refuseAll(left, waiting, refusal);
    left = { ...left, ...taken.context };
    effects.push(...(taken.effects ?? []));
  }
  return { context: left, effects };
}

/** Asked about as one: what only some of them were asked about is asked about again. */
function checkOf(together: readonly Waiting[]): Waiting['check'] {
  if (together.some(({ check }) => check === 'due')) return 'due';
  return together.every(({ check }) => check === 'passed') ? 'passed' : 'over';
}
