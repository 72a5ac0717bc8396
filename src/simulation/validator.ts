/**
 * One node of a simulated network: a disk that outlives its processes, their lives one after the other, the tree of a
 * real node in each, and what can go wrong with all of these. Deterministic. Rules SM-1, SM-2.
 */
import { ADDRESSES, CONNECTIVITY_LISTENERS, routeOf } from '../actors/addresses.ts';
import {
  child,
  createSystem,
  type System,
  seededRandom,
  type VirtualClock,
} from '../actors/runtime/index.ts';
import { EXECUTOR_EVENTS, executorLogic } from '../application/executor.ts';
import { SNAPSHOT_RESTORER_EVENTS, snapshotRestorerLogic } from '../application/snapshot-restorer.ts';
import { wallTime } from '../base/units.ts';
import type { BlsEngine } from '../crypto/bls/engine.ts';
import { nodeTree } from '../node/tree.ts';
import type { BridgeConfig } from '../protocol/bridge/config.ts';
import { GENESIS_HEIGHT } from '../protocol/chain/ordinals.ts';
import type { Address, Height } from '../protocol/chain/types.ts';
import type { EpochContext } from '../protocol/consensus/epoch.ts';
import { TIMELINESS_DEFAULTS } from '../protocol/consensus/timeliness.ts';
import type { TimeoutConfig } from '../protocol/consensus/timeouts.ts';
import { DEFAULT_MEMPOOL_CONFIG } from '../protocol/mempool/config.ts';
import type { Application } from '../protocol/ports/application.ts';
import type { StateDivergence } from '../protocol/ports/bridge.ts';
import type { BlockExecuted } from '../protocol/ports/execution.ts';
import type { Admission } from '../protocol/ports/mempool.ts';
import type { SyncConfig } from '../protocol/sync/config.ts';
import type { TimeConfig } from '../protocol/time/config.ts';
import { memoryDisk } from '../storage/memory-store.ts';
import { type MemorySideDisk, memorySide } from '../storage/side-disk.ts';
import { SIDE_STORE_EVENTS, sideStoreLogic } from '../storage/side-store.ts';
import { STORAGE_EVENTS, storageLogic } from '../storage/storage-actor.ts';
import type { Store, StoreReader } from '../storage/store.ts';
import { AdjustedClock } from '../time/adjusted-clock.ts';
import { CLOCK_EVENTS, clockLogic } from '../time/clock.ts';
import { NTP_CLIENT_EVENTS } from '../time/ntp-client.ts';
import type { Hub } from '../transport/hub.ts';
import { hubCells } from '../transport/hub-cells.ts';
import { MachineFaults } from './faults.ts';
import type { Directory, Instance } from './instance.ts';
import { type NodeDisk, nodeDisk } from './node-disk.ts';
import { ntpServers } from './ntp-servers.ts';
import type { Observer } from './observer.ts';
import type { NtpServerPlan } from './plan.ts';
import { type ProcessClock, processClock, WallClock } from './process-clock.ts';
import { processHub, type Voice } from './process-hub.ts';
import type { Replicated } from './replicated.ts';
import { SHELF_EVENTS, SnapshotShelf } from './snapshots.ts';
import { surfaceCells } from './surface.ts';

/** Wall clock at the start of a run. @unit ms since 1970 @source chosen */
export const START_WALL_MS = 1_700_000_000_000;

const GENESIS_TIME = wallTime(START_WALL_MS - 1_000);
const BLOCK_LIMITS = { batchesMax: 64, bytesMax: 1_048_576 } as const;

