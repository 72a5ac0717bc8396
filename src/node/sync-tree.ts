/**
 * The cells of sync, below their supervisor: the tiers, their conductor, the coordinator, and whoever answers other nodes. Pure
 * data. Rules SY-1 to SY-14, docs/protocol/sync.md.
 */
import { ADDRESSES } from '../actors/addresses.ts';
import { child, supervisor } from '../actors/runtime/index.ts';
import { blockSyncMachine } from '../machines/sync/block-sync.machine.ts';
import { BLOCK_SYNC_EVENTS } from '../machines/sync/block-sync.setup.ts';
import { chainServerMachine } from '../machines/sync/chain-server.machine.ts';
import { CHAIN_SERVER_EVENTS } from '../machines/sync/chain-server.setup.ts';
import { chainSyncMachine } from '../machines/sync/chain-sync.machine.ts';
import { CHAIN_SYNC_EVENTS } from '../machines/sync/chain-sync.setup.ts';
import { heightSyncMachine } from '../machines/sync/height-sync.machine.ts';
import { HEIGHT_SYNC_EVENTS } from '../machines/sync/height-sync.setup.ts';
import { heraldMachine } from '../machines/sync/herald.machine.ts';
import { HERALD_EVENTS } from '../machines/sync/herald.setup.ts';
import { networkSyncMachine } from '../machines/sync/network-sync.machine.ts';
import { NETWORK_SYNC_EVENTS } from '../machines/sync/network-sync.setup.ts';
import { stateSyncMachine } from '../machines/sync/state-sync.machine.ts';
import { STATE_SYNC_EVENTS } from '../machines/sync/state-sync.setup.ts';
import { syncCoordinatorMachine } from '../machines/sync/sync-coordinator.machine.ts';
import { SYNC_COORDINATOR_EVENTS } from '../machines/sync/sync-coordinator.setup.ts';
import { bounded } from './intensity.ts';
import type { NodeParts } from './tree.ts';

type SyncParts = Pick<
  NodeParts,
  | 'epoch'
  | 'signer'
  | 'bls'
  | 'sync'
  | 'sideStore'
  | 'snapshotRestorer'
  | 'deduplicationHeights'
  | 'joins'
  | 'fork'
  | 'snapshotKeeper'
>;

export function sync(parts: SyncParts) {
  const { epoch, signer, bls, sync: config, sideStore, snapshotKeeper, snapshotRestorer } = parts;
  const { storage, router, safety, roundManager, epochKeeper, alarm, rpc } = ADDRESSES;
  const { stateSync, heightSync, blockSync, chainSync, networkSync } = ADDRESSES;
  const self = signer.address;
  return supervisor({
    // What one of them has asked of another is known to both: they begin anew together.
    strategy: 'one_for_all',
    ...bounded,
    children: [
      sideStore,
      ...(snapshotRestorer === undefined ? [] : [snapshotRestorer]),
      child('chain-server', chainServerMachine, {
        input: {
          ...{ epoch, bls, storage, router, roundManager },
          ...(snapshotKeeper === undefined ? {} : { snapshotKeeper: ADDRESSES.snapshotKeeper }),
        },
        publicEvents: CHAIN_SERVER_EVENTS,
      }),
      child('herald', heraldMachine, { input: { router }, publicEvents: HERALD_EVENTS }),
      child('state-sync', stateSyncMachine, {
        input: { epoch, self, bls, config, storage, router, networkSync, roundManager, epochKeeper },
        publicEvents: STATE_SYNC_EVENTS,
      }),
      ...tiers(parts),
      child('network-sync', networkSyncMachine, {
        input: {
          epoch,
          self,
          config,
          storage,
          heightSync,
          blockSync,
          chainSync,
          stateSync,
          safety,
          roundManager,
          alarm,
          operator: rpc,
          listeners: [roundManager],
          get joins() {
            return parts.joins ?? false;
          },
          get fork() {
            return parts.fork;
          },
        },
        publicEvents: NETWORK_SYNC_EVENTS,
      }),
      child('sync-coordinator', syncCoordinatorMachine, {
        input: { config, epoch, self, stateSync, networkSync, roundManager },
        publicEvents: SYNC_COORDINATOR_EVENTS,
      }),
    ],
  });
}

/** Tiers 1 to 3: a poll of the heights, a window of batches, the whole chain anew. */
function tiers(parts: SyncParts) {
  const { epoch, bls, sync: config, deduplicationHeights } = parts;
  const { storage, roundManager, alarm, stateSync, blockSync, networkSync } = ADDRESSES;
  const { sideStore, snapshotRestorer } = ADDRESSES;
  const fetching = { bls, config, storage, stateSync };
  return [
    child('height-sync', heightSyncMachine, {
      input: { epoch, self: parts.signer.address, config, storage, stateSync, blockSync, roundManager },
      publicEvents: HEIGHT_SYNC_EVENTS,
    }),
    child('block-sync', blockSyncMachine, {
      input: {
        ...{ ...fetching, epoch, roundManager, networkSync },
        get joins() {
          return parts.joins ?? false;
        },
      },
      publicEvents: BLOCK_SYNC_EVENTS,
    }),
    child('chain-sync', chainSyncMachine, {
      input: {
        ...fetching,
        first: epoch,
        sideStore,
        snapshotRestorer,
        deduplicationHeights,
        networkSync,
        alarm,
      },
      publicEvents: CHAIN_SYNC_EVENTS,
    }),
  ];
}
