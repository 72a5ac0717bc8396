/** What the bridge refuses before the mempool is asked: no place, no quorum, a height that cannot be kept to. Pure. BR-1, BR-2, BR-10. */
import { parseOperation } from '../chain/operation.ts';
import type { Height } from '../chain/types.ts';
import type { NodeRefusalCode } from '../ports/mempool.ts';
import { type Operations, placesTaken } from './operations.ts';

export interface DoorRefusal {
  readonly code: NodeRefusalCode;
  readonly log: string;
}

export interface Door {
  readonly operations: Operations;
  /** Operations that wait to be asked about: their places are taken too. */
  readonly queued: number;
  readonly maxPendingOperations: number;
  readonly committedHeight: Height;
  /** D: an operation may not outlive the memory of duplicates (EX-7). @unit heights */
  readonly deduplicationHeights: number;
}

/** How many of `count` find a place; the others are refused (BR-2). */
export const placesFor = ({ operations, queued, maxPendingOperations }: Door, count: number): number =>
  Math.max(0, Math.min(count, maxPendingOperations - placesTaken(operations) - queued));

export const queueFull = ({ maxPendingOperations }: Door): DoorRefusal => ({
  code: 'QUEUE_FULL',
  log: queueFullLog(maxPendingOperations),
});

export const queueFullLog = (maxPendingOperations: number): string =>
  `Queue full: ${maxPendingOperations} operations are pending, no more are taken: try again later`;

/** An operation says by which height it executes: that must be possible, and short enough (EX-7). */
export function refusalOfHeight(
  transaction: Uint8Array,
  { committedHeight, deduplicationHeights }: Door,
): DoorRefusal | undefined {
  const operation = parseOperation(transaction);
  if (operation === undefined) return undefined;
  const { expiresAtHeight } = operation;
  if (expiresAtHeight <= committedHeight) {
    const log = `it was to execute by height ${expiresAtHeight}, and height ${committedHeight} is committed`;
    return { code: 'EXPIRES_TOO_SOON', log };
  }
  const latest = committedHeight + deduplicationHeights;
  if (expiresAtHeight <= latest) return undefined;
  return { code: 'EXPIRES_TOO_LATE', log: `it expires at height ${expiresAtHeight}, at most ${latest} now` };
}
