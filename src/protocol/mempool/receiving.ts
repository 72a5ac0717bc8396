/** Batches from other validators, and batches for them: what is kept, what is refused, what is served. Pure. MP-5, MP-10, MP-11. */
import { type Monotonic, monotonic } from '../../base/units.ts';
import { OPERATIONS_BYTES_MAX, OPERATIONS_MAX } from '../bridge/messages.ts';
import { type BatchView, batchDigestOf, parseBatch, transactionsOf } from '../chain/batch.ts';
import type { Address, BatchDigest } from '../chain/types.ts';
import { isValidator } from '../chain/validator-set.ts';
import type { BatchMessage, GetBatchMessage } from '../consensus/types.ts';
import { weighed } from './acks.ts';
import { arrived } from './fetching.ts';
import { hasFingerprint } from './fingerprints.ts';
import { persisting } from './sealing.ts';
import { holds, lookup, withEntry, withoutEntry } from './sharded-map.ts';
import {
  accusing,
  type BatchEntry,
  type Fetch,
  type FoundBatch,
  type MempoolState,
  type Step,
  type StorageErrand,
  sending,
  tell,
  unchanged,
  withBatch,
  withErrand,
} from './state.ts';

/** Batches read from storage for a peer in one piece: bounds the memory that one request takes. */
const SERVED_TOGETHER = 16;

/**
 * Keeps a batch that its author sends within its quota, or that is being fetched. What was not asked for and comes
 * from another than its author is passed over: it may be a late answer. From who is no validator only what is fetched is taken.
 */
export function receiveBatch(
  state: MempoolState,
  from: Address,
  message: BatchMessage,
  now: Monotonic,
): Step {
  const hasVoice = isValidator(state.validators, from);
  if (!hasVoice && state.fetches.size === 0) return unchanged(state);
  const view = parseBatch(message.bytes, state.config);
  if (view === 'malformed') return accusing(state, from, 'BATCH_MALFORMED');
  const digest = batchDigestOf(message.bytes);
  if (!hasVoice && !holds(state.fetches, digest)) return unchanged(state);
  const entry = lookup(state.batches, digest);
  if (entry !== undefined) {
    if (from !== view.author) return unchanged(state);
    const vouched =
      entry.fromAuthorAt === undefined ? withBatch(state, { ...entry, fromAuthorAt: now }) : state;
    // MP-6: its author sends it again because our acknowledgement was lost.
    if (entry.storage.status !== 'durable') return unchanged(vouched);
    return {
      state: vouched,
      effects: sending(state, [{ to: [from], message: { kind: 'BatchAck', digests: [digest] } }]),
    };
  }
  const fetch = lookup(state.fetches, digest);
  if (fetch !== undefined) {
    return fetch.stage.status === 'persisting'
      ? unchanged(state)
      : takeFetched(state, from, digest, view, now);
  }
  if (from !== view.author || holds(state.named, digest)) return unchanged(state);
  if (!isAlive(state, view) || isOverQuota(state, view)) return unchanged(state);
  return keep(state, digest, view, now);
}

/** Reads what a peer asks for; beyond `servingMax` the request is dropped and the peer asks again (MP-10). */
export function serve(state: MempoolState, from: Address, message: GetBatchMessage): Step {
  const { digests } = message;
  const { config } = state;
  if (digests.length > config.digestsPerMessageMax) return accusing(state, from, 'TOO_MANY_DIGESTS');
  const serving = [...state.errands.values()].flatMap((errand) =>
    errand.kind === 'serve' ? [errand.to] : [],
  );
  const ofPeer = serving.filter((to) => to === from).length;
  if (digests.length === 0 || serving.length >= config.servingMax || ofPeer >= config.servingPerPeerMax) {
    return unchanged(state);
  }
  const isGuest = (peer: Address) => !isValidator(state.validators, peer);
  if (isGuest(from) && serving.filter(isGuest).length >= config.servingGuestsMax) return unchanged(state);
  return readPiece(state, from, digests, config.serveBytesMax);
}

/** Storage found a piece of what a peer asked for: it is sent, and the next one is read while bytes are left. */
export function servePiece(
  state: MempoolState,
  { to, rest, bytesLeft }: Extract<StorageErrand, { readonly kind: 'serve' }>,
  found: readonly FoundBatch[],
): Step {
  const sent = deliver(state, found, bytesLeft, () => [to]);
  const next = readPiece(state, to, rest, sent.bytesLeft);
  return { state: next.state, effects: [...sent.effects, ...next.effects] };
}

function readPiece(
  state: MempoolState,
  to: Address,
  digests: readonly BatchDigest[],
  bytesLeft: number,
): Step {
  if (digests.length === 0 || bytesLeft <= 0) return unchanged(state);
  const errand = { kind: 'serve', to, rest: digests.slice(SERVED_TOGETHER), bytesLeft } as const;
  const asked = withErrand(state, errand);
  const { storage, self } = state.addresses;
  const request = { replyTo: self, tag: asked.tag, digests: digests.slice(0, SERVED_TOGETHER) };
  return { state: asked.state, effects: [tell(storage, { type: 'batches.requested', ...request })] };
}

/** Own batches that storage found, each to those who lack it; of a node that has left the set nobody takes them. */
export function resend(
  state: MempoolState,
  { to }: Extract<StorageErrand, { readonly kind: 'resend' }>,
  found: readonly FoundBatch[],
): Step {
  if (!isValidator(state.validators, state.author)) return handOver(state, found);
  const receivers = (digest: BatchDigest) => to.get(digest) ?? [];
  return { state, effects: deliver(state, found, state.config.serveBytesMax, receivers).effects };
}

