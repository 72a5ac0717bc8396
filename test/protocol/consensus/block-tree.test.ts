import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf, u64 } from '../../../src/protocol/chain/canonical.ts';
import { parseBatchDigest, parseBlockId } from '../../../src/protocol/chain/parse.ts';
import type { Block, QuorumCertificate } from '../../../src/protocol/chain/types.ts';
import {
  BLOCKS_MAX,
  type BlockTree,
  blocksIn,
  certifyBlock,
  EXECUTED_MAX,
  expectedExecuted,
  genesisRoot,
  hasUncommittedWork,
  insertBlock,
  insertProven,
  missingFor,
  namedBatches,
  noteExecuted,
  parentFacts,
  plantTree,
  rootOf,
  UNKNOWN_CERTIFIED_MAX,
} from '../../../src/protocol/consensus/block-tree.ts';
import { commitBy, commitReady } from '../../../src/protocol/consensus/commit-rule.ts';
import { checkCertifiedBlock } from '../../../src/protocol/consensus/fetched.ts';
import { NONE_VERIFIED } from '../../../src/protocol/consensus/verified.ts';
import {
  type BlockOptions,
  blockOn,
  chainOf,
  GENESIS_APP_HASH,
  GENESIS_EXECUTED,
  GENESIS_TIME,
  height,
  idOf,
  present,
  qcOf,
  round,
  world,
} from './fixture.ts';

const place = world();
const { rootQC } = place.epoch;
const root = genesisRoot(place.epoch, { time: GENESIS_TIME, appHash: GENESIS_APP_HASH });
const planted = plantTree(root, rootQC);
const node = (block: Block) => ({ id: idOf(place, block), block });
const grow = (tree: BlockTree, ...blocks: readonly Block[]): BlockTree =>
  blocks.reduce((grown, block) => {
    const insertion = insertBlock(grown, node(block));
    if (insertion.status !== 'inserted') throw new Error(insertion.status);
    return insertion.tree;
  }, tree);
const at = <T>(list: readonly T[], index: number): T => present(list[index], `entry ${index}`);
const batch = (index: number) => {
  const digest = parseBatchDigest(digestOf(u64(index)));
  if (digest === 'malformed') throw new Error('digest');
  return { digest, count: 1, bytes: 1 };
};
const withBatch =
  (...naming: readonly number[]) =>
  (index: number): BlockOptions =>
    naming.includes(index) ? { batches: [batch(index)] } : {};
const heightsOf = (step: ReturnType<typeof commitBy>) =>
  step.status === 'committed' ? step.blocks.map(({ block }) => block.header.round) : step.status;

