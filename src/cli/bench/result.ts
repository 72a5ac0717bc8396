/** The answer of `althing bench --json`, and of a file in `bench/results/`. Types only. */
import type { Circumstances } from './machine.ts';
import type { ProcessUse } from './readings.ts';
import type { LatencySummary, Spread } from './statistics.ts';

export interface Throughput {
  /** The measured time, without the warm-up. @unit s */
  readonly seconds: number;
  readonly committed: number;
  readonly committed_per_second: number;
  readonly blocks: number;
  readonly blocks_per_second: number;
  /** Mean over the blocks that have any. */
  readonly transactions_per_block: number;
  /** Rounds that were left without a certificate, by reason. */
  readonly failed_rounds: Readonly<Record<string, number>>;
  readonly sent: number;
  readonly admitted: number;
  readonly refused: number;
  /** No answer came. */
  readonly unknown: number;
  readonly refusals: Readonly<Record<string, number>>;
  /** From the intended send time to the RPC's answer that the transaction is durable here. @unit ms */
  readonly admission_ms: LatencySummary | undefined;
  /** Finality under this load. */
  readonly finality: Finality;
}

export interface Finality {
  /** @unit transactions/s */
  readonly rate: number;
  /** From the intended send time to the answer that it is committed and executed. @unit ms */
  readonly latency_ms: LatencySummary | undefined;
  readonly failed: number;
  readonly failure: string | undefined;
}

/** What was asked of the chain after the load. */
export interface Verification {
  /** All that was admitted, and all that blocks held once nothing was pending. */
  readonly admitted: number;
  readonly committed: number;
  readonly sampled: number;
  /** Samples that `tx` found by their hash. */
  readonly found: number;
}

export interface BenchRun {
  readonly throughput: Throughput;
  readonly light: Finality;
  readonly validators: readonly (ProcessUse | undefined)[];
  readonly generator: ProcessUse | undefined;
  /** Processor time of all validators, and of the generator, for one committed transaction. @unit µs */
  readonly cpu_us_per_transaction: { readonly validators: number; readonly generator: number };
  readonly verification: Verification;
  /** Of 1 minute, at the end of the run: with it the machine's own share of the load. */
  readonly load_average: number;
}

export interface BenchOptions {
  /** Where the homes are: the disk that is measured with the rest. */
  readonly directory: string;
  readonly validators: number;
  /** @unit s */
  readonly seconds: number;
  /** @unit transactions/s */
  readonly rate: number | 'max';
  /** Transactions in one request. */
  readonly batch: number;
  /** Requests under way to each validator. */
  readonly lanes: number;
  /** With `max`: transactions sent and not committed. */
  readonly window: number;
  /** @unit transactions/s */
  readonly finalityRate: number;
  readonly settings: readonly string[];
}

export interface BenchResult {
  readonly kind: 'network';
  readonly circumstances: Circumstances;
  readonly options: BenchOptions & { readonly transaction_bytes: number };
  /** Over the runs. */
  readonly summary: Readonly<Record<string, Spread>>;
  readonly runs: readonly BenchRun[];
}
