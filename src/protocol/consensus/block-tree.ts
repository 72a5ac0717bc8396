/**
 * The blocks above the newest committed one, what commits them, and what a block on each of them must state as
 * executed. Every block in it descends from the root. Pure; immutable. Rules CS-5, CS-10, CS-12, "Blocks".
 */
import type { WallTime } from '../../base/units.ts';
import { NO_PARENT, restated, sameStatement, statementOf } from '../chain/canonical.ts';
import { GENESIS_HEIGHT, maxHeight, previousHeight } from '../chain/ordinals.ts';
import type {
  BatchDigest,
  Block,
  BlockId,
  CommitProof,
  Digest,
  Epoch,
  ExecutedState,
  Header,
  HeaderLink,
  Height,
  ProvenHeader,
  QuorumCertificate,
  Round,
  VoteStatement,
} from '../chain/types.ts';
import type { ValidatorUpdate } from '../ports/application.ts';
import type { CommittedBlock, UpdatesAt } from '../ports/storage.ts';
import type { ForkEvidence } from '../sync/types.ts';
import type { EpochContext } from './epoch.ts';
import { type Offence, offencesIn } from './evidence.ts';
import type { StorageRefusal } from './refusals.ts';
import type { EpochStanding } from './standing.ts';

/** Blocks without a QC that the tree holds of one round: an equivocating leader's first two. @unit blocks */
export const UNCERTIFIED_PER_ROUND_MAX = 2;
/** Uncommitted blocks, certified or not; above it nothing is inserted (TREE_FULL). @unit blocks */
export const BLOCKS_MAX = 4096;
/** Newest execution outcomes kept. @unit entries @source a block states the outcome of its grandparent at the latest */
export const EXECUTED_MAX = 16;
/** Certificates of blocks that are not held, the newest rounds'. @unit entries */
export const UNKNOWN_CERTIFIED_MAX = 16;

/** The newest committed block, or genesis. */
export interface TreeRoot {
  readonly id: BlockId;
  readonly parentId: BlockId;
  readonly epoch: Epoch;
  readonly round: Round;
  readonly height: Height;
  readonly parentRound: Round;
  readonly time: WallTime;
  /** What its header states. */
  readonly executed: ExecutedState;
  /** Of its epoch; of the next one where it is the last of its epoch: nothing commits above it then (CS-16). */
  readonly nextHash: Digest;
  readonly endsEpoch: boolean;
  /** Verified: what committed it. Absent at genesis. */
  readonly proof?: CommitProof;
}

export interface TreeBlock {
  readonly id: BlockId;
  readonly block: Block;
}

export interface BlockTree {
  readonly root: TreeRoot;
  readonly blocks: ReadonlyMap<BlockId, TreeBlock>;
  /** Verified QCs by the block that they certify; nothing else is a proof. */
  readonly certificates: ReadonlyMap<BlockId, QuorumCertificate>;
  /** This node's own outcomes, by block. */
  readonly executed: ReadonlyMap<BlockId, ExecutedState>;
  /** What executed blocks asked for that has not taken effect, by rising height. */
  readonly updates: readonly UpdatesAt[];
  /** What the epoch's headers add up to, of the root or, where that ends its epoch, of its parent; absent where not all were seen. */
  readonly standing?: EpochStanding;
  /** This node has executed so far: above it what blocks ask for is not known. */
  readonly executedHeight: Height;
  /** Two verified QCs of one round: from now on nothing is committed (SY-5). */
  readonly fork?: Extract<ForkEvidence, { kind: 'RoundCertificates' }>;
}

/** Genesis as a root: `appHash` is what `initChain` answered. */
export function genesisRoot(epoch: EpochContext, genesis: { time: WallTime; appHash: Digest }): TreeRoot {
  return {
    id: epoch.rootQC.blockId,
    parentId: NO_PARENT,
    epoch: epoch.epoch,
    round: epoch.rootQC.round,
    height: GENESIS_HEIGHT,
    parentRound: epoch.rootQC.parentRound,
    time: genesis.time,
    executed: { height: GENESIS_HEIGHT, appHash: genesis.appHash },
    ...{ nextHash: epoch.hash, endsEpoch: false },
  };
}

/** The last block of the epoch before as the root of this one, at round 0 (CS-16). */
export function epochRoot(epoch: EpochContext, { header }: HeaderLink): TreeRoot {
  const { blockId: id, parentId, round, height, parentRound } = epoch.rootQC;
  const { time, executed } = header;
  const statement = { id, parentId, epoch: epoch.epoch, round, height, parentRound };
  return { ...statement, time, executed, nextHash: epoch.hash, endsEpoch: false };
}

