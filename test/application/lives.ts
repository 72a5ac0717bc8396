/** Lives of an executor on one disk: real storage and runtime under virtual time, a stand-in for the mempool and a listener. */

import {
  child,
  createSystem,
  handler,
  type Message,
  seededRandom,
  supervisor,
  virtualClock,
} from '../../src/actors/runtime/index.ts';
import { EXECUTOR_EVENTS, executorLogic } from '../../src/application/executor.ts';
import type {
  ExecutionStanding,
  ExecutorOptions,
  ExecutorTimes,
} from '../../src/application/executor-options.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { wallTime } from '../../src/base/units.ts';
import { batchDigestOf, encodeBatch } from '../../src/protocol/chain/batch.ts';
import { digestOf } from '../../src/protocol/chain/canonical.ts';
import type { BlockExecuted, BlockResults, ExecutionReply } from '../../src/protocol/ports/execution.ts';
import type { MempoolRequest } from '../../src/protocol/ports/mempool.ts';
import type { CommittedBlock } from '../../src/protocol/ports/storage.ts';
import { type MemoryDisk, type MemoryFaults, memoryDisk } from '../../src/storage/memory-store.ts';
import { STORAGE_EVENTS, storageLogic } from '../../src/storage/storage-actor.ts';
import type { BatchBytes, Store } from '../../src/storage/store.ts';
import {
  address,
  child as blockOn,
  committed,
  height,
  IDENTITY,
  type MadeBlock,
  write,
} from '../storage/fixtures.ts';

export const LIMITS = { batchBytesMax: 65_536, transactionBytesMax: 1_024 };

let sequence = 0;
/** A batch of texts; each call gives another digest. */
export function batchOf(texts: readonly string[]): BatchBytes {
  sequence += 1;
  const transactions = texts.map(utf8);
  const bytes = encodeBatch({ author: address(1), sequence, expiresAtHeight: height(1_000), transactions });
  return { digest: batchDigestOf(bytes), bytes };
}

/** A chain whose blocks carry these texts, one list a batch. */
export class Chain {
  readonly made: MadeBlock[] = [];
  readonly batches: (readonly BatchBytes[])[] = [];

  add(...texts: readonly (readonly string[])[]): CommittedBlock {
    const batches = texts.map(batchOf);
    const block = blockOn(this.made.at(-1), { batches });
    this.made.push(block);
    this.batches.push(batches);
    return committed(block);
  }
}

export interface DiskOptions {
  readonly faults?: MemoryFaults;
  /** The device takes so long before and after it is durable. @unit ms */
  readonly deviceMs?: number;
}

export class Lives {
  readonly disk: MemoryDisk;
  readonly chain = new Chain();
  readonly #options: DiskOptions;
  current: Life | undefined;

  constructor(options: DiskOptions = {}) {
    this.#options = options;
    this.disk = memoryDisk(IDENTITY, options.faults ?? {});
  }

  begin(openApplication: ExecutorOptions['openApplication'], times: Partial<ExecutorTimes> = {}): Life {
    this.current = new Life(this.disk.open(), openApplication, times, this.#options.deviceMs);
    return this.current;
  }

  crash(): void {
    this.current = undefined;
    this.disk.crash();
  }
}

export class Life {
  readonly store: Store;
  readonly clock = virtualClock();
  readonly executed: BlockResults[] = [];
  /** The same blocks, as cells are told of them. */
  readonly outcomes: BlockExecuted[] = [];
  readonly failures: Extract<ExecutionReply, { type: 'execution.failed' }>[] = [];
  readonly answers: ExecutionReply[] = [];
  readonly reports: ExecutionStanding[] = [];
  /** What blocks wait for, as the executor told it last. */
  waiting: string | undefined;
  /** What the executor asked the mempool for, and how it is answered. */
  readonly wanted: Extract<MempoolRequest, { type: 'batches.wanted' }>[] = [];
  readonly unwanted: Extract<MempoolRequest, { type: 'batches.unwanted' }>[] = [];
  onWanted: (request: Extract<MempoolRequest, { type: 'batches.wanted' }>) => Message | undefined = () =>
    undefined;
  readonly #system;

