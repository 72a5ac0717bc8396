/** What the client gives to those that ask nodes for it, and what one call may carry. Types, and the one bound. */
import type { Heights } from './answers.ts';
import type { Called, Endpoint } from './endpoint.ts';
import type { Pending } from './pending.ts';

/** Operations in one call. @source the nodes' own bound (LIST_MAX, src/rpc/parameters.ts) */
export const OPERATIONS_MAX = 1_000;

export interface Calls {
  readonly pending: Pending;
  readonly now: () => number;
  readonly call: (endpoint: Endpoint, method: string, params: object) => Promise<Called>;
  /** An endpoint answered. */
  readonly onHeights: (endpoint: Endpoint, heights: Heights) => void;
  /** It gave no answer, or one that cannot be. @param retryAfterMs what it asks for */
  readonly onFailure: (endpoint: Endpoint, problem: string, retryAfterMs?: number) => void;
}
