/**
 * How a node that is no validator hands operations over: the first at once, those that come within a moment together, so that it
 * stays below what a validator takes of one peer, however many clients it has. Pure. Rules BR-8, TP-5, docs/protocol/bridge.md.
 */
import { emptyMap, removeIn } from '../../base/persistent-map.ts';
import { millis } from '../../base/units.ts';
import type { DoorRefusal } from '../../protocol/bridge/admission.ts';
import { isValidator } from '../../protocol/chain/validator-set.ts';
import type { Effect } from '../../protocol/supervision/effect.ts';
import { GUEST_RATES_DEFAULT } from '../../protocol/transport/limits.ts';
import type { BridgeContext, Decided, Waiting } from './bridge.live.ts';
import { type Clock, type Received, refuseAll, take } from './bridge.operations.ts';
import { enqueue, inOrder, withoutLate } from './bridge.queue.ts';
import { isTooMuch, loadOf } from './bridge.remote.ts';

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
export function takeOrGather(context: BridgeContext, waiting: Received, clock: Clock): Decided {
  if (isValidator(context.validators, context.self)) return take(context, waiting, clock);
  if (context.isGathering) return enqueue(context, waiting, clock.now);
  const { context: change, effects = [] } = take(context, waiting, clock);
  return {
    context: { ...change, isGathering: true },
    effects: [...effects, startGathering(context, waiting.transactions)],
  };
}

/** As many of those that wait as one message takes, the oldest first; the others wait for the next. */
function handOverGathered(before: BridgeContext, clock: Clock): Decided {
  const { context, effects: refusals } = withoutLate(before, clock.now);
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
  const all: Received = { asker: { kind: 'several', parts }, client: 'several', transactions };
  // As long as the oldest has: so all of them hear in time.
  const taken = take(left, all, clock, first.since);
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
