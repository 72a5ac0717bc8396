/**
 * The live part of round-manager: its block tree with what waits around it, and what follows whenever the tree grew:
 * commit, fetch, weigh the work, tell the round. Pure. Rules CS-5, CS-10, CS-12; protocol/consensus/block-tree.ts.
 */
import type { WallTime } from '../../base/units.ts';
import { GENESIS_HEIGHT } from '../../protocol/chain/ordinals.ts';
import type {
  Address,
  Block,
  BlockId,
  EpochChange,
  ProvenHeader,
  QuorumCertificate,
  Round,
  TimeoutStatement,
  Vote,
} from '../../protocol/chain/types.ts';
import {
  type BlockTree,
  certifyBlock,
  expectedExecuted,
  hasUncommittedWork,
  insertBlock,
  namedBatches,
  namedOffences,
  parentFacts,
} from '../../protocol/consensus/block-tree.ts';
import type { EpochContext } from '../../protocol/consensus/epoch.ts';
import { nextHashOn } from '../../protocol/consensus/epoch-end.ts';
import { offencesIn } from '../../protocol/consensus/evidence.ts';
import { countsBlocks, type EpochStanding } from '../../protocol/consensus/standing.ts';
import type { ProposalMessage } from '../../protocol/consensus/types.ts';
import { rememberQC, type VerifiedCertificates } from '../../protocol/consensus/verified.ts';
import type { VoteBook } from '../../protocol/consensus/vote-book.ts';
import type {
  CertificatesReceived,
  ChainFacts,
  CommitAdvanced,
  ProposalCondemned,
  QcFormed,
  RoundEntered,
  RoundRequest,
  WorkChanged,
} from '../../protocol/ports/consensus.ts';
import type { CommittedBlock, StorageRequest } from '../../protocol/ports/storage.ts';
import type { SyncStanding } from '../../protocol/ports/sync.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import { saysTheSame } from '../../protocol/sync/status.ts';
import type { RoundSetting } from './round.live.ts';

/** Rounds whose cells are kept for readers and late certificates; the oldest is stopped. @unit rounds @source chosen */
export const ROUNDS_KEPT_MAX = 16;

/** Commits that wait for the disk; above it the next are decided when one is durable. @unit commits @source chosen */
export const COMMITTING_MAX = 64;

export interface RoundManagerInput {
  readonly setting: RoundSetting;
  readonly genesisTime: WallTime;
  readonly storage: CellAddress;
  readonly blockSync: CellAddress;
  /** Told of each durable commit: the executor and the mempool. */
  readonly commitListeners: readonly CellAddress[];
  /** Told when safety is broken: it stops the node. */
  readonly alarm: CellAddress;
  /** Says whether this node may propose (TM-7). */
  readonly timeCoordinator: CellAddress;
  /** Says whether a fork was proved, and hears of one that is seen here (SY-5). */
  readonly networkSync: CellAddress;
  /** Told of each epoch that is durable (CS-16). */
  readonly epochListeners: readonly CellAddress[];
  /** Hears of peers in other epochs. */
  readonly epochKeeper: CellAddress;
  /** Told of each offence that proves itself (CS-14). */
  readonly evidencePool: CellAddress;
}

interface Candidate {
  readonly block: Block;
  readonly blockId: BlockId;
}

interface Committing {
  readonly tag: number;
  readonly blocks: readonly CommittedBlock[];
  readonly standing?: EpochStanding;
}

export interface Waiting {
  readonly proposal: ProposalMessage;
  readonly receivedAt: WallTime;
}

