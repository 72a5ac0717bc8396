/** [sync] as the cells of sync are given it. Pure. docs/operator-guide.md. */
import { millis } from '../../base/units.ts';
import type { SyncConfig } from '../../protocol/sync/config.ts';
import type { Config } from './schema.ts';

const MS_PER_SECOND = 1_000;
const MS_PER_HOUR = 3_600_000;
const MS_PER_DAY = 24 * MS_PER_HOUR;

/** All durations in whole milliseconds. */
export const syncConfigOf = ({ sync }: Pick<Config, 'sync'>): SyncConfig => ({
  tier1Timeout: millis(sync.tier1TimeoutSecs * MS_PER_SECOND),
  tier1ConsensusThreshold: sync.tier1ConsensusThreshold,
  tier1MaxGap: sync.tier1MaxGap,
  tier2TimeoutPerBlock: millis(sync.tier2TimeoutPerBlock * MS_PER_SECOND),
  tier2MaxRetries: sync.tier2MaxRetries,
  tier2MaxGap: sync.tier2MaxGap,
  tier3TrustTime: millis(Math.round(sync.tier3TrustHours * MS_PER_HOUR)),
  tier3BackupRetention: millis(Math.round(sync.tier3BackupRetentionDays * MS_PER_DAY)),
  checkInterval: millis(sync.checkIntervalSecs * MS_PER_SECOND),
  followInterval: sync.followIntervalMs,
  peerQueryTimeout: millis(sync.peerQueryTimeoutSecs * MS_PER_SECOND),
  blockFetchTimeout: millis(sync.blockFetchTimeoutSecs * MS_PER_SECOND),
  peerCacheTtl: millis(sync.peerCacheTtlSecs * MS_PER_SECOND),
  redundantPeers: sync.redundantPeers,
  genesisPeers: sync.genesisPeers,
  fetchAttempts: sync.fetchAttempts,
});
