/** What a block may carry: when a batch may be named, and which of them a leader names. Pure. CS-9, MP-7, MP-8. */
import type { Monotonic } from '../../base/units.ts';
import type { Address, BatchDigest, BatchReference, Height } from '../chain/types.ts';
import type { MempoolReply, MempoolRequest } from '../ports/mempool.ts';
import { bySequence } from './acks.ts';
import { shareOf } from './pacing.ts';
import { valuesOf } from './sharded-map.ts';
import { type BatchEntry, isProposable, type MempoolState, type Step, tell } from './state.ts';

type PayloadRequest = Extract<MempoolRequest, { readonly type: 'payload.requested' }>;
type BatchesRefused = Extract<MempoolReply, { readonly type: 'batches.refused' }>;

/** What a block's validity needs to know about a batch. */
export interface BatchFacts {
  readonly count: number;
  readonly bytes: number;
  readonly expiresAtHeight: Height;
}

/**
 * MP-7: a block of `height` may name a batch that expires in [height, height + batchTtlHeights]. The upper end
 * keeps a batch from being named again after the deduplication has forgotten it.
 */
export const mayBeNamedAt = (height: number, expiresAtHeight: number, batchTtlHeights: number): boolean =>
  expiresAtHeight >= height && expiresAtHeight <= height + batchTtlHeights;

/** Why a block of `height` that names the batch so is invalid; undefined when it is not. */
export function referenceProblem(
  reference: BatchReference,
  facts: BatchFacts,
  height: Height,
  batchTtlHeights: number,
): Omit<BatchesRefused, 'type' | 'tag'> | undefined {
  const { digest } = reference;
  if (reference.count !== facts.count || reference.bytes !== facts.bytes) {
    const detail = `named with ${reference.count} transactions in ${reference.bytes} bytes, has ${facts.count} in ${facts.bytes}`;
    return { code: 'REFERENCE_MISMATCH', digest, detail };
  }
  if (mayBeNamedAt(height, facts.expiresAtHeight, batchTtlHeights)) return undefined;
  const detail = `expires at height ${facts.expiresAtHeight}, named at ${height}, lives ${batchTtlHeights} heights`;
  return { code: facts.expiresAtHeight < height ? 'BATCH_EXPIRED' : 'BATCH_TOO_FAR_AHEAD', digest, detail };
}

/**
 * MP-8: batches that a quorum has acknowledged, that no ancestor names, that may be named at the height. Each author's
 * in order of sequence, one author after the other in turn, beginning with another at each height; no more than BR-11's share.
 */
export function selectPayload(state: MempoolState, request: PayloadRequest, now: Monotonic): Step {
  const named = new Set(request.exclude);
  const held = new Map<Address, BatchEntry[]>();
  for (const entry of valuesOf(state.batches)) {
    const queue = held.get(entry.author);
    if (queue === undefined) held.set(entry.author, [entry]);
    else queue.push(entry);
  }
  const queues = [...held]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([author, queue]) => {
      const before = state.endedSequences.get(author);
      return uninterrupted(state, queue.sort(bySequence), before, request.height, named, now);
    })
    .filter((queue) => queue.length > 0);
  const fitting = inTurn(turns(queues, request.height), request.bytesMax, request.countMax);
  const batches = shareOf(fitting, state.pacing, state.config);
  return { state, effects: [tell(request.replyTo, { type: 'payload.selected', tag: request.tag, batches })] };
}

/**
 * What of an author's batches a block of `height` may name without going before one that has yet to come: one that is held and
 * may not be named yet, or one that is missing between two sequences, `before` the first included. Only a batch that came from
 * its author itself is waited for, and only `orderPatience`: neither another nor what got lost stops an author for good. This
 * node has all of its own: what is missing there was committed before its last start.
 */
function uninterrupted(
  state: MempoolState,
  queue: readonly BatchEntry[],
  before: number | undefined,
  height: number,
  named: ReadonlySet<BatchDigest>,
  now: Monotonic,
): readonly BatchEntry[] {
  const { batchTtlHeights, orderPatience } = state.config;
  const chosen: BatchEntry[] = [];
  let newest = before;
  for (const entry of queue) {
    const { digest, sequence, expiresAtHeight, fromAuthorAt, own } = entry;
    const follows = own !== undefined || newest === undefined || sequence <= newest + 1;
    newest = Math.max(newest ?? sequence, sequence);
    if (named.has(digest) || expiresAtHeight < height) continue;
    const isReady =
      isProposable(entry, state.validators) && mayBeNamedAt(height, expiresAtHeight, batchTtlHeights);
    const isPatient = fromAuthorAt !== undefined && now < fromAuthorAt + orderPatience;
    if (isPatient && !(isReady && follows)) break;
    if (isReady) chosen.push(entry);
  }
  return chosen;
}

function turns(
  queues: readonly (readonly BatchEntry[])[],
  height: number,
): readonly (readonly BatchEntry[])[] {
  const first = queues.length === 0 ? 0 : height % queues.length;
  return [...queues.slice(first), ...queues.slice(0, first)];
}

/** An author's queue ends at its first batch that does not fit: what comes after it does not go before it. */
function inTurn(
  queues: readonly (readonly BatchEntry[])[],
  bytesMax: number,
  countMax: number,
): readonly BatchReference[] {
  const chosen: BatchReference[] = [];
  let bytesLeft = bytesMax;
  let open = queues;
  for (let place = 0; open.length > 0; place += 1) {
    const fitting: (readonly BatchEntry[])[] = [];
    for (const queue of open) {
      const entry = queue[place];
      if (entry === undefined || entry.bytes > bytesLeft) continue;
      if (chosen.length >= countMax) return chosen;
      chosen.push({ digest: entry.digest, count: entry.count, bytes: entry.bytes });
      bytesLeft -= entry.bytes;
      fitting.push(queue);
    }
    open = fitting;
  }
  return chosen;
}