/** Everything live; there once recovered. */
export interface LiveTree {
  readonly tree: BlockTree;
  readonly votes: VoteBook;
  readonly verified: VerifiedCertificates;
  readonly highQC: QuorumCertificate;
  readonly entered?: RoundEntered;
  /** Rounds that have a cell, ascending. */
  readonly rounds: readonly Round[];
  /** Authentic blocks of rounds that have a cell, in the tree or waiting for their parent. */
  readonly candidates: ReadonlyMap<Round, Candidate>;
  /** Newest proposals of rounds not entered yet, by leader. */
  readonly waiting: ReadonlyMap<Address, readonly Waiting[]>;
  readonly batchesWait: boolean;
  readonly hasWork: boolean;
  /** As the time-coordinator said last; false before it said anything. */
  readonly mayPropose: boolean;
  /** A certificate says that this node's state is not the chain's: nothing is proposed on it (BR-4). */
  readonly isDiverged: boolean;
  /** As network-sync said last. */
  readonly sync: SyncStanding;
  /** Tag of the last commit that was asked of storage: none is used twice in a life. */
  readonly commitTag: number;
  /** Decided commits on their way to the disk, oldest first. */
  readonly committing: readonly Committing[];
  /** As the evidence-pool said last: something waits for a block. */
  readonly evidenceWaits: boolean;
  /** Newest of the votes that the book has forgotten, and newest verified timeout, of each validator (CS-14). Bounded by the set. */
  readonly newestVotes: ReadonlyMap<Address, Vote>;
  readonly timeouts: ReadonlyMap<Address, TimeoutStatement>;
  /** Target of the last request to block-sync. */
  readonly wanted?: Round;
  /** CS-16: the newest committed block, where it ends the epoch; and what leads up to the block that proves its commit. */
  readonly last?: CommittedBlock;
  readonly ending?: ProvenHeader;
  /** As the epoch-keeper has verified it: how this epoch ended. */
  readonly proven?: EpochChange;
  /** Storage was asked to end the epoch, under this tag. */
  readonly endTag?: number;
  /** What the round entered was told last, at its birth or since; absent when it is to hear anew. */
  readonly told?: ChainFacts;
}

export interface RoundManagerContext extends RoundManagerInput {
  readonly live?: LiveTree;
  readonly tag: number;
}

export interface Stepped {
  readonly live: LiveTree;
  readonly effects: readonly Effect[];
}

export interface Clock {
  readonly wall: WallTime;
  readonly address: CellAddress;
}

/** Where leaders are chosen by what the epoch's blocks add up to, it is kept with the newest of them (CS-15, CS-17). */
export const standingToKeep = (
  { setting: { epoch } }: RoundManagerInput,
  { standing }: BlockTree,
): { readonly standing?: EpochStanding } =>
  standing === undefined || !countsBlocks(epoch) ? {} : { standing };

const NO_EFFECTS: readonly Effect[] = [];

export const still = (live: LiveTree): Stepped => ({ live, effects: NO_EFFECTS });

/** Runs the steps one after the other over the same live part. */
export function chained(live: LiveTree, ...steps: readonly ((live: LiveTree) => Stepped)[]): Stepped {
  const effects: Effect[] = [];
  let current = live;
  for (const step of steps) {
    const stepped = step(current);
    current = stepped.live;
    for (const effect of stepped.effects) effects.push(effect);
  }
  return { live: current, effects };
}

type ToViewChange = CertificatesReceived | QcFormed | ProposalCondemned | CommitAdvanced | WorkChanged;

export const toViewChange = ({ setting }: RoundManagerInput, message: ToViewChange): Effect =>
  telling(setting.viewChange, message);

export const toStorage = ({ storage }: RoundManagerInput, request: StorageRequest): Effect =>
  telling(storage, request);

export const blamed = ({ setting }: RoundManagerInput, peer: Address, code: string): Effect[] =>
  peer === setting.self ? [] : [telling(setting.router, { type: 'peer.misbehaved', peer, code })];

/** Id of a round's cell below the manager. */
export const roundCellId = (epoch: number, round: Round): string => `round/${epoch}/${round}`;

/** To a round that has a cell; nothing otherwise. */
export function toRound(
  context: RoundManagerInput,
  live: LiveTree,
  clock: Clock,
  round: Round,
  message: RoundRequest,
): Effect[] {
  if (!live.rounds.includes(round)) return [];
  return [telling(`${clock.address}/${roundCellId(context.setting.epoch.epoch, round)}`, message)];
}

