/** What an executor is given, and how long it waits. Types and constants only. docs/applications.md. */
import { type Millis, millis } from '../base/units.ts';
import type { BatchLimits } from '../protocol/chain/batch.ts';
import type { Epoch, ValidatorSet } from '../protocol/chain/types.ts';
import type { Application, InitChainRequest } from '../protocol/ports/application.ts';
import type { ExecutionReply } from '../protocol/ports/execution.ts';
import type { CellAddress } from '../protocol/supervision/effect.ts';

type ExecutionFailed = Extract<ExecutionReply, { readonly type: 'execution.failed' }>;

export interface ExecutorOptions {
  /**
   * Opens the application; called again after it failed, when the last one has been closed. The signal is aborted when this
   * life of it ends: who can end what hangs does, the opening too. Others are waited for (EX-5).
   */
  readonly openApplication: (signal: AbortSignal) => Application | Promise<Application>;
  readonly genesis: InitChainRequest;
  readonly limits: BatchLimits;
  /** D: a transaction that appeared at height h is a duplicate up to h + D (EX-2). Of the genesis. @unit heights */
  readonly deduplicationHeights: number;
  /** The validators that vote in an epoch: the powers of those whom evidence accuses (CS-14). */
  readonly setFor: (epoch: Epoch) => ValidatorSet | undefined;
  readonly storage: CellAddress;
  readonly mempool: CellAddress;
  /** Cells, told `block.executed` and `execution.failed`. */
  readonly listeners: readonly CellAddress[];
  /** Who serve clients, told `results.persisted`. */
  readonly servers: readonly CellAddress[];
  /** Absent: no snapshots are taken (SY-10). */
  readonly snapshots?: {
    readonly keeper: CellAddress;
    /** 0: never. @unit heights */
    readonly intervalHeights: number;
  };
  /** Told, in the executor's own turn, how execution stands: for operators, where messages could get lost. Must not throw. */
  readonly report?: (report: ExecutionStanding) => void;
  /** Told what blocks wait for the application to answer; undefined: for nothing any more. As often as it is asked. Must not throw. */
  readonly waiting?: (call: string | undefined) => void;
  readonly times?: Partial<ExecutorTimes>;
}

/** How execution stands. `failed` lasts until `running`: what starts over has not recovered yet. */
export type ExecutionStanding =
  | { readonly status: 'running' }
  | { readonly status: 'failed'; readonly code: ExecutionFailed['code']; readonly detail: string }
  /** One check or query got no answer; execution is not concerned. */
  | { readonly status: 'unanswered'; readonly detail: string };

export interface ExecutorTimes {
  /** For opening, `info` and `initChain`. */
  readonly openMax: Millis;
  readonly finalizeMax: Millis;
  readonly checkMax: Millis;
  readonly queryMax: Millis;
  /** Pause before it starts over after a failure; doubles to the max. */
  readonly retryMin: Millis;
  readonly retryMax: Millis;
}

export const EXECUTOR_TIMES: ExecutorTimes = {
  openMax: millis(60_000),
  finalizeMax: millis(60_000),
  checkMax: millis(5_000),
  queryMax: millis(5_000),
  retryMin: millis(1_000),
  retryMax: millis(60_000),
};
