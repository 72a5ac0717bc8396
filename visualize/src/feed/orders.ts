/** What the reader ordered, and what became of it: kept while the page is open, whatever view is shown. Pure; bounded. */
import type { Control } from '../../../src/observe/feed/feed.ts';
import type { Commit } from './commits.ts';

export interface Order {
  readonly id: number;
  readonly control: Control;
  /** Undefined while it is on its way. */
  readonly outcome: OrderOutcome | undefined;
}

export interface OrderOutcome {
  readonly isDone: boolean;
  /** What the server answered, or why it did not do it. */
  readonly answer: unknown;
  readonly tookMs: number;
  /** Of a transaction: where it was executed, and after how long, as soon as the page has seen it. */
  readonly commit?: Commit & { readonly tookMs: number };
}

/** Beyond, the oldest is forgotten. @unit orders */
const ORDERS_MAX = 30;

/** Newest first. */
export const given = (orders: readonly Order[], id: number, control: Control): readonly Order[] =>
  [{ id, control, outcome: undefined }, ...orders].slice(0, ORDERS_MAX);

export const ended = (orders: readonly Order[], id: number, outcome: OrderOutcome): readonly Order[] =>
  orders.map((order) => (order.id === id ? { ...order, outcome } : order));

export const committed = (
  orders: readonly Order[],
  id: number,
  commit: Commit,
  tookMs: number,
): readonly Order[] =>
  orders.map((order) =>
    order.id === id && order.outcome !== undefined
      ? { ...order, outcome: { ...order.outcome, commit: { ...commit, tookMs } } }
      : order,
  );

/** What a validator answers to a transaction that it took. */
export function hashIn(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null || !('hash' in answer)) return undefined;
  return typeof answer.hash === 'string' ? answer.hash : undefined;
}
