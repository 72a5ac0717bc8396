/** [consensus] and [mempool], with what the genesis says, as the cells of consensus are given them. Pure. docs/operator-guide.md. */
import type { GenesisDocument } from '../../protocol/chain/genesis.ts';
import type { TimeoutConfig } from '../../protocol/consensus/timeouts.ts';
import { DEFAULT_MEMPOOL_CONFIG, type MempoolConfig } from '../../protocol/mempool/config.ts';
import type { Config } from './schema.ts';

export function mempoolConfigOf(
  { mempool }: Pick<Config, 'mempool'>,
  { parameters }: GenesisDocument,
): MempoolConfig {
  return {
    ...DEFAULT_MEMPOOL_CONFIG,
    batchBytesMax: parameters.batchBytesMax,
    transactionBytesMax: parameters.transactionBytesMax,
    batchTtlHeights: parameters.batchTtlHeights,
    sealBytes: Math.min(mempool.sealBytes, parameters.batchBytesMax),
    sealBytesMax: Math.min(mempool.sealBytesMax, parameters.batchBytesMax),
    sealInterval: mempool.sealIntervalMs,
    sealIntervalMax: mempool.sealIntervalMsMax,
    blockTimeTarget: mempool.blockTimeTargetMs,
    blockBytesMax: parameters.blockBytesMax,
    blockBatchesMax: parameters.blockBatchesMax,
    pendingBytesMax: mempool.pendingBytesMax,
    pendingCountMax: mempool.pendingCountMax,
    authorBytesMax: Math.max(DEFAULT_MEMPOOL_CONFIG.authorBytesMax, mempool.pendingBytesMax),
    clientRate: {
      ratePerSecond: mempool.clientTransactionsPerSecond,
      burst: mempool.clientTransactionsBurst,
    },
  };
}

export function timeoutConfigOf({ consensus }: Pick<Config, 'consensus'>): TimeoutConfig {
  return {
    roundTimeoutMsMin: consensus.roundTimeoutMsMin,
    roundTimeoutMsMax: consensus.roundTimeoutMsMax,
    roundTimeoutMsInitial: consensus.roundTimeoutMsInitial,
    growth: consensus.roundTimeoutGrowth,
    grace: consensus.roundTimeoutGrace,
    proposeShare: consensus.proposeShare,
    viewChangeShare: consensus.viewChangeShare,
    emptyBlockIntervalMs: consensus.emptyBlockIntervalMs,
  };
}
