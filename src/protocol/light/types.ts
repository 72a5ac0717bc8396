/**
 * What a light client trusts, what it is shown, and why it says no. Types and bounds only. A light client holds an epoch and
 * nothing of the chain; every fact comes with a proof, from anybody. docs/protocol/light-client.md.
 */
import type {
  BlockId,
  ChainDomain,
  Digest,
  Epoch,
  EpochDescriptor,
  Header,
  Height,
  Power,
  Round,
} from '../chain/types.ts';
import type { ValidatorSetProblem } from '../chain/validator-set.ts';
import type { CertificateRefusal } from '../consensus/refusals.ts';

/**
 * Headers in one proof. Without faults it is one; more where rounds failed between all blocks above. A node commits at most
 * so many blocks at once (BLOCKS_MAX, consensus/block-tree.ts), so that whatever it commits has a proof. @unit headers
 */
export const PROOF_PATH_MAX = 4_096;
/**
 * Encoding of one proof. The longest path that ends an epoch has 1.8 MiB, since blocks above its first are empty (CS-16): it
 * always fits. Of blocks that are full, so many that do not fit have no proof, and those above them have. @unit bytes
 */
export const PROOF_BYTES_MAX = 4_194_304;
/** As many as a SHA-256 has bits: no leaf is deeper. @unit hashes */
export const STATE_SIBLINGS_MAX = 256;

/** What every proof is judged by: which chain it is, and one epoch of it. */
export interface TrustedEpoch {
  readonly domain: ChainDomain;
  readonly descriptor: EpochDescriptor;
}

/** What is so when a proven header was verified. */
export interface ProvenFacts {
  /** Of the block that `header` is of. */
  readonly id: BlockId;
  readonly header: Header;
  readonly parentRound: Round;
  /** It is the block that ended its epoch, and states the hash of the next one (CS-16). */
  readonly endsEpoch: boolean;
}

/** What is at the end of a key's way down the tree; key and value are bytes, as the application wrote them. */
export type StateEnd =
  | { readonly kind: 'pair' }
  /** The key is not there, and nothing is in its place. */
  | { readonly kind: 'nothing' }
  /** … and another key is in its place. */
  | { readonly kind: 'other'; readonly key: Uint8Array; readonly value: Uint8Array };

/** Proves what one key has in the state whose hash is an `appHash`, or that it has nothing. docs/applications.md. */
export interface StateProof {
  /** Domain of the state's hash: `althing/<name>/v<version>` of the application. */
  readonly state: string;
  /** Hash of the application's own validators. */
  readonly validatorsHash: Uint8Array;
  /** Hashes beside the way from the top of the tree to where the key is or would be, the top's first. */
  readonly siblings: readonly Uint8Array[];
  readonly end: StateEnd;
}

/** A transaction in a block: its batch, whole, and its place. */
export interface TransactionProof {
  /** Place of the batch among those that the header names. */
  readonly batch: number;
  /** Encoding of the batch. */
  readonly bytes: Uint8Array;
  /** Place within the batch. */
  readonly index: number;
}

/** Why a proof proves nothing, with every operand. */
export type LightRefusal =
  | CertificateRefusal
  /** Its epoch ended below it or before its time, or began above it: the keys of then still sign, and decide nothing (CS-16). */
  | {
      readonly code: 'OUTSIDE_EPOCH';
      readonly epoch: Epoch;
      readonly height: Height;
      readonly time: number;
      /** Of the block that ended its epoch, or the one before. */
      readonly border: Height;
    }
  /** It stands above the block that ended its epoch, and is never executed (CS-16). */
  | { readonly code: 'NOT_IN_CHAIN'; readonly height: Height }
  | { readonly code: 'PATH_LENGTH_WRONG'; readonly headers: number; readonly limit: number }
  /** The header is of another epoch's descriptor than the one that is trusted. */
  | {
      readonly code: 'EPOCH_HASH_WRONG';
      readonly height: Height;
      readonly hash: Digest;
      readonly expected: Digest;
    }
  /** Round 0 is nobody's: the block that opens an epoch is proven by the epoch before. */
  | {
      readonly code: 'ROUND_WRONG';
      readonly height: Height;
      readonly round: Round;
      readonly parentRound: Round;
    }
  | { readonly code: 'HEIGHT_WRONG'; readonly height: Height; readonly expected: Height }
  /** One header of the path, or the certificate, is not of a child of the header before. */
  | {
      readonly code: 'PARENT_WRONG';
      readonly height: Height;
      readonly parentId: BlockId;
      readonly expected: BlockId;
    }
  | {
      readonly code: 'PARENT_ROUND_WRONG';
      readonly height: Height;
      readonly parentRound: Round;
      readonly expected: Round;
    }
  /** CS-5: only a certificate of the very next round commits its parent. */
  | { readonly code: 'NOT_CONSECUTIVE'; readonly round: Round; readonly parentRound: Round }
  /** CS-16: above the block that ends the epoch no header states one. */
  | {
      readonly code: 'NEXT_EPOCH_CHANGED';
      readonly height: Height;
      readonly hash: Digest;
      readonly expected: Digest;
    }
  | EpochRefusal
  | StateRefusal
  | TransactionRefusal;

export type EpochRefusal =
  | { readonly code: 'EPOCH_NOT_ENDED'; readonly epoch: Epoch; readonly height: Height }
  | { readonly code: 'NEXT_EPOCH_WRONG'; readonly epoch: Epoch; readonly expected: Epoch }
  | { readonly code: 'NEXT_VALIDATORS_WRONG'; readonly problem: ValidatorSetProblem }
  | { readonly code: 'VALIDATORS_TOO_MANY'; readonly validators: number; readonly limit: number }
  /** CS-15: rising, each a validator, together of less power than J(W). */
  | { readonly code: 'PASSED_OVER_WRONG'; readonly power: Power; readonly limit: Power }
  | { readonly code: 'NEXT_HASH_WRONG'; readonly hash: Digest; readonly expected: Digest };

export type StateRefusal =
  | { readonly code: 'STATE_PATH_TOO_LONG'; readonly siblings: number; readonly limit: number }
  | { readonly code: 'STATE_HASH_LENGTH_WRONG'; readonly bytes: number; readonly expected: number }
  /** It is of a value and none was claimed, or the other way round; or the other key is the key itself, or not on its way. */
  | { readonly code: 'STATE_END_WRONG'; readonly end: StateEnd['kind'] }
  | { readonly code: 'APP_HASH_WRONG'; readonly appHash: Digest; readonly expected: Digest };

export type TransactionRefusal =
  | { readonly code: 'BATCH_NOT_NAMED'; readonly batch: number; readonly batches: number }
  | { readonly code: 'BATCH_DIGEST_WRONG'; readonly digest: Digest; readonly expected: Digest }
  | { readonly code: 'BATCH_MALFORMED'; readonly bytes: number }
  | { readonly code: 'TRANSACTION_NOT_HELD'; readonly index: number; readonly count: number };