describe('insertion', () => {
  const { blocks } = chainOf(place, [1, 2, 3]);

  it('needs the parent first, and takes a block once', () => {
    expect(insertBlock(planted, node(at(blocks, 1)))).toMatchObject({
      status: 'parentMissing',
      parentId: idOf(place, at(blocks, 0)),
    });
    const tree = grow(planted, ...blocks);
    expect(insertBlock(tree, node(at(blocks, 1))).status).toBe('known');
    expect(insertBlock(tree, { id: root.id, block: at(blocks, 0) }).status).toBe('known');
    expect(blocksIn(tree, round(2)).map(({ id }) => id)).toEqual([idOf(place, at(blocks, 1))]);
  });

  it('keeps two uncertified blocks of a round; a third only with a QC', () => {
    const rivals = [1, 2, 3].map((time) => blockOn(place, rootQC, 1, { time: 5_000_000 + time }));
    const tree = grow(planted, at(rivals, 0), at(rivals, 1));
    expect(insertBlock(tree, node(at(rivals, 2)))).toMatchObject({
      status: 'refused',
      refusal: { code: 'ROUND_FULL', round: 1 },
    });
    expect(insertBlock(tree, node(at(rivals, 2)), true).status).toBe('inserted');
    const certified = certifyBlock(tree, qcOf(place, at(rivals, 2)));
    expect(insertBlock(certified, node(at(rivals, 2))).status).toBe('inserted');
  });

  it('refuses what does not descend from the committed block', () => {
    const long = chainOf(place, [1, 2, 3]);
    const step = commitReady(certifyBlock(grow(planted, ...long.blocks), at(long.qcs, 2)));
    if (step.status !== 'committed') throw new Error(step.status);
    const rival = blockOn(place, rootQC, 1, { time: 5_000_000 });
    expect(insertBlock(step.tree, node(rival))).toMatchObject({
      refusal: { code: 'NOT_ABOVE_COMMITTED', height: 1, committedHeight: 2 },
    });
  });

  it('is bounded (TREE_FULL)', () => {
    const filler = node(at(blocks, 0));
    const ids = Array.from({ length: BLOCKS_MAX }, (_, index) => parseBlockId(digestOf(u64(index))));
    const held = new Map(ids.flatMap((id) => (id === 'malformed' ? [] : [[id, filler] as const])));
    const full: BlockTree = { ...planted, blocks: held };
    expect(insertBlock(full, node(at(blocks, 0)), true)).toMatchObject({ refusal: { code: 'TREE_FULL' } });
  });

  it('keeps few certificates of blocks that it does not hold', () => {
    let tree = planted;
    for (let inRound = 1; inRound <= 40; inRound += 1) {
      tree = certifyBlock(tree, qcOf(place, blockOn(place, rootQC, inRound)));
    }
    expect(tree.certificates.size).toBe(UNKNOWN_CERTIFIED_MAX + 1);
    expect(Math.min(...[...tree.certificates.values()].map((qc) => qc.round).filter((one) => one > 0))).toBe(
      25,
    );
  });
});

