/**
 * In which order open transactions go into batches: each sender's by sequence, the senders by the priority of what is next
 * of them, first come first among equals. Pure. MP-4.
 */
import type { OpenTransaction } from './state.ts';

interface Arrival {
  readonly transaction: OpenTransaction;
  /** Position among the open ones. */
  readonly at: number;
}

interface Ranked {
  readonly transaction: OpenTransaction;
  /** The worst of this one and its sender's before it: those must be in before it, and none of them can be sooner. */
  readonly decisive: Arrival;
  /** Among its sender's. */
  readonly place: number;
}

/**
 * As if, again and again, the best of all senders' next transactions were taken; in O(n log n). Who names no sender is a
 * sender of one transaction.
 */
export function inOrder(open: readonly OpenTransaction[]): readonly OpenTransaction[] {
  const first = open[0]?.priority;
  if (open.every(({ priority, sender }) => priority === first && sender === undefined)) return open;
  const ranked: Ranked[] = [];
  const queues = new Map<string, Arrival[]>();
  open.forEach((transaction, at) => {
    const arrival = { transaction, at };
    const { sender } = transaction;
    const queue = sender === undefined ? undefined : queues.get(sender.id);
    if (sender === undefined) ranked.push({ transaction, decisive: arrival, place: 0 });
    else if (queue === undefined) queues.set(sender.id, [arrival]);
    else queue.push(arrival);
  });
  for (const queue of queues.values()) rankQueue(queue, ranked);
  return ranked.sort(byRank).map(({ transaction }) => transaction);
}

function rankQueue(queue: readonly Arrival[], into: Ranked[]): void {
  let decisive: Arrival | undefined;
  queue.toSorted(bySequence).forEach((arrival, place) => {
    if (decisive === undefined || byPriority(decisive, arrival) < 0) decisive = arrival;
    into.push({ transaction: arrival.transaction, decisive, place });
  });
}

const byRank = (left: Ranked, right: Ranked): number =>
  byPriority(left.decisive, right.decisive) || left.place - right.place;

function byPriority(left: Arrival, right: Arrival): number {
  const [one, other] = [left.transaction.priority, right.transaction.priority];
  if (one === other) return left.at - right.at;
  return one > other ? -1 : 1;
}

function bySequence(left: Arrival, right: Arrival): number {
  const [one, other] = [left.transaction.sender?.sequence ?? 0n, right.transaction.sender?.sequence ?? 0n];
  if (one === other) return left.at - right.at;
  return one < other ? -1 : 1;
}
