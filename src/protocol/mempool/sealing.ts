/** When open transactions become batches, in which order, and what happens to a batch that is on disk or is not. Pure. MP-3, MP-4. */
import { type Monotonic, monotonic } from '../../base/units.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_TRANSACTIONS_MAX,
  batchDigestOf,
  encodeBatch,
  TRANSACTION_OVERHEAD_BYTES,
} from '../chain/batch.ts';
import type { BatchDigest, Height } from '../chain/types.ts';
import type { Effect } from '../supervision/effect.ts';
import { weighed } from './acks.ts';
import { refuseUnsaved, settleSubmission } from './admission.ts';
import { inOrder } from './ordering.ts';
import { sealBytesOf, sealIntervalOf } from './pacing.ts';
import { lookup } from './sharded-map.ts';
import {
  type BatchEntry,
  type BatchPart,
  chained,
  type FoundBatch,
  type MempoolState,
  type OpenTransaction,
  others,
  type Step,
  sending,
  tell,
  unchanged,
  withBatch,
  withErrand,
  withoutBatch,
  withoutPending,
} from './state.ts';

/**
 * Seals full batches at once, and what is left once the interval has passed since the last batch: with little load
 * nothing waits, with much load batches are full (MP-4); interval and size follow the chain (BR-11).
 */
export function seal(state: MempoolState, now: Monotonic): Step {
  if (state.open.length === 0) return unchanged(state);
  const interval = sealIntervalOf(state.pacing, state.config);
  const due = monotonic(state.sealedAt + interval);
  const bytesMax = sealBytesOf(state.pacing, state.config);
  const { groups, rest } = packed(inOrder(state.open), bytesMax, now >= due);
  if (groups.length === 0) return { state, effects: [timer(due, now)] };
  const sealing: MempoolState = {
    ...state,
    open: rest,
    openBytes: rest.reduce((sum, { bytes }) => sum + bytes.byteLength + TRANSACTION_OVERHEAD_BYTES, 0),
    sealedAt: now,
  };
  const { state: sealed, encoded } = groups.reduce(
    (made, group) => {
      const { entry, encoding } = sealedBatch(made.state, group);
      return {
        state: { ...withBatch(made.state, entry), nextSequence: entry.sequence + 1 },
        encoded: [...made.encoded, { digest: entry.digest, bytes: encoding }],
      };
    },
    { state: sealing, encoded: [] as FoundBatch[] },
  );
  const step = persisting(sealed, encoded);
  return rest.length === 0
    ? step
    : {
        state: step.state,
        effects: [...step.effects, timer(monotonic(now + interval), now)],
      };
}

/** Asks storage to make batches durable. */
export function persisting(state: MempoolState, batches: readonly FoundBatch[]): Step {
  const errand = { kind: 'persist', digests: batches.map(({ digest }) => digest) } as const;
  const { state: asked, tag } = withErrand(state, errand);
  const { storage, self } = state.addresses;
  return {
    state: asked,
    effects: [tell(storage, { type: 'batches.persistRequested', replyTo: self, tag, batches })],
  };
}

/** A batch is on disk: one's own goes to all others, and its transactions are admitted (MP-3). */
export function saved(state: MempoolState, digest: BatchDigest, now: Monotonic): Step {
  const entry = lookup(state.batches, digest);
  if (entry?.storage.status !== 'persisting') return unchanged(state);
  const { encoding } = entry.storage;
  const retryAt = monotonic(now + state.config.resendMin);
  const durable: BatchEntry = { ...entry, storage: { status: 'durable', retryAt, retries: 0 } };
  const kept = withBatch(state, durable);
  const acked: MempoolState = { ...kept, acksDue: [...kept.acksDue, digest] };
  if (entry.own === undefined) return unchanged(acked);
  const to = others(state);
  const spread = to.length === 0 ? [] : sending(state, [{ to, message: { kind: 'Batch', bytes: encoding } }]);
  const answered = chained(
    acked,
    ...entry.own.parts.map(
      (part) => (at: MempoolState) => settleSubmission(at, part.submission, part.positions.length),
    ),
  );
  return { state: answered.state, effects: [...spread, ...answered.effects] };
}

/** Storage refused a batch: it does not exist, and what it carried was not admitted. */
export function unsaved(state: MempoolState, digest: BatchDigest, detail: string): Step {
  const entry = lookup(state.batches, digest);
  if (entry?.storage.status !== 'persisting') return unchanged(state);
  const without = withoutBatch(state, digest);
  if (entry.own === undefined) return unchanged(without);
  const log = `the batch could not be stored: ${detail}`;
  return chained(
    withoutPending(without, entry.own.hashes, entry.own.lengths),
    ...entry.own.parts.map(
      (part) => (at: MempoolState) => refuseUnsaved(at, part.submission, part.positions, log),
    ),
  );
}

function sealedBatch(state: MempoolState, group: readonly OpenTransaction[]) {
  const expiresAtHeight = (state.committedHeight + state.config.batchTtlHeights) as Height;
  const encoding = encodeBatch({
    author: state.author,
    sequence: state.nextSequence,
    expiresAtHeight,
    transactions: group.map(({ bytes }) => bytes),
  });
  const entry: BatchEntry = weighed(state, {
    digest: batchDigestOf(encoding),
    count: group.length,
    bytes: encoding.byteLength,
    author: state.author,
    sequence: state.nextSequence,
    expiresAtHeight,
    storage: { status: 'persisting', encoding },
    fromAuthorAt: state.sealedAt,
    own: {
      hashes: group.map(({ hash }) => hash),
      lengths: group.map(({ bytes }) => bytes.byteLength),
      parts: partsOf(group),
    },
  });
  return { entry, encoding };
}

function partsOf(group: readonly OpenTransaction[]): readonly BatchPart[] {
  const parts = new Map<number, number[]>();
  for (const { submission, position } of group) {
    const positions = parts.get(submission);
    if (positions === undefined) parts.set(submission, [position]);
    else positions.push(position);
  }
  return [...parts].map(([submission, positions]) => ({ submission, positions }));
}

/** Consecutive groups of at most `bytesMax` encoded bytes; the last, if it is not full, is `rest` unless all must go. */
function packed(open: readonly OpenTransaction[], bytesMax: number, all: boolean) {
  const groups: (readonly OpenTransaction[])[] = [];
  let group: OpenTransaction[] = [];
  let bytes = BATCH_HEADER_BYTES;
  for (const transaction of open) {
    const cost = transaction.bytes.byteLength + TRANSACTION_OVERHEAD_BYTES;
    const isFull = bytes + cost > bytesMax || group.length >= BATCH_TRANSACTIONS_MAX;
    if (group.length > 0 && isFull) {
      groups.push(group);
      group = [];
      bytes = BATCH_HEADER_BYTES;
    }
    group.push(transaction);
    bytes += cost;
  }
  if (group.length > 0 && (all || bytes >= bytesMax || group.length >= BATCH_TRANSACTIONS_MAX)) {
    groups.push(group);
    group = [];
  }
  return { groups, rest: group };
}

const timer = (due: Monotonic, now: Monotonic): Effect => ({
  kind: 'startTimer',
  key: 'seal',
  delayMs: Math.max(0, due - now),
  message: { type: 'seal.due' },
});
