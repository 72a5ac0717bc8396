/**
 * Where each component of a node lives, and which component a peer's message is for. Pure data.
 * The tree is built in src/node/tree.ts; the picture is in ARCHITECTURE.md.
 */
import type { PeerMessageKind } from '../protocol/consensus/types.ts';
import type { CellAddress } from '../protocol/supervision/effect.ts';

export const ADDRESSES = {
  storage: 'node/storage',
  clock: 'node/time/clock',
  ntpClient: 'node/time/ntp-client',
  timeCoordinator: 'node/time/time-coordinator',
  router: 'node/network/router',
  executor: 'node/application/executor',
  snapshotKeeper: 'node/application/snapshot-keeper',
  safety: 'node/consensus/safety',
  viewChange: 'node/consensus/view-change',
  roundManager: 'node/consensus/round-manager',
  mempool: 'node/consensus/mempool',
  epochKeeper: 'node/consensus/epoch-keeper',
  evidencePool: 'node/consensus/evidence-pool',
  bridge: 'node/consensus-bridge',
  sideStore: 'node/sync/side-store',
  snapshotRestorer: 'node/sync/snapshot-restorer',
  herald: 'node/sync/herald',
  chainServer: 'node/sync/chain-server',
  stateSync: 'node/sync/state-sync',
  heightSync: 'node/sync/height-sync',
  blockSync: 'node/sync/block-sync',
  chainSync: 'node/sync/chain-sync',
  networkSync: 'node/sync/network-sync',
  syncCoordinator: 'node/sync/sync-coordinator',
  alarm: 'node/surface/alarm',
  rpc: 'node/surface/rpc',
} as const satisfies Readonly<Record<string, CellAddress>>;

/** Supervisor of the peers: their cells are its children, by node id. */
export const PEERS_ADDRESS: CellAddress = 'node/network/peer';

/** Cells that hear of each peer that comes and goes. */
export const CONNECTIVITY_LISTENERS: readonly CellAddress[] = [
  ADDRESSES.mempool,
  ADDRESSES.viewChange,
  ADDRESSES.roundManager,
  ADDRESSES.evidencePool,
  ADDRESSES.stateSync,
  ADDRESSES.syncCoordinator,
  ADDRESSES.timeCoordinator,
  ADDRESSES.bridge,
];

/** Of them, those that hear of nodes too that are no validators and that this node keeps a connection to: they hold the chain (SY-15). */
export const SOURCE_LISTENERS: readonly CellAddress[] = [ADDRESSES.stateSync, ADDRESSES.syncCoordinator];

const ROUTES: Readonly<Record<PeerMessageKind, CellAddress>> = {
  Proposal: ADDRESSES.roundManager,
  Vote: ADDRESSES.roundManager,
  QC: ADDRESSES.viewChange,
  ViewChange: ADDRESSES.viewChange,
  NewView: ADDRESSES.viewChange,
  EpochChange: ADDRESSES.epochKeeper,
  GetEpochChange: ADDRESSES.epochKeeper,
  Evidence: ADDRESSES.evidencePool,
  VoteShown: ADDRESSES.roundManager,
  Batch: ADDRESSES.mempool,
  BatchAck: ADDRESSES.mempool,
  GetBatch: ADDRESSES.mempool,
  GetBlocks: ADDRESSES.chainServer,
  GetBlock: ADDRESSES.chainServer,
  GetBlockHeight: ADDRESSES.chainServer,
  GetGenesisHash: ADDRESSES.chainServer,
  GetBlockHash: ADDRESSES.chainServer,
  GetChain: ADDRESSES.chainServer,
  GetSnapshot: ADDRESSES.chainServer,
  GetSnapshotChunk: ADDRESSES.chainServer,
  GetEpochs: ADDRESSES.chainServer,
  Blocks: ADDRESSES.stateSync,
  BlockHeight: ADDRESSES.stateSync,
  GenesisHash: ADDRESSES.stateSync,
  BlockHash: ADDRESSES.stateSync,
  Chain: ADDRESSES.stateSync,
  Snapshot: ADDRESSES.stateSync,
  SnapshotChunk: ADDRESSES.stateSync,
  Epochs: ADDRESSES.stateSync,
  TimeRequest: ADDRESSES.timeCoordinator,
  TimeReply: ADDRESSES.timeCoordinator,
  StateSync: ADDRESSES.bridge,
  SubmitOperations: ADDRESSES.bridge,
  OperationsAnswered: ADDRESSES.bridge,
};

/** The cell that is responsible for a kind of message. */
export const routeOf = (kind: PeerMessageKind): CellAddress => ROUTES[kind];
