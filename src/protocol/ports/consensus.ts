/**
 * What the cells of consensus say to each other. Messages only.
 * Owners: safety (the record), view-change (round, high QC, last TC), round-manager (block tree, votes), round (its steps).
 * Rules CS-1 to CS-13, docs/protocol/consensus.md.
 */
import type { Monotonic, WallTime } from '../../base/units.ts';
import type {
  Address,
  BatchDigest,
  Block,
  BlockId,
  CertifiedBlock,
  Digest,
  Epoch,
  EpochChange,
  Evidence,
  ExecutedState,
  Height,
  QuorumCertificate,
  Round,
  TimeoutCertificate,
  TimeoutStatement,
  Vote,
} from '../chain/types.ts';
import type { EpochContext } from '../consensus/epoch.ts';
import type { Offence } from '../consensus/evidence.ts';
import type { Moment } from '../consensus/evidence-pool.ts';
import type { RoundDeadlines } from '../consensus/pacemaker.ts';
import type { EvidenceRefusal } from '../consensus/refusals.ts';
import type { ProposalMessage, ViewChangeMessage, ViewChangeReason } from '../consensus/types.ts';
import type { CellAddress } from '../supervision/effect.ts';
import type { ForkEvidence } from '../sync/types.ts';
import type { SyncStanding } from './sync.ts';

/** How a round was entered (CS-2). */
export type RoundEntry =
  | { readonly by: 'qc'; readonly qc: QuorumCertificate }
  | { readonly by: 'tc'; readonly tc: TimeoutCertificate };

/**
 * round-manager → all who judge by the validator set: this epoch is durable here, and the one before has ended (CS-16). Told
 * once more whenever round-manager starts anew: whoever knows the epoch passes over it.
 */
export interface EpochBegan {
  readonly type: 'epoch.began';
  readonly epoch: EpochContext;
}

/** → round-manager, of whoever starts anew: answered with `epoch.began`. */
export interface EpochRequested {
  readonly type: 'epoch.requested';
  readonly replyTo: string;
}

/** round-manager, view-change, state-sync → epoch-keeper: a peer speaks in, or proves a commit of, another epoch than this node's. */
export interface EpochMet {
  readonly type: 'epoch.met';
  readonly from: Address;
  readonly epoch: Epoch;
}

/** epoch-keeper → round-manager, block-sync: verified; the epoch of this node ends with the block that `change.qc` certifies. */
export interface EpochProven {
  readonly type: 'epoch.proven';
  readonly change: EpochChange;
}

/** view-change → round-manager, each time the round grows, and once after a start. */
export interface RoundEntered {
  readonly type: 'round.entered';
  readonly epoch: Epoch;
  readonly round: Round;
  readonly leader: Address;
  readonly entry: RoundEntry;
  readonly highQC: QuorumCertificate;
  /** When its leader proposes although there is no work, on the monotonic clock (CS-10). */
  readonly idleUntil: Monotonic;
  /** When the waits for a proposal and for a QC end. */
  readonly deadlines: RoundDeadlines;
}

/** view-change → round-manager: a verified QC that is higher than all before, or of the highest's round for another block (SY-5). */
export interface HighQcAdopted {
  readonly type: 'highQc.adopted';
  readonly qc: QuorumCertificate;
}

/** view-change → round-manager: this validator signed its timeout of the round. */
export interface RoundTimedOut {
  readonly type: 'round.timedOut';
  readonly epoch: Epoch;
  readonly round: Round;
  readonly reason: ViewChangeReason;
}

/** view-change → bridge: a round's time is over here. Told once for each round; `round.failed` follows where a quorum says so too. */
export interface RoundOverdue {
  readonly type: 'round.overdue';
  readonly round: Round;
}

/** round, round-manager → view-change: certificates found inside other messages, not yet verified (CS-13). */
export interface CertificatesReceived {
  readonly type: 'certificates.received';
  readonly from: Address;
  readonly qc?: QuorumCertificate;
  readonly tc?: TimeoutCertificate;
}

/** round → view-change: a QC that this node assembled and verified. */
export interface QcFormed {
  readonly type: 'qc.formed';
  readonly qc: QuorumCertificate;
}