describe('commit (CS-5)', () => {
  it('takes b0 on a QC for b1 of the next round, with its ancestors, oldest first', () => {
    const { blocks, qcs } = chainOf(place, [1, 3, 4, 5]);
    const tree = certifyBlock(grow(planted, ...blocks.slice(0, 3)), at(qcs, 2));
    const step = commitBy(tree, at(qcs, 2));
    if (step.status !== 'committed') throw new Error(step.status);
    expect(step.blocks.map(({ block }) => block)).toEqual([at(blocks, 0), at(blocks, 1)]);
    expect(step.blocks.map(({ qc }) => qc)).toEqual([at(qcs, 0), at(qcs, 1)]);
    expect(step.blocks.every(({ commitProof }) => commitProof === at(qcs, 2))).toBe(true);
    expect(step.tree.root).toEqual(rootOf({ ...node(at(blocks, 1)), commitProof: at(qcs, 2) }));
    expect([...step.tree.blocks.keys()]).toEqual([idOf(place, at(blocks, 2))]);
    expect(step.dropped).toEqual([]);
    expect(commitReady(step.tree).status).toBe('nothing');
  });

  it('never happens without consecutive rounds (pitfall: commit when the child has a QC)', () => {
    const { blocks, qcs } = chainOf(place, [1, 3, 5, 7]);
    const tree = certifyBlock(grow(planted, ...blocks), at(qcs, 3));
    for (const qc of qcs) expect(commitBy(tree, qc).status).toBe('nothing');
    expect(commitReady(tree).status).toBe('nothing');
  });

  it('takes no certificate for a committed block that states something else than that block', () => {
    const { blocks, qcs } = chainOf(place, [1, 2, 3]);
    const lying = { ...at(qcs, 0), parentId: at(qcs, 1).blockId };
    const step = commitBy(certifyBlock(insertProven(planted, blocks.map(node)), lying), at(qcs, 2));
    if (step.status !== 'committed') throw new Error(step.status);
    expect(step.blocks.map(({ qc }) => qc)).toEqual([at(blocks, 1).qc, at(blocks, 2).qc]);
    const second = { ...at(blocks, 1), qc: lying };
    const without = insertBlock(certifyBlock(grow(planted, at(blocks, 0)), lying), node(second));
    const last = insertBlock(without.tree, node(at(blocks, 2)));
    expect(commitBy(last.tree, at(qcs, 2)), 'nobody states it: it is fetched').toEqual({
      status: 'missing',
      id: at(qcs, 2).blockId,
    });
  });

  it('drops what forked below, and says so', () => {
    const { blocks, qcs } = chainOf(place, [1, 3, 4]);
    const fork = blockOn(place, rootQC, 2, { time: 5_000_000 });
    const forkOfFork = blockOn(place, qcOf(place, fork), 5, { time: 6_000_000 });
    const step = commitReady(certifyBlock(grow(planted, ...blocks, fork, forkOfFork), at(qcs, 2)));
    if (step.status !== 'committed') throw new Error(step.status);
    expect(step.dropped).toEqual([fork, forkOfFork].map((block) => idOf(place, block)));
    expect(step.tree.certificates.has(idOf(place, fork))).toBe(false);
  });

  it('waits for what it does not hold (CS-12)', () => {
    const { blocks, qcs } = chainOf(place, [1, 2, 3]);
    const tree = grow(planted, at(blocks, 0));
    expect(commitBy(tree, at(qcs, 2))).toEqual({ status: 'missing', id: idOf(place, at(blocks, 1)) });
    expect(missingFor(tree, at(qcs, 2))).toBe(idOf(place, at(blocks, 2)));
    expect(missingFor(tree, at(qcs, 0))).toBeUndefined();
    expect(missingFor(tree, rootQC)).toBeUndefined();
  });

  it('comes to the same whatever order blocks and certificates came in', () => {
    const { blocks, qcs } = chainOf(place, [1, 2, 4, 5, 6]);
    const tip = at(qcs, 4);
    type Piece = { readonly block: Block } | { readonly qc: QuorumCertificate };
    const pieces: readonly Piece[] = [...blocks.map((block) => ({ block })), { qc: tip }];
    fc.assert(
      fc.property(fc.shuffledSubarray([...pieces], { minLength: 6, maxLength: 6 }), (order) => {
        let tree = planted;
        const committed: number[] = [];
        let waiting: readonly Block[] = [];
        for (const piece of order) {
          if ('qc' in piece) tree = certifyBlock(tree, piece.qc);
          else waiting = [...waiting, piece.block];
          for (let again = true; again; ) {
            again = false;
            for (const block of waiting) {
              const insertion = insertBlock(tree, node(block));
              tree = insertion.tree;
              if (insertion.status === 'parentMissing') continue;
              waiting = waiting.filter((one) => one !== block);
              again = true;
            }
          }
          for (let step = commitReady(tree); step.status === 'committed'; step = commitReady(tree)) {
            committed.push(...step.blocks.map(({ block }) => block.header.round));
            tree = step.tree;
          }
        }
        expect(committed).toEqual([1, 2, 4, 5]);
        expect(tree.root.round).toBe(5);
      }),
      { numRuns: 60 },
    );
  });

  it('of a chain of thousands overflows no stack', () => {
    const rounds = Array.from({ length: 2_000 }, (_, index) => 2 * index + 1);
    const { blocks, qcs } = chainOf(place, [...rounds, 4_000]);
    const step = commitBy(grow(planted, ...blocks), at(qcs, 2_000));
    expect(heightsOf(step)).toEqual(rounds);
  }, 20_000);

  it('tells a fork from two QCs at one height in different rounds (pitfall)', () => {
    const { blocks, qcs } = chainOf(place, [1, 2, 3]);
    const rival = blockOn(place, rootQC, 4, { time: 5_000_000 });
    const tree = certifyBlock(certifyBlock(grow(planted, ...blocks, rival), qcOf(place, rival)), at(qcs, 2));
    const step = commitReady(tree);
    expect(heightsOf(step)).toEqual([1, 2]);
    if (step.status !== 'committed') throw new Error(step.status);
    const proof = qcOf(
      place,
      blockOn(place, { ...at(qcs, 0), blockId: idOf(place, rival), height: height(2) }, 2),
    );
    const contrary = { ...proof, height: height(3), parentRound: round(1) };
    const committed = { id: idOf(place, at(blocks, 1)), proof: at(qcs, 2) };
    expect(commitBy(step.tree, contrary)).toEqual({
      status: 'conflict',
      height: 2,
      first: committed.id,
      second: contrary.parentId,
      evidence: {
        kind: 'CommitProofs',
        height: 2,
        first: committed,
        second: { id: contrary.parentId, proof: contrary },
      },
    });
    expect(commitBy(step.tree, at(qcs, 1)).status).toBe('nothing');
  });

  it('has no proof of genesis to show against a proof for another first block (SY-5)', () => {
    const { qcs } = chainOf(place, [1]);
    const contrary = { ...at(qcs, 0), parentId: idOf(place, blockOn(place, rootQC, 9)) };
    const step = commitBy(planted, contrary);
    expect(step).toEqual({ status: 'conflict', height: 0, first: root.id, second: contrary.parentId });
  });
});