/**
 * CS-16: what was admitted here and had not reached a quorum goes the way of every operation that a node without a voice takes
 * (BR-1), as often as a batch would. Whoever knows it already says so, and it never executes twice (EX-2).
 */
function handOver(state: MempoolState, found: readonly FoundBatch[]): Step {
  const { bridge, self } = state.addresses;
  const left = found.flatMap(({ digest, bytes }) => {
    const entry = lookup(state.batches, digest);
    const batch = parseBatch(bytes, state.config);
    const isTheirs = entry === undefined || entry.ackPower >= state.validators.quorumPower;
    if (isTheirs || entry.own === undefined || batch === 'malformed') return [];
    const { hashes } = entry.own;
    return transactionsOf(batch).filter((_, index) => {
      const hash = hashes[index];
      return hash !== undefined && hasFingerprint(state.pending, hash);
    });
  });
  const parts = inMessages(left);
  return {
    state,
    effects: parts.map((transactions) =>
      tell(bridge, {
        type: 'operations.submitted',
        replyTo: self,
        tag: 0,
        client: state.author,
        transactions,
      }),
    ),
  };
}

/** As many together as one message between bridges carries. */
function inMessages(transactions: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const parts: Uint8Array[][] = [];
  let bytes = 0;
  for (const transaction of transactions) {
    const part = parts.at(-1);
    bytes += transaction.byteLength;
    if (part !== undefined && part.length < OPERATIONS_MAX && bytes <= OPERATIONS_BYTES_MAX)
      part.push(transaction);
    else {
      parts.push([transaction]);
      bytes = transaction.byteLength;
    }
  }
  return parts;
}

/** Sends each batch to whom it is for; what does not fit any more is asked for again. */
function deliver(
  state: MempoolState,
  found: readonly FoundBatch[],
  bytesMax: number,
  to: (digest: BatchDigest) => readonly Address[],
) {
  let bytesLeft = bytesMax;
  const outgoing = found.flatMap(({ digest, bytes }) => {
    const receivers = to(digest);
    if (receivers.length === 0 || bytes.byteLength > bytesLeft) return [];
    bytesLeft -= bytes.byteLength;
    return [{ to: receivers, message: { kind: 'Batch' as const, bytes } }];
  });
  return { bytesLeft, effects: sending(state, outgoing) };
}

/** A batch of a block that is committed already is stored and nothing else; one that may still be named joins the rest. */
function takeFetched(
  state: MempoolState,
  from: Address,
  digest: BatchDigest,
  view: BatchView,
  now: Monotonic,
): Step {
  const { count, expiresAtHeight, bytes } = view;
  const known = arrived(state, digest, { count, expiresAtHeight, bytes: bytes.byteLength });
  const fetch = lookup(known.state.fetches, digest);
  const step = (() => {
    if (isAlive(state, view) && !holds(state.named, digest)) {
      const fetches = withoutEntry(known.state.fetches, digest);
      return keep({ ...known.state, fetches }, digest, view, from === view.author ? now : undefined);
    }
    if (fetch === undefined) return unchanged(known.state);
    const dueAt = monotonic(now + state.config.storagePatience);
    const taken: Fetch = { ...fetch, stage: { status: 'persisting', dueAt } };
    const fetches = withEntry(known.state.fetches, digest, taken);
    return persisting({ ...known.state, fetches }, [{ digest, bytes }]);
  })();
  return { state: step.state, effects: [...known.effects, ...step.effects] };
}

function keep(
  state: MempoolState,
  digest: BatchDigest,
  view: BatchView,
  fromAuthorAt: Monotonic | undefined,
): Step {
  const storage = { status: 'persisting', encoding: view.bytes } as const;
  const entry = entryOf(state, digest, view, storage, fromAuthorAt);
  return persisting(withBatch(state, entry), [{ digest, bytes: view.bytes }]);
}

/** A batch as this node found it durable at a start. */
export const recoveredEntry = (
  state: MempoolState,
  digest: BatchDigest,
  view: BatchView,
  fromAuthorAt: Monotonic | undefined,
  now: Monotonic,
) => entryOf(state, digest, view, { status: 'durable', retryAt: now, retries: 0 }, fromAuthorAt);

function entryOf(
  state: MempoolState,
  digest: BatchDigest,
  view: BatchView,
  storage: BatchEntry['storage'],
  fromAuthorAt: Monotonic | undefined,
): BatchEntry {
  const { author, sequence, expiresAtHeight, count, bytes } = view;
  return weighed(state, {
    digest,
    author,
    sequence,
    expiresAtHeight,
    count,
    bytes: bytes.byteLength,
    storage,
    ...(fromAuthorAt === undefined ? {} : { fromAuthorAt }),
  });
}

/** Neither expired nor so far ahead that only a liar, or a chain far ahead of this node, can have made it. */
function isAlive(state: MempoolState, { expiresAtHeight }: BatchView): boolean {
  const { committedHeight, config } = state;
  return expiresAtHeight > committedHeight && expiresAtHeight <= committedHeight + 2 * config.batchTtlHeights;
}

/** MP-11: one author cannot fill this node. */
function isOverQuota(state: MempoolState, view: BatchView): boolean {
  const { authorBatchesMax, authorBytesMax } = state.config;
  const counts = state.held.get(view.author) ?? { batches: 0, bytes: 0 };
  return counts.batches >= authorBatchesMax || counts.bytes + view.bytes.byteLength > authorBytesMax;
}
