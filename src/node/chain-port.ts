/**
 * The part of a node's port that is about the stored chain: blocks, what came of them, and who decides the next. Boundary: the
 * store. Everything given out is a copy.
 */
import { parseBatch, transactionsOf } from '../protocol/chain/batch.ts';
import { FIRST_EPOCH, GENESIS_HEIGHT } from '../protocol/chain/ordinals.ts';
import type { Height, ValidatorSet } from '../protocol/chain/types.ts';
import type { CommittedBlock } from '../protocol/ports/storage.ts';
import type { BlockLabel, BlockSelector, NodePort, StoredBlock } from '../rpc/node-port.ts';
import type { Read } from '../storage/store.ts';
import type { NodeIdentityCard, PortHost } from './node-port.ts';
import { validatorsOf } from './stored-epochs.ts';

type ChainPort = Pick<
  NodePort,
  'genesis' | 'executed' | 'committed' | 'block' | 'blockResults' | 'transaction' | 'validators'
>;

export function chainPort(host: PortHost): ChainPort {
  const { store, card, executed } = host;
  return {
    genesis: () => card.genesis,
    executed,
    committed: async (selector) => committedBlock(host, selector),
    block: async (selector) => storedBlock(host, committedBlock(host, selector)),
    async blockResults(height) {
      const execution = found(store.execution(height));
      return execution === undefined ? undefined : { height, ...execution };
    },
    transaction: async (hash) => found(store.transaction(hash)),
    async validators(height) {
      const newest = found(store.latest()).committed;
      if (height === undefined || height === newest + 1) return host.epoch().set;
      return height <= newest ? validatorsAt(host, height) : undefined;
    },
  };
}

/** Who signed a block that is committed here; undefined for one that this store does not hold. */
function validatorsAt({ store, card }: PortHost, height: Height): ValidatorSet | undefined {
  const epoch = height === GENESIS_HEIGHT ? FIRST_EPOCH : found(store.blockAt(height))?.block.header.epoch;
  return epoch === undefined ? undefined : validatorsOf(store, card.epoch, epoch);
}

const committedBlock = ({ store }: PortHost, selector: BlockSelector): CommittedBlock | undefined =>
  found('id' in selector ? store.committedBlock(selector.id) : store.blockAt(selector.height));

function storedBlock(
  { store, card }: PortHost,
  committed: CommittedBlock | undefined,
): StoredBlock | undefined {
  if (committed === undefined) return undefined;
  const digests = committed.block.header.batches.map(({ digest }) => digest);
  const { batches } = found(store.batches(digests));
  const byDigest = new Map(batches.map(({ digest, bytes }) => [digest, bytes]));
  const transactions = digests.flatMap((digest) => {
    const bytes = byDigest.get(digest);
    const view = bytes === undefined ? 'malformed' : parseBatch(bytes, card.mempool);
    return view === 'malformed' ? [] : transactionsOf(view);
  });
  return { committed, transactions };
}

/** Without a block: of the genesis. */
export const labelOf = (
  { epoch, genesisTime }: NodeIdentityCard,
  block: CommittedBlock | undefined,
): BlockLabel =>
  block === undefined
    ? { height: GENESIS_HEIGHT, id: epoch.rootQC.blockId, time: genesisTime }
    : { height: block.block.header.height, id: block.id, time: block.block.header.time };

/** A store that cannot be read is the caller's error: the RPC answers it as an internal one. */
export function found<Value>(read: Read<Value>): Value {
  if (read.status === 'found') return read.value;
  throw new Error(`the store failed (${read.code}): ${read.detail}`);
}
