/**
 * The operations of this node that have not ended: each is told its end exactly once, committed or expired. A value; every
 * function gives the next one. Pure. Rules BR-1, BR-2, docs/protocol/bridge.md.
 */
import { emptyMap, getIn, type PersistentMap, removeIn, setIn, valuesOf } from '../../base/persistent-map.ts';
import type { Millis, Monotonic } from '../../base/units.ts';
import { parseOperation } from '../chain/operation.ts';
import type { Digest, Height } from '../chain/types.ts';
import {
  EXPIRED_CODE,
  EXPIRES_TOO_LATE_CODE,
  NODE_CODESPACE,
  type TransactionOutcome,
} from '../ports/execution.ts';
import { type Handing, type HandingFacts, isDue, KEPT_BYTES_MAX, merged } from './handing.ts';

/** An admitted operation. Its votes are read off the block that carries it, where somebody asks. */
export interface PendingOperation {
  /** SHA-256 of the transaction (seed 004: ProposalId). */
  readonly proposalId: Digest;
  /** Of the whole transaction. */
  readonly bytes: number;
  /** The whole transaction, where validators have it from this node and one more may need it; the own mempool keeps its own. */
  readonly operation?: Uint8Array;
  /** Other validators have it from this node (BR-8). */
  readonly handing?: Handing;
  readonly submittedAt: Monotonic;
  /** It can never execute above; where it names no height itself, nothing is known of it above. @unit heights */
  readonly expiresAtHeight: number;
  /** It names that height itself: above, it is expired. Else the mempool alone knows when its batch is. */
  readonly namesHeight: boolean;
  /** Whom it was handed to knew it: it may have been executed, unseen here. So it is handed to others, and never told as expired. */
  readonly wasKnown?: true;
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
  /** Handed over, and not kept to be handed to one more: there was no room (BR-8). */
  readonly notKept: number;
}

export interface Operations {
  readonly pending: PersistentMap<PendingOperation>;
  /** Places of submissions that are not answered yet. */
  readonly reserved: number;
  /** Nothing pending expires below; a lower bound. */
  readonly earliestExpiry: number;
  /** Of what is kept to be handed over again. Within KEPT_BYTES_MAX. */
  readonly keptBytes: number;
  readonly counts: OperationCounts;
}