  constructor(
    store: Store,
    openApplication: ExecutorOptions['openApplication'],
    times: Partial<ExecutorTimes>,
    deviceMs: number | undefined,
  ) {
    this.store = store;
    this.#system = createSystem({ name: 'life', clock: this.clock, random: seededRandom('life') });
    const executor = executorLogic({
      openApplication,
      genesis: {
        chainId: 'store-chain',
        genesisHash: digestOf(new Uint8Array()),
        genesisTime: wallTime(0),
        validators: [],
        appState: {},
      },
      limits: LIMITS,
      deduplicationHeights: 3,
      setFor: () => undefined,
      storage: 'node/storage',
      mempool: 'node/mempool',
      listeners: ['node/listener'],
      servers: ['node/listener'],
      report: (report) => this.reports.push(report),
      waiting: (call) => {
        this.waiting = call;
      },
      times,
    });
    const device =
      deviceMs === undefined ? {} : { device: () => ({ beforeSyncMs: deviceMs, afterSyncMs: deviceMs }) };
    const mempool = handler<undefined, MempoolRequest>({
      init: () => undefined,
      receive: (message, context) => {
        if (message.type === 'batches.unwanted') this.unwanted.push(message);
        if (message.type !== 'batches.wanted') return;
        this.wanted.push(message);
        const answer = this.onWanted(message);
        if (answer !== undefined) context.tell(message.replyTo, answer);
      },
    });
    const listener = handler<undefined, ExecutionReply>({
      init: () => undefined,
      receive: (message) => {
        if (message.type === 'results.persisted') this.executed.push(message);
        else if (message.type === 'block.executed') this.outcomes.push(message);
        else if (message.type === 'execution.failed' && message.tag === 0) this.failures.push(message);
        else this.answers.push(message);
      },
    });
    const storage = storageLogic({ store, routerAddress: 'node/nobody', ...device });
    this.#system.start(
      child(
        'node',
        supervisor({
          children: [
            child('storage', storage, { publicEvents: STORAGE_EVENTS }),
            child('mempool', mempool),
            child('listener', listener),
            child('executor', executor, { publicEvents: EXECUTOR_EVENTS }),
          ],
        }),
      ),
    );
    this.clock.settle();
  }

  /** The block and its batches become durable; the executor hears of it. */
  commit(chain: Chain, block: CommittedBlock, withBatches = true): void {
    const batches = chain.batches[block.block.header.height - 1] ?? [];
    if (withBatches) write(this.store, { kind: 'batches', batches });
    write(this.store, { kind: 'commit', blocks: [block] });
    this.tell({ type: 'blocks.committed', blocks: [block] });
  }

  /** The same through the storage cell, which takes its time; then the executor hears of it. */
  persistAndTell(batches: readonly BatchBytes[], blocks: readonly CommittedBlock[]): void {
    this.persist(batches, blocks);
    this.tell({ type: 'blocks.committed', blocks });
  }

  persist(batches: readonly BatchBytes[], blocks: readonly CommittedBlock[]): void {
    const storage = this.#system.ref('node/storage');
    const to = { replyTo: 'node/mempool', tag: 0 };
    storage.tell({ type: 'batches.persistRequested', batches, ...to });
    storage.tell({ type: 'blocks.commitRequested', blocks, ...to });
    this.advance(20);
  }

  tell(message: Message): void {
    this.#system.ref('node/executor').tell(message);
    this.clock.settle();
  }

  advance(ms: number): void {
    this.clock.advance(ms);
  }

  /** Promises of the application settle too. */
  async advanceAsync(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms);
  }

  check(...texts: readonly string[]): void {
    this.tell({ type: 'check.requested', replyTo: 'node/listener', tag: 1, transactions: texts.map(utf8) });
  }

  query(key: string): void {
    this.tell({ type: 'query.requested', replyTo: 'node/listener', tag: 2, path: '', data: utf8(key) });
  }

  async stop(): Promise<void> {
    const stopping = this.#system.stop();
    await this.clock.advanceAsync(10);
    await stopping;
  }
}
