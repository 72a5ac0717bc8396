/**
 * The operations of this node that have not ended: each is told its end exactly once, committed or expired. A value; every
 * function gives the next one. Pure. Rules BR-1, BR-2, docs/protocol/bridge.md.
 */
import { emptyMap, getIn, type PersistentMap, removeIn, setIn, valuesOf } from '../../base/persistent-map.ts';
import type { Millis, Monotonic } from '../../base/units.ts';
import { parseOperation } from '../chain/operation.ts';
import type { Digest, Height } from '../chain/types.ts';
import { EXPIRED_CODE, EXPIRES_TOO_LATE_CODE, NODE_CODESPACE } from '../ports/execution.ts';
import type { ExecutedTransaction } from '../ports/storage.ts';

/** An admitted operation. Its votes are read off the block that carries it, where somebody asks. */
export interface PendingOperation {
  /** SHA-256 of the transaction (seed 004: ProposalId). */
  readonly proposalId: Digest;
  /** The whole transaction. */
  readonly operation: Uint8Array;
  readonly submittedAt: Monotonic;
  /** It can never execute above; where it names no height itself, nothing is known of it above. @unit heights */
  readonly expiresAtHeight: number;
  /** It names that height itself: above, it is expired. Else the mempool alone knows when its batch is. */
  readonly namesHeight: boolean;
  /** A block carried it too early, so that it was withheld (code 32): until its height it may still execute in another. */
  readonly wasTooEarly?: true;
}

export interface OperationCounts {
  readonly submitted: number;
  readonly committed: number;
  /** Told as expired. */
  readonly expired: number;
  /** Refused at the door, whatever the reason. */
  readonly rejected: number;
}

export interface Operations {
  readonly pending: PersistentMap<PendingOperation>;
  /** Places of submissions that are not answered yet. */
  readonly reserved: number;
  /** Nothing pending expires below; a lower bound. */
  readonly earliestExpiry: number;
  readonly counts: OperationCounts;
}

export const NO_OPERATIONS: Operations = {
  pending: emptyMap(),
  reserved: 0,
  earliestExpiry: Number.POSITIVE_INFINITY,
  counts: { submitted: 0, committed: 0, expired: 0, rejected: 0 },
};

/** Places that are taken (BR-2). */
export const placesTaken = ({ pending, reserved }: Operations): number => pending.size + reserved;

export const findOperation = ({ pending }: Operations, id: Digest): PendingOperation | undefined =>
  getIn(pending, id);

/** In no order of time. */
export const pendingOperations = ({ pending }: Operations): PendingOperation[] => valuesOf(pending);

export const reserve = (operations: Operations, places: number): Operations => ({
  ...operations,
  reserved: operations.reserved + places,
  counts: { ...operations.counts, submitted: operations.counts.submitted + places },
});

/** As if they had not come yet: they wait for a place in a message, and are counted when they get it. */
export const postpone = (operations: Operations, places: number): Operations => reserve(operations, -places);

export function countRejected(operations: Operations, count: number): Operations {
  const { counts } = operations;
  return { ...operations, counts: { ...counts, rejected: counts.rejected + count } };
}

/**
 * A submission was answered: its places are free, and what was admitted is pending.
 * @param latestExpiry of what names no height itself: its batch was sealed before the answer
 * @param early executed before the answer came, by way of another node: it ends here
 */
export function admit(
  operations: Operations,
  places: number,
  admitted: readonly { readonly id: Digest; readonly transaction: Uint8Array }[],
  latestExpiry: number,
  submittedAt: Monotonic,
  early: ReadonlySet<Digest> = NONE,
): Operations {
  let { pending, earliestExpiry } = operations;
  for (const { id, transaction } of admitted) {
    if (early.has(id)) continue;
    const named = parseOperation(transaction)?.expiresAtHeight;
    const expiresAtHeight = named ?? latestExpiry;
    const namesHeight = named !== undefined;
    pending = setIn(pending, id, {
      proposalId: id,
      operation: transaction,
      submittedAt,
      expiresAtHeight,
      namesHeight,
    });
    earliestExpiry = Math.min(earliestExpiry, expiresAtHeight);
  }
  const { counts, reserved } = operations;
  const rejected = counts.rejected + places - admitted.length;
  const committed = counts.committed + admitted.filter(({ id }) => early.has(id)).length;
  return { pending, reserved: reserved - places, earliestExpiry, counts: { ...counts, rejected, committed } };
}

const NONE: ReadonlySet<Digest> = new Set();