/** What all nodes of a run share. */
export interface Setting {
  readonly seed: string | number;
  readonly epoch: EpochContext;
  readonly bls: BlsEngine;
  readonly application: Replicated;
  readonly timeouts: TimeoutConfig;
  readonly time: TimeConfig;
  readonly ntpServers: readonly NtpServerPlan[];
  readonly sync: SyncConfig;
  readonly bridge: BridgeConfig;
  /** Of the genesis, its deduplicationHeights too. @unit heights */
  readonly batchTtlHeights: number;
  /** Between two snapshots of each node; 0: none. @unit heights */
  readonly snapshotIntervalHeights: number;
  /** Nodes whose configuration says join = "snapshot" (SY-10): whoever runs them lets promises settle between two advances. */
  readonly joining: readonly number[];
  readonly clock: VirtualClock;
  readonly hub: Hub;
  readonly directory: Directory;
  readonly observer: Required<Observer>;
  /** What a faulty instance makes of its traffic; asked once for each. */
  readonly voiceOf: (instance: Instance) => Voice | undefined;
}

export interface SimulatedProcess {
  readonly system: System;
  readonly store: Store;
  /** Counts the processes of this node from 1. */
  readonly life: number;
  /** The time that its cells see. */
  readonly adjusted: AdjustedClock;
}

interface Life extends SimulatedProcess {
  readonly clock: ProcessClock;
  /** As kill -9: nothing of it runs again. */
  readonly kill: () => void;
}

export class SimulatedNode {
  readonly instance: Instance;
  readonly disk: NodeDisk;
  readonly side: MemorySideDisk;
  readonly snapshots = new SnapshotShelf();
  readonly faults: MachineFaults;
  readonly wall: WallClock;
  /** Of its oscillator, at the start. @unit parts per million */
  readonly driftPpm: number;
  /** Admissions by this node, of all its lives. */
  readonly admitted: Admission[] = [];
  /** What its alarm was told of other states, in all its lives. */
  readonly divergences: StateDivergence[] = [];
  readonly #setting: Setting;
  readonly #secret: Uint8Array;
  readonly #voice: Voice | undefined;
  #life: Life | undefined;
  #lives = 0;
  #pausedUntil = 0;
  /** A group is on its way to the disk: the store cannot be read. */
  #isWriting = false;
  #height = 0;
  /** Made out of a snapshot, for the chain in the side store. */
  #restored: Application | undefined;
  /** Executed heights that the observer has not been given the blocks of. */
  readonly #unreported: Height[] = [];

  constructor(
    setting: Setting,
    instance: Instance,
    secret: Uint8Array,
    error: { readonly offsetMs: number; readonly driftPpm: number },
  ) {
    this.#setting = setting;
    this.instance = instance;
    this.#secret = secret;
    this.#voice = instance.faulty ? setting.voiceOf(instance) : undefined;
    // Every other machine has an application with a disk of its own.
    const { clock, application } = setting;
    this.faults = new MachineFaults(() => clock.now(), application.open, instance.node % 2 === 1);
    this.wall = new WallClock(setting.clock, error);
    this.driftPpm = error.driftPpm;
    this.disk = nodeDisk(memoryDisk(setting.epoch.domain, this.faults));
    this.side = memorySide(setting.epoch.domain);
  }

  /** SY-10: its configuration says so, and nothing was ever committed here. */
  get joins(): boolean {
    const { joining } = this.#setting;
    return joining.includes(this.index) && this.disk.durable().tip.height === GENESIS_HEIGHT;
  }

  get index(): number {
    return this.instance.node;
  }

  get address(): Address {
    return this.instance.address;
  }

  /** Undefined while the process is dead. */
  get process(): SimulatedProcess | undefined {
    return this.#life;
  }

  /**
   * The process lives, and does not go on by itself: its supervision tree has given up (in production it has exited by
   * then), or it refuses to sign on what the disk told it (its operator looks, and starts it again).
   */
  get needsOperator(): boolean {
    const system = this.#life?.system;
    if (system === undefined) return false;
    if (system.ref('node').info() === undefined) return true;
    const safety = system.ref(ADDRESSES.safety).info()?.snapshot;
    return typeof safety === 'object' && safety !== null && 'value' in safety && safety.value === 'halted';
  }

