/** What a mempool may hold, and how long it waits. Every number with its unit and source. docs/protocol/mempool.md. */
import { type Millis, millis } from '../../base/units.ts';
import { CHECK_MS } from '../bridge/times.ts';
import { BATCH_HEADER_BYTES, type BatchLimits, TRANSACTION_OVERHEAD_BYTES } from '../chain/batch.ts';
import type { BucketRate } from '../transport/bucket.ts';
import type { PacingConfig } from './pacing.ts';

export interface MempoolConfig extends BatchLimits, PacingConfig {
  /** The genesis's `batchTtlHeights`: a batch may be named at heights in [expiry - this, expiry]. @unit heights */
  readonly batchTtlHeights: number;
  /** Own transactions that are neither committed nor expired. Beyond: MEMPOOL_FULL. @unit bytes */
  readonly pendingBytesMax: number;
  /** @unit transactions */
  readonly pendingCountMax: number;
  /** Transactions of one client. Beyond: RATE_LIMITED. @unit transactions/s, transactions */
  readonly clientRate: BucketRate;
  /** Clients remembered at once, at the most; the half that asked last is not forgotten. */
  readonly clientsMax: number;
  /** Submissions under way at once. Beyond: MEMPOOL_FULL. */
  readonly submissionsMax: number;
  /** Pending transactions of one sender, and of these such as wait for one before them. Beyond: SENDER_BUSY. */
  readonly senderPendingMax: number;
  readonly senderWaitingMax: number;
  /** … of all senders. Beyond: MEMPOOL_FULL. */
  readonly waitingMax: number;
  /** A check that the application has not answered so long refuses its transactions. */
  readonly checkTimeout: Millis;
  /** Pause before a failed recheck of a recovered batch is asked again; doubles to the max. */
  readonly recheckRetryMin: Millis;
  readonly recheckRetryMax: Millis;
  /** First wait for a recheck's answer, doubling: the executor may have been restarted and lost it. */
  readonly recheckPatience: Millis;
  /** Uncommitted batches of one author. Beyond: not stored, its author sends again. */
  readonly authorBatchesMax: number;
  /** @unit bytes */
  readonly authorBytesMax: number;
  /** Two acknowledgement messages are at least so far apart; the first goes at once. */
  readonly ackInterval: Millis;
  /** Digests in one BatchAck or GetBatch message. Beyond: the peer misbehaved. */
  readonly digestsPerMessageMax: number;
  /** Acknowledgements of one validator for batches not yet held; the oldest is forgotten. */
  readonly earlyAcksMax: number;
  /** First wait before an own batch goes again to whoever has not acknowledged it; doubles to the max. */
  readonly resendMin: Millis;
  readonly resendMax: Millis;
  /** So long a leader names none of an author's batches before an earlier one of his that may still come. */
  readonly orderPatience: Millis;
  /** Batches sent again in one tick. */
  readonly resendsPerTickMax: number;
  /** A missing batch is asked for after this: it may be on its way. */
  readonly fetchDelay: Millis;
  /** Then each next holder after so long, doubling to the max. */
  readonly fetchRetryMin: Millis;
  readonly fetchRetryMax: Millis;
  /** A fetch that storage has not answered so long goes to a holder. */
  readonly storagePatience: Millis;
  /** Batches being fetched at once. Beyond: TOO_MANY_WANTED. */
  readonly fetchesMax: number;
  /** Askers that wait for batches at once. Beyond: TOO_MANY_WANTED. */
  readonly wantsMax: number;
  /** Of one asker. Beyond: its oldest is refused, TOO_MANY_WANTED. */
  readonly wantsPerAskerMax: number;
  /** GetBatch answers being read from storage at once, and of one peer. Beyond: dropped, the peer asks again. */
  readonly servingMax: number;
  readonly servingPerPeerMax: number;
  /** … and of all together that are no validators. */
  readonly servingGuestsMax: number;
  /** Batch bytes sent for one GetBatch. @unit bytes */
  readonly serveBytesMax: number;
  /** Read from storage in one piece at a start. @unit bytes */
  readonly recoveryBytes: number;
  /** Grain of re-sends, fetches and check timeouts. */
  readonly tick: Millis;
}

const KIBIBYTE = 1_024;
const MEBIBYTE = 1_048_576;

