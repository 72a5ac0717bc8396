/**
 * The running node as its RPC sees it: facts are read off their owners' snapshots and off the store, calls go through
 * the gateway cell. Boundary; everything given out is a copy.
 */
import { ADDRESSES } from '../actors/addresses.ts';
import type { System } from '../actors/runtime/index.ts';
import type { WallTime } from '../base/units.ts';
import type { FailedRound } from '../machines/consensus/view-change.setup.ts';
import { parseBatch, transactionsOf } from '../protocol/chain/batch.ts';
import type { GenesisDocument } from '../protocol/chain/genesis.ts';
import { GENESIS_HEIGHT, ROOT_ROUND } from '../protocol/chain/ordinals.ts';
import type { Address, ExecutedState, Power } from '../protocol/chain/types.ts';
import { isValidator, powerOf } from '../protocol/chain/validator-set.ts';
import { type EpochContext, leaderAt } from '../protocol/consensus/epoch.ts';
import type { MempoolConfig } from '../protocol/mempool/config.ts';
import type { ApplicationInfo } from '../protocol/ports/application.ts';
import type { BlockExecuted } from '../protocol/ports/execution.ts';
import type { CommittedBlock } from '../protocol/ports/storage.ts';
import type { SyncConfig } from '../protocol/sync/config.ts';
import { connectedOf } from '../protocol/sync/peers.ts';
import type {
  BlockLabel,
  BlockSelector,
  NodeEvent,
  NodeHealth,
  NodePort,
  NodeStatus,
  PeerStatus,
  RoundsReport,
  StoredBlock,
  TimeReport,
} from '../rpc/node-port.ts';
import type { SyncReport } from '../rpc/sync-port.ts';
import type { Read, StoreReader } from '../storage/store.ts';
import { bridgeReport, refusalOfSubmissions } from './bridge-report.ts';
import { Followers } from './followers.ts';
import type { Gateway } from './gateway.ts';
import { isCatchingUp, reasonsAgainst, type Standing } from './health.ts';
import { pacingReport } from './pacing-report.ts';
import { roundsReport, viewChangeReport } from './rounds-report.ts';
import { syncReport } from './sync-report.ts';
import { type Clocks, timeReport } from './time-report.ts';
import {
  blockSyncOf,
  bridgeOf,
  mempoolOf,
  networkSyncOf,
  refusalsOf,
  roundOf,
  safetyOf,
  stateSyncOf,
  timeOf,
  treeOf,
  viewChangeOf,
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
}

/** Rounds that `rounds()` gives at the most. @unit rounds */
const ROUNDS_SHOWN_MAX = 16;

