/**
 * The running node as its RPC sees it: facts are read off their owners' snapshots and off the store, calls go through
 * the gateway cell. Boundary; everything given out is a copy. What is about the stored chain is in chain-port.ts, what is about
 * operations in operations-port.ts.
 */
import { ADDRESSES } from '../actors/addresses.ts';
import type { System } from '../actors/runtime/index.ts';
import type { WallTime } from '../base/units.ts';
import type { FailedRound } from '../machines/consensus/view-change.setup.ts';
import type { GenesisDocument } from '../protocol/chain/genesis.ts';
import { ROOT_ROUND } from '../protocol/chain/ordinals.ts';
import type { Address, ExecutedState, Power } from '../protocol/chain/types.ts';
import { isValidator, powerOf } from '../protocol/chain/validator-set.ts';
import { type EpochContext, leaderAt } from '../protocol/consensus/epoch.ts';
import type { MempoolConfig } from '../protocol/mempool/config.ts';
import type { ApplicationInfo } from '../protocol/ports/application.ts';
import type { BlockResults } from '../protocol/ports/execution.ts';
import type { SyncConfig } from '../protocol/sync/config.ts';
import { connectedOf } from '../protocol/sync/peers.ts';
import type {
  NodeEvent,
  NodeHealth,
  NodePort,
  NodeStatus,
  PeerStatus,
  RoundsReport,
} from '../rpc/node-port.ts';
import type { SyncReport } from '../rpc/sync-port.ts';
import type { TimeReport } from '../rpc/time-port.ts';
import type { StoreReader } from '../storage/store.ts';
import { chainPort, found, labelOf } from './chain-port.ts';
import { missingKey } from './epoch-log.ts';
import type { Gateway } from './gateway.ts';
import { isCatchingUp, reasonsAgainst, type Standing } from './health.ts';
import { operationsPort } from './operations-port.ts';
import { proofsPort } from './proofs-port.ts';
import { roundsReport, viewChangeReport } from './rounds-report.ts';
import { syncReport } from './sync-report.ts';
import { type Clocks, timeReport } from './time-report.ts';
import {
  blockSyncOf,
  bridgeOf,
  epochOf,
  networkSyncOf,
  refusalsOf,
  roundOf,
  safetyOf,
  stateSyncOf,
  timeOf,
  treeOf,
  viewOf,
} from './views.ts';

/** What of a node does not change while it runs. */
export interface NodeIdentityCard {
  readonly self: Address;
  readonly nodeKey: Uint8Array;
  readonly moniker: string;
  readonly version: string;
  readonly genesisTime: WallTime;
  readonly genesis: GenesisDocument;
  /** The first. */
  readonly epoch: EpochContext;
  readonly mempool: MempoolConfig;
}

/** What of a node is known once it listens, and what moves outside the cells. */
export interface NodeSurroundings {
  readonly peerAddress: () => string;
  readonly rpcAddress: () => string;
  readonly startedAt: WallTime;
  readonly peers: () => readonly PeerStatus[];
  readonly operationsTurnedAway: () => number;
  /** Nodes that the configuration names. */
  readonly dialed: readonly Address[];
  readonly time: Clocks;
  readonly sync: Pick<SyncConfig, 'tier3TrustTime'>;
  /** Longest recent stall of the event loop. @unit ms */
  readonly loopLagMs: () => number;
  readonly loopLagMsMax: number;
  /** Why blocks are not executed; undefined while they are. */
  readonly executionFailure: () => string | undefined;
  /** Whether this node can sign with the consensus key. */
  readonly hasKey: (consensusKey: Uint8Array) => boolean;
}

export interface NodePortParts {
  readonly system: System;
  readonly store: StoreReader;
  /** Undefined until the application is open. */
  readonly applicationInfo: () => ApplicationInfo | Promise<ApplicationInfo> | undefined;
  readonly gateway: Gateway;
  readonly card: NodeIdentityCard;
  readonly surroundings: NodeSurroundings;
}

/** What each part of the port reads. */
export interface PortHost extends NodePortParts {
  readonly executedAtStart: ExecutedState;
  readonly executed: () => ExecutedState;
  /** The present one; before consensus has read it, the first. */
  readonly epoch: () => EpochContext;
  /** Of the validators, in the genesis. */
  readonly names: ReadonlyMap<Address, string>;
}

export function createNodePort(parts: NodePortParts): NodePort {
  const { store, gateway, card } = parts;
  const executedAtStart = found(store.recover()).executed;
  const host: PortHost = {
    ...parts,
    executedAtStart,
    executed: () => gateway.executed ?? executedAtStart,
    epoch: () => epochOf(parts.system) ?? card.epoch,
    names: new Map(card.genesis.validators.map(({ address, name }) => [address, name])),
  };
  return {
    ...chainPort(host),
    ...proofsPort(host),
    ...operationsPort(host),
    ...applicationPort(host),
    ...standingPort(host),
    ...operatorPort(host),
    subscribe: (listener) =>
      gateway.listen((event) =>
        listener(event.type === 'results.persisted' ? blockEvent(event) : viewChangeEvent(event)),
      ),
  };
}

const applicationPort = ({
  gateway,
  applicationInfo,
}: PortHost): Pick<NodePort, 'query' | 'applicationInfo'> => ({
  query: (asked) => gateway.query(asked),
  async applicationInfo() {
    const info = await applicationInfo();
    if (info === undefined) throw new Error('the application is not open yet');
    return info;
  },
});