/** A committed block as a root. `commitProof` is verified. */
export function rootOf({
  id,
  block,
  commitProof: proof,
}: TreeBlock & Pick<CommittedBlock, 'commitProof'>): TreeRoot {
  const { epoch, round, height, parentId, time, executed, nextValidatorsHash: nextHash } = block.header;
  const statement = { id, parentId, epoch, round, height, parentRound: block.qc.round };
  return { ...statement, time, executed, nextHash, endsEpoch: endsEpoch(block.header), proof };
}

/** CS-16: the first such block of a chain is the last of its epoch; those above it are never executed. */
export const endsEpoch = ({ validatorsHash, nextValidatorsHash }: Header): boolean =>
  nextValidatorsHash !== validatorsHash;

type KnownOfRoot = Pick<BlockTree, 'updates' | 'executedHeight' | 'standing'>;
const NOTHING_EXECUTED: KnownOfRoot = { updates: [], executedHeight: GENESIS_HEIGHT };

/** A tree of the root alone. `rootQC` certifies it and was verified, if it is held. */
export function plantTree(
  root: TreeRoot,
  rootQC?: QuorumCertificate,
  { updates, executedHeight, standing }: KnownOfRoot = NOTHING_EXECUTED,
): BlockTree {
  return {
    root,
    ...(standing === undefined ? {} : { standing }),
    updates,
    executedHeight,
    blocks: new Map<BlockId, TreeBlock>(),
    certificates: new Map(rootQC === undefined ? [] : [[root.id, rootQC]]),
    executed: new Map(root.height === GENESIS_HEIGHT ? [[root.id, root.executed]] : []),
  };
}

export type Insertion =
  | { readonly status: 'inserted'; readonly tree: BlockTree }
  | { readonly status: 'known'; readonly tree: BlockTree }
  /** Fetch the parent first (CS-12). */
  | { readonly status: 'parentMissing'; readonly tree: BlockTree; readonly parentId: BlockId }
  | { readonly status: 'refused'; readonly tree: BlockTree; readonly refusal: StorageRefusal };

/**
 * Puts a block under its parent; the parent's QC inside it was verified. A certified one (QC held or `certified`) is not
 * bound by the round's limit.
 */
export function insertBlock(tree: BlockTree, { id, block }: TreeBlock, certified = false): Insertion {
  const { root, blocks } = tree;
  if (id === root.id || blocks.has(id)) return { status: 'known', tree };
  const { height, parentId, round } = block.header;
  const onRoot = parentId === root.id;
  if (height <= root.height || (height === root.height + 1 && !onRoot)) {
    const committed = { committedHeight: root.height, committedId: root.id };
    return {
      status: 'refused',
      tree,
      refusal: { code: 'NOT_ABOVE_COMMITTED', height, parentId, ...committed },
    };
  }
  if (!onRoot && !blocks.has(parentId)) return { status: 'parentMissing', tree, parentId };
  const refusal = checkRoom(tree, round, certified || tree.certificates.has(id));
  if (refusal !== undefined) return { status: 'refused', tree, refusal };
  const grown: BlockTree = { ...tree, blocks: new Map(blocks).set(id, { id, block }) };
  return { status: 'inserted', tree: certifyBlock(grown, block.qc) };
}

/**
 * Puts blocks, parents before children, that a verified QC of a descendant proves, in one step. The QCs inside them are
 * statements: none becomes a certificate of the tree. What joins nothing, or finds no room, is left out.
 */
export function insertProven(tree: BlockTree, nodes: readonly TreeBlock[]): BlockTree {
  const { root } = tree;
  const blocks = new Map(tree.blocks);
  for (const node of nodes) {
    const { header, qc } = node.block;
    const { height, parentId } = header;
    if (blocks.size >= BLOCKS_MAX) break;
    if (height <= root.height || blocks.has(node.id)) continue;
    const parent = statementIn(root, blocks, parentId);
    if (parent === undefined || qc.blockId !== parentId || qc.round !== parent.round) continue;
    // No id covers the rest of what the parent's certificate says: it is taken from the parent, not from the sender.
    blocks.set(node.id, { id: node.id, block: restated(node.block, parent) });
  }
  return { ...tree, blocks };
}