  /** Newest committed height on the disk; 0 while the process is dead. */
  get height(): number {
    if (this.#life === undefined) return 0;
    const latest = this.read((store) => store.latest());
    if (latest?.status === 'found') this.#height = latest.value.committed;
    return this.#height;
  }

  /** Reads what the disk holds; undefined while the process is dead or a group is half written. */
  read<Result>(of: (store: StoreReader) => Result): Result | undefined {
    return this.#life === undefined || this.#isWriting ? undefined : of(this.#life.store);
  }

  /** A process begins on what the disk holds; false when one runs as it should. */
  start(): boolean {
    if (this.#life !== undefined && !this.needsOperator) return false;
    this.crash();
    this.#lives += 1;
    const { seed, clock: shared, hub, directory, observer } = this.#setting;
    const { instance } = this;
    const clock = processClock(shared, this.wall);
    this.#takeChain();
    const store = this.disk.open();
    const adjusted = new AdjustedClock(clock);
    const system = createSystem({
      name: `node${instance.node}`,
      clock,
      wall: () => {
        const time = adjusted.read();
        observer.timeSeen(instance, time, adjusted.isAdjusted);
        return time;
      },
      random: seededRandom(`${seed}/${instance.node}/${this.#lives}`),
    });
    const ownHub = processHub({
      hub,
      directory,
      self: instance,
      observer,
      voice: this.#voice,
      whenRunning: clock.whenRunning,
    });
    const kill = (): void => {
      clock.kill();
      ownHub.detachAll();
    };
    this.#life = { system, store, life: this.#lives, clock, adjusted, kill };
    observer.started(instance, this.#life);
    system.start(this.#tree(this.#life, ownHub));
    return true;
  }

  /** kill -9: what was not synced is gone, and nobody is told. False when nothing ran. */
  crash(): boolean {
    const life = this.#life;
    if (life === undefined) return false;
    life.kill();
    this.#life = undefined;
    this.#pausedUntil = 0;
    this.#isWriting = false;
    this.#unreported.length = 0;
    this.disk.crash();
    this.side.crash();
    this.#setting.observer.crashed(this.instance, life);
    return true;
  }

  /** SIGSTOP now, SIGCONT after so long. False when nothing runs. @unit ms */
  pause(ms: number): boolean {
    const life = this.#life;
    if (life === undefined) return false;
    const { clock } = this.#setting;
    this.#pausedUntil = Math.max(this.#pausedUntil, clock.now() + ms);
    life.clock.pause();
    clock.schedule(ms, () => {
      if (this.#life === life && clock.now() >= this.#pausedUntil) life.clock.resume();
    });
    return true;
  }

  /** The process goes on at once, if it was paused. */
  resume(): void {
    this.#pausedUntil = 0;
    this.#life?.clock.resume();
  }

  /** Something from outside reaches the process, when it is read. False when nothing runs. */
  reach(work: (system: System) => void): boolean {
    const life = this.#life;
    return life?.clock.whenRunning(() => work(life.system)) ?? false;
  }

  /** As the folders change their places: the safety record is carried over (SY-9). */
  #takeChain(): void {
    const sealed = this.side.sealed();
    if (sealed === undefined) return;
    sealed.disk.crash();
    this.disk.replace(sealed.disk);
    if (this.#restored !== undefined) this.faults.keepApplication(this.#restored);
    this.side.discard();
  }

  #tree({ store, clock, adjusted, life }: Life, hub: Hub) {
    const { seed, epoch, bls, timeouts, time, sync, ntpServers: servers, clock: shared } = this.#setting;
    const { snapshotIntervalHeights: intervalHeights, batchTtlHeights, bridge, application } = this.#setting;
    const { evidence } = application;
    const mempool = { ...DEFAULT_MEMPOOL_CONFIG, batchTtlHeights };
    const executor = executorLogic({
      openApplication: () => this.faults.openApplication(),
      genesis: { ...epoch.domain, genesisTime: GENESIS_TIME, ...application.beginning },
      limits: mempool,
      deduplicationHeights: batchTtlHeights,
      storage: ADDRESSES.storage,
      mempool: ADDRESSES.mempool,
      listeners: [
        ...[ADDRESSES.roundManager, ADDRESSES.mempool, ADDRESSES.bridge, ADDRESSES.rpc],
        ...(evidence === undefined ? [] : [ADDRESSES.evidenceReporter]),
      ],
      snapshots: { keeper: ADDRESSES.snapshotKeeper, intervalHeights },
    });
    const ntpLinks = seededRandom(`ntp/${seed}/${this.index}/${life}`).stream('links');
    const self = this;
    return nodeTree({
      epoch,
      signer: { address: this.address, sign: (message) => bls.sign(this.#secret, message) },
      bls,
      genesisTime: GENESIS_TIME,
      limits: BLOCK_LIMITS,
      timeliness: TIMELINESS_DEFAULTS,
      timeouts,
      mempool,
      time,
      sync,
      bridge,
      bridgeQueueSize: 10_000,
      deduplicationHeights: batchTtlHeights,
      ...(evidence === undefined ? {} : { evidence }),
      sideStore: child('side-store', sideStoreLogic({ disk: this.side }), {
        publicEvents: SIDE_STORE_EVENTS,
      }),
      ...(intervalHeights === 0 ? {} : this.#snapshotCells()),
      get joins() {
        return self.joins;
      },
      clocks: [
        child('clock', clockLogic({ adjusted, wall: () => clock.wall(), report: () => undefined }), {
          publicEvents: CLOCK_EVENTS,
        }),
        child('ntp-client', ntpServers({ servers, clock: shared, draws: ntpLinks }), {
          publicEvents: NTP_CLIENT_EVENTS,
        }),
      ],
      storage: child(
        'storage',
        storageLogic({
          store: this.faults.damaged(store, {
            staged: () => {
              this.#isWriting = true;
            },
            synced: () => {
              this.#isWriting = false;
              this.#reportCommits();
            },
          }),
          routerAddress: ADDRESSES.router,
          device: () => this.faults.deviceDelay(),
        }),
        { publicEvents: STORAGE_EVENTS },
      ),
      network: hubCells({
        hub,
        address: 'node/network',
        self: this.address,
        validators: epoch.set.validators.map((validator) => validator.address),
        route: routeOf,
        connectivity: CONNECTIVITY_LISTENERS,
      }),
      executor: child('executor', executor, { publicEvents: EXECUTOR_EVENTS }),
      surface: this.#surface(),
    });
  }

  #snapshotCells() {
    const openApplication = (): Application => {
      this.#restored = this.#setting.application.open();
      return this.#restored;
    };
    return {
      snapshotKeeper: child('snapshot-keeper', this.snapshots.logic(ADDRESSES.executor), {
        publicEvents: SHELF_EVENTS,
      }),
      snapshotRestorer: child('snapshot-restorer', snapshotRestorerLogic({ openApplication }), {
        publicEvents: SNAPSHOT_RESTORER_EVENTS,
      }),
    };
  }

  #surface() {
    const { observer, clock } = this.#setting;
    return surfaceCells({
      executed: (message) => this.#executed(message),
      roundFailed: (round) => observer.roundFailed(this.instance, round),
      admitted: (admissions) => {
        this.admitted.push(...admissions);
        observer.admitted(this.instance, admissions);
      },
      violated: (detail) => observer.alarmed(this.instance, detail),
      diverged: (divergence) => this.divergences.push(divergence),
      // As a node ends, and its start takes the new chain.
      resynced: () =>
        void clock.schedule(0, () => {
          this.crash();
          this.start();
        }),
    });
  }

  #executed(message: BlockExecuted): void {
    const { observer } = this.#setting;
    observer.executed(this.instance, message);
    this.#unreported.push(message.executed.height);
    this.#reportCommits();
  }

  #reportCommits(): void {
    const { observer } = this.#setting;
    this.read((store) => {
      for (const height of this.#unreported.splice(0)) {
        const stored = store.blockAt(height);
        if (stored.status === 'found' && stored.value !== undefined) {
          observer.committed(this.instance, stored.value);
        }
      }
    });
  }
}
