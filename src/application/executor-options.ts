/** What an executor is given, and how long it waits. Types and constants only. docs/applications.md. */
import { type Millis, millis } from '../base/units.ts';
import type { BatchLimits } from '../protocol/chain/batch.ts';
import type { Application, InitChainRequest } from '../protocol/ports/application.ts';
import type { CellAddress } from '../protocol/supervision/effect.ts';

export interface ExecutorOptions {
  /** Opens the application; called again after it failed, when the last one has been closed. */
  readonly openApplication: () => Application | Promise<Application>;
  readonly genesis: InitChainRequest;
  readonly limits: BatchLimits;
  /** D: a transaction that appeared at height h is a duplicate up to h + D (EX-2). Of the genesis. @unit heights */
  readonly deduplicationHeights: number;
  readonly storage: CellAddress;
  readonly mempool: CellAddress;
  /** Told `block.executed` and `execution.failed`. */
  readonly listeners: readonly CellAddress[];
  readonly times?: Partial<ExecutorTimes>;
}

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