export function createNodePort(
  system: System,
  store: StoreReader,
  applicationInfo: () => ApplicationInfo | Promise<ApplicationInfo> | undefined,
  gateway: Gateway,
  card: NodeIdentityCard,
  surroundings: NodeSurroundings,
): NodePort {
  const { epoch, self } = card;

  const genesisLabel: BlockLabel = {
    height: GENESIS_HEIGHT,
    id: epoch.rootQC.blockId,
    time: card.genesisTime,
  };
  const labelOf = (block: CommittedBlock | undefined): BlockLabel =>
    block === undefined
      ? genesisLabel
      : { height: block.block.header.height, id: block.id, time: block.block.header.time };

  const reachablePower = (): Power =>
    [self, ...surroundings.peers().map(({ id }) => id)].reduce(
      (sum, address) => sum + powerOf(epoch.set, address),
      0n,
    );

  const executedAtStart = found(store.recover()).executed;

  function status(): NodeStatus {
    const view = viewOf(system);
    const heights = found(store.latest());
    const round = view?.pacemaker.round ?? ROOT_ROUND;
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
      round,
      leader: leaderAt(epoch, round),
      earliest: labelOf(heights.earliest === undefined ? undefined : found(store.blockAt(heights.earliest))),
      committed: labelOf(found(store.blockAt(heights.committed))),
      executed: executed(),
      syncing: isCatchingUp(standing()),
      power: powerOf(epoch.set, self),
      reachablePower: reachablePower(),
      quorumPower: epoch.set.quorumPower,
    };
  }

  const executed = (): ExecutedState => gateway.executed ?? executedAtStart;

  const followers = new Followers({
    find: (hash, within) => found(store.transaction(hash, within)),
    hasResults: (height) => found(store.execution(height)) !== undefined,
    executed: executedAtStart.height,
    // A batch is named at most so long before its expiry, and a copy of it was executed at most so long before that.
    reach: card.genesis.parameters.batchTtlHeights + card.genesis.parameters.deduplicationHeights,
  });
  gateway.listen((event) => {
    if (event.type === 'block.executed') followers.take(event);
  });

  const isFetching = (): boolean => {
    const blocks = blockSyncOf(system);
    return blocks !== undefined && (blocks.wanted !== undefined || blocks.askers.length > 0);
  };

  const standing = (): Standing => ({
    sync: networkSyncOf(system)?.context.status,
    fetching: isFetching(),
    executionFailure: surroundings.executionFailure(),
    committedHeight: found(store.latest()).committed,
    executedHeight: executed().height,
  });

  const names = new Map(card.genesis.validators.map(({ address, name }) => [address, name]));
  const time = (): TimeReport => timeReport(surroundings.time, timeOf(system), names);

  const sync = (): SyncReport =>
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

  const bridge = (limit: number) => {
    const view = bridgeOf(system);
    if (view === undefined) return undefined;
    const turnedAway = surroundings.operationsTurnedAway();
    const mempool = mempoolOf(system)?.mempool;
    const beside = { pacing: pacing(), turnedAway, names, mempool, live: treeOf(system) };
    return bridgeReport(view, beside, surroundings.time.clock.now(), limit);
  };

  const pacing = () => {
    const [views, mempool] = [viewChangeOf(system), mempoolOf(system)?.mempool];
    if (views === undefined || mempool === undefined) return undefined;
    return pacingReport({ ...mempool, pacemaker: views.live?.pacemaker, timeouts: views.timeouts });
  };

  const health = (): NodeHealth => ({
    reasons: reasonsAgainst({
      ...standing(),
      isValidator: isValidator(epoch.set, self),
      refusedBy: refusalsOf(system, surroundings.dialed),
      reachablePower: reachablePower(),
      quorumPower: epoch.set.quorumPower,
      recovered: viewOf(system) !== undefined,
      mayPropose: time().mayPropose,
      bridge: bridgeOf(system),
      loopLagMs: surroundings.loopLagMs(),
      loopLagMsMax: surroundings.loopLagMsMax,
    }),
  });

  const committedBlock = (selector: BlockSelector): CommittedBlock | undefined =>
    found('id' in selector ? store.committedBlock(selector.id) : store.blockAt(selector.height));

  function storedBlock(committed: CommittedBlock | undefined): StoredBlock | undefined {
    if (committed === undefined) return undefined;
    const digests = committed.block.header.batches.map(({ digest }) => digest);
    const { batches } = found(store.batches(digests));
    const byDigest = new Map(batches.map(({ digest, bytes }) => [digest, bytes]));
    const transactions = digests.flatMap((digest) => {
      const bytes = byDigest.get(digest);
      const view = bytes === undefined ? 'malformed' : parseBatch(bytes, card.mempool);
      return view === 'malformed' ? [] : transactionsOf(view);
    });
    return { committed, transactions };
  }

  const rounds = (): RoundsReport =>
    roundsReport(epoch, {
      view: viewOf(system),
      record: safetyOf(system)?.record,
      rounds: (treeOf(system)?.rounds ?? [])
        .slice(-ROUNDS_SHOWN_MAX)
        .flatMap((round) => roundOf(system, epoch.epoch, round) ?? []),
      executionFailure: surroundings.executionFailure(),
    });

  return {
    status,
    health,
    genesis: () => card.genesis,
    submit: (transactions, client) => gateway.submit(transactions, client),
    refusalOfSubmissions: () => refusalOfSubmissions(bridgeOf(system)),
    follow: (operations, client, wait, signal) => followers.follow(operations, client, wait, signal),
    followers: () => followers.report,
    executed,
    async waitCommitted(hash, timeout) {
      const later = gateway.waitFor(hash, timeout);
      const known = found(store.transaction(hash));
      if (known === undefined) return later;
      const { index, result } = known.executed;
      return { status: 'committed', height: known.height, index, result };
    },
    query: (path, data, height) => gateway.query(path, data, height),
    async applicationInfo() {
      const info = await applicationInfo();
      if (info === undefined) throw new Error('the application is not open yet');
      return info;
    },
    committed: async (selector) => committedBlock(selector),
    block: async (selector) => storedBlock(committedBlock(selector)),
    async blockResults(height) {
      const execution = found(store.execution(height));
      return execution === undefined ? undefined : { height, ...execution };
    },
    transaction: async (hash) => found(store.transaction(hash)),
    validators: async (height) => {
      const newest = found(store.latest()).committed;
      return height === undefined || height <= newest + 1 ? epoch.set : undefined;
    },
    peers: surroundings.peers,
    rounds,
    time,
    sync,
    bridge,
    syncNow: () => gateway.syncNow(),
    resync: (checkpoint) => gateway.resync(checkpoint),
    adjustedTime: () => surroundings.time.adjusted.read(),
    pending(limit) {
      const mempool = mempoolOf(system)?.mempool;
      return {
        total: mempool?.pending.size ?? 0,
        totalBytes: mempool?.pendingBytes ?? 0,
        transactions: (mempool?.open ?? []).slice(0, limit).map(({ bytes }) => bytes),
      };
    },
    async requestViewChange() {
      gateway.tell(ADDRESSES.viewChange, { type: 'viewChange.ordered' });
      return { round: viewOf(system)?.pacemaker.round ?? ROOT_ROUND };
    },
    subscribe: (listener) =>
      gateway.listen((event) =>
        listener(event.type === 'block.executed' ? blockEvent(event) : viewChangeEvent(epoch, event)),
      ),
  };
}

/** A store that cannot be read is the caller's error: the RPC answers it as an internal one. */
function found<Value>(read: Read<Value>): Value {
  if (read.status === 'found') return read.value;
  throw new Error(`the store failed (${read.code}): ${read.detail}`);
}

const viewChangeEvent = (epoch: EpochContext, failed: FailedRound): NodeEvent => ({
  type: 'view-change.completed',
  viewChange: viewChangeReport(epoch, failed),
});

function blockEvent(event: BlockExecuted): NodeEvent {
  const { blockId, round, proposer, time, executed, transactions } = event;
  return {
    type: 'block.committed',
    block: { height: executed.height, id: blockId, time },
    round,
    proposer,
    transactionCount: transactions.length,
  };
}
