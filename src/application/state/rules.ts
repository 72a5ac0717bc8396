/**
 * An application whose state is pairs and a validator set: its rules, and nothing else. The shell around them keeps, hashes
 * and snapshots the state. Types only. docs/applications.md.
 */
import type { WallTime } from '../../base/units.ts';
import type { Address, Digest, Height } from '../../protocol/chain/types.ts';
import type {
  CheckResult,
  InitChainRequest,
  Misbehavior,
  ValidatorUpdate,
} from '../../protocol/ports/application.ts';
import type { ApplicationEvent, TransactionResult } from '../../protocol/ports/storage.ts';

/** Keys and values are latin1 texts, one letter a byte; others are refused. */
export type Pair = readonly [key: string, value: string];

export interface StateReader {
  get(key: string): string | undefined;
  /** By node key in hexadecimal; of the newest state, without proofs of possession. */
  readonly validators: ReadonlyMap<string, ValidatorUpdate>;
}

/** Reads see what was written before. Writes of a transaction whose code is not 0 are undone. */
export interface StateWriter extends StateReader {
  set(key: string, value: string): void;
  /** Nothing happens when the key is not there. */
  delete(key: string): void;
  /**
   * Power 0 removes. Refused (with words, and nothing changes) when consensus cannot run with what is left, or when the block
   * changes too much power (CS-16). The proof of possession of a new key is the caller's to check.
   * @param as default 'request'; a 'punishment' may change as much as it must
   */
  setValidator(update: ValidatorUpdate, as?: ChangeKind): string | undefined;
}

/** Why validators change: what somebody wants can wait, what evidence demands cannot. */
export type ChangeKind = 'request' | 'punishment';

/** The block that is executed. */
export interface BlockContext {
  readonly height: Height;
  readonly time: WallTime;
  readonly proposer: Address;
  /** Of the block's VRF (docs/ordering.md, OR-5). */
  readonly randomness: Digest;
}

export interface StateRules {
  /** With `version` the domain of the state's hash: `althing/<name>/v<version>`. Lower-case letters. */
  readonly name: string;
  /** A whole number. With another one the state has other hashes: a file of it is refused. */
  readonly version: string;
  /** The first pairs. @throws with clear words when `appState` cannot be read */
  begin(request: InitChainRequest): Iterable<Pair>;
  /** For the mempool: not consensus. @param height of the newest block, whose state it is */
  check(transaction: Uint8Array, state: StateReader, height: Height): CheckResult;
  /** Once a block, before its transactions, also in empty blocks. `misbehavior`: what consensus says of validators (CS-14). */
  beginBlock?(
    state: StateWriter,
    block: BlockContext,
    misbehavior: readonly Misbehavior[],
  ): readonly ApplicationEvent[];
  execute(transaction: Uint8Array, state: StateWriter, block: BlockContext): TransactionResult;
  /**
   * After the writes of a transaction whose code is not 0 were undone: what is written here stays. For what also a failed
   * transaction costs.
   */
  settleFailed?(transaction: Uint8Array, state: StateWriter, block: BlockContext): void;
  /** Once a block, after its transactions, also in empty blocks. */
  endBlock?(state: StateWriter, block: BlockContext): readonly ApplicationEvent[];
  /** `key` and `value` are bytes for the reader. */
  query(
    path: string,
    data: Uint8Array,
    state: StateReader,
  ): {
    readonly code: number;
    readonly log: string;
    readonly value: Uint8Array;
  };
}
