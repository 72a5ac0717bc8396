/** Chains, and peers that serve them well or badly, for tests of block-sync. */
import { batchDigestOf } from '../../../src/protocol/chain/batch.ts';
import type { BlockId, CertifiedBlock, Height } from '../../../src/protocol/chain/types.ts';
import type { BlocksQuery } from '../../../src/protocol/ports/sync.ts';
import { chainOf, height, idOf, present, type World, world } from '../../protocol/consensus/fixture.ts';

/** Certified blocks by height, from 1 on, and the bytes of the batch that each names. */
export interface Chain {
  readonly place: World;
  readonly certified: readonly CertifiedBlock[];
  readonly ids: readonly BlockId[];
  readonly bytes: ReadonlyMap<string, Uint8Array>;
}

/** A chain in these rounds, each block with one batch of `batchBytes`. */
export function longChain(rounds: readonly number[], withBatches = true, batchBytes = 32): Chain {
  const place = world([1n, 1n, 1n, 1n, 1n]);
  const bytes = new Map<string, Uint8Array>();
  const { blocks, qcs } = chainOf(place, rounds, (index) => {
    if (!withBatches) return {};
    const content = new Uint8Array(batchBytes).fill(index & 255);
    new DataView(content.buffer).setUint32(0, index);
    const digest = batchDigestOf(content);
    bytes.set(digest, content);
    return { batches: [{ digest, count: 1, bytes: content.byteLength }] };
  });
  const certified = blocks.map((block, index) => ({ block, qc: present(qcs[index], 'QC') }));
  return { place, certified, ids: blocks.map((block) => idOf(place, block)), bytes };
}

export const everyRound = (count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => index + 1);

export interface Given {
  readonly blocks: readonly CertifiedBlock[];
  readonly batches: readonly Uint8Array[];
  readonly height: Height;
  /** @unit ms; by default 20 */
  readonly delay?: number;
}
export type PeerModel = (query: BlocksQuery, now: number) => Given | 'silent';

/** Serves `chain` up to `committed` by height, and by id all that it holds. */
export const honest =
  (
    chain: Chain,
    committed = chain.certified.length - 1,
    delay = 20,
    limit = Number.POSITIVE_INFINITY,
  ): PeerModel =>
  (query) => {
    const blocks = answerOf(chain, query, committed).slice(0, limit);
    const batches = query.by === 'id' ? [] : batchesOf(chain, blocks);
    return { blocks, batches, height: height(committed), delay };
  };

/** Gives so many blocks of what it is asked, each time after `delay`, and says that it has all. */
export const trickling =
  (chain: Chain, delay: number, limit = 1): PeerModel =>
  (query) => {
    const all = answerOf(chain, query, chain.certified.length - 1);
    const blocks = query.by === 'height' ? all.slice(0, limit) : all.slice(-limit);
    const batches = query.by === 'id' ? [] : batchesOf(chain, blocks);
    return { blocks, batches, height: height(chain.certified.length - 1), delay };
  };

export function answerOf(chain: Chain, query: BlocksQuery, committed: number): readonly CertifiedBlock[] {
  if (query.by === 'height') {
    return chain.certified.slice(query.from - 1, Math.min(committed, query.from - 1 + query.limit));
  }
  const at = chain.ids.indexOf(query.id);
  return chain.certified.slice(Math.max(0, at - query.ancestors), at + 1);
}

export const batchesOf = (chain: Chain, blocks: readonly CertifiedBlock[]): readonly Uint8Array[] =>
  blocks.flatMap(({ block }) => block.header.batches.flatMap(({ digest }) => chain.bytes.get(digest) ?? []));

export const silent: PeerModel = () => 'silent';
export const empty =
  (committed = 0, delay = 20): PeerModel =>
  () => ({ blocks: [], batches: [], height: height(committed), delay });
