/** Batches that were durable when this node stopped come back, so that nothing admitted is lost by a crash. Pure. MP-3. */
import { type Monotonic, monotonic } from '../../base/units.ts';
import { batchDigestOf, parseBatch, transactionHashOf, transactionsOf } from '../chain/batch.ts';
import { ORDINAL_MAX } from '../chain/ordinals.ts';
import type { BatchDigest, Digest, Height } from '../chain/types.ts';
import type { CheckResult } from '../ports/application.ts';
import { DUPLICATE_CODE, NODE_CODESPACE } from '../ports/execution.ts';
import type { StorageReply } from '../ports/storage.ts';
import type { Effect } from '../supervision/effect.ts';
import { hasFingerprint, withFingerprints } from './fingerprints.ts';
import { recoveredEntry } from './receiving.ts';
import { reclaimed } from './senders.ts';
import { holds } from './sharded-map.ts';
import {
  type BatchEntry,
  type FoundBatch,
  type MempoolState,
  type Recheck,
  type Step,
  type StorageErrand,
  tell,
  unchanged,
  withBatch,
  withErrand,
  withoutPending,
} from './state.ts';

/** Batches whose recheck is asked again in one tick: bounds the memory that it takes. @unit batches */
const RECHECKED_TOGETHER = 16;
/**
 * Batches are not signed: a leader may name one that another has invented in this node's name, and this node then fetches it like any. No
 * honest author comes so far; going on from there, this node would seal batches that nobody can read. @source half of ORDINAL_MAX
 */
const OWN_SEQUENCES = ORDINAL_MAX / 2;
/** Of the wait for an answer: then it stays as long. */
const PATIENCE_DOUBLINGS = 4;

type UncommittedFound = Extract<StorageReply, { readonly type: 'batches.uncommittedFound' }>;

/** Asks storage for the batches above `after`, or for the first. */
export function recover(state: MempoolState, after?: BatchDigest): Step {
  const asked = withErrand(state, { kind: 'recover' });
  const { storage, self } = state.addresses;
  return {
    state: asked.state,
    effects: [
      tell(storage, {
        type: 'batches.uncommittedRequested',
        replyTo: self,
        tag: asked.tag,
        bytesMax: state.config.recoveryBytes,
        ...(after === undefined ? {} : { after }),
      }),
    ],
  };
}

/** Takes a piece of them in, and asks for the next while there is one. */
export function recovered(state: MempoolState, reply: UncommittedFound, now: Monotonic): Step {
  // What came with an earlier piece may be named by a block above that one's height: it is told, and must not be passed over.
  const committedHeight =
    state.batches.size === 0
      ? (Math.max(state.committedHeight, reply.height) as Height)
      : state.committedHeight;
  const effects: Effect[] = [];
  let next: MempoolState = { ...state, committedHeight };
  for (const batch of reply.batches) {
    const step = readmitted(next, batch, now);
    next = step.state;
    effects.push(...step.effects);
  }
  const last = reply.batches.at(-1);
  if (!reply.more || last === undefined) return { state: next, effects };
  const more = recover(next, last.digest);
  return { state: more.state, effects: [...effects, ...more.effects] };
}

/** The executor knows which transactions of a recovered batch are executed already; the rest are their senders' again (MP-13). */
export function rechecked(state: MempoolState, tag: number, results: readonly CheckResult[]): MempoolState {
  const recheck = state.rechecks.get(tag);
  if (recheck === undefined) return state;
  const rechecks = new Map(state.rechecks);
  rechecks.delete(tag);
  const executed = recheck.hashes.map((_, index) => {
    const result = results[index];
    return result?.code === DUPLICATE_CODE && result.codespace === NODE_CODESPACE;
  });
  const left = withoutPending(
    { ...state, rechecks },
    recheck.hashes.filter((_, index) => executed[index]),
    recheck.lengths.filter((_, index) => executed[index]),
  );
  let { senders } = left;
  recheck.hashes.forEach((hash, index) => {
    const result = results[index];
    if (result?.code !== 0 || result.sender === undefined) return;
    if (hasFingerprint(left.pending, hash)) senders = reclaimed(senders, hash, result.sender);
  });
  return { ...left, senders };
}

/** The executor could not answer: it is asked again after a pause. */
export function recheckFailed(state: MempoolState, tag: number, now: Monotonic): MempoolState {
  const recheck = state.rechecks.get(tag);
  if (recheck === undefined) return state;
  return withRecheck(state, tag, { ...recheck, dueAt: pauseEnd(state, recheck, now) });
}

/** A later question is answered: one that is not was lost or fails, and need not be waited for so long. */
export function overtaken(state: MempoolState, tag: number, now: Monotonic): MempoolState {
  let next = state;
  for (const [earlier, recheck] of state.rechecks) {
    const dueAt = pauseEnd(state, recheck, now);
    if (earlier < tag && dueAt < recheck.dueAt) next = withRecheck(next, earlier, { ...recheck, dueAt });
  }
  return next;
}