/** round → view-change: the leader's signed block cannot be valid, or it signed two (at once, no waiting). */
export interface ProposalCondemned {
  readonly type: 'proposal.condemned';
  readonly epoch: Epoch;
  readonly round: Round;
  readonly reason: Extract<ViewChangeReason, 'InvalidProposal' | 'ConflictingProposals'>;
}

/** round-manager → view-change, mempool: the chain grew. */
export interface CommitAdvanced {
  readonly type: 'commit.advanced';
  readonly epoch: Epoch;
  readonly height: Height;
  readonly round: Round;
}

/** round-manager → round and view-change: whether there is something to agree on (CS-10). */
export interface WorkChanged {
  readonly type: 'work.changed';
  readonly hasWork: boolean;
}

/** round → safety: may I vote for this block? Everything but the record was checked by the round. */
export interface VoteRequested {
  readonly type: 'vote.requested';
  readonly replyTo: string;
  readonly block: Block;
  readonly blockId: BlockId;
  readonly entry: RoundEntry;
  /** leader(r+1) and leader(r). */
  readonly sendTo: readonly Address[];
}

/** round → safety: sign my own block and send it to all (CS-9). */
export interface ProposalRequested {
  readonly type: 'proposal.requested';
  readonly replyTo: string;
  readonly block: Block;
  readonly blockId: BlockId;
  readonly entry: RoundEntry;
  /** leader(block.round) */
  readonly leader: Address;
}

/** view-change → safety: sign the timeout of this round and send it to all (CS-6). */
export interface TimeoutRequested {
  readonly type: 'timeout.requested';
  readonly replyTo: string;
  readonly round: Round;
  readonly highQC: QuorumCertificate;
  readonly lastTC?: TimeoutCertificate;
  readonly reason: ViewChangeReason;
  readonly height: Height;
  readonly tick: number;
}

/** safety → the asker. A refusal is a value with a code and every operand. */
/** round → safety: the VRF proof of a round that this validator leads (CS-17). Needs no record: of each round there is one. */
export interface ProofRequested {
  readonly type: 'proof.requested';
  /** Absent: it is only made ready for the round to come. */
  readonly replyTo?: CellAddress;
  readonly epoch: Epoch;
  readonly round: Round;
}

export type SafetyAnswer =
  | { readonly type: 'proof.made'; readonly round: Round; readonly proof: Uint8Array }
  | { readonly type: 'proof.refused'; readonly round: Round; readonly code: string; readonly detail: string }
  | { readonly type: 'vote.cast'; readonly vote: Vote }
  | { readonly type: 'vote.refused'; readonly round: Round; readonly code: string; readonly detail: string }
  | { readonly type: 'proposal.sent'; readonly proposal: ProposalMessage }
  | {
      readonly type: 'proposal.refused';
      readonly round: Round;
      readonly code: string;
      readonly detail: string;
    }
  | { readonly type: 'timeout.sent'; readonly message: ViewChangeMessage }
  | {
      readonly type: 'timeout.refused';
      readonly round: Round;
      readonly code: string;
      readonly detail: string;
    };

/** round-manager → block-sync: a certificate names a block that this node does not hold (CS-12). */
export interface BlocksWanted {
  readonly type: 'blocks.wanted';
  readonly target: QuorumCertificate;
  readonly committedHeight: Height;
  readonly holders: readonly Address[];
}

/**
 * block-sync → round-manager: certified blocks, each the parent of the next, proven by the chain of their ids below the
 * certificates that were verified. Of the other certificates only the statements are known to hold (SY-8).
 */
export interface BlocksFetched {
  readonly type: 'blocks.fetched';
  readonly blocks: readonly CertifiedBlock[];
  /** Verified: of the newest block, and what may prove a commit; at least one. By rising round. */
  readonly verified: readonly QuorumCertificate[];
}