/** What a certificate of the root or of a block says. */
function statementIn(
  root: TreeRoot,
  blocks: ReadonlyMap<BlockId, TreeBlock>,
  id: BlockId,
): VoteStatement | undefined {
  if (id === root.id) {
    const { epoch, round, height, parentId, parentRound } = root;
    return { epoch, round, height, blockId: id, parentId, parentRound };
  }
  const held = blocks.get(id);
  return held === undefined ? undefined : statementOf(held.block, id);
}

/** Remembers a verified QC. Of blocks that are not held only the newest few are kept. */
export function certifyBlock(tree: BlockTree, qc: QuorumCertificate): BlockTree {
  if (tree.certificates.has(qc.blockId) || qc.epoch !== tree.root.epoch) return tree;
  // SY-5: never two QCs of one round; two at one height in different rounds are normal.
  const rival = [...tree.certificates.values()].find(({ round }) => round === qc.round);
  if (rival !== undefined) {
    return { ...tree, fork: { kind: 'RoundCertificates', first: rival, second: qc } };
  }
  if (qc.round <= tree.root.round) return tree;
  const certificates = new Map(tree.certificates).set(qc.blockId, qc);
  const strangers = [...certificates.values()]
    .filter(({ blockId }) => blockId !== tree.root.id && !tree.blocks.has(blockId))
    .sort((left, right) => right.round - left.round);
  for (const { blockId } of strangers.slice(UNKNOWN_CERTIFIED_MAX)) certificates.delete(blockId);
  return { ...tree, certificates };
}

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

/** The block that `qc` certifies, or its nearest ancestor, that must be fetched; undefined when it is held. */
export function missingFor(tree: BlockTree, qc: QuorumCertificate): BlockId | undefined {
  if (qc.round <= tree.root.round || qc.blockId === tree.root.id) return undefined;
  return tree.blocks.has(qc.blockId) ? undefined : qc.blockId;
}

export type ExecutedExpectation =
  | { readonly status: 'known'; readonly executed: ExecutedState }
  /** Wait for this node's execution of `id`. */
  | { readonly status: 'awaited'; readonly id: BlockId; readonly height: Height }
  | { readonly status: 'parentMissing'; readonly parentId: BlockId };

/**
 * What a block that extends `qc` must state: the parent's value, or the outcome of the parent's parent when the parent's
 * QC is consecutive, which is what the block's own chain commits.
 */
export function expectedExecuted(tree: BlockTree, qc: QuorumCertificate): ExecutedExpectation {
  if (qc.round > 0 && qc.round === qc.parentRound + 1) {
    const executed = tree.executed.get(qc.parentId);
    if (executed !== undefined) return { status: 'known', executed };
    const height = tree.root.id === qc.parentId ? tree.root.height : previousHeight(qc.height);
    return { status: 'awaited', id: qc.parentId, height };
  }
  if (qc.blockId === tree.root.id) return { status: 'known', executed: tree.root.executed };
  const parent = tree.blocks.get(qc.blockId);
  return parent === undefined
    ? { status: 'parentMissing', parentId: qc.blockId }
    : { status: 'known', executed: parent.block.header.executed };
}

/** Notes this node's outcome of a committed block, and what it asked for. */
export function noteExecuted(
  before: BlockTree,
  id: BlockId,
  executed: ExecutedState,
  updates: readonly ValidatorUpdate[] = [],
): BlockTree {
  const executedHeight = maxHeight(before.executedHeight, executed.height);
  const isNew = updates.length > 0 && executed.height > (before.updates.at(-1)?.height ?? GENESIS_HEIGHT);
  const asked = isNew ? [{ height: executed.height, updates }] : [];
  const tree = { ...before, executedHeight, updates: [...before.updates, ...asked] };
  const noted = new Map(tree.executed).set(id, executed);
  if (noted.size <= EXECUTED_MAX) return { ...tree, executed: noted };
  let lowest = id;
  let { height } = executed;
  for (const [each, outcome] of noted) {
    if (outcome.height < height) [lowest, height] = [each, outcome.height];
  }
  noted.delete(lowest);
  return { ...tree, executed: noted };
}

/** Time and height of the block that a proposal on `qc` extends; undefined while it is unknown. */
export function parentFacts(
  tree: BlockTree,
  qc: QuorumCertificate,
): { readonly time: WallTime; readonly height: Height } | undefined {
  if (qc.blockId === tree.root.id) return tree.root;
  return tree.blocks.get(qc.blockId)?.block.header;
}

