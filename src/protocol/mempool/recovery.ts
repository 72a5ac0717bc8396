/** Batches that were durable when this node stopped come back, so that nothing admitted is lost by a crash. Pure. MP-3. */
import type { Monotonic } from '../../base/units.ts';
import { parseBatch, transactionHashOf, transactionsOf } from '../chain/batch.ts';
import type { BatchDigest, Height } from '../chain/types.ts';
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
  type Step,
  tell,
  unchanged,
  withBatch,
  withErrand,
  withoutPending,
} from './state.ts';

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
  const committedHeight = Math.max(state.committedHeight, reply.height) as Height;
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

function readmitted(state: MempoolState, { digest, bytes }: FoundBatch, now: Monotonic): Step {
  const view = parseBatch(bytes, state.config);
  if (view === 'malformed' || holds(state.batches, digest)) return unchanged(state);
  const entry: BatchEntry = recoveredEntry(state, digest, view, now);
  const withAck: MempoolState = { ...state, acksDue: [...state.acksDue, digest] };
  if (view.author !== state.author) return unchanged(withBatch(withAck, entry));
  const transactions = transactionsOf(view);
  const hashes = transactions.map(transactionHashOf);
  const lengths = transactions.map(({ byteLength }) => byteLength);
  const added = lengths.reduce((sum, length, index) => {
    const hash = hashes[index];
    return hash === undefined || hasFingerprint(state.pending, hash) ? sum : sum + length;
  }, 0);
  const tag = state.nextTag;
  const own: BatchEntry = { ...entry, own: { hashes, lengths, parts: [] } };
  return {
    state: {
      ...withBatch(withAck, own),
      nextTag: tag + 1,
      nextSequence: Math.max(state.nextSequence, view.sequence + 1),
      rechecks: new Map(state.rechecks).set(tag, { hashes, lengths }),
      pending: withFingerprints(state.pending, hashes),
      pendingBytes: state.pendingBytes + added,
    },
    effects: [
      tell(state.addresses.executor, {
        type: 'check.requested',
        replyTo: state.addresses.self,
        tag,
        transactions,
        hashes,
      }),
    ],
  };
}