/** What the tree says to a round about the parent of its proposal, or of what its leader would propose. */
export function factsOf(epoch: EpochContext, live: LiveTree, qc: QuorumCertificate): ChainFacts {
  const { tree, committing, hasWork, evidenceWaits, mayPropose, isDiverged, sync } = live;
  // No ancestors of the tree any more; mempool and evidence-pool are told of them when they are durable.
  const onTheirWay = committing.flatMap(({ blocks }) => blocks).map(({ block }) => block);
  const batches = onTheirWay.flatMap(({ header }) => header.batches);
  const parent = parentFacts(tree, qc);
  const executed = expectedExecuted(tree, qc);
  const nextHash = executed.status === 'known' ? nextHashOn(tree, epoch, qc, executed.executed) : undefined;
  return {
    parentId: qc.blockId,
    ...(parent === undefined ? {} : { parent: { time: parent.time, height: parent.height } }),
    ...(executed.status === 'known' ? { executed: executed.executed } : {}),
    ...(nextHash === undefined ? {} : { nextHash }),
    namedBatches: [...batches.map(({ digest }) => digest), ...namedBatches(tree, qc.blockId)],
    namedOffences: [...onTheirWay.flatMap(offencesIn), ...namedOffences(tree, qc.blockId)],
    evidenceWaits,
    hasWork,
    mayPropose: mayPropose && !isDiverged,
    sync,
    committedRound: tree.root.round,
  };
}

export function tellFacts(context: RoundManagerInput, live: LiveTree, clock: Clock): Stepped {
  const { entered, candidates } = live;
  if (entered === undefined) return still(live);
  const qc = candidates.get(entered.round)?.block.qc ?? entered.highQC;
  const facts = factsOf(context.setting.epoch, live, qc);
  if (live.told !== undefined && areEqual(live.told, facts)) return still(live);
  return {
    live: { ...live, told: facts },
    effects: toRound(context, live, clock, entered.round, { type: 'facts.changed', facts }),
  };
}

function areEqual(left: ChainFacts, right: ChainFacts): boolean {
  return (
    left.parentId === right.parentId &&
    left.parent?.time === right.parent?.time &&
    left.parent?.height === right.parent?.height &&
    left.executed?.height === right.executed?.height &&
    left.executed?.appHash === right.executed?.appHash &&
    left.nextHash === right.nextHash &&
    left.hasWork === right.hasWork &&
    left.mayPropose === right.mayPropose &&
    left.committedRound === right.committedRound &&
    left.evidenceWaits === right.evidenceWaits &&
    saysTheSame(left.sync, right.sync) &&
    areSame(left.namedOffences, right.namedOffences) &&
    areSame(left.namedBatches, right.namedBatches)
  );
}

const areSame = (left: readonly string[], right: readonly string[]): boolean =>
  left.length === right.length && left.every((one, index) => one === right[index]);

/**
 * CS-10: batches wait, or an uncommitted block that is not empty wants a child. Evidence waits for the next block: one who votes
 * twice in every round would keep the chain from ever resting.
 */
export function weighWork(context: RoundManagerInput, live: LiveTree): Stepped {
  // The chain's first blocks are wanted at once: they show that the network lives. Those of a later epoch are not: epochs
  // of a few heights would follow each other without a pause.
  const isFresh = live.tree.root.height === GENESIS_HEIGHT;
  const hasWork = isFresh || live.batchesWait || hasUncommittedWork(live.tree, live.highQC.blockId);
  if (hasWork === live.hasWork) return still(live);
  return { live: { ...live, hasWork }, effects: [toViewChange(context, { type: 'work.changed', hasWork })] };
}

/** A verified QC that is higher than all before: its round is certified, its chain may commit. */
export function adopt(
  context: RoundManagerContext,
  live: LiveTree,
  qc: QuorumCertificate,
  clock: Clock,
): Stepped {
  const known = live.tree.blocks.get(qc.blockId);
  const next: LiveTree = {
    ...live,
    highQC: qc.round > live.highQC.round ? qc : live.highQC,
    tree: certifyBlock(live.tree, qc),
    verified: rememberQC(context.setting.epoch.domain, live.verified, qc),
  };
  return {
    live: next,
    effects: [
      ...(known === undefined
        ? []
        : [toStorage(context, { type: 'blocks.certified', blocks: [{ block: known.block, qc }] })]),
      ...toRound(context, next, clock, qc.round, { type: 'round.certified', qc }),
    ],
  };
}

/** Candidates whose parent has come stand in the tree now. */
export function insertCandidates(live: LiveTree): LiveTree {
  const byRound = [...live.candidates].sort(([left], [right]) => left - right);
  const tree = byRound.reduce(
    (grown, [, { blockId, block }]) => insertBlock(grown, { id: blockId, block }).tree,
    live.tree,
  );
  return { ...live, tree };
}
