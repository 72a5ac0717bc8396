/**
 * What cells ask of the executor (the boundary actor before the application), and what it tells them.
 * Messages only. It executes committed blocks in order, each once, also across restarts.
 */
import type { WallTime } from '../../base/units.ts';
import type { Address, BlockId, Digest, ExecutedState, Height, Round } from '../chain/types.ts';
import type { CheckResult, Misbehavior, QueryResult, ValidatorUpdate } from './application.ts';
import type { ApplicationEvent, CommittedBlock, ExecutedTransaction } from './storage.ts';

interface Request {
  readonly replyTo: string;
  readonly tag: number;
}

export type ExecutionRequest =
  /** Durable committed blocks, oldest first; those already executed are passed over. */
  | { readonly type: 'blocks.committed'; readonly blocks: readonly CommittedBlock[] }
  | ({
      readonly type: 'check.requested';
      readonly transactions: readonly Uint8Array[];
      /** Hashes of `transactions`, where the asker has them: spares hashing twice. */
      readonly hashes?: readonly Digest[];
    } & Request)
  | ({
      readonly type: 'query.requested';
      readonly path: string;
      readonly data: Uint8Array;
      readonly height?: Height;
      /** `data` is a key of the state, whose value is to be proven (PROVEN_PATH). */
      readonly prove?: boolean;
    } & Request);

/** What became of a transaction, as far as cells decide by it. */
export interface TransactionOutcome {
  readonly hash: Digest;
  /** Of the transaction. @unit bytes */
  readonly byteLength: number;
  readonly code: number;
  readonly codespace: string;
}

interface BlockFacts {
  readonly blockId: BlockId;
  readonly round: Round;
  readonly proposer: Address;
  readonly time: WallTime;
  /** State after this block. */
  readonly executed: ExecutedState;
  /** CS-16: take effect at the first block whose `executed.height` has reached this one. */
  readonly validatorUpdates: readonly ValidatorUpdate[];
  /** CS-14: what the application was told of the evidence in it. Left out: none. */
  readonly misbehavior?: readonly Misbehavior[];
}

/**
 * A block's outcome, told to the cells that listen to the executor after it is durable, in order of height. Without what none of them decides
 * about, which would weigh more than all else that they hear: mailboxes hold it, the journal records it.
 */
export interface BlockExecuted extends BlockFacts {
  readonly type: 'block.executed';
  readonly transactions: readonly TransactionOutcome[];
}

/** The same with all that the application answered, told to those who serve clients. */
export interface BlockResults extends BlockFacts {
  readonly type: 'results.persisted';
  readonly transactions: readonly ExecutedTransaction[];
  readonly events: readonly ApplicationEvent[];
}

export type ExecutionReply =
  | {
      readonly type: 'check.answered';
      readonly tag: number;
      readonly results: readonly CheckResult[];
      /** After this height is the oldest state that they can have been judged by: an application that starts over is far behind. */
      readonly height: Height;
    }
  | { readonly type: 'query.answered'; readonly tag: number; readonly result: QueryResult }
  | {
      readonly type: 'execution.failed';
      readonly tag: number;
      readonly code: 'APPLICATION_FAILED' | 'BATCH_MISSING' | 'STORAGE_FAILED';
      readonly detail: string;
    }
  | BlockExecuted
  | BlockResults;

/** The path of questions that are proven, in every application: `data` is a key as the application keeps it. */
export const PROVEN_PATH = '/pair';

/** The result code of a transaction that was executed before, within the deduplication window. */
export const DUPLICATE_CODE = 30;
/** … of an operation that appeared above the height it had to be committed by (EX-7). */
export const EXPIRED_CODE = 31;
/** … of an operation that may be committed longer than duplicates are known (EX-7). */
export const EXPIRES_TOO_LATE_CODE = 32;
/** Codespace of the results that the node itself gives. */
export const NODE_CODESPACE = 'althing';