/** Reads the batches whose recheck is due, a piece of them. One whose transactions have all ended needs none any more. */
export function askRechecks(state: MempoolState, now: Monotonic): Step {
  const due = [...state.rechecks].filter(([, { dueAt }]) => dueAt <= now).slice(0, RECHECKED_TOGETHER);
  if (due.length === 0) return unchanged(state);
  const rechecks = new Map(state.rechecks);
  const tags = new Map<BatchDigest, number>();
  for (const [tag, recheck] of due) {
    if (recheck.hashes.some((hash) => hasFingerprint(state.pending, hash))) {
      rechecks.set(tag, asked(state, recheck, now));
      tags.set(recheck.digest, tag);
    } else rechecks.delete(tag);
  }
  if (tags.size === 0) return unchanged({ ...state, rechecks });
  const errand = withErrand({ ...state, rechecks }, { kind: 'recheck', tags });
  const { storage, self } = state.addresses;
  const request = { replyTo: self, tag: errand.tag, digests: [...tags.keys()] };
  return { state: errand.state, effects: [tell(storage, { type: 'batches.requested', ...request })] };
}

/** Storage found batches whose recheck is due: the executor is asked under the same tag, so that any of its answers counts. */
export function recheckFound(
  state: MempoolState,
  { tags }: Extract<StorageErrand, { readonly kind: 'recheck' }>,
  found: readonly FoundBatch[],
): Step {
  const effects = found.flatMap(({ digest, bytes }) => {
    const tag = tags.get(digest);
    const recheck = tag === undefined ? undefined : state.rechecks.get(tag);
    const view = parseBatch(bytes, state.config);
    if (tag === undefined || recheck === undefined || view === 'malformed') return [];
    return [checking(state, tag, transactionsOf(view), recheck.hashes)];
  });
  return { state, effects };
}

/** When the first recheck is asked again; infinity when none waits. @unit ms */
export function nextRecheckDue({ rechecks }: MempoolState): number {
  let due = Number.POSITIVE_INFINITY;
  for (const { dueAt } of rechecks.values()) due = Math.min(due, dueAt);
  return due;
}

const withRecheck = (state: MempoolState, tag: number, recheck: Recheck): MempoolState => ({
  ...state,
  rechecks: new Map(state.rechecks).set(tag, recheck),
});

/** As it is asked (again). */
function asked({ config }: MempoolState, recheck: Recheck, now: Monotonic): Recheck {
  const wait = config.recheckPatience * 2 ** Math.min(recheck.attempts, PATIENCE_DOUBLINGS);
  return { ...recheck, attempts: recheck.attempts + 1, dueAt: monotonic(now + wait) };
}

function pauseEnd({ config }: MempoolState, { attempts }: Recheck, now: Monotonic): Monotonic {
  const pause = Math.min(config.recheckRetryMax, config.recheckRetryMin * 2 ** (attempts - 1));
  return monotonic(now + pause);
}

const checking = (
  { addresses }: MempoolState,
  tag: number,
  transactions: readonly Uint8Array[],
  hashes: readonly Digest[],
): Effect =>
  tell(addresses.executor, { type: 'check.requested', replyTo: addresses.self, tag, transactions, hashes });

function readmitted(state: MempoolState, { digest, bytes }: FoundBatch, now: Monotonic): Step {
  const view = parseBatch(bytes, state.config);
  if (view === 'malformed' || batchDigestOf(bytes) !== digest) return unchanged(state);
  const isOwn = view.author === state.author && view.sequence < OWN_SEQUENCES;
  if (holds(state.batches, digest)) return unchanged(state);
  const entry: BatchEntry = recoveredEntry(state, digest, view, isOwn ? now : undefined, now);
  const withAck: MempoolState = { ...state, acksDue: [...state.acksDue, digest] };
  if (!isOwn) return unchanged(withBatch(withAck, entry));
  const transactions = transactionsOf(view);
  const hashes = transactions.map(transactionHashOf);
  const lengths = transactions.map(({ byteLength }) => byteLength);
  const added = lengths.reduce((sum, length, index) => {
    const hash = hashes[index];
    return hash === undefined || hasFingerprint(state.pending, hash) ? sum : sum + length;
  }, 0);
  const tag = state.nextTag;
  const recheck = asked(state, { digest, hashes, lengths, attempts: 0, dueAt: now }, now);
  const own: BatchEntry = { ...entry, own: { hashes, lengths, parts: [] } };
  return {
    state: {
      ...withBatch(withAck, own),
      nextTag: tag + 1,
      nextSequence: Math.max(state.nextSequence, view.sequence + 1),
      rechecks: new Map(state.rechecks).set(tag, recheck),
      pending: withFingerprints(state.pending, hashes),
      pendingBytes: state.pendingBytes + added,
    },
    effects: [checking(state, tag, transactions, hashes)],
  };
}