export const DEFAULT_MEMPOOL_CONFIG: MempoolConfig = {
  batchBytesMax: MEBIBYTE,
  transactionBytesMax: 64 * KIBIBYTE,
  batchTtlHeights: 1_000,
  /** @source measured: batches of 64 KB to 1 MB differ by less than 10 % */
  sealBytes: 256 * KIBIBYTE,
  /** @source chosen: finality at light load has a median of at most 25 ms */
  sealInterval: millis(10),
  /** @source chosen: a quarter of a block of 400 ms, as around the earth */
  sealIntervalMax: millis(100),
  /** @source the greatest batch: beyond 64 KB its size costs nothing, and fewer are acknowledged */
  sealBytesMax: MEBIBYTE,
  /** @source chosen: two blocks are a second */
  blockTimeTarget: millis(500),
  /** @source the genesis's default */
  blockBytesMax: 8 * MEBIBYTE,
  blockBatchesMax: 256,
  /** @source chosen: 256 MB a node at full load; 64 MiB are 2.6 s of 100,000 transactions/s of 256 bytes */
  pendingBytesMax: 64 * MEBIBYTE,
  pendingCountMax: 250_000,
  clientRate: { ratePerSecond: 100_000, burst: 200_000 },
  clientsMax: 1_024,
  submissionsMax: 4_096,
  /** @source chosen: above the 65 that the ledger's check lets in (LG-5) */
  senderPendingMax: 128,
  /** @source chosen: what a client with a few connections gets into disorder */
  senderWaitingMax: 16,
  /** @source chosen: less than one block's work in the ledger */
  waitingMax: 4_096,
  checkTimeout: CHECK_MS,
  recheckRetryMin: millis(250),
  recheckRetryMax: millis(4_000),
  /** @source chosen: long, since the executor keeps what it is asked while its application starts */
  recheckPatience: millis(60_000),
  authorBatchesMax: 2_048,
  /** Over pendingBytesMax, so that an honest author is never refused for being a block ahead. */
  authorBytesMax: 128 * MEBIBYTE,
  /** @source a durable write takes 0.15 to 2.5 ms (measured) */
  ackInterval: millis(3),
  digestsPerMessageMax: 1_024,
  earlyAcksMax: 1_024,
  resendMin: millis(500),
  resendMax: millis(8_000),
  /** @source chosen: what got lost is sent again after resendMin, and acknowledged over the longest links */
  orderPatience: millis(2_000),
  resendsPerTickMax: 32,
  fetchDelay: millis(10),
  fetchRetryMin: millis(150),
  fetchRetryMax: millis(2_000),
  /** @source chosen: far above a durable write of a slow disk; a request can get lost only in a full mailbox */
  storagePatience: millis(10_000),
  fetchesMax: 1_024,
  wantsMax: 256,
  /** @source an executor and a round each wait for one at a time */
  wantsPerAskerMax: 4,
  servingMax: 64,
  servingPerPeerMax: 4,
  /** @source chosen: an eighth; storage reads what is asked for in one turn */
  servingGuestsMax: 8,
  serveBytesMax: 8 * MEBIBYTE,
  recoveryBytes: 8 * MEBIBYTE,
  tick: millis(25),
};

/** What is wrong with a configuration, in sentences; empty when nothing is. */
export function mempoolConfigProblems(config: MempoolConfig): readonly string[] {
  const problems: string[] = [];
  const claim = (holds: boolean, sentence: string) => {
    if (!holds) problems.push(sentence);
  };
  const alone = BATCH_HEADER_BYTES + TRANSACTION_OVERHEAD_BYTES + config.transactionBytesMax;
  claim(
    alone <= config.batchBytesMax,
    `transactionBytesMax ${config.transactionBytesMax} does not fit into batchBytesMax ${config.batchBytesMax}`,
  );
  claim(
    config.sealBytesMax <= config.batchBytesMax,
    `sealBytesMax ${config.sealBytesMax} is above batchBytesMax`,
  );
  claim(
    config.sealBytes <= config.sealBytesMax,
    `sealBytes ${config.sealBytes} is above sealBytesMax ${config.sealBytesMax}`,
  );
  claim(
    config.sealInterval <= config.sealIntervalMax,
    `sealInterval ${config.sealInterval} is above sealIntervalMax ${config.sealIntervalMax}`,
  );
  claim(
    config.batchBytesMax <= config.blockBytesMax,
    `batchBytesMax ${config.batchBytesMax} does not fit into blockBytesMax ${config.blockBytesMax}`,
  );
  claim(
    config.pendingBytesMax <= config.authorBytesMax,
    `pendingBytesMax ${config.pendingBytesMax} is above authorBytesMax ${config.authorBytesMax}: peers would refuse own batches`,
  );
  claim(
    config.orderPatience > config.resendMin,
    `orderPatience ${config.orderPatience} is not above resendMin ${config.resendMin}: an author would not be waited for`,
  );
  claim(config.batchTtlHeights > 0, 'batchTtlHeights must be above 0');
  return problems;
}
