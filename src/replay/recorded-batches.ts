/**
 * Where a recorded run made its batches durable: cells hear of an executed transaction what became of it, and not its bytes, which are found
 * again in the step that gave them to storage. Bounded. Deterministic. Rule RP-4.
 */
import { ADDRESSES } from '../actors/addresses.ts';
import type { Inspector, Transition } from '../actors/runtime/index.ts';
import { tellsOf } from '../node/feed/told.ts';
import { parseBatch, transactionHashOf, transactionsOf } from '../protocol/chain/batch.ts';
import type { BatchDigest, Digest } from '../protocol/chain/types.ts';
import type { Lane } from './lane.ts';
import { stepAt } from './step-at.ts';

/** The oldest are forgotten. @unit batches @source about 10 MB; at full load an hour */
const BATCHES_MAX = 65_536;

interface Place {
  /** @unit ms since 1970 */
  readonly at: number;
  readonly turn: number;
}

/** Of one node. */
export class RecordedBatches implements Inspector {
  readonly #places = new Map<BatchDigest, Place>();

  transition({ address, effects, wall: at, turn }: Transition): void {
    if (address !== ADDRESSES.mempool) return;
    for (const { digest } of persistedBy(effects)) {
      this.#places.set(digest, { at, turn });
      const [oldest] = this.#places.size > BATCHES_MAX ? this.#places.keys() : [];
      if (oldest !== undefined) this.#places.delete(oldest);
    }
  }

  /** The transactions of these batches, by their hashes; of batches that the run does not have, none. Moves `lane`. */
  transactionsOf(lane: Lane, digests: readonly BatchDigest[]): ReadonlyMap<Digest, Uint8Array> {
    const found = new Map<Digest, Uint8Array>();
    for (const digest of digests) {
      const place = this.#places.get(digest);
      const step = place === undefined ? undefined : stepAt(lane, place)?.step;
      for (const batch of persistedBy(step?.effects ?? [])) {
        if (batch.digest !== digest) continue;
        // It was judged by the node's limits when it came.
        const size = batch.bytes.length;
        const view = parseBatch(batch.bytes, { batchBytesMax: size, transactionBytesMax: size });
        if (view === 'malformed') continue;
        for (const bytes of transactionsOf(view)) found.set(transactionHashOf(bytes), bytes);
      }
    }
    return found;
  }
}

function* persistedBy(effects: Transition['effects']) {
  for (const { told } of tellsOf(effects)) if (told.type === 'batches.persistRequested') yield* told.batches;
}
