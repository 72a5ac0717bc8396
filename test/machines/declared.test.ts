/** Every chart says, for every state and every message that may come, what becomes of it; the rest is `unhandled`. RT-8. */
import { describe, expect, it } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { breakerMachine } from '../../src/machines/bridge/breaker.machine.ts';
import { BREAKER_EVENTS } from '../../src/machines/bridge/breaker.setup.ts';
import { bridgeMachine } from '../../src/machines/bridge/bridge.machine.ts';
import { BRIDGE_EVENTS } from '../../src/machines/bridge/bridge.setup.ts';
import { evidencePoolMachine } from '../../src/machines/consensus/evidence-pool.machine.ts';
import { EVIDENCE_POOL_EVENTS } from '../../src/machines/consensus/evidence-pool.setup.ts';
import { roundMachine } from '../../src/machines/consensus/round.machine.ts';
import { roundManagerMachine } from '../../src/machines/consensus/round-manager.machine.ts';
import { ROUND_MANAGER_EVENTS } from '../../src/machines/consensus/round-manager.setup.ts';
import { safetyMachine } from '../../src/machines/consensus/safety.machine.ts';
import { SAFETY_EVENTS } from '../../src/machines/consensus/safety.setup.ts';
import { viewChangeMachine } from '../../src/machines/consensus/view-change.machine.ts';
import { VIEW_CHANGE_EVENTS } from '../../src/machines/consensus/view-change.setup.ts';
import { mempoolMachine } from '../../src/machines/mempool/mempool.machine.ts';
import { MEMPOOL_EVENTS } from '../../src/machines/mempool/mempool.setup.ts';
import { peerMachine } from '../../src/machines/peer/peer.machine.ts';
import { routerMachine } from '../../src/machines/peer/router.machine.ts';
import { ROUTER_EVENTS } from '../../src/machines/peer/router.setup.ts';
import { supervisorMachine } from '../../src/machines/supervisor/supervisor.machine.ts';
import { blockSyncMachine } from '../../src/machines/sync/block-sync.machine.ts';
import { BLOCK_SYNC_EVENTS } from '../../src/machines/sync/block-sync.setup.ts';
import { chainServerMachine } from '../../src/machines/sync/chain-server.machine.ts';
import { CHAIN_SERVER_EVENTS } from '../../src/machines/sync/chain-server.setup.ts';
import { chainSyncMachine } from '../../src/machines/sync/chain-sync.machine.ts';
import { CHAIN_SYNC_EVENTS } from '../../src/machines/sync/chain-sync.setup.ts';
import { heightSyncMachine } from '../../src/machines/sync/height-sync.machine.ts';
import { HEIGHT_SYNC_EVENTS } from '../../src/machines/sync/height-sync.setup.ts';
import { heraldMachine } from '../../src/machines/sync/herald.machine.ts';
import { HERALD_EVENTS } from '../../src/machines/sync/herald.setup.ts';
import { networkSyncMachine } from '../../src/machines/sync/network-sync.machine.ts';
import { NETWORK_SYNC_EVENTS } from '../../src/machines/sync/network-sync.setup.ts';
import { stateSyncMachine } from '../../src/machines/sync/state-sync.machine.ts';
import { STATE_SYNC_EVENTS } from '../../src/machines/sync/state-sync.setup.ts';
import { syncCoordinatorMachine } from '../../src/machines/sync/sync-coordinator.machine.ts';
import { SYNC_COORDINATOR_EVENTS } from '../../src/machines/sync/sync-coordinator.setup.ts';
import { timeCoordinatorMachine } from '../../src/machines/time/time-coordinator.machine.ts';
import { TIME_COORDINATOR_EVENTS } from '../../src/machines/time/time-coordinator.setup.ts';

type StateNode = AnyStateMachine['root'];

interface Chart {
  readonly machine: AnyStateMachine;
  /** What may come from other cells; undefined is all that the chart names. */
  readonly events?: readonly string[];
}

const CHARTS: Readonly<Record<string, Chart>> = {
  'round-manager': { machine: roundManagerMachine, events: ROUND_MANAGER_EVENTS },
  round: { machine: roundMachine },
  safety: { machine: safetyMachine, events: SAFETY_EVENTS },
  'view-change': { machine: viewChangeMachine, events: VIEW_CHANGE_EVENTS },
  mempool: { machine: mempoolMachine, events: MEMPOOL_EVENTS },
  peer: { machine: peerMachine },
  router: { machine: routerMachine, events: ROUTER_EVENTS },
  'block-sync': { machine: blockSyncMachine, events: BLOCK_SYNC_EVENTS },
  'chain-server': { machine: chainServerMachine, events: CHAIN_SERVER_EVENTS },
  'state-sync': { machine: stateSyncMachine, events: STATE_SYNC_EVENTS },
  'height-sync': { machine: heightSyncMachine, events: HEIGHT_SYNC_EVENTS },
  herald: { machine: heraldMachine, events: HERALD_EVENTS },
  'chain-sync': { machine: chainSyncMachine, events: CHAIN_SYNC_EVENTS },
  'network-sync': { machine: networkSyncMachine, events: NETWORK_SYNC_EVENTS },
  'sync-coordinator': { machine: syncCoordinatorMachine, events: SYNC_COORDINATOR_EVENTS },
  bridge: { machine: bridgeMachine, events: BRIDGE_EVENTS },
  breaker: { machine: breakerMachine, events: BREAKER_EVENTS },
  'evidence-pool': { machine: evidencePoolMachine, events: EVIDENCE_POOL_EVENTS },
  'time-coordinator': { machine: timeCoordinatorMachine, events: TIME_COORDINATOR_EVENTS },
  supervisor: { machine: supervisorMachine },
};

/** States in which a chart can be between two messages. */
function restingStates(root: StateNode): readonly StateNode[] {
  const pending = [root];
  const found: StateNode[] = [];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const leavesAtOnce = node.always?.some(({ guard }) => guard === undefined) === true;
    if (node.type === 'atomic' && !leavesAtOnce) found.push(node);
    pending.push(...Object.values(node.states));
  }
  return found;
}

/** True when some transition of the state, of one around it or of a region beside it takes the event whatever the guards say. */
function isAlwaysTaken(state: StateNode, type: string, upTo?: StateNode): boolean {
  for (let node: StateNode | undefined = state; node !== undefined; node = node.parent) {
    if (node.transitions.get(type)?.some(({ guard }) => guard === undefined) === true) return true;
    if (node === upTo) return false;
    const regions = node.parent?.type === 'parallel' ? Object.values(node.parent.states) : [];
    const takes = (region: StateNode): boolean =>
      region !== node && restingStates(region).every((one) => isAlwaysTaken(one, type, region));
    if (regions.some(takes)) return true;
  }
  return false;
}

describe.each(Object.entries(CHARTS))('the chart %s', (_name, { machine, events }) => {
  it('takes, keeps or ignores on purpose every declared message in every state (RT-8)', () => {
    const types = events ?? machine.events.filter((type) => !/^(xstate|cell)\.|\*/.test(type));
    expect(types.length).toBeGreaterThan(0);
    const holes = restingStates(machine.root).flatMap((state) =>
      types.filter((type) => !isAlwaysTaken(state, type)).map((type) => `${state.id}: ${type}`),
    );
    expect(holes).toEqual([]);
  });

  it('has no wildcard, which would hide what it does not know (RT-8)', () => {
    expect(machine.events.filter((type) => type.includes('*'))).toEqual([]);
  });
});