/** Batches that `tip` and its uncommitted ancestors name: a block on `tip` names none of them again. */
export function namedBatches(tree: BlockTree, tip: BlockId): readonly BatchDigest[] {
  const path = pathTo(tree, tip);
  if (path.status === 'missing') return [];
  return path.blocks.flatMap(({ block }) => block.header.batches.map(({ digest }) => digest));
}

/** The offences whose evidence `tip` and its uncommitted ancestors carry (CS-14). */
export function namedOffences(tree: BlockTree, tip: BlockId): readonly Offence[] {
  const path = pathTo(tree, tip);
  return path.status === 'missing' ? [] : path.blocks.flatMap(({ block }) => offencesIn(block));
}

/**
 * CS-10: `tip` or an uncommitted ancestor of it is not empty, or is to end the epoch, so another block is wanted to commit it;
 * or the validators are to change.
 */
export function hasUncommittedWork(tree: BlockTree, tip: BlockId): boolean {
  if (tree.root.endsEpoch) return false;
  const path = pathTo(tree, tip);
  const above = path.status === 'found' ? path.blocks : [];
  return (
    tree.updates.length > 0 ||
    above.some(
      ({ block: { header, evidence } }) =>
        header.batches.length > 0 || evidence !== undefined || endsEpoch(header),
    )
  );
}

/** Blocks that were proposed in `round`, in no particular order. */
export const blocksIn = (tree: BlockTree, round: Round): readonly TreeBlock[] =>
  [...tree.blocks.values()].filter(({ block }) => block.header.round === round);

/** The blocks above the root up to `tip` and with it, oldest first; undefined where one of them is not held. */
export function blocksTo(tree: BlockTree, tip: BlockId): readonly TreeBlock[] | undefined {
  const path = pathTo(tree, tip);
  return path.status === 'found' ? path.blocks : undefined;
}

type Path =
  | { readonly status: 'found'; readonly blocks: readonly TreeBlock[] }
  | { readonly status: 'missing'; readonly id: BlockId };

/** From the root's child down to `tip`, oldest first; empty for the root itself. Iterative: chains can be long. */
function pathTo(tree: BlockTree, tip: BlockId): Path {
  const newestFirst: TreeBlock[] = [];
  let id = tip;
  while (id !== tree.root.id) {
    const node = tree.blocks.get(id);
    if (node === undefined) return { status: 'missing', id };
    newestFirst.push(node);
    id = node.block.header.parentId;
  }
  return { status: 'found', blocks: newestFirst.reverse() };
}

/** Keeps what descends from the new root. */
function prune(
  tree: BlockTree,
  root: TreeRoot,
): { readonly tree: BlockTree; readonly dropped: readonly BlockId[] } {
  const blocks = new Map<BlockId, TreeBlock>();
  const dropped: BlockId[] = [];
  const ascending = [...tree.blocks.values()].sort(
    (left, right) => left.block.header.height - right.block.header.height,
  );
  const onPath = new Set(ancestorsIn(tree, root.id));
  for (const node of ascending) {
    const { parentId } = node.block.header;
    if (parentId === root.id || blocks.has(parentId)) blocks.set(node.id, node);
    else if (!onPath.has(node.id)) dropped.push(node.id);
  }
  const certificates = new Map(
    [...tree.certificates].filter(
      ([id, { round }]) => id === root.id || blocks.has(id) || round > root.round,
    ),
  );
  for (const id of dropped) certificates.delete(id);
  return { tree: { ...tree, root, blocks, certificates }, dropped };
}

function ancestorsIn(tree: BlockTree, tip: BlockId): readonly BlockId[] {
  const path = pathTo(tree, tip);
  return path.status === 'found' ? path.blocks.map(({ id }) => id) : [];
}

function checkRoom(tree: BlockTree, round: Round, certified: boolean): StorageRefusal | undefined {
  if (tree.blocks.size >= BLOCKS_MAX) {
    return { code: 'TREE_FULL', blocks: tree.blocks.size, limit: BLOCKS_MAX };
  }
  if (certified) return undefined;
  const rivals = blocksIn(tree, round).filter(({ id }) => !tree.certificates.has(id)).length;
  if (rivals < UNCERTIFIED_PER_ROUND_MAX) return undefined;
  return { code: 'ROUND_FULL', round, blocks: rivals, limit: UNCERTIFIED_PER_ROUND_MAX };
}
