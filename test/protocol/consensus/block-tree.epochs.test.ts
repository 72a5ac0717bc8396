/** The end of an epoch in the block tree: what it commits, what proves it, and a rival. Rules CS-5, CS-10, CS-16. */
import { describe, expect, it } from 'vitest';
import { epochHashOf, NO_NEXT_EPOCH } from '../../../src/protocol/chain/canonical.ts';
import type { Block } from '../../../src/protocol/chain/types.ts';
import {
  type BlockTree,
  certifyBlock,
  endsEpoch,
  epochRoot,
  genesisRoot,
  hasUncommittedWork,
  insertBlock,
  insertProven,
  noteExecuted,
  plantTree,
  rootOf,
} from '../../../src/protocol/consensus/block-tree.ts';
import { commitBy, commitReady, endingOf } from '../../../src/protocol/consensus/commit-rule.ts';
import { verifyProvenHeader } from '../../../src/protocol/light/headers.ts';
import { endingIn, updateOf, worldIn } from './epoch-fixture.ts';
import {
  blockOn,
  GENESIS_APP_HASH,
  GENESIS_EXECUTED,
  GENESIS_TIME,
  height,
  idOf,
  present,
  qcOf,
  world,
} from './fixture.ts';

const place = world();
const { epoch } = place;
const planted = plantTree(
  genesisRoot(epoch, { time: GENESIS_TIME, appHash: GENESIS_APP_HASH }),
  epoch.rootQC,
);
const node = (block: Block) => ({ id: idOf(place, block), block });
const grow = (tree: BlockTree, ...blocks: readonly Block[]): BlockTree =>
  blocks.reduce((grown, block) => insertBlock(grown, node(block)).tree, tree);
const committedBy = (tree: BlockTree, ...given: Parameters<typeof commitBy>[1][]) => {
  const step = commitReady(given.reduce(certifyBlock, tree));
  if (step.status !== 'committed') throw new Error(step.status);
  return step;
};
const at = <T>(list: readonly T[], index: number): T => present(list[index], `entry ${index}`);
const trusted = { domain: epoch.domain, descriptor: epoch.descriptor };

describe('the block that ends its epoch (CS-16)', () => {
  it('is the newest that is committed, though the certificate commits what is above it too', () => {
    const { blocks, qcs } = endingIn(place, [1, 2, 4, 5, 6], { end: 1 });
    const step = committedBy(grow(planted, ...blocks), at(qcs, 4));
    expect(step.blocks.map(({ block }) => block)).toEqual(blocks.slice(0, 2));
    expect(step.tree.root).toMatchObject({ id: idOf(place, at(blocks, 1)), endsEpoch: true });
    expect(endsEpoch(at(blocks, 1).header)).toBe(true);
    expect(endsEpoch(at(blocks, 0).header)).toBe(false);
  });

  it('has nothing committed above it, whatever certificates come', () => {
    const { blocks, qcs } = endingIn(place, [1, 2, 3, 4, 5], { end: 1 });
    const { tree } = committedBy(grow(planted, ...blocks), at(qcs, 2));
    for (const qc of qcs.slice(2)) expect(commitBy(tree, qc).status).toBe('nothing');
    expect(commitReady(qcs.reduce(certifyBlock, tree)).status).toBe('nothing');
  });

  it('is proven by a path of its own header alone, where its child is of the next round', () => {
    const { blocks, qcs, change } = endingIn(place, [1, 2, 3], { end: 1 });
    const { ending } = committedBy(grow(planted, ...blocks), at(qcs, 2));
    expect(ending).toEqual(change.proof.last);
    expect(ending?.path).toHaveLength(1);
    expect(verifyProvenHeader(trusted, place.bls, present(ending, 'path')).status).toBe('proven');
  });

  it('is proven by all headers up to the first two of consecutive rounds, where rounds between them failed', () => {
    const { blocks, qcs, change } = endingIn(place, [1, 2, 4, 6, 7], { end: 1 });
    const tree = grow(planted, ...blocks);
    expect([2, 3].map((index) => commitBy(tree, at(qcs, index)).status)).toEqual(['nothing', 'nothing']);
    const { ending } = committedBy(tree, at(qcs, 4));
    expect(ending).toEqual(change.proof.last);
    expect(ending?.path).toHaveLength(3);
    expect(verifyProvenHeader(trusted, place.bls, present(ending, 'path')).status).toBe('proven');
  });

  it('gives the same path after a restart, out of what is stored; none where that lacks a header', () => {
    const { blocks, qcs, change } = endingIn(place, [1, 2, 4, 6, 7], { end: 1 });
    const { blocks: done } = committedBy(grow(planted, ...blocks), at(qcs, 4));
    const newest = present(done.at(-1), 'the last block');
    const restarted = plantTree(rootOf(newest));
    const held = insertProven(restarted, blocks.slice(2).map(node));
    expect(endingOf(held, newest)).toEqual(change.proof.last);
    expect(endingOf(insertProven(restarted, blocks.slice(2, 3).map(node)), newest)).toBeUndefined();
  });

  it('may have a rival in another round: one of them is committed, the other goes with all above it', () => {
    const { blocks, qcs, next } = endingIn(place, [1, 2, 4], { end: 1 });
    const tc = { nextHash: epochHashOf(next) };
    const rival = blockOn(place, at(qcs, 0), 5, tc);
    const onRival = blockOn(place, qcOf(place, rival), 6, { nextHash: NO_NEXT_EPOCH });
    const tree = grow(planted, ...blocks, rival, onRival);
    const step = committedBy(tree, at(qcs, 2), qcOf(place, onRival));
    expect(step.tree.root.id).toBe(idOf(place, rival));
    expect(step.dropped).toEqual(expect.arrayContaining(blocks.slice(1).map((block) => idOf(place, block))));
    expect(step.tree.fork).toBeUndefined();
    // A proof for the other one, at the same height, is a fork (SY-5).
    const proofOfOther = qcOf(place, blockOn(place, at(qcs, 1), 3, { nextHash: NO_NEXT_EPOCH }));
    expect(commitBy(step.tree, proofOfOther)).toMatchObject({ status: 'conflict', height: 2 });
  });
});

