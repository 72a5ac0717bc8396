/** Votes of pending operations, read off a mempool that sealed them and a tree that grew. BR-1. */
import { beforeEach, describe, expect, it } from 'vitest';
import { type VoteOwners, votesReceived } from '../../src/node/operation-votes.ts';
import { transactionHashOf } from '../../src/protocol/chain/batch.ts';
import { blockIdOf, digestOf } from '../../src/protocol/chain/canonical.ts';
import { parseBatchDigest } from '../../src/protocol/chain/parse.ts';
import type { Block, Digest, Power, QuorumCertificate } from '../../src/protocol/chain/types.ts';
import {
  type BlockTree,
  certifyBlock,
  genesisRoot,
  insertBlock,
  plantTree,
} from '../../src/protocol/consensus/block-tree.ts';
import { addVote, EMPTY_VOTE_BOOK, type VoteBook } from '../../src/protocol/consensus/vote-book.ts';
import { DEFAULT_MEMPOOL_CONFIG } from '../../src/protocol/mempool/config.ts';
import { valuesOf } from '../../src/protocol/mempool/sharded-map.ts';
import { emptyMempool, type MempoolState, withBatch } from '../../src/protocol/mempool/state.ts';
import { plain, T0 } from '../protocol/bridge/operations-of.ts';
import {
  blockOn,
  GENESIS_APP_HASH,
  GENESIS_TIME,
  height,
  qcOf,
  voteFor,
  world,
} from '../protocol/consensus/fixture.ts';

/** Powers 1, 2, 3 and 4: a quorum is 7. */
const place = world([1n, 2n, 3n, 4n]);
const { set, rootQC } = place.epoch;
const [ONE, TWO] = ['one', 'two'].map((name) => transactionHashOf(plain(name))) as [Digest, Digest];

/** A mempool with a batch of its own that carries `hashes`. */
function holding(...hashes: readonly Digest[]): MempoolState {
  const addresses = {
    self: 'mempool',
    storage: 's',
    executor: 'e',
    network: 'n',
    bridge: 'b',
    pacemakers: [],
    listeners: [],
  };
  const empty = emptyMempool(
    { config: DEFAULT_MEMPOOL_CONFIG, addresses, author: place.addressAt(0), validators: set },
    T0,
  );
  const digest = parseBatchDigest(digestOf(Buffer.from(hashes.join())));
  if (digest === 'malformed') throw new Error('a digest is a digest');
  return withBatch(empty, {
    digest,
    ...{ count: hashes.length, bytes: 100, author: place.addressAt(0), sequence: 0 },
    ...{ expiresAtHeight: height(100), storage: { status: 'persisting', encoding: new Uint8Array() } },
    ...{ acks: 0n, ackPower: 0n },
    own: { hashes, lengths: hashes.map(() => 3), parts: [] },
  });
}

const blockWith = (mempool: MempoolState, inRound: number, qc: QuorumCertificate = rootQC): Block => {
  const batches = valuesOf(mempool.batches).map(({ digest, count, bytes }) => ({ digest, count, bytes }));
  return blockOn(place, qc, inRound, { batches });
};

const root = genesisRoot(place.epoch, { time: GENESIS_TIME, appHash: GENESIS_APP_HASH });
const treeOf = (...blocks: readonly Block[]): BlockTree =>
  blocks.reduce(
    (tree, block) => insertBlock(tree, { id: blockIdOf(place.epoch.domain, block), block }).tree,
    plantTree(root, rootQC),
  );
const booked = (block: Block, by: readonly number[], book: VoteBook = EMPTY_VOTE_BOOK): VoteBook =>
  by.reduce(
    (votes, index) => addVote(votes, place.epoch, place.bls, voteFor(place, block, index)).book,
    book,
  );

let mempool = holding(ONE);
beforeEach(() => {
  mempool = holding(ONE);
});

function powerOn(
  id: Digest,
  tree: BlockTree,
  votes: VoteBook = EMPTY_VOTE_BOOK,
  committing: NonNullable<VoteOwners['live']>['committing'] = [],
): Power | undefined {
  const owners = { validators: set, mempool, live: { tree, votes, committing } };
  return votesReceived(new Set([ONE, TWO]), owners)(id);
}

describe('votes received (BR-1)', () => {
  it('are none before a block carries the operation', () => {
    expect(powerOn(ONE, treeOf())).toBe(0n);
    expect(powerOn(ONE, treeOf(blockOn(place, rootQC, 1)))).toBe(0n);
  });

  it('are the power of the votes that were collected on the block that carries it', () => {
    const block = blockWith(mempool, 1);
    expect(powerOn(ONE, treeOf(block), booked(block, [1, 2]))).toBe(5n);
    expect(powerOn(TWO, treeOf(block), booked(block, [1, 2]))).toBe(0n);
  });

  it('are those of the QC where this node did not collect them', () => {
    const block = blockWith(mempool, 1);
    const tree = certifyBlock(treeOf(block), qcOf(place, block, [1, 2, 3]));
    expect(powerOn(ONE, tree)).toBe(9n);
    expect(powerOn(ONE, tree, booked(block, [0]))).toBe(9n);
  });

  it('leave out a vote of the same round for another block: it is none for this one', () => {
    const block = blockWith(mempool, 1);
    const rival = blockOn(place, rootQC, 1, { time: GENESIS_TIME + 77 });
    const votes = booked(rival, [2, 3], booked(block, [1]));
    expect(powerOn(ONE, treeOf(block, rival), votes)).toBe(2n);
  });

  it('are those on the newest block where two rounds carry it', () => {
    const [first, second] = [blockWith(mempool, 1), blockWith(mempool, 2)];
    const votes = booked(second, [0], booked(first, [1, 2]));
    expect(powerOn(ONE, treeOf(second, first), votes)).toBe(1n);
  });

  it('stay known while the commit of the block is on its way to the disk', () => {
    const block = blockWith(mempool, 1);
    const qc = qcOf(place, block, [1, 2, 3]);
    const id = blockIdOf(place.epoch.domain, block);
    const committing = [{ tag: 1, blocks: [{ id, block, qc, commitProof: qc }] }];
    expect(powerOn(ONE, treeOf(), EMPTY_VOTE_BOOK, committing)).toBe(9n);
  });

  it('are not known once the block is committed and not executed, on a node that is no validator, and of cells that are down', () => {
    mempool = { ...mempool, committedHeight: height(3), executedHeight: height(2) };
    expect(powerOn(TWO, treeOf())).toBeUndefined();
    mempool = { ...holding(ONE), author: world([1n], 'elsewhere').addressAt(0) };
    expect(powerOn(TWO, treeOf())).toBeUndefined();
    const down = { validators: set, mempool: undefined, live: undefined };
    expect(votesReceived(new Set([ONE]), down)(ONE)).toBeUndefined();
  });
});