describe('two QCs that contradict each other (SY-5)', () => {
  const { blocks, qcs } = chainOf(place, [1, 2, 3]);
  const rival = blockOn(place, rootQC, 2, { time: 5_000_000 });

  it('two of one round for different blocks stop every commit, with both as evidence', () => {
    const tree = certifyBlock(certifyBlock(grow(planted, ...blocks), qcOf(place, rival)), at(qcs, 2));
    expect(commitReady(tree)).toEqual({
      status: 'conflict',
      height: 2,
      first: idOf(place, at(blocks, 1)),
      second: idOf(place, rival),
      evidence: { kind: 'RoundCertificates', first: at(qcs, 1), second: qcOf(place, rival) },
    });
  });

  it('is seen when the other is of the committed block', () => {
    const step = commitReady(certifyBlock(grow(planted, ...blocks), at(qcs, 2)));
    if (step.status !== 'committed') throw new Error(step.status);
    expect(commitReady(certifyBlock(step.tree, qcOf(place, rival)))).toMatchObject({
      status: 'conflict',
      evidence: { first: { round: 2 }, second: { round: 2 } },
    });
  });

  it('is none between other signers of one block, nor between rounds at one height', () => {
    const again = qcOf(place, at(blocks, 1), [1, 2, 3]);
    const later = qcOf(place, blockOn(place, rootQC, 7, { time: 5_000_000 }));
    const tree = [again, at(qcs, 2), later].reduce(certifyBlock, grow(planted, ...blocks));
    expect(tree.fork).toBeUndefined();
    expect(heightsOf(commitReady(tree))).toEqual([1, 2]);
  });
});

