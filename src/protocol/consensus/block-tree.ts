/**
 * The blocks above the newest committed one, what commits them, and what a block on each of them must state as
 * executed. Every block in it descends from the root. Pure; immutable. Rules CS-5, CS-10, CS-12, "Blocks".
 */
import type { WallTime } from '../../base/units.ts';
import { NO_PARENT, restated, statementOf } from '../chain/canonical.ts';
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
  const blocks = blocksTo(tree, tip) ?? [];
  return blocks.flatMap(({ block }) => block.header.batches.map(({ digest }) => digest));
}

/** The offences whose evidence `tip` and its uncommitted ancestors carry (CS-14). */
export const namedOffences = (tree: BlockTree, tip: BlockId): readonly Offence[] =>
  (blocksTo(tree, tip) ?? []).flatMap(({ block }) => offencesIn(block));

/**
 * CS-10: `tip` or an uncommitted ancestor of it is not empty, or is to end the epoch, so another block is wanted to commit it;
 * or the validators are to change.
 */
export function hasUncommittedWork(tree: BlockTree, tip: BlockId): boolean {
  if (tree.root.endsEpoch) return false;
  return (
    tree.updates.length > 0 ||
    (blocksTo(tree, tip) ?? []).some(
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
export function pathTo(tree: BlockTree, tip: BlockId): Path {
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
export function prune(
  tree: BlockTree,
  root: TreeRoot,
): { readonly tree: BlockTree; readonly dropped: readonly BlockId[] } {
  const blocks = new Map<BlockId, TreeBlock>();
  const dropped: BlockId[] = [];
  const ascending = [...tree.blocks.values()].sort(
    (left, right) => left.block.header.height - right.block.header.height,
  );
  const onPath = new Set(blocksTo(tree, root.id)?.map(({ id }) => id));
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

function checkRoom(tree: BlockTree, round: Round, certified: boolean): StorageRefusal | undefined {
  if (tree.blocks.size >= BLOCKS_MAX) {
    return { code: 'TREE_FULL', blocks: tree.blocks.size, limit: BLOCKS_MAX };
  }
  if (certified) return undefined;
  const rivals = blocksIn(tree, round).filter(({ id }) => !tree.certificates.has(id)).length;
  if (rivals < UNCERTIFIED_PER_ROUND_MAX) return undefined;
  return { code: 'ROUND_FULL', round, blocks: rivals, limit: UNCERTIFIED_PER_ROUND_MAX };
}
