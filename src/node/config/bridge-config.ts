/** [bridge] as its cell is given it. Pure. docs/operator-guide.md. */
import { BRIDGE_DEFAULTS, type BridgeConfig } from '../../protocol/bridge/config.ts';
import type { Config } from './schema.ts';

export const bridgeConfigOf = ({ bridge }: Pick<Config, 'bridge'>): BridgeConfig => ({
  ...BRIDGE_DEFAULTS,
  maxPendingOperations: bridge.maxPendingOperations,
  consensusTimeout: bridge.consensusTimeoutMs,
  stateSyncIntervalMin: bridge.stateSyncIntervalMsMin,
  stateSyncInterval: bridge.stateSyncIntervalMs,
  stateSyncIntervalMax: bridge.stateSyncIntervalMsMax,
  partitionTimeout: bridge.partitionTimeoutMs,
  whenPartitioned: bridge.whenPartitioned,
  breakerFailures: bridge.breakerFailures,
  breakerPauseMin: bridge.breakerPauseMsMin,
  breakerPauseMax: bridge.breakerPauseMsMax,
});
