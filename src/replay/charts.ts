/** The charts that a replay has: those of a node, by their ids, and whether they are the recorded ones. Pure. Rule RP-1. */
import type { AnyStateMachine } from 'xstate';
import { type CellBlueprint, chartHash, chartsOf } from '../actors/runtime/index.ts';
import { bridgeMachine } from '../machines/bridge/bridge.machine.ts';
import { epochKeeperMachine } from '../machines/consensus/epoch-keeper.machine.ts';
import { evidencePoolMachine } from '../machines/consensus/evidence-pool.machine.ts';
import { roundManagerMachine } from '../machines/consensus/round-manager.machine.ts';
import { safetyMachine } from '../machines/consensus/safety.machine.ts';
import { viewChangeMachine } from '../machines/consensus/view-change.machine.ts';
import { mempoolMachine } from '../machines/mempool/mempool.machine.ts';
import { peerMachine } from '../machines/peer/peer.machine.ts';
import { routerMachine } from '../machines/peer/router.machine.ts';
import { blockSyncMachine } from '../machines/sync/block-sync.machine.ts';
import { chainServerMachine } from '../machines/sync/chain-server.machine.ts';
import { chainSyncMachine } from '../machines/sync/chain-sync.machine.ts';
import { heightSyncMachine } from '../machines/sync/height-sync.machine.ts';
import { heraldMachine } from '../machines/sync/herald.machine.ts';
import { networkSyncMachine } from '../machines/sync/network-sync.machine.ts';
import { stateSyncMachine } from '../machines/sync/state-sync.machine.ts';
import { syncCoordinatorMachine } from '../machines/sync/sync-coordinator.machine.ts';
import { timeCoordinatorMachine } from '../machines/time/time-coordinator.machine.ts';

export type Charts = ReadonlyMap<string, AnyStateMachine>;

/** All that a node's tree names; charts that they spawn come with them. */
export const NODE_CHARTS: Charts = new Map(
  [
    bridgeMachine,
    epochKeeperMachine,
    evidencePoolMachine,
    roundManagerMachine,
    safetyMachine,
    viewChangeMachine,
    mempoolMachine,
    peerMachine,
    routerMachine,
    blockSyncMachine,
    chainServerMachine,
    chainSyncMachine,
    heightSyncMachine,
    heraldMachine,
    networkSyncMachine,
    stateSyncMachine,
    syncCoordinatorMachine,
    timeCoordinatorMachine,
  ].map((machine): [string, AnyStateMachine] => [machine.id, machine]),
);

/** A chart is not the one that the journal was recorded with: its replay would be of another program. */
export class ChartsDiffer extends Error {
  override readonly name = 'ChartsDiffer';
}

/** @throws ChartsDiffer naming each chart that differs */
export function checkCharts(blueprints: readonly CellBlueprint[], charts: Charts): void {
  const differing = [...chartsOf(blueprints)].flatMap(([id, recorded]) => {
    const own = charts.get(id);
    if (own === undefined) return [`${id} (not here)`];
    const hash = chartHash(own);
    return hash === recorded ? [] : [`${id} (recorded ${recorded}, here ${hash})`];
  });
  if (differing.length > 0) {
    throw new ChartsDiffer(
      `it was recorded by other charts than this program's: ${differing.join(', ')}; replay it with the program that recorded it`,
    );
  }
}
