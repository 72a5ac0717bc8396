/**
 * The application that a chain replicates, after ABCI 2.0. Types only; the runner is `src/application/`.
 * Rules: docs/applications.md. All methods are deterministic functions of committed blocks, but `checkTx` and `query`.
 */

import type { WallTime } from '../../base/units.ts';
import type { Address, Digest, ExecutedState, Height } from '../chain/types.ts';
import type { ApplicationEvent, TransactionResult } from './storage.ts';

/** Answer to `checkTx`: code 0 admits the transaction to the mempool. */
export interface CheckResult {
  readonly code: number;
  readonly log: string;
  readonly codespace: string;
  /** Higher goes first within a validator's batches. */
  readonly priority: bigint;
  /** Of an admitted one: whose it is. Left out: it stands for itself, beside all others (MP-4, MP-13). */
  readonly sender?: SenderPlace;
}

/** Where a transaction stands among its sender's. Numbers are 0 to 2^64 - 1; `cost` and `funds` are of one unit of the application's. */
export interface SenderPlace {
  /** The same for all of one sender's, and no other's; at most 128 bytes of UTF-8. */
  readonly id: string;
  /** The sender's transactions execute in the order of these, and each number once. */
  readonly sequence: bigint;
  /** The sequence that can execute now. */
  readonly next: bigint;
  /** What executing it may take of the sender's funds; with 0 everywhere nothing is asked of them. */
  readonly cost: bigint;
  /** What the sender has now, pending transactions aside. */
  readonly funds: bigint;
}

export interface InitChainRequest {
  readonly chainId: string;
  /** Of the whole document: tells this chain from every other one, and is what signatures of transactions bind to. */
  readonly genesisHash: Digest;
  readonly genesisTime: WallTime;
  readonly validators: readonly ValidatorUpdate[];
  readonly appState: unknown;
}

/** Power 0 removes. Keys are 48 and 32 bytes. */
export interface ValidatorUpdate {
  readonly consensusKey: Uint8Array;
  readonly nodeKey: Uint8Array;
  readonly possessionProof: Uint8Array;
  readonly power: bigint;
}

/** An offence against the consensus that the block carries proof of (CS-14), in the words of ABCI 2.0. */
export interface Misbehavior {
  /** `DUPLICATE_VOTE`: two votes in one round. `HIDDEN_QC`: a timeout that hid a certificate which its signer knew. */
  readonly type: 'DUPLICATE_VOTE' | 'HIDDEN_QC';
  /** Its power is the one it voted with. */
  readonly validator: { readonly address: Address; readonly power: bigint };
  /** Of the offence: the later of its statements', but below the block that carries the proof. */
  readonly height: Height;
  /** Of the block that carries the proof: the one time that all nodes know. */
  readonly time: WallTime;
  /** Of the set that the offender voted in. */
  readonly totalVotingPower: bigint;
}

/** A committed block as the application sees it: duplicates are already taken out of `transactions`. */
export interface FinalizeRequest {
  readonly height: Height;
  readonly blockId: Digest;
  readonly time: WallTime;
  readonly proposer: Address;
  /** Nobody chose it where the chain has a VRF (OR-5): the same on every node, unknown before the block. */
  readonly randomness: Digest;
  readonly transactions: readonly Uint8Array[];
  /** Proven; of a validator one of each type in an epoch, and none older than the genesis allows. Left out: none. */
  readonly misbehavior?: readonly Misbehavior[];
  /** The node has stored its results up to this height; the one below this block where it is left out (docs/applications.md). */
  readonly storedHeight?: Height;
}

export interface BlockResult {
  /** One for each transaction, in order. */
  readonly results: readonly TransactionResult[];
  readonly events: readonly ApplicationEvent[];
  readonly validatorUpdates: readonly ValidatorUpdate[];
  readonly appHash: Digest;
}

export interface QueryResult {
  readonly code: number;
  readonly log: string;
  readonly codespace: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly height: Height;
  /** Of a question that asked for it. */
  readonly proof?: KeyProof;
}

export interface KeyProof {
  /** Whether the key is there: an empty `value` may be one. */
  readonly isPresent: boolean;
  /** Encoded state proof (protocol/light/encoding.ts). */
  readonly bytes: Uint8Array;
}

/** What a key of the state has after `height`, with the proof of it. */
export interface ProvenValue {
  readonly height: Height;
  /** Undefined: the key is not there. */
  readonly value?: Uint8Array;
  /** Encoded state proof, under the hash of the state after `height`. */
  readonly proof: Uint8Array;
}

export interface ApplicationInfo {
  readonly name: string;
  readonly version: string;
  /** Where it stands: the node replays the blocks above. Height 0 and its hash before any block. */
  readonly executed: ExecutedState;
  /**
   * It makes no state durable that is above `storedHeight`, so that it may be given blocks before the results of those
   * before them are stored: many blocks then cost one wait for the disk. Left out: false.
   */
  readonly runsAhead?: boolean;
}

/** What a user of Althing writes. */
export interface Application {
  info(): ApplicationInfo | Promise<ApplicationInfo>;
  initChain(request: InitChainRequest): { readonly appHash: Digest } | Promise<{ readonly appHash: Digest }>;
  checkTx(transaction: Uint8Array): CheckResult | Promise<CheckResult>;
  finalizeBlock(request: FinalizeRequest): BlockResult | Promise<BlockResult>;
  query(path: string, data: Uint8Array, height?: Height): QueryResult | Promise<QueryResult>;
  /**
   * What a key has in the newest state, or that it has nothing, so that who has only the state's hash can check it. Left out:
   * this application proves nothing.
   */
  prove?(key: Uint8Array): ProvenValue | Promise<ProvenValue>;
  /** A snapshot of the state after the newest finalized block, to be read while others follow; undefined: not now. */
  takeSnapshot?(): ApplicationSnapshot | undefined | Promise<ApplicationSnapshot | undefined>;
  /**
   * Begins from a snapshot, in place of `initChain`: the chunks as `takeSnapshot` gave them, in order, from peers that
   * may lie. Then `info` says its height and the hash of what was restored, which is compared with the certified one.
   * @throws (or rejects) with clear words when they cannot be read; what is left is deleted
   */
  restoreSnapshot?(snapshot: SnapshotOffer, chunks: SnapshotChunks): void | Promise<void>;
  close?(): void | Promise<void>;
}

/** Read once, in order; left early through the iterator's `return`. */
export type SnapshotChunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export interface SnapshotOffer {
  /** The state after this height. */
  readonly height: Height;
  /** The application's own number for how the bytes are to be read. A whole number >= 0 */
  readonly format: number;
}

/** One state has one sequence of chunks, on every node: then a newcomer may take each chunk from another peer. */
export interface ApplicationSnapshot {
  readonly executed: ExecutedState;
  readonly format: number;
  /** At least one, each of 1 to SNAPSHOT_CHUNK_BYTES_MAX bytes. Until they end the application keeps this state apart. */
  readonly chunks: SnapshotChunks;
}
