/** The charts that the cells of a node run, as data. Pure. Source: src/machines, ARCHITECTURE.md. Rule RP-7. */
import { type Chart, chartOf } from '../actors/runtime/chart.ts';
import { breakerMachine } from '../machines/bridge/breaker.machine.ts';
import { bridgeMachine } from '../machines/bridge/bridge.machine.ts';
import { epochKeeperMachine } from '../machines/consensus/epoch-keeper.machine.ts';
import { evidencePoolMachine } from '../machines/consensus/evidence-pool.machine.ts';
import { roundMachine } from '../machines/consensus/round.machine.ts';
import { roundManagerMachine } from '../machines/consensus/round-manager.machine.ts';
import { safetyMachine } from '../machines/consensus/safety.machine.ts';
import { viewChangeMachine } from '../machines/consensus/view-change.machine.ts';
import { mempoolMachine } from '../machines/mempool/mempool.machine.ts';
import { peerMachine } from '../machines/peer/peer.machine.ts';
import { routerMachine } from '../machines/peer/router.machine.ts';
import { supervisorMachine } from '../machines/supervisor/supervisor.machine.ts';
import { blockSyncMachine } from '../machines/sync/block-sync.machine.ts';
import { chainServerMachine } from '../machines/sync/chain-server.machine.ts';
import { chainSyncMachine } from '../machines/sync/chain-sync.machine.ts';
import { heightSyncMachine } from '../machines/sync/height-sync.machine.ts';
import { heraldMachine } from '../machines/sync/herald.machine.ts';
import { networkSyncMachine } from '../machines/sync/network-sync.machine.ts';
import { stateSyncMachine } from '../machines/sync/state-sync.machine.ts';
import { syncCoordinatorMachine } from '../machines/sync/sync-coordinator.machine.ts';
import { timeCoordinatorMachine } from '../machines/time/time-coordinator.machine.ts';

/** Each machine once, in the order of the supervision tree. */
export const NODE_MACHINES: readonly Parameters<typeof chartOf>[0][] = [
  supervisorMachine,
  peerMachine,
  routerMachine,
  timeCoordinatorMachine,
  safetyMachine,
  viewChangeMachine,
  roundManagerMachine,
  roundMachine,
  mempoolMachine,
  evidencePoolMachine,
  epochKeeperMachine,
  chainServerMachine,
  heraldMachine,
  stateSyncMachine,
  heightSyncMachine,
  blockSyncMachine,
  chainSyncMachine,
  networkSyncMachine,
  syncCoordinatorMachine,
  bridgeMachine,
  breakerMachine,
];

/** Their charts. */
export const nodeCharts = (): readonly Chart[] => NODE_MACHINES.map((machine) => chartOf(machine));
