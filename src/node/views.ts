/**
 * What readers see of the cells: each fact is read off its owner's snapshot. The gateway from the runtime's untyped
 * snapshots to the charts' own types; a cell that is down gives nothing.
 */
import { ADDRESSES, PEERS_ADDRESS } from '../actors/addresses.ts';
import type { CellAddress, System } from '../actors/runtime/index.ts';
import type { BridgeContext } from '../machines/bridge/bridge.setup.ts';
import type { EvidencePoolContext } from '../machines/consensus/evidence-pool.setup.ts';
import type { RoundContext } from '../machines/consensus/round.setup.ts';
import {
  type LiveTree,
  type RoundManagerContext,
  roundCellId,
} from '../machines/consensus/round-manager.setup.ts';
import type { SafetyContext } from '../machines/consensus/safety.setup.ts';
import type { LiveView, ViewChangeContext } from '../machines/consensus/view-change.setup.ts';
import type { MempoolContext } from '../machines/mempool/mempool.setup.ts';
import type { PeerContext } from '../machines/peer/peer.setup.ts';
import type { BlockSyncContext } from '../machines/sync/block-sync.live.ts';
import type { NetworkSyncContext } from '../machines/sync/network-sync.setup.ts';
import type { StateSyncContext } from '../machines/sync/state-sync.live.ts';
import type { TimeCoordinatorContext } from '../machines/time/time-coordinator.setup.ts';
import type { Address, Epoch, Round } from '../protocol/chain/types.ts';
import type { EpochContext } from '../protocol/consensus/epoch.ts';
import { isLasting } from '../protocol/transport/closing.ts';
import type { ReachState } from '../rpc/bridge-port.ts';
import type { TimeState } from '../rpc/time-port.ts';
import type { BridgeView } from './bridge-report.ts';
import type { PeerRefusal } from './health.ts';

/** The chart at an address is known by the tree; its context's type with it. */
function contextOf<Context>(system: System, address: CellAddress): Context | undefined {
  const snapshot = system.ref(address).info()?.snapshot as { readonly context?: Context } | undefined;
  return snapshot?.context;
}

/** As `contextOf`, with the state of a chart without regions. */
function chartOf<Context, State extends string | object>(
  system: System,
  address: CellAddress,
): { readonly value: State; readonly context: Context } | undefined {
  const snapshot = system.ref(address).info()?.snapshot as
    | { readonly value?: State; readonly context?: Context }
    | undefined;
  if (snapshot?.value === undefined || snapshot.context === undefined) return undefined;
  return { value: snapshot.value, context: snapshot.context };
}

export const viewChangeOf = (system: System): ViewChangeContext | undefined =>
  contextOf<ViewChangeContext>(system, ADDRESSES.viewChange);

export const viewOf = (system: System): LiveView | undefined => viewChangeOf(system)?.live;

export const treeOf = (system: System): LiveTree | undefined =>
  contextOf<RoundManagerContext>(system, ADDRESSES.roundManager)?.live;

/** The present epoch, once round-manager has read it (CS-16). */
export const epochOf = (system: System): EpochContext | undefined =>
  contextOf<RoundManagerContext>(system, ADDRESSES.roundManager)?.setting.epoch;

export const safetyOf = (system: System): SafetyContext | undefined =>
  contextOf<SafetyContext>(system, ADDRESSES.safety);

export const evidencePoolOf = (system: System): EvidencePoolContext | undefined =>
  contextOf<EvidencePoolContext>(system, ADDRESSES.evidencePool);

export const mempoolOf = (system: System): MempoolContext | undefined =>
  contextOf<MempoolContext>(system, ADDRESSES.mempool);

export const blockSyncOf = (system: System): BlockSyncContext | undefined =>
  contextOf<BlockSyncContext>(system, ADDRESSES.blockSync);

export const stateSyncOf = (system: System): StateSyncContext | undefined =>
  contextOf<StateSyncContext>(system, ADDRESSES.stateSync);

/** Its outermost state: the regions within are its own. */
export function networkSyncOf(
  system: System,
): { readonly state: string; readonly context: NetworkSyncContext } | undefined {
  const chart = chartOf<NetworkSyncContext, string | object>(system, ADDRESSES.networkSync);
  if (chart === undefined) return undefined;
  const { value, context } = chart;
  return { state: typeof value === 'string' ? value : (Object.keys(value)[0] ?? ''), context };
}

/** Its reach: the other regions are its own. */
export function bridgeOf(system: System): BridgeView | undefined {
  const chart = chartOf<BridgeContext, { readonly reach: ReachState }>(system, ADDRESSES.bridge);
  return chart === undefined ? undefined : { reach: chart.value.reach, context: chart.context };
}

/** Of nodes that this one dials, those whose last connection ended for a reason that lasts. */
export const refusalsOf = (system: System, peers: readonly Address[]): readonly PeerRefusal[] =>
  peers.flatMap((peer) => {
    const context = contextOf<PeerContext>(system, `${PEERS_ADDRESS}/${peer}`);
    const reason = context?.link === undefined ? context?.lastEnd?.reason : undefined;
    return reason !== undefined && isLasting(reason) ? [{ peer, reason }] : [];
  });

export const timeOf = (system: System) =>
  chartOf<TimeCoordinatorContext, TimeState>(system, ADDRESSES.timeCoordinator);

export const roundOf = (system: System, epoch: Epoch, round: Round): RoundContext | undefined =>
  contextOf<RoundContext>(system, `${ADDRESSES.roundManager}/${roundCellId(epoch, round)}`);