/** What the block tree knows about a proposal on `qc`, and what its leader needs to make one. */
export interface ChainFacts {
  /** The block that they are about. */
  readonly parentId: BlockId;
  /** Absent while the parent is unknown. */
  readonly parent?: { readonly time: WallTime; readonly height: Height };
  /** What a block on this parent must state; absent while this node has not executed that far. */
  readonly executed?: ExecutedState;
  /** What such a block must name as the hash of the next epoch (CS-16). */
  readonly nextHash?: Digest;
  /** Batches that the parent's uncommitted chain already names, or a commit that is not durable yet. */
  readonly namedBatches: readonly BatchDigest[];
  /** Offences whose evidence they carry (CS-14). */
  readonly namedOffences: readonly Offence[];
  /** The evidence-pool has something for a block. */
  readonly evidenceWaits: boolean;
  /** CS-10 */
  readonly hasWork: boolean;
  /** TM-7: this node has adjusted time to propose by. */
  readonly mayPropose: boolean;
  /** As network-sync says: shown, and no veto but for a proved fork (SY-7). */
  readonly sync: SyncStanding;
  /** Round of the newest committed block. */
  readonly committedRound: Round;
}

/** round-manager → round */
export type RoundRequest =
  /** This peer may have missed what was sent before. */
  | { readonly type: 'peer.connected'; readonly peer: Address }
  /** A proposal of this round, from its leader; at most two reach a round. */
  | {
      readonly type: 'proposal.received';
      readonly proposal: ProposalMessage;
      readonly from: Address;
      readonly receivedAt: WallTime;
    }
  /** About the parent of the proposal, or of what the leader would propose. */
  | { readonly type: 'facts.changed'; readonly facts: ChainFacts }
  | { readonly type: 'vote.seen'; readonly vote: Vote }
  | { readonly type: 'round.certified'; readonly qc: QuorumCertificate }
  | { readonly type: 'round.gaveUp' }
  | { readonly type: 'round.committed' }
  | { readonly type: 'round.abandoned' };

/** round → round-manager */
export type RoundReport =
  /** The author signed it and its certificates hold: it may stand in the block tree. */
  {
    readonly type: 'proposal.authenticated';
    readonly round: Round;
    readonly blockId: BlockId;
    readonly block: Block;
  };

/** view-change → round-manager: a vote found inside a timeout; it counts like any other (CS-6, CS-7). */
export interface VoteFound {
  readonly type: 'vote.found';
  readonly vote: Vote;
}

/** view-change → round-manager: a verified timeout of a validator (CS-14). */
export interface TimeoutSeen {
  readonly type: 'timeout.seen';
  readonly timeout: TimeoutStatement;
  /** The sender's, as it lay beside. */
  readonly lastVote?: Vote;
}

/** round-manager → evidence-pool: an offence that proves itself; the same validator's may come often (CS-14). */
export interface EvidenceFound {
  readonly type: 'evidence.found';
  readonly evidence: Evidence;
}

/** evidence-pool → round-manager: whether evidence waits for a block, which makes it work (CS-10). */
export interface EvidenceWaits {
  readonly type: 'evidence.waits';
  readonly waits: boolean;
}

/** round → evidence-pool. */
export type EvidenceQuestion =
  /** A leader: what may the next block carry? */
  | {
      readonly type: 'evidence.requested';
      readonly replyTo: string;
      readonly tag: number;
      readonly at: Moment;
      readonly named: readonly Offence[];
    }
  /** A voter: may this block carry it? */
  | {
      readonly type: 'evidence.judgeRequested';
      readonly replyTo: string;
      readonly tag: number;
      readonly evidence: readonly Evidence[];
      readonly at: Moment;
      readonly named: readonly Offence[];
    };

/** evidence-pool → round. */
export type EvidenceAnswer =
  | { readonly type: 'evidence.selected'; readonly tag: number; readonly evidence: readonly Evidence[] }
  | { readonly type: 'evidence.judged'; readonly tag: number; readonly verdict: EvidenceRefusal | 'valid' };

/** RPC → view-change: an operator asks this node to give up its round. */
export interface ViewChangeOrdered {
  readonly type: 'viewChange.ordered';
}

/** round-manager, network-sync → safety and the node's alarm: two proofs contradict each other. Voting stops for good (SY-5). */
export interface SafetyViolated {
  readonly type: 'safety.violated';
  readonly detail: string;
  /** Kept on the disk before the node ends. */
  readonly evidence?: ForkEvidence;
}
