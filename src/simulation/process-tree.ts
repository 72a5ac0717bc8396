/**
 * The tree of a real node for one simulated process: what production runs, over boundary actors of the machine that it runs on
 * (clock, disks, application, hub). Deterministic. Rules SM-1, SM-2.
 */
import { ADDRESSES, CONNECTIVITY_LISTENERS, routeOf, SOURCE_LISTENERS } from '../actors/addresses.ts';
import { type CellSpec, child, seededRandom } from '../actors/runtime/index.ts';
import { EXECUTOR_EVENTS, executorLogic } from '../application/executor.ts';
import { SNAPSHOT_RESTORER_EVENTS, snapshotRestorerLogic } from '../application/snapshot-restorer.ts';
import { validatorsOf } from '../node/stored-epochs.ts';
import { nodeTree } from '../node/tree.ts';
import type { EpochContext } from '../protocol/consensus/epoch.ts';
import type { NodeSigner } from '../protocol/consensus/safety.ts';
import { TIMELINESS_DEFAULTS } from '../protocol/consensus/timeliness.ts';
import { DEFAULT_MEMPOOL_CONFIG } from '../protocol/mempool/config.ts';
import type { Application } from '../protocol/ports/application.ts';
import type { MemorySideDisk } from '../storage/side-disk.ts';
import { SIDE_STORE_EVENTS, sideStoreLogic } from '../storage/side-store.ts';
import { STORAGE_EVENTS, storageLogic } from '../storage/storage-actor.ts';
import type { Store } from '../storage/store.ts';
import type { AdjustedClock } from '../time/adjusted-clock.ts';
import { CLOCK_EVENTS, clockLogic } from '../time/clock.ts';
import { NTP_CLIENT_EVENTS } from '../time/ntp-client.ts';
import type { Hub } from '../transport/hub.ts';
import { hubCells } from '../transport/hub-cells.ts';
import type { MachineFaults } from './faults.ts';
import type { Instance } from './instance.ts';
import { ntpServers } from './ntp-servers.ts';
import type { ProcessClock } from './process-clock.ts';
import { GENESIS_TIME, type Setting } from './setting.ts';
import { SHELF_EVENTS, type SnapshotShelf } from './snapshots.ts';
import { type SurfaceHears, surfaceCells } from './surface.ts';

const BLOCK_LIMITS = { batchesMax: 64, bytesMax: 1_048_576 } as const;

/** What its processes find on a machine. */
export interface Machine {
  readonly instance: Instance;
  readonly faults: MachineFaults;
  readonly side: MemorySideDisk;
  readonly snapshots: SnapshotShelf;
  /** SY-10: this life begins with a join. Read at each start of a cell. */
  readonly joins: boolean;
}

/** What the machine does with what its process does. */
export interface MachineHears extends SurfaceHears {
  /** A group is on its way to the disk. */
  readonly staged: () => void;
  readonly synced: () => void;
  /** Made to be filled out of a snapshot. */
  readonly restoring: (application: Application) => void;
}

export interface ProcessParts {
  readonly setting: Setting;
  readonly machine: Machine;
  readonly signer: NodeSigner;
  /** The epoch that this node has reached. */
  readonly present: () => EpochContext;
  /** Counts the processes of this machine from 1. */
  readonly life: number;
  readonly store: Store;
  readonly clock: ProcessClock;
  readonly adjusted: AdjustedClock;
  readonly hub: Hub;
  readonly hears: MachineHears;
}

/** The root of the process; start it with `system.start(processTree(…))`. */
export function processTree(parts: ProcessParts): CellSpec {
  const { setting, machine, signer, present, hub, hears } = parts;
  const { epoch, bls, vrf, timeouts, time, sync, bridge, batchTtlHeights } = setting;
  const self = machine.instance.address;
  return nodeTree({
    ...{ epoch, present },
    signer,
    ...{ bls, vrf },
    genesisTime: GENESIS_TIME,
    limits: BLOCK_LIMITS,
    timeliness: TIMELINESS_DEFAULTS,
    timeouts,
    mempool: mempoolOf(setting),
    time,
    sync,
    bridge,
    bridgeQueueSize: 10_000,
    deduplicationHeights: batchTtlHeights,
    evidenceAge: setting.evidenceAge,
    sideStore: child('side-store', sideStoreLogic({ disk: machine.side, epoch }), {
      publicEvents: SIDE_STORE_EVENTS,
    }),
    ...snapshotCells(parts),
    get joins() {
      return machine.joins;
    },
    clocks: clockCells(parts),
    storage: storageCell(parts),
    network: hubCells({
      hub,
      address: 'node/network',
      self,
      validators: () => present().set.validators.map(({ address }) => address),
      kept: setting.directory.instances.map(({ address }) => address),
      sources: SOURCE_LISTENERS,
      route: routeOf,
      connectivity: CONNECTIVITY_LISTENERS,
    }),
    executor: executorCell(parts),
    surface: surfaceCells(hears),
  });
}

const mempoolOf = ({ batchTtlHeights }: Setting) => ({ ...DEFAULT_MEMPOOL_CONFIG, batchTtlHeights });

function executorCell({ setting, machine, store }: ProcessParts): CellSpec {
  const { epoch, application, batchTtlHeights, snapshotIntervalHeights: intervalHeights } = setting;
  const logic = executorLogic({
    openApplication: () => machine.faults.openApplication(),
    genesis: { ...epoch.domain, genesisTime: GENESIS_TIME, ...application.beginning },
    limits: mempoolOf(setting),
    deduplicationHeights: batchTtlHeights,
    storage: ADDRESSES.storage,
    mempool: ADDRESSES.mempool,
    setFor: (wanted) => validatorsOf(store, epoch, wanted),
    listeners: [ADDRESSES.roundManager, ADDRESSES.mempool, ADDRESSES.bridge],
    servers: [ADDRESSES.rpc],
    snapshots: { keeper: ADDRESSES.snapshotKeeper, intervalHeights },
  });
  return child('executor', logic, { publicEvents: EXECUTOR_EVENTS });
}

function storageCell({ machine: { faults }, store, hears: { staged, synced } }: ProcessParts): CellSpec {
  const logic = storageLogic({
    store: faults.damaged(store, { staged, synced }),
    routerAddress: ADDRESSES.router,
    device: () => faults.deviceDelay(),
  });
  return child('storage', logic, { publicEvents: STORAGE_EVENTS });
}

function clockCells({ setting, machine, life, clock, adjusted }: ProcessParts): readonly CellSpec[] {
  const draws = seededRandom(`ntp/${setting.seed}/${machine.instance.node}/${life}`).stream('links');
  const servers = ntpServers({ servers: setting.ntpServers, clock: setting.clock, draws });
  return [
    child('clock', clockLogic({ adjusted, wall: () => clock.wall(), report: () => undefined }), {
      publicEvents: CLOCK_EVENTS,
    }),
    child('ntp-client', servers, { publicEvents: NTP_CLIENT_EVENTS }),
  ];
}

/** None where no snapshots are taken (SY-10). */
function snapshotCells({ setting, machine, hears }: ProcessParts) {
  if (setting.snapshotIntervalHeights === 0) return {};
  const openApplication = (): Application => {
    const application = setting.application.open();
    hears.restoring(application);
    return application;
  };
  return {
    snapshotKeeper: child('snapshot-keeper', machine.snapshots.logic(ADDRESSES.executor), {
      publicEvents: SHELF_EVENTS,
    }),
    snapshotRestorer: child('snapshot-restorer', snapshotRestorerLogic({ openApplication }), {
      publicEvents: SNAPSHOT_RESTORER_EVENTS,
    }),
  };
}
