/** What a certificate commits: the two-chain rule, and what ends an epoch. Pure. Rules CS-5, CS-16, SY-5, docs/protocol/consensus.md. */
import { sameStatement, statementOf } from '../chain/canonical.ts';
import type {
  BlockId,
  CommitProof,
  HeaderLink,
  Height,
  ProvenHeader,
  QuorumCertificate,
} from '../chain/types.ts';
import type { CommittedBlock } from '../ports/storage.ts';
import type { ForkEvidence } from '../sync/types.ts';
import {
  type BlockTree,
  endsEpoch,
  pathTo,
  prune,
  rootOf,
  type TreeBlock,
  type TreeRoot,
} from './block-tree.ts';

export type CommitStep =
  /** Oldest first; `tree` has the newest of them as its root, `dropped` lost to them. */
  | {
      readonly status: 'committed';
      readonly tree: BlockTree;
      readonly blocks: readonly [CommittedBlock, ...CommittedBlock[]];
      readonly dropped: readonly BlockId[];
      /** CS-16: the newest of them ends its epoch; with what is above it up to the block that the QC commits. */
      readonly ending?: ProvenHeader;
    }
  | { readonly status: 'nothing' }
  /** The QC commits a block whose chain is not held here: fetch it (CS-12). */
  | { readonly status: 'missing'; readonly id: BlockId }
  /** Safety is broken, stop voting (SY-5): another block at the committed height, or two QCs of one round. */
  | {
      readonly status: 'conflict';
      readonly height: Height;
      readonly first: BlockId;
      readonly second: BlockId;
      /** Absent where nothing had to prove the first: it is genesis. */
      readonly evidence?: ForkEvidence;
    };

/**
 * CS-5: a QC for b1 with parent b0, b1.round = b0.round + 1 and one epoch commits b0 and its uncommitted ancestors.
 * A parent link without consecutive rounds never commits. What ends the epoch ends the commit (CS-16).
 */
export function commitBy(tree: BlockTree, qc: QuorumCertificate): CommitStep {
  const { root } = tree;
  if (qc.round !== qc.parentRound + 1 || qc.epoch !== root.epoch) return { status: 'nothing' };
  const height = qc.height - 1;
  if (height === root.height && qc.parentId !== root.id) {
    return conflictAtRoot(root, qc);
  }
  if (height <= root.height || root.endsEpoch) return { status: 'nothing' };
  const path = pathTo(tree, qc.parentId);
  if (path.status === 'missing') return path;
  const last = path.blocks.findIndex(({ block }) => endsEpoch(block.header));
  const blocks: CommittedBlock[] = [];
  for (const [index, { id, block }] of path.blocks.slice(0, last < 0 ? undefined : last + 1).entries()) {
    // What its child carries states the same, verified or not: the chain of ids below `qc` proves it.
    const child = path.blocks[index + 1] ?? tree.blocks.get(qc.blockId);
    const statement = statementOf(block, id);
    const own = [tree.certificates.get(id), child?.block.qc].find(
      (one) => one !== undefined && sameStatement(one, statement),
    );
    if (own === undefined) return { status: 'missing', id: qc.blockId };
    blocks.push({ id, block, qc: own, commitProof: qc });
  }
  const [first, ...others] = blocks;
  const newest = blocks.at(-1);
  if (first === undefined || newest === undefined) return { status: 'nothing' };
  const pruned = prune(tree, rootOf(newest));
  const [end, ...above] = last < 0 ? [] : path.blocks.slice(last).map(linkOf);
  const ending: ProvenHeader | undefined =
    end === undefined ? undefined : { path: [end, ...above], certificate: qc };
  return {
    status: 'committed',
    blocks: [first, ...others],
    ...pruned,
    ...(ending === undefined ? {} : { ending }),
  };
}

const linkOf = ({ block: { header, qc } }: TreeBlock): HeaderLink => ({ header, parentRound: qc.round });

/** The headers from the root, which ends its epoch, up to the block that its proof commits; undefined where they are not held. */
export function endingOf(tree: BlockTree, root: TreeBlock): ProvenHeader | undefined {
  const { proof } = tree.root;
  const path = proof === undefined ? undefined : pathTo(tree, proof.parentId);
  if (proof === undefined || path?.status !== 'found') return undefined;
  return { path: [linkOf(root), ...path.blocks.map(linkOf)], certificate: proof };
}

function conflictAtRoot({ id: first, height, proof }: TreeRoot, qc: CommitProof): CommitStep {
  const second = qc.parentId;
  if (proof === undefined) return { status: 'conflict', height, first, second };
  const evidence: ForkEvidence = {
    kind: 'CommitProofs',
    height,
    first: { id: first, proof },
    second: { id: second, proof: qc },
  };
  return { status: 'conflict', height, first, second, evidence };
}

/** The best that any QC in the tree commits: asked after a block or a certificate came, in whatever order they came. */
export function commitReady(tree: BlockTree): CommitStep {
  if (tree.fork !== undefined) {
    const { first, second } = tree.fork;
    const named = { height: first.height, first: first.blockId, second: second.blockId };
    return { status: 'conflict', ...named, evidence: tree.fork };
  }
  const newestFirst = [...tree.certificates.values()].sort((left, right) => right.round - left.round);
  for (const qc of newestFirst) {
    const step = commitBy(tree, qc);
    if (step.status === 'committed' || step.status === 'conflict') return step;
  }
  return { status: 'nothing' };
}