describe('blocks that a descendant proves (CS-12, SY-8)', () => {
  const { blocks, qcs } = chainOf(place, [1, 2, 3, 5, 6]);
  const forged = new Uint8Array(96);
  /** As a liar may send them: the signatures inside are worth nothing, the statements are true. */
  const unsigned = blocks.map((block) => ({ ...block, qc: { ...block.qc, signature: forged } }));

  it('stand in the tree at once, and none of the QCs inside them becomes a certificate', () => {
    const tree = insertProven(planted, unsigned.map(node));
    expect(tree.blocks.size).toBe(5);
    expect([...tree.certificates.keys()]).toEqual([root.id]);
    expect(commitReady(tree).status).toBe('nothing');
  });

  it('are committed by a verified QC alone, which is the proof of each; their own QC is what their child carries', () => {
    const tree = certifyBlock(insertProven(planted, unsigned.map(node)), at(qcs, 4));
    const step = commitReady(tree);
    if (step.status !== 'committed') throw new Error(step.status);
    expect(step.blocks.map(({ block }) => block.header.round)).toEqual([1, 2, 3, 5]);
    expect(step.blocks.every(({ commitProof }) => commitProof === at(qcs, 4))).toBe(true);
    expect(step.blocks.map(({ id, qc }) => [qc.blockId === id, qc.signature])).toEqual(
      step.blocks.map(() => [true, forged]),
    );
    expect(step.tree.root.proof).toBe(at(qcs, 4));
  });

  it('a verified QC of a block among them is kept rather than what its child carries', () => {
    const proven = insertProven(planted, unsigned.map(node));
    const step = commitReady([at(qcs, 1), at(qcs, 4)].reduce(certifyBlock, proven));
    if (step.status !== 'committed') throw new Error(step.status);
    expect(step.blocks.map(({ qc }) => qc.signature === forged)).toEqual([true, false, true, true]);
  });

  it('a consecutive QC that only came inside a block commits nothing', () => {
    // QC(6) is not known, QC(5) follows a gap; rounds 2 and 3 are consecutive, but nobody verified QC(3).
    const tree = certifyBlock(insertProven(planted, unsigned.slice(0, 4).map(node)), at(qcs, 3));
    expect(commitReady(tree).status).toBe('nothing');
  });

  it('overlapping and repeated ones change nothing; orphans, those below the root and wrong links are left out', () => {
    const tree = insertProven(planted, [...unsigned.slice(0, 3), ...unsigned.slice(1)].map(node));
    expect([...tree.blocks.keys()]).toEqual(blocks.map((block) => idOf(place, block)));
    expect(insertProven(planted, unsigned.slice(1).map(node)).blocks.size).toBe(0);
    const step = commitReady(certifyBlock(tree, at(qcs, 2)));
    if (step.status !== 'committed') throw new Error(step.status);
    const fork = blockOn(place, rootQC, 9);
    expect(insertProven(step.tree, [node(fork)]).blocks).toEqual(step.tree.blocks);
    const [first, second] = [at(unsigned, 0), at(unsigned, 1)];
    const link = { ...second, qc: { ...second.qc, blockId: idOf(place, fork) } };
    expect([...insertProven(planted, [node(first), { ...node(second), block: link }]).blocks.keys()]).toEqual(
      [idOf(place, first)],
    );
  });

  it('what no id covers of the certificate that they carry is their parent’s to say, not the sender’s (SY-8)', () => {
    const lied = unsigned.map((block) => ({
      ...block,
      qc: {
        ...block.qc,
        parentId: idOf(place, at(blocks, 4)),
        parentRound: block.qc.round,
        height: height(9),
      },
    }));
    expect(lied.map((block) => idOf(place, block))).toEqual(blocks.map((block) => idOf(place, block)));
    const tree = insertProven(planted, lied.map(node));
    expect([...tree.blocks.values()].map(({ block }) => block)).toEqual(unsigned);
    const step = commitReady(certifyBlock(tree, at(qcs, 2)));
    if (step.status !== 'committed') throw new Error(step.status);
    const above = insertProven(step.tree, lied.slice(2).map(node));
    expect([...above.blocks.values()].map(({ block }) => block)).toEqual(unsigned.slice(2));
    const round = insertProven(planted, [
      { ...node(at(lied, 0)), block: { ...at(lied, 0), qc: { ...rootQC, round: at(qcs, 2).round } } },
    ]);
    expect(round.blocks.size).toBe(0);
  });

  it('are bounded as all blocks are: what comes first has room', () => {
    const filler = node(at(blocks, 4));
    const ids = Array.from({ length: BLOCKS_MAX - 1 }, (_, index) => parseBlockId(digestOf(u64(index))));
    const held = new Map(ids.flatMap((id) => (id === 'malformed' ? [] : [[id, filler] as const])));
    const grown = insertProven({ ...planted, blocks: held }, unsigned.map(node)).blocks;
    expect(grown.size).toBe(BLOCKS_MAX);
    expect(grown.has(idOf(place, at(blocks, 0)))).toBe(true);
  });
});

