/**
 * What a chain is made of: validators, blocks, batches, certificates. Types only.
 * Hashes are lower-case hex in memory and on the wire; keys, signatures and bitmaps are bytes.
 * Rules CS-1 to CS-9, docs/protocol/consensus.md.
 */
import type { Brand } from '../../base/brand.ts';
import type { WallTime } from '../../base/units.ts';

/** Position of a block in the chain; the genesis block has height 0. A safe integer >= 0. */
export type Height = Brand<number, 'Height'>;
/** The leader's turn, growing for the whole epoch; the genesis block has round 0. A safe integer >= 0. */
export type Round = Brand<number, 'Round'>;
/** A span with one validator set. A safe integer >= 0. */
export type Epoch = Brand<number, 'Epoch'>;
/** SHA-256 as 64 lower-case hex letters. */
export type Digest = Brand<string, 'Digest'>;
/** Digest of a block's canonical header and its parent's round. */
export type BlockId = Brand<Digest, 'BlockId'>;
/** Digest of a batch's bytes. */
export type BatchDigest = Brand<Digest, 'BatchDigest'>;
/** A validator: the first 20 bytes of SHA-256 of its Ed25519 node key, as 40 lower-case hex letters. */
export type Address = Brand<string, 'Address'>;
/** Voting weight. @unit power, > 0 */
export type Power = bigint;

export interface Validator {
  readonly address: Address;
  /** BLS12-381 public key, 48 bytes. Signs votes and timeouts. */
  readonly consensusKey: Uint8Array;
  /** Ed25519 public key, 32 bytes. Node identity, TLS. */
  readonly nodeKey: Uint8Array;
  readonly power: Power;
}

/** Made by `validatorSet` only: sorted by address, no duplicate key, every power > 0, total < 2^60. */
export interface ValidatorSet {
  readonly validators: readonly Validator[];
  readonly indexByAddress: ReadonlyMap<Address, number>;
  /** W */
  readonly totalPower: Power;
  /** Q(W) = floor(2W/3)+1 */
  readonly quorumPower: Power;
  /** J(W) = floor(W/3)+1: at least one honest validator is among so much power. */
  readonly honestPower: Power;
  readonly hash: Digest;
}

/**
 * What an epoch is judged by. Its hash (`epochHashOf`) stands as `validatorsHash` in every header of the epoch, and as
 * `nextValidatorsHash` in the block that ends the epoch before: whoever trusts one epoch can check the next (CS-16).
 */
export interface EpochDescriptor {
  readonly epoch: Epoch;
  readonly validators: ValidatorSet;
  /** What leaders are drawn from; it accumulates the VRF outputs of the epoch before (CS-17). */
  readonly seed: Digest;
  /** Validators that lead no round of the epoch, rising; of less power than J(W) (CS-15). */
  readonly passedOver: readonly Address[];
}

/** What every signed statement is bound to. */
export interface ChainDomain {
  readonly genesisHash: Digest;
  readonly chainId: string;
}

/** The content of a vote and of a quorum certificate: it names the block, its parent, and the parent's round. */
export interface VoteStatement {
  readonly epoch: Epoch;
  readonly round: Round;
  readonly height: Height;
  readonly blockId: BlockId;
  readonly parentId: BlockId;
  readonly parentRound: Round;
}

export interface Vote extends VoteStatement {
  readonly validator: Address;
  /** BLS signature over the canonical vote statement, 96 bytes. */
  readonly signature: Uint8Array;
}

/** QC: a quorum's aggregated votes. The QC of round 0 has empty `signers` and `signature`, for the genesis id only. */
export interface QuorumCertificate extends VoteStatement {
  /** One bit a validator, in the set's order; its length is the set's. */
  readonly signers: Uint8Array;
  readonly signature: Uint8Array;
}

/** The signers of a timeout certificate that reported one high-QC round. */
export interface TimeoutGroup {
  readonly highQcRound: Round;
  readonly signers: Uint8Array;
}

/** TC: a quorum's aggregated view-change statements for one round. */
export interface TimeoutCertificate {
  readonly epoch: Epoch;
  readonly round: Round;
  /** The best QC that a signer reported; its round is the greatest of the groups. */
  readonly highQC: QuorumCertificate;
  /** Strictly falling by `highQcRound`; no signer is in two. */
  readonly groups: readonly [TimeoutGroup, ...TimeoutGroup[]];
  readonly signature: Uint8Array;
}

