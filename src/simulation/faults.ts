/**
 * What can go wrong with one simulated machine: its disk (failing, slow, damaged) and its application (failing, or another). All faults wait
 * here until the machine meets them. Deterministic. Rule SM-2.
 */
import { utf8 } from '../base/bytes.ts';
import { digestOf } from '../protocol/chain/canonical.ts';
import type { Application } from '../protocol/ports/application.ts';
import type { MemoryFaults, SyncFault } from '../storage/memory-store.ts';
import type { DeviceDelay } from '../storage/storage-actor.ts';
import type { DeviceFailure, Store } from '../storage/store.ts';
import type { Replicated } from './replicated.ts';

export class MachineFaults implements MemoryFaults {
  readonly #now: () => number;
  readonly #open: Replicated['open'];
  #keepsApplication: boolean;
  #kept: Application | undefined;
  #syncFault: SyncFault = 'ok';
  #syncsLeft = 0;
  #ruleOnSync: (() => SyncFault) | undefined;
  #damagedReads = 0;
  #syncMs = 0;
  #slowUntil = 0;
  #throws = 0;
  #differsFrom = Number.POSITIVE_INFINITY;

  /**
   * @param now virtual time. @unit ms
   * @param open the application, anew
   * @param keepsApplication it outlives its process with all that it executed, and may be a block ahead of the store
   */
  constructor(now: () => number, open: Replicated['open'], keepsApplication = false) {
    this.#now = now;
    this.#open = open;
    this.#keepsApplication = keepsApplication;
  }

  /** The next `times` syncs end so. */
  failSyncs(fault: SyncFault, times: number): void {
    this.#syncFault = fault;
    this.#syncsLeft = times;
  }

  /** Decides each sync from now on, in place of `failSyncs`; without it, all is well. */
  ruleSyncs(rule: (() => SyncFault) | undefined): void {
    this.#ruleOnSync = rule;
  }

  /** The next `times` reads of the node are damaged. */
  damageReads(times: number): void {
    this.#damagedReads = times;
  }

  /** Each sync takes `syncMs`, for `ms`. @unit ms */
  slowDisk(syncMs: number, ms: number): void {
    this.#syncMs = syncMs;
    this.#slowUntil = this.#now() + ms;
  }

  /** The application throws at its next `times` calls. */
  crashApplication(times: number): void {
    this.#throws = times;
  }

  /** The application is not the others' from this height on: its state has another hash. */
  differFrom(height: number): void {
    this.#differsFrom = height;
  }

  /** It has come from a snapshot, and no replay of blocks would come to it: it outlives its process from now on (SY-10). */
  keepApplication(application: Application): void {
    this.#keepsApplication = true;
    this.#kept = repeating(application);
  }

  /** Nothing goes wrong any more. */
  clear(): void {
    this.#ruleOnSync = undefined;
    this.#syncsLeft = 0;
    this.#damagedReads = 0;
    this.#slowUntil = 0;
    this.#throws = 0;
    this.#differsFrom = Number.POSITIVE_INFINITY;
  }

  onSync = (): SyncFault => {
    if (this.#ruleOnSync !== undefined) return this.#ruleOnSync();
    if (this.#syncsLeft === 0) return 'ok';
    this.#syncsLeft -= 1;
    return this.#syncFault;
  };

  /** Undefined: a sync takes no time. Half of the time passes before the group is durable, half after. */
  deviceDelay(): DeviceDelay | undefined {
    if (this.#now() >= this.#slowUntil) return undefined;
    return { beforeSyncMs: this.#syncMs / 2, afterSyncMs: this.#syncMs / 2 };
  }

  /** The store as the node has it. Whoever judges the run reads the store itself, while no group is half written. */
  damaged(store: Store, group: { staged(): void; synced(): void }): Store {
    const read = <Result>(of: () => Result): Result | DeviceFailure => {
      if (this.#damagedReads === 0) return of();
      this.#damagedReads -= 1;
      return { status: 'failed', code: 'CORRUPT', detail: 'injected bit flip' };
    };
    return {
      identity: store.identity,
      stage(writes) {
        group.staged();
        return store.stage(writes);
      },
      sync() {
        const result = store.sync();
        group.synced();
        return result;
      },
      close: () => store.close(),
      recover: () => read(() => store.recover()),
      latest: () => read(() => store.latest()),
      tip: () => read(() => store.tip()),
      blockIds: (heights) => read(() => store.blockIds(heights)),
      changes: (from, limit) => read(() => store.changes(from, limit)),
      reputations: () => read(() => store.reputations()),
      chainEvidence: (heights, stride) => read(() => store.chainEvidence(heights, stride)),
      blockAt: (height) => read(() => store.blockAt(height)),
      committedBlock: (id) => read(() => store.committedBlock(id)),
      blocksFrom: (from, limit, bytesMax) => read(() => store.blocksFrom(from, limit, bytesMax)),
      blockWithAncestors: (id, ancestors) => read(() => store.blockWithAncestors(id, ancestors)),
      batches: (digests) => read(() => store.batches(digests)),
      uncommittedBatches: (bytesMax, after) => read(() => store.uncommittedBatches(bytesMax, after)),
      execution: (height) => read(() => store.execution(height)),
      transaction: (hash, within) => read(() => store.transaction(hash, within)),
    };
  }

  /** The application, which throws when it is told to. */
  openApplication(): Application {
    const application = this.#application();
    const call = <Result>(run: () => Result): Result => {
      if (this.#throws > 0) {
        this.#throws -= 1;
        throw new Error('injected crash of the application');
      }
      return run();
    };
    return {
      info: () => call(() => application.info()),
      initChain: (request) => call(() => application.initChain(request)),
      checkTx: (transaction) => call(() => application.checkTx(transaction)),
      finalizeBlock: (request) =>
        call(() => this.#differing(request.height, application.finalizeBlock(request))),
      query: (path, data, height) => call(() => application.query(path, data, height)),
      takeSnapshot: () => call(() => application.takeSnapshot?.()),
    };
  }

  #differing(
    height: number,
    result: ReturnType<Application['finalizeBlock']>,
  ): ReturnType<Application['finalizeBlock']> {
    if (height < this.#differsFrom || result instanceof Promise) return result;
    return { ...result, appHash: digestOf(utf8(`other than ${result.appHash}`)) };
  }

  #application(): Application {
    if (!this.#keepsApplication) return this.#open();
    this.#kept ??= repeating(this.#open());
    return this.#kept;
  }
}

/** Asked for its last block once more it repeats its answer, as whoever keeps its state must (EX-4). */
function repeating(application: Application): Application {
  let last:
    | { readonly height: number; readonly result: ReturnType<Application['finalizeBlock']> }
    | undefined;
  return {
    info: () => application.info(),
    initChain: (request) => application.initChain(request),
    checkTx: (transaction) => application.checkTx(transaction),
    finalizeBlock(request) {
      const { height } = request;
      if (last?.height !== height) last = { height, result: application.finalizeBlock(request) };
      return last.result;
    },
    query: (path, data, height) => application.query(path, data, height),
    takeSnapshot: () => application.takeSnapshot?.(),
  };
}
