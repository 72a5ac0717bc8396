/**
 * What validators say to each other about rounds, and what a validator must remember before it speaks.
 * Types only. Rules CS-3 to CS-9, TP-9, docs/protocol/consensus.md.
 */
import type { BridgeMessage } from '../bridge/messages.ts';
import type {
  Address,
  BatchDigest,
  Block,
  Epoch,
  Evidence,
  Height,
  QuorumCertificate,
  Round,
  TimeoutCertificate,
  Vote,
} from '../chain/types.ts';
import type { SyncMessage } from '../sync/messages.ts';
import type { TimeReplyMessage, TimeRequestMessage } from '../time/messages.ts';

/** Why a validator asked for the next round. Travels beside the signed part. */
export type ViewChangeReason =
  | 'LeaderTimeout'
  | 'InvalidProposal'
  | 'NoProgressInView'
  | 'ConflictingProposals'
  | 'ExplicitRequest';

/** A leader's block; `vote` is its author's own and authenticates it. `tc` when qc.round + 1 ≠ round (CS-9). */
export interface ProposalMessage {
  readonly kind: 'Proposal';
  readonly block: Block;
  readonly vote: Vote;
  readonly tc?: TimeoutCertificate;
}

export interface VoteMessage {
  readonly kind: 'Vote';
  readonly vote: Vote;
}

export interface QcMessage {
  readonly kind: 'QC';
  readonly qc: QuorumCertificate;
}

/** "Round `round` failed here" (CS-6). Signed: epoch, round, highQC.round; the rest authenticates itself. */
export interface ViewChangeMessage {
  readonly kind: 'ViewChange';
  readonly epoch: Epoch;
  readonly round: Round;
  readonly highQC: QuorumCertificate;
  /** Present when highQC.round + 1 ≠ round. */
  readonly lastTC?: TimeoutCertificate;
  /** The sender's vote of this round, if it voted. */
  readonly lastVote?: Vote;
  readonly reason: ViewChangeReason;
  /** A label for readers: the height being decided. */
  readonly height: Height;
  /** Grows with every re-send, so that no deduplication swallows it. */
  readonly tick: number;
  readonly validator: Address;
  readonly signature: Uint8Array;
}

/** The new leader's announcement of the round that `tc` opens. Has no safety weight. */
export interface NewViewMessage {
  readonly kind: 'NewView';
  readonly epoch: Epoch;
  readonly height: Height;
  readonly round: Round;
  readonly leader: Address;
  readonly tc: TimeoutCertificate;
}

/** "Your epoch has ended" (CS-16): to all by whoever commits its last block, and to each who still speaks in it. */
export interface EpochChangeMessage {
  readonly kind: 'EpochChange';
  readonly qc: QuorumCertificate;
  /** Its encoding (light/encoding.ts): to read a long one takes longer than any other frame, so that only who needs it does. */
  readonly proof: Uint8Array;
}

/** "How did this epoch end?" Asked of whoever speaks in a later one. */
export interface GetEpochChangeMessage {
  readonly kind: 'GetEpochChange';
  readonly epoch: Epoch;
}

/** Gossip: an offence that proves itself (CS-14). */
export interface EvidenceMessage {
  readonly kind: 'Evidence';
  readonly evidence: Evidence;
}

/**
 * Another validator's vote, which contradicts the certificate of its round that names it as a signer: whoever holds the vote
 * that was certified holds the other half of a double vote (CS-14).
 */
export interface VoteShownMessage {
  readonly kind: 'VoteShown';
  readonly vote: Vote;
}

/** A batch's encoding, as its author made it. */
export interface BatchMessage {
  readonly kind: 'Batch';
  readonly bytes: Uint8Array;
}

/** "I hold these durably." The sender is the connection's validator. */
export interface BatchAckMessage {
  readonly kind: 'BatchAck';
  readonly digests: readonly BatchDigest[];
}

export interface GetBatchMessage {
  readonly kind: 'GetBatch';
  readonly digests: readonly BatchDigest[];
}

/** Every message between nodes that belongs to consensus, the mempool, catching up, time, or the bridge. */
export type PeerMessage =
  | ProposalMessage
  | VoteMessage
  | QcMessage
  | ViewChangeMessage
  | NewViewMessage
  | EpochChangeMessage
  | GetEpochChangeMessage
  | EvidenceMessage
  | VoteShownMessage
  | BatchMessage
  | BatchAckMessage
  | GetBatchMessage
  | SyncMessage
  | TimeRequestMessage
  | TimeReplyMessage
  | BridgeMessage;

export type PeerMessageKind = PeerMessage['kind'];

/** To whom a message goes. `all` is every validator of the set, this one too (CS-18: by its own mailbox). */
export interface Outgoing {
  readonly to: 'all' | readonly Address[];
  readonly message: PeerMessage;
}

/** The safety record: durable before any signature that depends on it leaves. One home: the `safety` cell's store. */
export interface SafetyRecord {
  readonly epoch: Epoch;
  readonly lastVotedRound: Round;
  readonly lastVote?: Vote;
  readonly lastTimeout?: ViewChangeMessage;
  readonly lockedRound: Round;
  readonly highQC: QuorumCertificate;
  readonly lastTC?: TimeoutCertificate;
}