describe('what a block must state as executed ("Blocks")', () => {
  const outcome = (inHeight: number) => ({ height: height(inHeight), appHash: digestOf(u64(inHeight)) });

  it('is the parent’s value, or the parent’s parent’s outcome when the parent’s QC is consecutive', () => {
    const { blocks, qcs } = chainOf(place, [1, 2, 4], (index) =>
      index === 2 ? { executed: outcome(1) } : {},
    );
    const tree = grow(planted, ...blocks);
    expect(expectedExecuted(planted, rootQC)).toEqual({ status: 'known', executed: GENESIS_EXECUTED });
    expect(expectedExecuted(tree, at(qcs, 0))).toEqual({ status: 'known', executed: GENESIS_EXECUTED });
    expect(expectedExecuted(tree, at(qcs, 1))).toEqual({
      status: 'awaited',
      id: idOf(place, at(blocks, 0)),
      height: 1,
    });
    const executed = noteExecuted(tree, idOf(place, at(blocks, 0)), outcome(1));
    expect(expectedExecuted(executed, at(qcs, 1))).toEqual({ status: 'known', executed: outcome(1) });
    expect(expectedExecuted(executed, at(qcs, 2))).toEqual({ status: 'known', executed: outcome(1) });
  });

  it('waits for an unknown parent', () => {
    const { qcs } = chainOf(place, [2]);
    expect(expectedExecuted(planted, at(qcs, 0))).toMatchObject({ status: 'parentMissing' });
  });

  it('remembers few outcomes, the highest', () => {
    let tree = planted;
    for (let inHeight = 1; inHeight <= 40; inHeight += 1) {
      tree = noteExecuted(tree, idOf(place, blockOn(place, rootQC, inHeight)), outcome(inHeight));
    }
    expect(tree.executed.size).toBe(EXECUTED_MAX);
    expect(Math.min(...[...tree.executed.values()].map((one) => one.height))).toBe(25);
  });

  it('finds the parent’s time in the root and in the tree', () => {
    const { blocks, qcs } = chainOf(place, [1]);
    expect(parentFacts(planted, rootQC)).toMatchObject({ time: GENESIS_TIME, height: 0 });
    expect(parentFacts(planted, at(qcs, 0))).toBeUndefined();
    expect(parentFacts(grow(planted, ...blocks), at(qcs, 0))).toMatchObject({
      time: GENESIS_TIME + 1,
      height: 1,
    });
  });
});

describe('work of the chain (CS-10)', () => {
  it('is an uncommitted ancestor that is not empty, until it is committed', () => {
    const { blocks, qcs } = chainOf(place, [1, 2, 3, 4], withBatch(1));
    const tree = grow(planted, ...blocks);
    const tip = (index: number) => idOf(place, at(blocks, index));
    expect([0, 1, 2, 3].map((index) => hasUncommittedWork(tree, tip(index)))).toEqual([
      false,
      true,
      true,
      true,
    ]);
    expect(namedBatches(tree, tip(3))).toEqual([batch(1).digest]);
    const step = commitBy(tree, at(qcs, 2));
    if (step.status !== 'committed') throw new Error(step.status);
    expect(hasUncommittedWork(step.tree, tip(3))).toBe(false);
    expect(namedBatches(step.tree, idOf(place, blockOn(place, rootQC, 9)))).toEqual([]);
  });
});

describe('a fetched block (CS-12)', () => {
  const { blocks, qcs } = chainOf(place, [1, 2]);
  const [block, qc] = [at(blocks, 1), at(qcs, 1)];
  const check = (one: { readonly block: Block; readonly qc: QuorumCertificate }) => {
    const result = checkCertifiedBlock(place.epoch, place.bls, NONE_VERIFIED, one);
    return result.status === 'refused' ? result.refusal.code : result.status;
  };

  it('is proven by its own QC and carries its parent’s', () => {
    expect(check({ block, qc })).toBe('proven');
    expect(check({ block, qc: at(qcs, 0) })).toBe('VOTE_NOT_FOR_BLOCK');
    expect(check({ block: { ...block, header: { ...block.header, time: GENESIS_TIME } }, qc })).toBe(
      'VOTE_NOT_FOR_BLOCK',
    );
    expect(check({ block, qc: { ...qc, signature: new Uint8Array(96) } })).toBe('SIGNATURE_INVALID');
    expect(check({ block: { ...block, qc: { ...block.qc, signature: new Uint8Array(96) } }, qc })).toBe(
      'SIGNATURE_INVALID',
    );
    expect(check({ block: { ...block, qc: rootQC }, qc })).toBe('PARENT_MISMATCH');
  });
});
