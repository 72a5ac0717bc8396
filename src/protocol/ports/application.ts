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
}

export interface InitChainRequest {
  readonly chainId: string;
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

/** A committed block as the application sees it: duplicates are already taken out of `transactions`. */
export interface FinalizeRequest {
  readonly height: Height;
  readonly blockId: Digest;
  readonly time: WallTime;
  readonly proposer: Address;
  readonly transactions: readonly Uint8Array[];
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
}

export interface ApplicationInfo {
  readonly name: string;
  readonly version: string;
  /** Where it stands: the node replays the blocks above. Height 0 and its hash before any block. */
  readonly executed: ExecutedState;
}

/** What a user of Althing writes. */
export interface Application {
  info(): ApplicationInfo | Promise<ApplicationInfo>;
  initChain(request: InitChainRequest): { readonly appHash: Digest } | Promise<{ readonly appHash: Digest }>;
  checkTx(transaction: Uint8Array): CheckResult | Promise<CheckResult>;
  finalizeBlock(request: FinalizeRequest): BlockResult | Promise<BlockResult>;
  query(path: string, data: Uint8Array, height?: Height): QueryResult | Promise<QueryResult>;
  close?(): void | Promise<void>;
}