/** How a block names a batch. */
export interface BatchReference {
  readonly digest: BatchDigest;
  /** Transactions in it. */
  readonly count: number;
  /** Length of its encoding. @unit bytes */
  readonly bytes: number;
}

/** Application state after a height. */
export interface ExecutedState {
  readonly height: Height;
  readonly appHash: Digest;
}

export interface Header {
  readonly epoch: Epoch;
  readonly round: Round;
  readonly height: Height;
  readonly parentId: BlockId;
  /** The proposer's adjusted time, strictly growing along the chain. Whole milliseconds. */
  readonly time: WallTime;
  readonly proposer: Address;
  readonly batches: readonly BatchReference[];
  /** Merkle root of the batch digests. */
  readonly batchesRoot: Digest;
  readonly executed: ExecutedState;
  /** Hash of the epoch's descriptor. */
  readonly validatorsHash: Digest;
  /** The same; the next epoch's in the block that ends an epoch; NO_NEXT_EPOCH in those above it, which are never executed (CS-16). */
  readonly nextValidatorsHash: Digest;
  readonly evidenceHash: Digest;
  /** Proof of the proposer's verifiable random function; empty where the genesis chose no VRF. */
  readonly vrfProof: Uint8Array;
}

/** A proposed block: its header and the QC of its parent. The QC's signers and signature are not part of the id. */
export interface Block {
  readonly header: Header;
  readonly qc: QuorumCertificate;
  /** What `header.evidenceHash` is the hash of (CS-14). Absent where it carries none: an empty list does not exist. */
  readonly evidence?: EvidenceList;
}

/** At most EVIDENCE_PER_BLOCK_MAX in a block. */
export type EvidenceList = readonly [Evidence, ...Evidence[]];

/** An offence that proves itself (CS-14). */
export type Evidence =
  /** Two different votes in one round; `first` has the smaller block id, or the smaller bytes. */
  | { readonly kind: 'DoubleVote'; readonly first: Vote; readonly second: Vote }
  /** timeout.round >= vote.round and timeout.highQcRound < vote.parentRound. */
  | { readonly kind: 'QcHiding'; readonly vote: Vote; readonly timeout: TimeoutStatement };

/** The signed part of a ViewChange. */
export interface TimeoutStatement {
  readonly epoch: Epoch;
  readonly round: Round;
  readonly highQcRound: Round;
  readonly validator: Address;
  readonly signature: Uint8Array;
}

/** A block with the QC that certifies it. */
export interface CertifiedBlock {
  readonly block: Block;
  readonly qc: QuorumCertificate;
}

/** QC over b1 whose signed parent is b0 and whose round is parentRound + 1: proves the commit of b0 (CS-5). */
export type CommitProof = QuorumCertificate;

/** A header with the round of its parent: what a block's id is the hash of. */
export interface HeaderLink {
  readonly header: Header;
  readonly parentRound: Round;
}

/**
 * Proves the commit of its first header to whoever knows the validators of its epoch: `certificate` is a QC of
 * consecutive rounds whose parent is the last header of `path` (CS-5), and each header is the parent of the next.
 */
export interface ProvenHeader {
  /** At least one; mostly one. At most PROOF_PATH_MAX. */
  readonly path: readonly [HeaderLink, ...HeaderLink[]];
  readonly certificate: CommitProof;
}

/** Proves that an epoch ended with the block of `last`, and what the next epoch is (CS-16). */
export interface EpochProof {
  readonly last: ProvenHeader;
  readonly next: EpochDescriptor;
}

/** What a node of an older epoch needs to follow into the next: the epoch's last block is certified by `qc`, committed by `proof`. */
export interface EpochChange {
  readonly qc: QuorumCertificate;
  readonly proof: EpochProof;
}

/** As it is sent: the proof in its one encoding, up to 4,096 headers, which whoever needs it reads (TP-11). */
export interface EncodedChange {
  readonly qc: QuorumCertificate;
  readonly proof: Uint8Array;
}

/** The content of a batch. Its encoding, made once by its author, is what is hashed, sent and stored. */
export interface BatchContent {
  readonly author: Address;
  readonly sequence: number;
  /** A block above this height that names the batch is invalid. */
  readonly expiresAtHeight: Height;
  readonly transactions: readonly Uint8Array[];
}
