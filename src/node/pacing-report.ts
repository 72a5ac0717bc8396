/** What follows measured round trips and load at present, read off its owners' snapshots. Pure. CS-11, BR-11, docs/protocol/bridge.md. */
import { deadlinesOf, type Pacemaker } from '../protocol/consensus/pacemaker.ts';
import type { TimeoutConfig } from '../protocol/consensus/timeouts.ts';
import {
  BLOCK_SHARE_MIN,
  blockTimeTargetOf,
  type Pacing,
  type PacingConfig,
  roundTripOf,
  sealBytesOf,
  sealIntervalOf,
} from '../protocol/mempool/pacing.ts';
import type { PacingReport } from '../rpc/bridge-port.ts';

export interface PacingFacts {
  /** Undefined until view-change has recovered. */
  readonly pacemaker: Pacemaker | undefined;
  readonly timeouts: TimeoutConfig;
  readonly pacing: Pacing;
  readonly config: PacingConfig;
}

export function pacingReport({ pacemaker, timeouts, pacing, config }: PacingFacts): PacingReport {
  const { sealInterval, sealIntervalMax, sealBytes, sealBytesMax } = config;
  return {
    roundTrip: roundTripOf(pacing),
    roundTimeout: pacemaker && {
      now: deadlinesOf(pacemaker, timeouts).timeout,
      least: timeouts.roundTimeoutMsMin,
      greatest: timeouts.roundTimeoutMsMax,
    },
    blockTime: pacing.blockTime,
    blockTimeTarget: blockTimeTargetOf(pacing, config),
    sealInterval: { now: sealIntervalOf(pacing, config), least: sealInterval, greatest: sealIntervalMax },
    sealBytes: { now: sealBytesOf(pacing, config), least: sealBytes, greatest: sealBytesMax },
    blockShare: { now: pacing.size.share, least: BLOCK_SHARE_MIN, greatest: 1 },
  };
}
