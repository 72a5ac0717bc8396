/** What a block may carry: when a batch may be named, and which of them a leader names. Pure. CS-9, MP-7, MP-8. */
import type { Address, BatchReference, Height } from '../chain/types.ts';
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
export function selectPayload(state: MempoolState, request: PayloadRequest): Step {
  const named = new Set(request.exclude);
  const { batchTtlHeights } = state.config;
  const queues = new Map<Address, BatchEntry[]>();
  for (const entry of valuesOf(state.batches)) {
    if (!isProposable(entry, state.validators) || named.has(entry.digest)) continue;
    if (!mayBeNamedAt(request.height, entry.expiresAtHeight, batchTtlHeights)) continue;
    const queue = queues.get(entry.author);
    if (queue === undefined) queues.set(entry.author, [entry]);
    else queue.push(entry);
  }
  const fitting = inTurn(turns(queues, request.height), request.bytesMax, request.countMax);
  const batches = shareOf(fitting, state.pacing, state.config);
  return { state, effects: [tell(request.replyTo, { type: 'payload.selected', tag: request.tag, batches })] };
}

function turns(
  queues: ReadonlyMap<Address, BatchEntry[]>,
  height: number,
): readonly (readonly BatchEntry[])[] {
  const sorted = [...queues].sort(([left], [right]) => (left < right ? -1 : 1));
  const first = sorted.length === 0 ? 0 : height % sorted.length;
  return [...sorted.slice(first), ...sorted.slice(0, first)].map(([, queue]) => queue.sort(bySequence));
}

function inTurn(
  queues: readonly (readonly BatchEntry[])[],
  bytesMax: number,
  countMax: number,
): readonly BatchReference[] {
  const chosen: BatchReference[] = [];
  const longest = queues.reduce((length, queue) => Math.max(length, queue.length), 0);
  let bytesLeft = bytesMax;
  for (let place = 0; place < longest; place += 1) {
    for (const queue of queues) {
      const entry = queue[place];
      if (entry === undefined || entry.bytes > bytesLeft) continue;
      if (chosen.length >= countMax) return chosen;
      chosen.push({ digest: entry.digest, count: entry.count, bytes: entry.bytes });
      bytesLeft -= entry.bytes;
    }
  }
  return chosen;
}
