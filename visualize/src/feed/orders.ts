/** What the reader ordered, and what became of it: kept while the page is open, whatever view is shown. Pure; bounded. */
import type { Control } from '../../../src/observe/feed/feed.ts';

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
}

/** Beyond, the oldest is forgotten. @unit orders */
const ORDERS_MAX = 30;

/** Newest first. */
export const given = (orders: readonly Order[], id: number, control: Control): readonly Order[] =>
  [{ id, control, outcome: undefined }, ...orders].slice(0, ORDERS_MAX);

export const ended = (orders: readonly Order[], id: number, outcome: OrderOutcome): readonly Order[] =>
  orders.map((order) => (order.id === id ? { ...order, outcome } : order));
