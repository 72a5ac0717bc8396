/** What all nodes of a simulated network share. Deterministic. Rules SM-1, SM-2. */
import type { VirtualClock } from '../actors/runtime/index.ts';
import { millis, wallTime } from '../base/units.ts';
import type { BlsEngine } from '../crypto/bls/engine.ts';
import type { VrfEngine } from '../crypto/vrf.ts';
import type { BridgeConfig } from '../protocol/bridge/config.ts';
import type { EpochContext } from '../protocol/consensus/epoch.ts';
import type { EvidenceRules } from '../protocol/consensus/evidence-pool.ts';
import type { TimeoutConfig } from '../protocol/consensus/timeouts.ts';
import type { SyncConfig } from '../protocol/sync/config.ts';
import type { TimeConfig } from '../protocol/time/config.ts';
import type { Hub } from '../transport/hub.ts';
import type { Directory, Instance } from './instance.ts';
import type { Observer } from './observer.ts';
import type { NtpServerPlan } from './plan.ts';
import type { Voice } from './process-hub.ts';
import type { Replicated } from './replicated.ts';

export interface Setting {
  readonly seed: string | number;
  readonly epoch: EpochContext;
  readonly bls: BlsEngine;
  readonly vrf: VrfEngine;
  readonly application: Replicated;
  readonly timeouts: TimeoutConfig;
  readonly time: TimeConfig;
  readonly ntpServers: readonly NtpServerPlan[];
  readonly sync: SyncConfig;
  readonly bridge: BridgeConfig;
  /** Of the genesis, its deduplicationHeights too. @unit heights */
  readonly batchTtlHeights: number;
  /** Of the genesis (CS-14). */
  readonly evidenceAge: Pick<EvidenceRules, 'ageHeights' | 'ageMax'>;
  /** Between two snapshots of each node; 0: none. @unit heights */
  readonly snapshotIntervalHeights: number;
  /** Nodes whose configuration says join = "snapshot" (SY-10): whoever runs them lets promises settle between two advances. */
  readonly joining: readonly number[];
  readonly clock: VirtualClock;
  readonly hub: Hub;
  readonly directory: Directory;
  readonly observer: Required<Observer>;
  /** What a faulty instance makes of its traffic; asked once for each. */
  readonly voiceOf: (instance: Instance) => Voice | undefined;
  /** Where each life of each node is recorded (RP-1). */
  readonly recordTo: string | undefined;
}

/** Of every run's genesis. @unit heights, ms @source chosen: runs outlive it */
export const EVIDENCE_AGE = { ageHeights: 200, ageMax: millis(600_000) } as const;

/** Wall clock at the start of a run. @unit ms since 1970 @source chosen */
export const START_WALL_MS = 1_700_000_000_000;
export const GENESIS_TIME = wallTime(START_WALL_MS - 1_000);
