/** A node that joins a simulated network, or takes its chain anew: how far it is, as it says itself. For tests. */
import { ADDRESSES } from '../../../src/actors/addresses.ts';
import { millis } from '../../../src/base/units.ts';
import { networkSyncOf } from '../../../src/node/views.ts';
import type { SyncConfig } from '../../../src/protocol/sync/config.ts';
import type { Cluster } from '../../../src/simulation/cluster.ts';

/** @unit ms */
export const SECOND = 1_000;

/** A run is shorter than a day. */
export const QUICK_SYNC: Partial<SyncConfig> = {
  checkInterval: millis(2 * SECOND),
  tier1Timeout: millis(6 * SECOND),
  peerQueryTimeout: millis(SECOND),
  blockFetchTimeout: millis(2 * SECOND),
  tier2TimeoutPerBlock: millis(500),
};

/** False: it is not so after all steps. Promises of the application and of the restorer settle after each. */
export async function until(run: Cluster, isSo: () => boolean, steps: number, stepMs = 50): Promise<boolean> {
  for (let step = 0; step < steps && !isSo(); step += 1) {
    run.advance(stepMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return isSo();
}

export function syncOf(run: Cluster, index: number) {
  const system = run.node(index).process?.system;
  return system === undefined ? undefined : networkSyncOf(system)?.context;
}

/** Of chain-sync. */
export function phaseOf(run: Cluster, index: number): unknown {
  const snapshot = run.node(index).process?.system.ref(ADDRESSES.chainSync).info()?.snapshot;
  return typeof snapshot === 'object' && snapshot !== null && 'value' in snapshot
    ? snapshot.value
    : undefined;
}

/** Height of the lowest block that it holds. */
export function lowest(run: Cluster, index: number): number | undefined {
  const tip = run.node(index).read((store) => store.tip());
  return tip?.status === 'found' ? tip.value.base : undefined;
}

/** With the first node, which makes blocks meanwhile. */
export const isLevel = (run: Cluster, index: number): boolean =>
  syncOf(run, index)?.status.kind === 'InSync' && run.height(index) + 10 >= run.height(0);

/** By a snapshot. */
export const isJoined = (run: Cluster, index: number): boolean =>
  isLevel(run, index) && (lowest(run, index) ?? 0) > 1;
