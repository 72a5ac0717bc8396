/**
 * Every reason for which a rule says no, with every operand of the comparison that failed: "why did it not
 * vote" always has an answer. Values, never throws. Types and one formatter. Pure.
 */
import type { Millis, WallTime } from '../../base/units.ts';
import type {
  Address,
  BatchDigest,
  BlockId,
  Digest,
  Epoch,
  ExecutedState,
  Height,
  Power,
  Round,
} from '../chain/types.ts';

/** A certificate, vote or timeout that proves nothing (CS-4, CS-7, CS-8). */
export type CertificateRefusal =
  | { readonly code: 'WRONG_EPOCH'; readonly epoch: Epoch; readonly expected: Epoch }
  | { readonly code: 'UNKNOWN_VALIDATOR'; readonly validator: Address }
  | { readonly code: 'ROOT_CERTIFICATE_WRONG'; readonly blockId: BlockId; readonly expected: BlockId }
  | {
      readonly code: 'LINK_WRONG';
      readonly round: Round;
      readonly parentRound: Round;
      readonly height: Height;
    }
  | {
      readonly code: 'SIGNERS_MALFORMED';
      readonly round: Round;
      readonly bytes: number;
      readonly validators: number;
    }
  | {
      readonly code: 'QUORUM_NOT_REACHED';
      readonly round: Round;
      readonly power: Power;
      readonly needed: Power;
    }
  | {
      readonly code: 'SIGNATURE_INVALID';
      readonly statement: 'vote' | 'qc' | 'view-change' | 'tc';
      readonly round: Round;
      readonly signers: readonly Address[];
    }
  | {
      readonly code: 'GROUPS_NOT_FALLING';
      readonly round: Round;
      readonly highQcRounds: readonly Round[];
    }
  | { readonly code: 'SIGNER_TWICE'; readonly round: Round; readonly validator: Address }
  | {
      readonly code: 'HIGH_QC_NOT_OF_GROUPS';
      readonly round: Round;
      readonly highQcRound: Round;
      readonly greatestGroup: Round;
    }
  | { readonly code: 'HIGH_QC_NOT_BELOW_ROUND'; readonly round: Round; readonly highQcRound: Round }
  | {
      readonly code: 'ROUND_NOT_JUSTIFIED';
      readonly round: Round;
      readonly highQcRound: Round;
      readonly tcRound?: Round;
    }
  | {
      readonly code: 'LAST_VOTE_NOT_OF_SENDER';
      readonly validator: Address;
      readonly voter: Address;
      readonly round: Round;
      readonly voteRound: Round;
    };

/** A message that is sound but that its receiver does not keep (CS-13). */
export type StorageRefusal =
  | { readonly code: 'ROUND_BELOW_WINDOW'; readonly round: Round; readonly oldest: Round }
  | { readonly code: 'TREE_FULL'; readonly blocks: number; readonly limit: number }
  | { readonly code: 'ROUND_FULL'; readonly round: Round; readonly blocks: number; readonly limit: number }
  | {
      readonly code: 'NOT_ABOVE_COMMITTED';
      readonly height: Height;
      readonly parentId: BlockId;
      readonly committedHeight: Height;
      readonly committedId: BlockId;
    };

/** A round was not validly entered by the certificates at hand (CS-2). */
export type EntryRefusal =
  | {
      readonly code: 'ENTRY_INVALID';
      readonly round: Round;
      readonly qcRound: Round;
      readonly tcRound?: Round;
    }
  /** qc.round < tc.maxHighQcRound: the clause that stands for the lock. */
  | {
      readonly code: 'NOT_EXTENDING_LOCK';
      readonly round: Round;
      readonly qcRound: Round;
      readonly maxHighQcRound: Round;
    };

/** The signer's own refusals, out of its durable record (CS-3, CS-6). */
export type SafetyRefusal =
  | EntryRefusal
  | { readonly code: 'WRONG_EPOCH'; readonly epoch: Epoch; readonly expected: Epoch }
  | { readonly code: 'ROUND_ALREADY_VOTED'; readonly round: Round; readonly lastVotedRound: Round }
  | {
      readonly code: 'TIMEOUT_NOT_GROWING';
      readonly round: Round;
      readonly lastTimeoutRound: Round;
    }
  | { readonly code: 'TIMEOUT_BELOW_VOTE'; readonly round: Round; readonly lastVotedRound: Round }
  | { readonly code: 'HIGH_QC_BELOW_LOCK'; readonly highQcRound: Round; readonly lockedRound: Round }
  | { readonly code: 'HIGH_QC_NOT_BELOW_ROUND'; readonly round: Round; readonly highQcRound: Round }
  | {
      readonly code: 'ROUND_NOT_JUSTIFIED';
      readonly round: Round;
      readonly highQcRound: Round;
      readonly tcRound?: Round;
    }
  | HeaderRefusal
  | {
      readonly code: 'NOT_THE_LEADER';
      readonly round: Round;
      readonly author: Address;
      readonly leader: Address;
    }
  | { readonly code: 'SIGNER_UNAVAILABLE'; readonly round: Round };

