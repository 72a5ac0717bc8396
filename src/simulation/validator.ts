/**
 * One node of a simulated network: a disk that outlives its processes, their lives one after the other, and what its observer is
 * told of them; the tree of each is in process-tree.ts, what can go wrong in faults.ts. Deterministic. Rules SM-1, SM-2.
 */
import { ADDRESSES } from '../actors/addresses.ts';
import { createSystem, type System, seededRandom } from '../actors/runtime/index.ts';
import type { Recording } from '../node/recording.ts';
import { epochOf } from '../node/views.ts';
import { GENESIS_HEIGHT } from '../protocol/chain/ordinals.ts';
import type { Address, Height } from '../protocol/chain/types.ts';
import type { NodeSigner } from '../protocol/consensus/safety.ts';
import type { Application } from '../protocol/ports/application.ts';
import type { StateDivergence } from '../protocol/ports/bridge.ts';
import type { BlockResults } from '../protocol/ports/execution.ts';
import type { Admission } from '../protocol/ports/mempool.ts';
import { memoryDisk } from '../storage/memory-store.ts';
import { type MemorySideDisk, memorySide } from '../storage/side-disk.ts';
import type { Store, StoreReader } from '../storage/store.ts';
import { AdjustedClock } from '../time/adjusted-clock.ts';
import { MachineFaults } from './faults.ts';
import type { Instance } from './instance.ts';
import { type NodeDisk, nodeDisk } from './node-disk.ts';
import { type ProcessClock, processClock, WallClock } from './process-clock.ts';
import { processHub, type Voice } from './process-hub.ts';
import { type MachineHears, processTree } from './process-tree.ts';
import { recordingOf } from './recorded.ts';
import type { Setting } from './setting.ts';
import { SnapshotShelf } from './snapshots.ts';

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
  readonly recording: Recording | undefined;
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
  readonly #signer: NodeSigner;
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
    signer: NodeSigner,
    error: { readonly offsetMs: number; readonly driftPpm: number },
  ) {
    this.#setting = setting;
    this.instance = instance;
    this.#signer = signer;
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
    const drawsFrom = `${seed}/${instance.node}/${this.#lives}`;
    const recording = recordingOf(this.#setting, instance, this.#lives, drawsFrom);
    const system = createSystem({
      name: `node${instance.node}`,
      clock,
      ...(recording === undefined ? {} : { journal: recording.journal, outside: recording.outside }),
      wall: () => {
        const time = adjusted.read();
        observer.timeSeen(instance, time, adjusted.isAdjusted);
        return time;
      },
      random: seededRandom(drawsFrom),
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
      void recording?.close();
    };
    this.#life = { system, store, life: this.#lives, clock, adjusted, kill, recording };
    observer.started(instance, this.#life);
    const root = processTree({
      ...{ setting: this.#setting, machine: this, hears: this.#hears(), hub: ownHub },
      ...{ life: this.#lives, store, clock, adjusted },
      signer: this.#signer,
      present: () => epochOf(system) ?? this.#setting.epoch,
    });
    system.start(recording?.root(root, system) ?? root);
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

  /** What its process is doing is not written down any further. */
  endRecording(): void {
    void this.#life?.recording?.close();
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

  /** What becomes of what its process does. */
  #hears(): MachineHears {
    const { observer, clock } = this.#setting;
    return {
      staged: () => {
        this.#isWriting = true;
      },
      synced: () => {
        this.#isWriting = false;
        this.#reportCommits();
      },
      restoring: (application) => {
        this.#restored = application;
      },
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
    };
  }

  #executed(message: BlockResults): void {
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
