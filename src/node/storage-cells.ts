/**
 * The boundary cells of what a node keeps: its store and the one of a full re-sync, the application on it, and the application's
 * snapshots. Boundary: disk; composes only. Rules SY-9, SY-10, docs/protocol/sync.md; docs/storage.md, docs/applications.md.
 */
import { rmSync } from 'node:fs';
import { ADDRESSES } from '../actors/addresses.ts';
import { type CellSpec, child } from '../actors/runtime/index.ts';
import { beginningOf, openBuiltIn } from '../application/built-in.ts';
import { EXECUTOR_EVENTS, executorLogic } from '../application/executor.ts';
import type { ExecutorOptions } from '../application/executor-options.ts';
import {
  SNAPSHOT_KEEPER_EVENTS,
  type SnapshotReport,
  snapshotKeeperLogic,
} from '../application/snapshot-keeper.ts';
import { SNAPSHOT_RESTORER_EVENTS, snapshotRestorerLogic } from '../application/snapshot-restorer.ts';
import { remoteApplication } from '../application/socket/remote.ts';
import type { BlsEngine } from '../crypto/bls/engine.ts';
import type { NodeLog } from '../observe/log.ts';
import type { GenesisDocument } from '../protocol/chain/genesis.ts';
import type { EpochContext } from '../protocol/consensus/epoch.ts';
import type { MempoolConfig } from '../protocol/mempool/config.ts';
import type { Application, ApplicationInfo } from '../protocol/ports/application.ts';
import { sideFolder } from '../storage/side-disk.ts';
import { SIDE_STORE_EVENTS, sideStoreLogic } from '../storage/side-store.ts';
import { STORAGE_EVENTS, storageLogic } from '../storage/storage-actor.ts';
import type { Store } from '../storage/store.ts';
import type { ApplicationPlace } from './application-place.ts';
import type { HomePaths } from './config/home.ts';
import type { Config } from './config/schema.ts';
import { ExecutionWatch } from './execution-watch.ts';
import { StorageWatch } from './storage-watch.ts';
import type { NodeParts } from './tree.ts';

export interface KeepingOptions {
  readonly paths: HomePaths;
  readonly config: Config;
  readonly genesis: GenesisDocument;
  readonly application: ApplicationPlace;
  /** The first. */
  readonly epoch: EpochContext;
  readonly mempool: MempoolConfig;
  readonly setFor: ExecutorOptions['setFor'];
  readonly store: Store;
  readonly bls: BlsEngine;
  readonly log: NodeLog;
  /** Told in words; ends the node. */
  readonly deviceFailed: (detail: string) => void;
}

type KeepingCells = Pick<
  NodeParts,
  'storage' | 'sideStore' | 'executor' | 'snapshotKeeper' | 'snapshotRestorer'
>;

export interface Keeping {
  readonly cells: KeepingCells;
  /** Undefined until it is open. */
  readonly applicationInfo: () => ApplicationInfo | Promise<ApplicationInfo> | undefined;
  /** Why blocks are not executed; undefined while they are. */
  readonly executionFailure: () => string | undefined;
}

export function keeping(options: KeepingOptions): Keeping {
  const { paths, log } = options;
  const execution = new ExecutionWatch(log.of('application'), () => performance.now());
  let application: Application | undefined;
  const open = async (signal: AbortSignal): Promise<Application> => {
    application = undefined;
    application = await openApplication(options, paths.applicationData, signal);
    return application;
  };
  return {
    cells: {
      storage: storageCell(options),
      sideStore: sideStoreCell(options),
      executor: executorCell(options, open, execution),
      snapshotKeeper: snapshotKeeperCell(options),
      snapshotRestorer: snapshotRestorerCell(options),
    },
    applicationInfo: () => application?.info(),
    executionFailure: () => execution.failure,
  };
}