export interface Ended {
  readonly operations: Operations;
  readonly expired: readonly Digest[];
  /** Operations that left without an end: what became of them is not known here. */
  readonly forgotten: number;
}

/** A block was executed: what it carries ends, and so does what can execute in no later one. */
export function executed(
  operations: Operations,
  height: Height,
  transactions: readonly ExecutedTransaction[],
): Ended {
  if (operations.pending.size === 0) return { operations, expired: [], forgotten: 0 };
  let { pending } = operations;
  let committed = 0;
  const expired: Digest[] = [];
  for (const { hash, result } of transactions) {
    const held = getIn(pending, hash);
    if (held === undefined) continue;
    switch (endOf(result, held)) {
      case 'committed':
        committed += 1;
        pending = removeIn(pending, hash);
        break;
      case 'expired':
        expired.push(hash);
        pending = removeIn(pending, hash);
        break;
      case 'none':
        pending = setIn(pending, hash, { ...held, wasTooEarly: true });
    }
  }
  const { counts } = operations;
  const settled = { ...operations, pending, counts: { ...counts, committed: counts.committed + committed } };
  if (height < operations.earliestExpiry) return withExpired(settled, [], expired);
  const leaving = valuesOf(pending).filter(({ expiresAtHeight }) => expiresAtHeight <= height);
  const unknown = leaving.filter(({ namesHeight }) => !namesHeight);
  const known = leaving.filter(({ namesHeight }) => namesHeight).map(({ proposalId }) => proposalId);
  pending = unknown.reduce((map, { proposalId }) => removeIn(map, proposalId), pending);
  const ended = withExpired({ ...settled, pending }, known, expired);
  const earliestExpiry = earliestOf(ended.operations);
  return { ...ended, operations: { ...ended.operations, earliestExpiry }, forgotten: unknown.length };
}

/** Their batches can be in no block any more, and they name no height of their own that says otherwise. */
export function batchesExpired(operations: Operations, hashes: readonly Digest[]): Ended {
  const ids = hashes.filter((hash) => {
    const held = getIn(operations.pending, hash);
    return held !== undefined && !held.namesHeight;
  });
  return withExpired(operations, ids, []);
}

/** Operations that have been pending for longer than `timeout`. */
export const overdue = (operations: Operations, now: Monotonic, timeout: Millis): number =>
  pendingOperations(operations).filter(({ submittedAt }) => now - submittedAt > timeout).length;

/** What was executed of a block; the rest of it never is. */
export const executedOf = (transactions: readonly ExecutedTransaction[]): readonly Digest[] =>
  transactions.flatMap(({ hash, result }) => (isExecuted(result) ? [hash] : []));

/** A submission was answered, and nothing can be known of what became of it since: its places are free. */
export function release(operations: Operations, places: number, rejected: number): Operations {
  return { ...countRejected(operations, rejected), reserved: operations.reserved - places };
}

/** A result that the application gave, or would have: a duplicate was executed before. */
const isExecuted = ({ code, codespace }: ExecutedTransaction['result']): boolean =>
  codespace !== NODE_CODESPACE || (code !== EXPIRED_CODE && code !== EXPIRES_TOO_LATE_CODE);

/**
 * EX-7: what a block carried more than D heights too early is no end. Once that appearance is forgotten, another batch may carry it in
 * time; until then it is a duplicate of what was never executed.
 */
function endOf(
  result: ExecutedTransaction['result'],
  { wasTooEarly }: PendingOperation,
): 'committed' | 'expired' | 'none' {
  const { code, codespace } = result;
  if (codespace !== NODE_CODESPACE) return 'committed';
  if (code === EXPIRED_CODE) return 'expired';
  return code === EXPIRES_TOO_LATE_CODE || wasTooEarly === true ? 'none' : 'committed';
}

const earliestOf = ({ pending }: Operations): number =>
  valuesOf(pending).reduce(
    (earliest, { expiresAtHeight }) => Math.min(earliest, expiresAtHeight),
    Number.POSITIVE_INFINITY,
  );

/** @param leaving pending still @param left pending no more */
function withExpired(operations: Operations, leaving: readonly Digest[], left: readonly Digest[]): Ended {
  const pending = leaving.reduce((map, id) => removeIn(map, id), operations.pending);
  const expired = [...left, ...leaving];
  const counts = { ...operations.counts, expired: operations.counts.expired + expired.length };
  return { operations: { ...operations, pending, counts }, expired, forgotten: 0 };
}
