/**
 * Submissions that wait: for the end of a partition, where the configuration says so, until the committed height is known, and for the next
 * message to a validator. None waits longer than lets one judgement fit its asker's time, and none is asked about after it was refused.
 * Pure. Rules BR-1, BR-8, BR-10.
 */
import { removeIn, setIn, valuesOf } from '../../base/persistent-map.ts';
import { type Millis, type Monotonic, millis } from '../../base/units.ts';
import { type DoorRefusal, queueFull } from '../../protocol/bridge/admission.ts';
import { describePartition } from '../../protocol/bridge/partition.ts';
import { QUEUE_GRAIN_MS, QUEUE_MS } from '../../protocol/bridge/times.ts';
import type { Effect } from '../../protocol/supervision/effect.ts';
import { type BridgeContext, type Decided, load, type Waiting } from './bridge.live.ts';
import { doorOf, type Received, refuseAll } from './bridge.operations.ts';

/** Until it can be taken, and no longer than QUEUE_MS; what finds no place is refused. @param since when it came in */
export function enqueue(context: BridgeContext, waiting: Received, since: Monotonic): Decided {
  const { maxPendingOperations } = doorOf(context, waiting.asker);
  if (load(context) + waiting.transactions.length > maxPendingOperations) {
    return refuseAll(context, waiting, queueFull(doorOf(context, waiting.asker)));
  }
  const tag = context.nextTag + 1;
  const queue = setIn(context.queue, String(tag), { ...waiting, tag, since });
  return {
    context: { queue, queued: context.queued + waiting.transactions.length, nextTag: tag },
    effects: context.queue.size === 0 ? [queueTimer(QUEUE_MS)] : [],
  };
}

const queueTimer = (delayMs: Millis): Effect => ({
  kind: 'startTimer',
  key: 'queue',
  delayMs,
  message: { type: 'queue.due' },
});

/** The oldest first: tags rise, and so do the times at which they came, but for what the own application takes (OWN_CHECK_MS at most). */
export const inOrder = ({ queue }: BridgeContext): readonly Waiting[] =>
  valuesOf(queue).sort((one, other) => one.tag - other.tag);

/** What waited for QUEUE_MS is taken out, and never asked about again: its asker hears that with certainty (BR-10). */
export function refuseLate(context: BridgeContext, now: Monotonic): Decided {
  const refused = withoutThoseOver(context, now, QUEUE_MS);
  const [next] = inOrder(refused.context);
  if (next === undefined) return refused;
  const delayMs = millis(Math.max(QUEUE_GRAIN_MS, next.since + QUEUE_MS - now));
  return { ...refused, effects: [...refused.effects, queueTimer(delayMs)] };
}

/** Whoever looks through the queue may come late: what could not be answered in time any more is refused before the rest is taken. */
export const withoutLate = (context: BridgeContext, now: Monotonic) =>
  withoutThoseOver(context, now, millis(QUEUE_MS + QUEUE_GRAIN_MS + 1));

function withoutThoseOver(context: BridgeContext, now: Monotonic, waited: Millis) {
  const effects: Effect[] = [];
  let left = context;
  for (const one of inOrder(context).filter(({ since }) => now - since >= waited)) {
    const queued = left.queued - one.transactions.length;
    left = { ...left, queue: removeIn(left.queue, String(one.tag)), queued };
    const refused = refuseAll(left, one, refusalOfLate(context));
    left = { ...left, ...refused.context };
    effects.push(...(refused.effects ?? []));
  }
  return { context: left, effects };
}

function refusalOfLate({ partition, validators, committedHeight, isGathering }: BridgeContext): DoorRefusal {
  const waited = `it waited ${QUEUE_MS} ms in the queue, and was taken out of it: try again later`;
  if (partition !== undefined) {
    const log = `${describePartition(partition, validators.totalPower)}: ${waited}`;
    return { code: 'PARTITIONED', log };
  }
  if (committedHeight === undefined) {
    return { code: 'CHANNEL_CLOSED', log: `Channel closed: storage has not said the height: ${waited}` };
  }
  if (isGathering) {
    return { code: 'QUEUE_FULL', log: `Queue full: more came than validators take of this node: ${waited}` };
  }
  return { code: 'PARTITIONED', log: `partitioned until now: ${waited}` };
}