/** How the node stands, in consensus, in time and among its peers. */
function standingPort(
  host: PortHost,
): Pick<NodePort, 'status' | 'health' | 'peers' | 'rounds' | 'time' | 'adjustedTime' | 'sync'> {
  const { surroundings } = host;
  return {
    status: () => status(host),
    health: () => health(host),
    peers: surroundings.peers,
    rounds: () => rounds(host),
    time: () => time(host),
    adjustedTime: () => surroundings.time.adjusted.read(),
    sync: () => sync(host),
  };
}

/** What its operator orders. */
const operatorPort = ({
  system,
  gateway,
}: PortHost): Pick<NodePort, 'syncNow' | 'resync' | 'requestViewChange'> => ({
  syncNow: () => gateway.syncNow(),
  resync: (checkpoint) => gateway.resync(checkpoint),
  async requestViewChange() {
    gateway.tell(ADDRESSES.viewChange, { type: 'viewChange.ordered' });
    return { round: viewOf(system)?.pacemaker.round ?? ROOT_ROUND };
  },
});

function status(host: PortHost): NodeStatus {
  const { system, store, card, surroundings } = host;
  const { self } = card;
  const epoch = host.epoch();
  const view = viewOf(system);
  const heights = found(store.latest());
  const round = view?.pacemaker.round ?? ROOT_ROUND;
  const earliest = heights.earliest === undefined ? undefined : found(store.blockAt(heights.earliest));
  return {
    nodeId: self,
    nodeKey: card.nodeKey,
    moniker: card.moniker,
    version: card.version,
    chainId: epoch.domain.chainId,
    genesisHash: epoch.domain.genesisHash,
    peerAddress: surroundings.peerAddress(),
    rpcAddress: surroundings.rpcAddress(),
    startedAt: surroundings.startedAt,
    epoch: epoch.epoch,
    validators: epoch.set.validators.length,
    totalPower: epoch.set.totalPower,
    round,
    leader: leaderAt(epoch, round),
    earliest: labelOf(card, earliest),
    committed: labelOf(card, found(store.blockAt(heights.committed))),
    executed: host.executed(),
    syncing: isCatchingUp(standing(host)),
    power: powerOf(epoch.set, self),
    reachablePower: reachablePower(host),
    quorumPower: epoch.set.quorumPower,
  };
}

function health(host: PortHost): NodeHealth {
  const { system, surroundings } = host;
  const { self } = host.card;
  const epoch = host.epoch();
  return {
    reasons: reasonsAgainst({
      ...standing(host),
      isValidator: isValidator(epoch.set, self),
      missingKey: missingKey(epoch.set, self, surroundings.hasKey),
      refusedBy: refusalsOf(system, surroundings.dialed),
      reachablePower: reachablePower(host),
      quorumPower: epoch.set.quorumPower,
      recovered: viewOf(system) !== undefined,
      mayPropose: time(host).mayPropose,
      bridge: bridgeOf(system),
      loopLagMs: surroundings.loopLagMs(),
      loopLagMsMax: surroundings.loopLagMsMax,
    }),
  };
}

function standing({ system, store, surroundings, executed }: PortHost): Standing {
  const blocks = blockSyncOf(system);
  return {
    sync: networkSyncOf(system)?.context.status,
    fetching: blocks !== undefined && (blocks.wanted !== undefined || blocks.askers.length > 0),
    executionFailure: surroundings.executionFailure(),
    committedHeight: found(store.latest()).committed,
    executedHeight: executed().height,
  };
}

function reachablePower({ card: { self }, surroundings, epoch }: PortHost): Power {
  const { set } = epoch();
  const peers = surroundings.peers().map(({ id }) => id);
  return [self, ...peers].reduce((sum, address) => sum + powerOf(set, address), 0n);
}

/** Rounds that `rounds()` gives at the most. @unit rounds */
const ROUNDS_SHOWN_MAX = 16;

const rounds = ({ system, epoch, surroundings }: PortHost): RoundsReport =>
  roundsReport(epoch(), {
    view: viewOf(system),
    record: safetyOf(system)?.record,
    rounds: (treeOf(system)?.rounds ?? [])
      .slice(-ROUNDS_SHOWN_MAX)
      .flatMap((round) => roundOf(system, epoch().epoch, round) ?? []),
    executionFailure: surroundings.executionFailure(),
  });

const time = ({ system, surroundings, names }: PortHost): TimeReport =>
  timeReport(surroundings.time, timeOf(system), names);

const sync = ({ system, store, gateway, surroundings, names }: PortHost): SyncReport =>
  syncReport(
    {
      network: networkSyncOf(system),
      peers: connectedOf(stateSyncOf(system)?.peers ?? new Map()),
      blocks: blockSyncOf(system),
    },
    {
      now: surroundings.time.clock.now(),
      wall: surroundings.time.adjusted.read(),
      committed: found(store.latest()).committed,
      trustTime: surroundings.sync.tier3TrustTime,
      names,
      resynced: gateway.resynced,
    },
  );

const viewChangeEvent = (failed: FailedRound): NodeEvent => ({
  type: 'view-change.completed',
  viewChange: viewChangeReport(failed),
});

function blockEvent(event: BlockResults): NodeEvent {
  const { blockId, round, proposer, time, executed, transactions, misbehavior = [] } = event;
  return {
    type: 'block.committed',
    block: { height: executed.height, id: blockId, time },
    round,
    proposer,
    transactionCount: transactions.length,
    misbehavior,
  };
}
