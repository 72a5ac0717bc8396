/**
 * One node of a simulated network: a disk that outlives its processes, their lives one after the other, the tree of a
 * real node in each, and what can go wrong with all of these. Deterministic. Rules SM-1, SM-2.
 */
import { ADDRESSES, CONNECTIVITY_LISTENERS, routeOf } from '../actors/addresses.ts';
import {
  child,
  createSystem,
  handler,
  type System,
  seededRandom,
  type VirtualClock,
} from '../actors/runtime/index.ts';
import { EXECUTOR_EVENTS, executorLogic } from '../application/executor.ts';
import { wallTime } from '../base/units.ts';
import type { BlsEngine } from '../crypto/bls/engine.ts';
import type { FailedRound } from '../machines/consensus/view-change.live.ts';
import { nodeTree } from '../node/tree.ts';
import type { Address, Height } from '../protocol/chain/types.ts';
import type { EpochContext } from '../protocol/consensus/epoch.ts';
import { TIMELINESS_DEFAULTS } from '../protocol/consensus/timeliness.ts';
import type { TimeoutConfig } from '../protocol/consensus/timeouts.ts';
import { DEFAULT_MEMPOOL_CONFIG } from '../protocol/mempool/config.ts';
import type { SafetyViolated } from '../protocol/ports/consensus.ts';
import type { BlockExecuted, ExecutionReply } from '../protocol/ports/execution.ts';
import type { Admission, MempoolReply } from '../protocol/ports/mempool.ts';
import type { ResyncReady, SyncAlertsChanged } from '../protocol/ports/sync.ts';
import type { SyncConfig } from '../protocol/sync/config.ts';
import type { TimeConfig } from '../protocol/time/config.ts';
import { type MemoryDisk, memoryDisk } from '../storage/memory-store.ts';
import { memorySide } from '../storage/side-disk.ts';
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
import { ntpServers } from './ntp-servers.ts';
import type { Observer } from './observer.ts';
import type { NtpServerPlan } from './plan.ts';
import { type ProcessClock, processClock, WallClock } from './process-clock.ts';
import { processHub, type Voice } from './process-hub.ts';

/** Wall clock at the start of a run. @unit ms since 1970 @source chosen */
export const START_WALL_MS = 1_700_000_000_000;

const GENESIS_TIME = wallTime(START_WALL_MS - 1_000);
const BLOCK_LIMITS = { batchesMax: 64, bytesMax: 1_048_576 } as const;

/** What all nodes of a run share. */
export interface Setting {
  readonly seed: string | number;
  readonly epoch: EpochContext;
  readonly bls: BlsEngine;
  readonly timeouts: TimeoutConfig;
  readonly time: TimeConfig;
  readonly ntpServers: readonly NtpServerPlan[];
  readonly sync: SyncConfig;
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
  readonly disk: MemoryDisk;
  readonly faults: MachineFaults;
  readonly wall: WallClock;
  /** Of its oscillator, at the start. @unit parts per million */
  readonly driftPpm: number;
  /** Admissions by this node, of all its lives. */
  readonly admitted: Admission[] = [];
  readonly #setting: Setting;
  readonly #secret: Uint8Array;
  readonly #voice: Voice | undefined;
  #life: Life | undefined;
  #lives = 0;
  #pausedUntil = 0;
  /** A group is on its way to the disk: the store cannot be read. */
  #isWriting = false;
  #height = 0;
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
    this.faults = new MachineFaults(() => setting.clock.now(), instance.node % 2 === 1);
    this.wall = new WallClock(setting.clock, error);
    this.driftPpm = error.driftPpm;
    this.disk = memoryDisk(setting.epoch.domain, this.faults);
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

  #tree({ store, clock, adjusted, life }: Life, hub: Hub) {
    const { seed, epoch, bls, timeouts, time, sync, ntpServers: servers, clock: shared } = this.#setting;
    const executor = executorLogic({
      openApplication: () => this.faults.openApplication(),
      genesis: {
        chainId: epoch.domain.chainId,
        genesisTime: GENESIS_TIME,
        validators: [],
        appState: null,
      },
      limits: DEFAULT_MEMPOOL_CONFIG,
      deduplicationHeights: DEFAULT_MEMPOOL_CONFIG.batchTtlHeights,
      storage: ADDRESSES.storage,
      mempool: ADDRESSES.mempool,
      listeners: [ADDRESSES.roundManager, ADDRESSES.mempool, ADDRESSES.rpc],
    });
    const ntpLinks = seededRandom(`ntp/${seed}/${this.index}/${life}`).stream('links');
    return nodeTree({
      epoch,
      signer: { address: this.address, sign: (message) => bls.sign(this.#secret, message) },
      bls,
      genesisTime: GENESIS_TIME,
      limits: BLOCK_LIMITS,
      timeliness: TIMELINESS_DEFAULTS,
      timeouts,
      mempool: DEFAULT_MEMPOOL_CONFIG,
      time,
      sync,
      deduplicationHeights: DEFAULT_MEMPOOL_CONFIG.batchTtlHeights,
      sideStore: child('side-store', sideStoreLogic({ disk: memorySide(epoch.domain) }), {
        publicEvents: SIDE_STORE_EVENTS,
      }),
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
      surface: [
        child('rpc', this.#surface(), { publicEvents: SURFACE_EVENTS }),
        child('alarm', this.#alarm(), {
          publicEvents: ['safety.violated', 'sync.alertsChanged', 'resync.ready'],
        }),
      ],
    });
  }

  /** Where a real node's RPC stands: the observers listen here. */
  #surface() {
    const { observer } = this.#setting;
    return handler<undefined, SurfaceMessage>({
      init: () => undefined,
      receive: (message) => {
        if (message.type === 'block.executed') this.#executed(message);
        if (message.type === 'round.failed') observer.roundFailed(this.instance, message.round);
        if (message.type === 'transactions.admitted') {
          this.admitted.push(...message.admissions);
          observer.admitted(this.instance, message.admissions);
        }
      },
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

  #alarm() {
    const { observer } = this.#setting;
    return handler<undefined, SafetyViolated | SyncAlertsChanged | ResyncReady>({
      init: () => undefined,
      receive: (message) => {
        if (message.type === 'safety.violated') observer.alarmed(this.instance, message.detail);
      },
    });
  }
}

type SurfaceMessage =
  | BlockExecuted
  | FailedRound
  | Extract<MempoolReply, { type: 'transactions.admitted' | 'transactions.expired' }>
  | Extract<ExecutionReply, { type: 'execution.failed' }>;

const SURFACE_EVENTS = [
  'block.executed',
  'round.failed',
  'transactions.admitted',
  'transactions.expired',
  'execution.failed',
] as const;