export const NO_OPERATIONS: Operations = {
  pending: emptyMap(),
  reserved: 0,
  earliestExpiry: Number.POSITIVE_INFINITY,
  keptBytes: 0,
  counts: { submitted: 0, committed: 0, expired: 0, rejected: 0, notKept: 0 },
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

/** By the own mempool, or where `handing` says so by another validator. */
export interface Admitted {
  readonly id: Digest;
  readonly transaction: Uint8Array;
  readonly handing?: Handing;
  /** Known before, or perhaps: it may have been executed. */
  readonly isKnown?: boolean;
}

/**
 * A submission was answered: its places are free, and what was admitted is pending.
 * @param latestExpiry of what names no height itself: its batch was sealed before the answer
 * @param early executed before the answer came, by way of another node: it ends here
 */
export function admit(
  operations: Operations,
  places: number,
  admitted: readonly Admitted[],
  latestExpiry: number,
  submittedAt: Monotonic,
  early: ReadonlySet<Digest> = NONE,
): Operations {
  let { pending, earliestExpiry, keptBytes } = operations;
  let notKept = 0;
  for (const { id, transaction, handing, isKnown = false } of admitted) {
    if (early.has(id)) continue;
    const named = parseOperation(transaction)?.expiresAtHeight;
    const expiresAtHeight = named ?? latestExpiry;
    const before = getIn(pending, id);
    const bytes = transaction.byteLength;
    keptBytes -= keptOf(before);
    const isKept = handing !== undefined && keptBytes + bytes <= KEPT_BYTES_MAX;
    if (isKept) keptBytes += bytes;
    else if (handing !== undefined) notKept += 1;
    const handings = merged(before?.handing, handing);
    const wasKnown = before === undefined ? isKnown : before.wasKnown === true;
    pending = setIn(pending, id, {
      ...{ proposalId: id, bytes, submittedAt, expiresAtHeight, namesHeight: named !== undefined },
      // A copy: what came in a frame is a view of all of it, which would be kept too.
      ...(isKept ? { operation: new Uint8Array(transaction) } : {}),
      ...(handings === undefined ? {} : { handing: handings }),
      ...(wasKnown ? { wasKnown } : {}),
    });
    earliestExpiry = Math.min(earliestExpiry, expiresAtHeight);
  }
  const { reserved } = operations;
  const counts: OperationCounts = {
    ...operations.counts,
    rejected: operations.counts.rejected + places - admitted.length,
    committed: operations.counts.committed + admitted.filter(({ id }) => early.has(id)).length,
    notKept: operations.counts.notKept + notKept,
  };
  return { pending, reserved: reserved - places, earliestExpiry, keptBytes, counts };
}

const keptOf = (held: PendingOperation | undefined): number => held?.operation?.byteLength ?? 0;

/** What became of those that are pending still, and were handed over. */
export function withHandings(
  operations: Operations,
  ids: readonly Digest[],
  change: (handing: Handing) => Handing,
): Operations {
  let { pending } = operations;
  for (const id of ids) {
    const held = getIn(pending, id);
    if (held?.handing !== undefined) pending = setIn(pending, id, { ...held, handing: change(held.handing) });
  }
  return { ...operations, pending };
}

/** The own mempool has them by now: nothing of them is kept here any more. */
export function withoutKept(operations: Operations, ids: readonly Digest[]): Operations {
  let { pending, keptBytes } = operations;
  for (const id of ids) {
    const held = getIn(pending, id);
    if (held?.operation === undefined) continue;
    const { operation, ...rest } = held;
    pending = setIn(pending, id, rest);
    keptBytes -= operation.byteLength;
  }
  return { ...operations, pending, keptBytes };
}

/** They have their end, or none that this node can know. */
function without(operations: Operations, ids: readonly Digest[]): Operations {
  let { pending, keptBytes } = operations;
  for (const id of ids) {
    keptBytes -= keptOf(getIn(pending, id));
    pending = removeIn(pending, id);
  }
  return { ...operations, pending, keptBytes };
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
  transactions: readonly TransactionOutcome[],
): Ended {
  if (operations.pending.size === 0) return { operations, expired: [], forgotten: 0 };
  let { pending } = operations;
  const [committed, expired] = [new Set<Digest>(), new Set<Digest>()];
  for (const outcome of transactions) {
    const { hash } = outcome;
    const held = getIn(pending, hash);
    if (held === undefined || committed.has(hash) || expired.has(hash)) continue;
    switch (endOf(outcome, held)) {
      case 'committed':
        committed.add(hash);
        break;
      case 'expired':
        expired.add(hash);
        break;
      case 'none':
        pending = setIn(pending, hash, { ...held, wasTooEarly: true });
    }
  }
  const counts = { ...operations.counts, committed: operations.counts.committed + committed.size };
  const settled = without({ ...operations, pending, counts }, [...committed, ...expired]);
  if (height < operations.earliestExpiry) return withExpired(settled, [], [...expired]);
  const leaving = valuesOf(settled.pending).filter(({ expiresAtHeight }) => expiresAtHeight <= height);
  const isCertain = ({ namesHeight, wasKnown }: PendingOperation) => namesHeight && wasKnown !== true;
  const unknown = leaving.filter((held) => !isCertain(held));
  const known = leaving.filter(isCertain).map(({ proposalId }) => proposalId);
  const forgotten = without(
    settled,
    unknown.map(({ proposalId }) => proposalId),
  );
  const ended = withExpired(forgotten, known, [...expired]);
  const earliestExpiry = earliestOf(ended.operations);
  return { ...ended, operations: { ...ended.operations, earliestExpiry }, forgotten: unknown.length };
}

/**
 * Their batches can be in no block any more, and they name no height of their own that says otherwise. Nothing of the sort is known of what other
 * validators have too: it may be in a batch of theirs.
 */
export function batchesExpired(operations: Operations, hashes: readonly Digest[]): Ended {
  const ids = hashes.filter((hash) => {
    const held = getIn(operations.pending, hash);
    return held !== undefined && !held.namesHeight && held.handing === undefined;
  });
  return withExpired(operations, ids, []);
}

/** What is kept, and is to go to one more validator now; longest ago handed over first. */
export const dueAgain = (operations: Operations, facts: HandingFacts): readonly Kept[] =>
  pendingOperations(operations)
    .filter(isKept)
    .filter(({ handing }) => isDue(handing, facts))
    .sort((one, other) => one.handing.since - other.handing.since);

export type Kept = PendingOperation & Required<Pick<PendingOperation, 'operation' | 'handing'>>;

export const isKept = (held: PendingOperation): held is Kept =>
  held.operation !== undefined && held.handing !== undefined;

/** Operations that have been pending for longer than `timeout`. */
export const overdue = (operations: Operations, now: Monotonic, timeout: Millis): number =>
  pendingOperations(operations).filter(({ submittedAt }) => now - submittedAt > timeout).length;

/** What was executed of a block; the rest of it never is. */
export const executedOf = (transactions: readonly TransactionOutcome[]): readonly Digest[] =>
  transactions.filter(isExecuted).map(({ hash }) => hash);

/** A submission was answered, and nothing can be known of what became of it since: its places are free. */
export function release(operations: Operations, places: number, rejected: number): Operations {
  return { ...countRejected(operations, rejected), reserved: operations.reserved - places };
}

/** A result that the application gave, or would have: a duplicate was executed before. */
const isExecuted = ({ code, codespace }: TransactionOutcome): boolean =>
  codespace !== NODE_CODESPACE || (code !== EXPIRED_CODE && code !== EXPIRES_TOO_LATE_CODE);

/**
 * EX-7: what a block carried more than D heights too early is no end. Once that appearance is forgotten, another batch may carry it in
 * time; until then it is a duplicate of what was never executed.
 */
function endOf(
  { code, codespace }: TransactionOutcome,
  { wasTooEarly }: PendingOperation,
): 'committed' | 'expired' | 'none' {
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
  const expired = [...left, ...leaving];
  const counts = { ...operations.counts, expired: operations.counts.expired + expired.length };
  return { operations: { ...without(operations, leaving), counts }, expired, forgotten: 0 };
}