/** A header that no state can make valid: its author signed it, so this condemns the author (CS-3). */
export type HeaderRefusal =
  | { readonly code: 'PARENT_MISMATCH'; readonly parentId: BlockId; readonly certified: BlockId }
  | { readonly code: 'HEIGHT_WRONG'; readonly height: Height; readonly expected: Height }
  | { readonly code: 'BATCHES_ROOT_WRONG'; readonly root: Digest; readonly expected: Digest }
  | { readonly code: 'BATCH_NAMED_TWICE'; readonly digest: BatchDigest }
  | { readonly code: 'BATCH_REFERENCE_MALFORMED'; readonly digest: BatchDigest }
  | { readonly code: 'TOO_MANY_BATCHES'; readonly batches: number; readonly limit: number }
  | { readonly code: 'TOO_MANY_TRANSACTIONS'; readonly transactions: number; readonly limit: number }
  | { readonly code: 'TOO_MANY_BYTES'; readonly bytes: number; readonly limit: number }
  | { readonly code: 'VALIDATORS_HASH_WRONG'; readonly hash: Digest; readonly expected: Digest }
  | { readonly code: 'EPOCH_END_NOT_EMPTY'; readonly batches: number }
  | { readonly code: 'EVIDENCE_HASH_WRONG'; readonly hash: Digest; readonly expected: Digest }
  | { readonly code: 'TOO_MUCH_EVIDENCE'; readonly evidence: number; readonly limit: number }
  | { readonly code: 'OFFENCE_TWICE'; readonly offence: string }
  | { readonly code: 'VRF_PROOF_UNEXPECTED'; readonly bytes: number }
  | { readonly code: 'VRF_PROOF_MALFORMED'; readonly bytes: number; readonly expected: number }
  | {
      readonly code: 'VRF_PROOF_WRONG';
      readonly epoch: Epoch;
      readonly round: Round;
      readonly proposer: Address;
    }
  | { readonly code: 'TIME_MALFORMED'; readonly time: number }
  | { readonly code: 'TIME_NOT_AFTER_PARENT'; readonly time: WallTime; readonly parentTime: WallTime }
  | {
      readonly code: 'EXECUTED_WRONG';
      readonly executed: ExecutedState;
      readonly expected: ExecutedState;
    }
  | { readonly code: 'BATCH_EXPIRED'; readonly digest: BatchDigest; readonly height: Height };

/** Why a proposal is not voted for, beyond its certificates (CS-3). */
export type ProposalRefusal =
  | HeaderRefusal
  | EntryRefusal
  | {
      readonly code: 'NOT_THE_LEADER';
      readonly round: Round;
      readonly author: Address;
      readonly leader: Address;
    }
  | { readonly code: 'VOTE_NOT_FOR_BLOCK'; readonly voted: BlockId; readonly blockId: BlockId }
  | { readonly code: 'NEXT_VALIDATORS_HASH_WRONG'; readonly hash: Digest; readonly expected: Digest }
  | { readonly code: 'ROUND_PASSED'; readonly round: Round; readonly currentRound: Round }
  | {
      readonly code: 'TIME_TOO_LATE';
      readonly time: WallTime;
      readonly now: WallTime;
      readonly limit: WallTime;
    }
  | {
      readonly code: 'TIME_TOO_EARLY';
      readonly time: WallTime;
      readonly now: WallTime;
      readonly limit: WallTime;
    };

/** Evidence that proves nothing, or that the chain does not take any more (CS-14). */
export type EvidenceRefusal =
  | { readonly code: 'EVIDENCE_NOT_AN_OFFENCE'; readonly detail: string }
  /** `height`: of the committed block that carries it; absent where an uncommitted ancestor does. */
  | { readonly code: 'EVIDENCE_REPEATED'; readonly offence: string; readonly height?: Height }
  /** Of a height that the chain has not reached with the block that carries it. */
  | {
      readonly code: 'EVIDENCE_AHEAD';
      readonly offence: string;
      readonly height: Height;
      readonly at: Height;
    }
  | {
      readonly code: 'EVIDENCE_TOO_OLD';
      readonly offence: string;
      /** Of the offence, and of the block that carries its evidence. */
      readonly height: Height;
      readonly at: Height;
      /** @unit heights, ms */
      readonly heightsMax: number;
      readonly ageMax: Millis;
    }
  | CertificateRefusal;

export type Refusal = CertificateRefusal | StorageRefusal | SafetyRefusal | ProposalRefusal | EvidenceRefusal;

/** The operands in one line: `round=4, lastVotedRound=5`. */
export function describeRefusal(refusal: { readonly code: string }): string {
  return Object.entries(refusal)
    .filter(([name, value]) => name !== 'code' && value !== undefined)
    .map(([name, value]) => `${name}=${shown(value)}`)
    .join(', ');
}

function shown(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.map(shown).join(' ')}]`;
  return `{${Object.entries(value)
    .map(([name, inner]) => `${name}=${shown(inner)}`)
    .join(' ')}}`;
}