function storageCell({ store, log, deviceFailed }: KeepingOptions): CellSpec {
  const watch = new StorageWatch(log.of('storage'), () => performance.now(), deviceFailed);
  const logic = storageLogic({
    store,
    routerAddress: ADDRESSES.router,
    onFailure: (failure) => watch.report(failure),
  });
  return child('storage', logic, { publicEvents: STORAGE_EVENTS, mailbox: { capacity: 65_536 } });
}

function sideStoreCell({ paths, config, epoch, log }: KeepingOptions): CellSpec {
  const disk = sideFolder({
    identity: epoch.domain,
    dir: paths.resyncData,
    data: paths.data,
    segmentBytes: config.storage.segmentBytes,
  });
  const logic = sideStoreLogic({
    disk,
    epoch,
    onFailure: ({ code, detail }) => log.of('sync').warn({ code }, detail),
  });
  return child('side-store', logic, { publicEvents: SIDE_STORE_EVENTS });
}

function executorCell(
  { config, genesis, mempool, setFor }: KeepingOptions,
  open: ExecutorOptions['openApplication'],
  execution: ExecutionWatch,
): CellSpec {
  const logic = executorLogic({
    openApplication: open,
    genesis: beginningOf(genesis),
    limits: mempool,
    deduplicationHeights: genesis.parameters.deduplicationHeights,
    storage: ADDRESSES.storage,
    mempool: ADDRESSES.mempool,
    setFor,
    listeners: [ADDRESSES.roundManager, ADDRESSES.mempool, ADDRESSES.bridge],
    servers: [ADDRESSES.rpc],
    report: (report) => execution.report(report),
    waiting: (call) => execution.wait(call),
    snapshots: { keeper: ADDRESSES.snapshotKeeper, intervalHeights: config.sync.snapshotIntervalHeights },
  });
  return child('executor', logic, { publicEvents: EXECUTOR_EVENTS, mailbox: { capacity: 16_384 } });
}

function snapshotKeeperCell({ paths, log }: KeepingOptions): CellSpec {
  const logic = snapshotKeeperLogic({
    dir: paths.snapshots,
    executor: ADDRESSES.executor,
    storage: ADDRESSES.storage,
    report: (report) => reportSnapshot(log.of('snapshots'), report),
  });
  return child('snapshot-keeper', logic, { publicEvents: SNAPSHOT_KEEPER_EVENTS });
}

function snapshotRestorerCell(options: KeepingOptions): CellSpec {
  const { resyncApplicationData } = options.paths;
  const logic = snapshotRestorerLogic({
    openApplication: () => {
      rmSync(resyncApplicationData, { recursive: true, force: true });
      return openApplication(options, resyncApplicationData);
    },
  });
  return child('snapshot-restorer', logic, { publicEvents: SNAPSHOT_RESTORER_EVENTS });
}

function reportSnapshot(log: Pick<ReturnType<NodeLog['of']>, 'info' | 'warn'>, report: SnapshotReport): void {
  const { status, ...facts } = report;
  if (status === 'kept') log.info(facts, 'a snapshot of the application is kept');
  else log.warn(facts, `a snapshot is ${status}`);
}

/** @param dir of its state; an application in a process of its own has that where it is */
async function openApplication(
  { application, genesis, bls, epoch: { domain } }: KeepingOptions,
  dir: string,
  signal?: AbortSignal,
): Promise<Application> {
  const { vrf, validatorChangePercent } = genesis.parameters;
  switch (application.kind) {
    case 'remote':
      return remoteApplication({
        address: application.address,
        chainId: genesis.chainId,
        name: genesis.application.name,
        ...(signal === undefined ? {} : { signal }),
      });
    case 'own':
      return inFolder(dir, () => application.own.open({ dir }));
    case 'built-in':
      return inFolder(dir, () =>
        openBuiltIn(application.name, { bls, domain, vrf, validatorChangePercent }, dir),
      );
  }
}

/** What goes wrong there names the folder. */
async function inFolder(dir: string, open: () => Application | Promise<Application>): Promise<Application> {
  try {
    return await open();
  } catch (cause) {
    throw new Error(`${dir}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