describe('the tree of the next epoch (CS-16)', () => {
  const ending = endingIn(place, [1, 2, 3], { end: 1 });
  const second = worldIn(place, ending.change);
  const last = at(ending.blocks, 1);
  const root = epochRoot(second.epoch, ending.change.proof.last.path[0]);
  const tree = plantTree(root, second.epoch.rootQC);

  it('stands on the last block of the one before, at round 0 of its own', () => {
    expect(root).toMatchObject({ epoch: 1, round: 0, height: 2, id: idOf(place, last), endsEpoch: false });
    expect(root.executed).toEqual(last.header.executed);
    expect(root.time).toBe(last.header.time);
    expect(root.nextHash).toBe(second.epoch.hash);
  });

  it('commits its first block, whose certificate is the root’s, and takes none of the epoch before', () => {
    const one = blockOn(second, second.epoch.rootQC, 1);
    const two = blockOn(second, qcOf(second, one), 2);
    expect(one.header).toMatchObject({ epoch: 1, round: 1, height: 3, parentId: root.id });
    const grown = grow(tree, one, two);
    const step = committedBy(grown, qcOf(second, two));
    expect(step.blocks.map(({ block }) => block)).toEqual([one]);
    expect(step.ending).toBeUndefined();
    const stale = at(ending.qcs, 2);
    expect(certifyBlock(tree, stale)).toBe(tree);
    expect(commitBy(tree, stale).status).toBe('nothing');
    // A block of the suffix is no child of the root: its certificate states another round.
    const above = at(ending.blocks, 2);
    expect(insertProven(tree, [node(above)]).blocks.size).toBe(0);
  });
});

describe('work of the chain (CS-10, CS-16)', () => {
  it('is that the validators are to change, and that the end of the epoch is not committed; nothing above it', () => {
    const asked = noteExecuted(planted, epoch.rootQC.blockId, GENESIS_EXECUTED, []);
    expect(hasUncommittedWork(asked, epoch.rootQC.blockId)).toBe(false);
    const executed = { ...GENESIS_EXECUTED, height: height(1) };
    const waiting = noteExecuted(planted, epoch.rootQC.blockId, executed, [updateOf(place, 0, 3n)]);
    expect(hasUncommittedWork(waiting, epoch.rootQC.blockId)).toBe(true);
    const { blocks, qcs } = endingIn(place, [1, 2, 3], { end: 1 });
    const grown = grow(planted, ...blocks);
    expect(hasUncommittedWork(grown, idOf(place, at(blocks, 0)))).toBe(false);
    expect(hasUncommittedWork(grown, idOf(place, at(blocks, 1)))).toBe(true);
    const { tree } = committedBy(grown, at(qcs, 2));
    expect(hasUncommittedWork(tree, at(qcs, 2).blockId)).toBe(false);
  });
});
