/** What a simulated network is made of, and what befalls it. Types only. SM-1, SM-2. */
import type { BlsEngine } from '../crypto/bls/engine.ts';
import type { BridgeConfig } from '../protocol/bridge/config.ts';
import type { LeadershipParameters } from '../protocol/consensus/leader.ts';
import type { TimeoutConfig } from '../protocol/consensus/timeouts.ts';
import type { SyncConfig } from '../protocol/sync/config.ts';
import type { TimeConfig } from '../protocol/time/config.ts';
import type { LinkFaults, Transit } from '../transport/hub.ts';
import type { Cluster } from './cluster.ts';
import type { Instance } from './instance.ts';
import type { Observer } from './observer.ts';
import type { ClockError, NtpServerPlan, RoundRule } from './plan.ts';
import type { Voice } from './process-hub.ts';
import type { ReplicatedBy } from './replicated.ts';

export interface ClusterOptions {
  readonly seed: string | number;
  /** Default 4. */
  readonly validators?: number;
  /** So many of them, the first, are in the set of the genesis; the others follow until a change brings them in. Default: all. */
  readonly members?: number;
  /** Heights in an epoch. Default: 0, it ends only where validators change. */
  readonly epochLength?: number;
  /** By index; all 1 without. */
  readonly powers?: readonly number[];
  /** Validators that run twice, by index. Their second instances are the nodes from `validators` on. */
  readonly twins?: readonly number[];
  /** Leaders of the rounds from 1 on, cyclic, by index of the validator; round-robin without. */
  readonly leaders?: readonly [number, ...number[]];
  /** How leaders are chosen, as a genesis says it. Default: as of a genesis that says nothing. */
  readonly leadership?: LeadershipParameters;
  /** Nodes that are not there from the start: `start` starts them. */
  readonly absent?: readonly number[];
  /** False: nothing runs before `startAll`. Default true. */
  readonly start?: boolean;
  readonly clocks?: readonly ClockError[];
  readonly faults?: LinkFaults;
  readonly timeouts?: Partial<TimeoutConfig>;
  /** Default: by the peers alone. */
  readonly time?: Partial<Omit<TimeConfig, 'servers'>>;
  /** Settings of the bridge that are not the usual ones. */
  readonly bridge?: Partial<BridgeConfig>;
  /** Settings of sync that are not the usual ones. */
  readonly sync?: Partial<SyncConfig>;
  /** Default: as of a genesis. @unit heights */
  readonly batchTtlHeights?: number;
  /** Between two snapshots of each node. Default: 0, none. @unit heights */
  readonly snapshotIntervalHeights?: number;
  /** Nodes that join by a snapshot, if they are new (SY-10). */
  readonly joining?: readonly number[];
  /** Which all nodes ask, when their source of time is `ntp` or `hybrid`. */
  readonly ntpServers?: readonly NtpServerPlan[];
  /** `codec`: frames are encoded and decoded, as on the wire. Default `reference`. */
  readonly carry?: 'codec' | 'reference';
  readonly bls?: BlsEngine;
  /** What they replicate. Default: `kv`. */
  readonly application?: ReplicatedBy;
  /** Validators that may lie: what they send is no violation. By index. */
  readonly liars?: readonly number[];
  /** What an instance of a liar or twin makes of its traffic; asked once for each. */
  readonly voiceOf?: (instance: Instance, cluster: Cluster) => Voice | undefined;
  readonly rounds?: readonly RoundRule[];
  readonly observers?: readonly Observer[];
  /** A folder for the journals of all lives of all nodes (RP-1). */
  readonly recordTo?: string;
  /** What becomes of a message on its way, before the faults. Names in it are instances. */
  readonly tamper?: (transit: Transit) => 'pass' | 'drop';
}
