/**
 * One life of an opened application: its committed blocks, in order, each given to it once and told only when durable.
 * Ends by `fail`, after which the executor starts over. Rules EX-1 to EX-5, docs/applications.md.
 */
import type { BoundaryContext } from '../actors/runtime/index.ts';
import { vrfOutput } from '../crypto/vrf.ts';
import { transactionHashOf } from '../protocol/chain/batch.ts';
import { parseHeight } from '../protocol/chain/parse.ts';
import type { Digest, ExecutedState, Height } from '../protocol/chain/types.ts';
import { misbehaviorIn } from '../protocol/consensus/misbehavior.ts';
import { DeduplicationTable } from '../protocol/execution/deduplication.ts';
import {
  applicationParts,
  DUPLICATE_RESULT,
  type OrderedTransactions,
  outcomes,
  partOf,
  toldToCells,
} from '../protocol/execution/outcome.ts';
import { differs } from '../protocol/execution/plan.ts';
import { randomnessOf } from '../protocol/ordering/randomness.ts';
import type { Application } from '../protocol/ports/application.ts';
import type { BlockResults, ExecutionReply, ExecutionRequest } from '../protocol/ports/execution.ts';
import type { MempoolReply } from '../protocol/ports/mempool.ts';
import type { StorageReply, StorageRequest } from '../protocol/ports/storage.ts';
import { type ReadBlock, readAnswer, readBlock } from './answer-shapes.ts';
import { BlockFeed, type ReadyBlock } from './block-feed.ts';
import type { Calls } from './calls.ts';
import type { ExecutorOptions, ExecutorTimes } from './executor-options.ts';
import type { SnapshotTaking } from './snapshot-taking.ts';
import { UNTOLD_MAX, Untold } from './untold.ts';
import { WantedBatches } from './wanted-batches.ts';

/** Blocks read in one piece. @unit bytes */
const BLOCKS_BYTES_MAX = 4 * 1_048_576;
/** Executed in one turn, before what else waits in the mailbox; what they give the disk is one group. @unit blocks */
const TURN_BLOCKS_MAX = 128;
/** … or so much of their batches, which goes beyond it by one block. @unit bytes @source chosen: a few milliseconds of kv */
const TURN_BYTES_MAX = 524_288;

export type FailureCode = Extract<ExecutionReply, { readonly type: 'execution.failed' }>['code'];

type FromStorage = Extract<
  StorageReply,
  { readonly type: 'blocks.found' | 'batches.found' | 'execution.persisted' | 'storage.failed' }
>;
type FromMempool = Extract<MempoolReply, { readonly type: 'batches.held' | 'batches.refused' }>;

export type RunnerMessage =
  | Extract<ExecutionRequest, { readonly type: 'blocks.committed' }>
  | FromStorage
  | FromMempool
  | { readonly type: 'work.due'; readonly life: number }
  | { readonly type: 'want.due'; readonly life: number };

/** What a life is made of. */
export interface Life {
  readonly number: number;
  readonly options: ExecutorOptions;
  readonly times: ExecutorTimes;
  readonly context: BoundaryContext<undefined>;
  readonly calls: Calls;
  readonly application: Application;
  /** Absent: no snapshots are kept. */
  readonly snapshots?: SnapshotTaking | undefined;
  nextTag(): number;
  fail(code: FailureCode, detail: string): void;
  /** The deduplication window is known, and the application stands where its blocks left it. */
  ready(): void;
  /** A block was executed and is durable. */
  progressed(): void;
}

export interface Place {
  /** The newest block whose results are stored. */
  readonly stored: ExecutedState;
  /** Where the application stood at its opening. */
  readonly opened: ExecutedState;
  /** The state below the first block to execute. */
  readonly below: ExecutedState;
  readonly committedHeight: Height;
  /** Blocks may be executed before the results of those below are durable. */
  readonly runsAhead: boolean;
}

export class BlockRunner {
  readonly #life: Life;
  readonly #place: Place;
  readonly #feed: BlockFeed;
  readonly #wanted: WantedBatches;
  readonly #table: DeduplicationTable;
  /** What this life asked has greater tags. */
  readonly #firstTag: number;
  #executed: ExecutedState;
  readonly #untold: Untold;
  /** Up to here the results are durable. */
  #stored: Height;
  /** Why this life ends, as soon as what it executed is told. */
  #end: { readonly code: FailureCode; readonly detail: string } | undefined;
  #blocksTag: number | undefined;
  #calling = false;
  #working = false;
  #workDue = false;
  #ready = false;

  constructor(life: Life, place: Place) {
    const { deduplicationHeights, limits } = life.options;
    this.#life = life;
    this.#place = place;
    this.#executed = place.below;
    this.#stored = place.stored.height;
    this.#untold = new Untold(place.runsAhead ? UNTOLD_MAX : 1);
    this.#firstTag = life.nextTag();
    const first = parseHeight(Math.max(1, place.below.height + 1 - deduplicationHeights));
    this.#feed = new BlockFeed(
      limits,
      first === 'malformed' ? place.below.height : first,
      place.committedHeight,
    );
    this.#wanted = new WantedBatches(life, this.#feed);
    this.#table = new DeduplicationTable(deduplicationHeights);
  }

  begin(): void {
    this.#work();
  }

  /** After the newest block that the application has executed. */
  get executed(): ExecutedState {
    return this.#executed;
  }

  /** True when a transaction of the next block with this hash would be a duplicate (EX-2). */
  knows(hash: Digest): boolean {
    return this.#table.knows(hash, this.#executed.height + 1);
  }

  receive(message: RunnerMessage): void {
    switch (message.type) {
      case 'blocks.committed':
        this.#feed.offer(message.blocks, message.blocks.at(-1)?.block.header.height ?? this.#executed.height);
        break;
      case 'blocks.found':
        if (message.tag !== this.#blocksTag) return;
        this.#blocksTag = undefined;
        this.#feed.offer(message.blocks, message.height);
        break;
      case 'batches.found':
        if (message.tag < this.#firstTag) return;
        this.#wanted.fetchAnew(this.#feed.fill(message.batches));
        this.#wanted.fetch(message.missing);
        break;
      case 'batches.held':
        this.#wanted.held(message.tag);
        return;
      case 'batches.refused':
        this.#wanted.refused(message.tag, `${message.code}: ${message.detail}`);
        return;
      case 'want.due':
        if (message.life === this.#life.number) this.#wanted.askAgain();
        return;
      case 'execution.persisted':
        this.#persisted(this.#untold.persisted(message.tag));
        break;
      case 'storage.failed':
        if (message.tag < this.#firstTag) return;
        this.#failed(message);
        return;
      case 'work.due':
        if (message.life !== this.#life.number) return;
        this.#workDue = false;
        break;
    }
    this.#work();
  }

  /** Executes the blocks that are here, a turn's worth of them and no more than may be untold; asks for what is missing. */
  #work(): void {
    if (this.#untold.isLost && !this.#workDue) this.#untold.askAgain((block) => this.#persist(block));
    this.#working = true;
    let bytes = 0;
    for (let blocks = 1; this.#isFree(); blocks += 1) {
      this.#reportReady();
      const block = this.#feed.take();
      if (block === 'waiting') break;
      if (block === 'malformed') {
        const detail = `a batch of the block at height ${this.#feed.next} cannot be read: CORRUPT`;
        this.#fail('STORAGE_FAILED', detail);
        break;
      }
      bytes += block.bytes;
      if (blocks >= TURN_BLOCKS_MAX || bytes >= TURN_BYTES_MAX) this.#continue();
      const ordered = this.#ordered(block);
      if (block.header.height <= this.#place.below.height) {
        // Already below the application: only the deduplication had to see it.
        continue;
      }
      this.#finalize(block, ordered);
    }
    this.#working = false;
  }

  /** Asks for what is missing; true when a block may be executed now. */
  #isFree(): boolean {
    if (this.#end !== undefined) return false;
    this.#askStorage();
    return !this.#calling && !this.#workDue && this.#untold.hasRoom;
  }

  #reportReady(): void {
    if (this.#ready || this.#feed.next <= this.#place.below.height) return;
    this.#ready = true;
    this.#life.ready();
  }

  /** The next blocks have their own turn: what else waits in the mailbox comes in between. */
  #continue(): void {
    this.#workDue = true;
    const { context, number } = this.#life;
    context.tell(context.self, { type: 'work.due', life: number });
  }

  #ordered({ header, transactions }: ReadyBlock): OrderedTransactions {
    const hashes = transactions.map((transaction) => transactionHashOf(transaction));
    // EX-2: the first wins, and so does whatever appeared in the D blocks before.
    const { deduplicationHeights } = this.#life.options;
    const given = transactions.map((transaction, index) => {
      const hash = hashes[index];
      const isKnown = hash !== undefined && this.#table.appears(hash, header.height);
      return isKnown ? DUPLICATE_RESULT : partOf(transaction, header.height, deduplicationHeights);
    });
    return { transactions, hashes, given };
  }

  #finalize(block: ReadyBlock, ordered: OrderedTransactions): void {
    const { application, calls, times } = this.#life;
    const { height, time, proposer } = block.header;
    const misbehavior = provenIn(block, this.#life.options);
    this.#calling = true;
    calls.hold({
      name: `finalizeBlock of height ${height}`,
      limit: times.finalizeMax,
      run: () =>
        readAnswer(
          application.finalizeBlock({
            height,
            blockId: block.id,
            time,
            proposer,
            randomness: randomnessOf(block.id, vrfOutput(block.header.vrfProof)),
            transactions: applicationParts(ordered),
            ...misbehavior,
            storedHeight: this.#stored,
          }),
          readBlock,
        ),
      done: (answer) => {
        this.#calling = false;
        this.#finalized(block, ordered, answer);
        if (!this.#working) this.#work();
      },
      failed: (detail) => this.#fail('APPLICATION_FAILED', detail),
    });
  }

  #finalized(block: ReadyBlock, ordered: OrderedTransactions, { result, bytes }: ReadBlock): void {
    const { height, round, proposer, time } = block.header;
    const { stored } = this.#place;
    const executed: ExecutedState = { height, appHash: result.appHash };
    const transactions = outcomes(ordered, result.results);
    const problem = this.#problemOf(executed, transactions === undefined ? result.results.length : undefined);
    if (transactions === undefined || problem !== undefined) {
      this.#fail('APPLICATION_FAILED', problem ?? `no results for height ${height}`);
      return;
    }
    this.#executed = executed;
    // A replay of what is stored: nobody is told twice.
    if (height <= stored.height) return;
    const { events, validatorUpdates } = result;
    const of = { blockId: block.id, round, proposer, time };
    const misbehavior = provenIn(block, this.#life.options);
    const told = { executed, transactions, events, validatorUpdates, ...misbehavior };
    const outcome: BlockResults = { type: 'results.persisted', ...of, ...told };
    this.#untold.add(outcome, block.bytes + bytes, this.#persist(outcome));
    this.#takeSnapshot(executed, block.isCommittedAlone);
  }

  /** SY-10: before the next block; what becomes of it is no block's concern. */
  #takeSnapshot(executed: ExecutedState, isCommittedAlone: boolean): void {
    const { snapshots, application } = this.#life;
    if (snapshots?.isDue(executed.height, this.#feed.tip, isCommittedAlone) !== true) return;
    this.#calling = true;
    snapshots.take(application, executed, () => {
      this.#calling = false;
      if (!this.#working) this.#work();
    });
  }

  /** The same outcome again is as good: the store knows it (ST-5). */
  #persist(block: BlockResults): number {
    const tag = this.#life.nextTag();
    const { blockId, executed, transactions, events, validatorUpdates } = block;
    const replyTo = this.#life.context.self;
    const outcome = { blockId, executed, transactions, events, validatorUpdates };
    this.#toStorage({ type: 'execution.persistRequested', replyTo, tag, ...outcome });
    return tag;
  }

  /**
   * The write of an outcome may have reached the disk all the same: whoever started over would find it stored and never
   * tell anybody, and a leader that is not told cannot go on. So it is asked again until the disk answers.
   */
  #failed({ tag, request, code, detail }: Extract<StorageReply, { readonly type: 'storage.failed' }>): void {
    const isOutcome = request === 'execution.persistRequested';
    if (isOutcome && !this.#untold.isOutstanding(tag)) return;
    if (!isOutcome || (code !== 'IO' && code !== 'FULL' && code !== 'BUSY')) {
      this.#end = { code: 'STORAGE_FAILED', detail: `${request}: ${code}: ${detail}` };
      // What the store refuses for good is never told.
      if (isOutcome || this.#untold.isEmpty) this.#life.fail(this.#end.code, this.#end.detail);
      return;
    }
    const { context, options, number, times } = this.#life;
    this.#untold.lose();
    this.#workDue = true;
    const failed: ExecutionReply = {
      type: 'execution.failed',
      tag: 0,
      code: 'STORAGE_FAILED',
      detail: `${request}: ${code}: ${detail}`,
    };
    for (const listener of options.listeners) context.tell(listener, failed);
    context.startTimer('persist', times.retryMin, { type: 'work.due', life: number });
  }

  /** What is wrong with the application's answer; `resultsGiven` when there are not as many as transactions. */
  #problemOf(executed: ExecutedState, resultsGiven: number | undefined): string | undefined {
    const { stored, opened } = this.#place;
    const { height, appHash } = executed;
    if (resultsGiven !== undefined) {
      return `finalizeBlock of height ${height} gave ${resultsGiven} results: give one for each transaction, in order`;
    }
    if (height === stored.height && appHash !== stored.appHash) return differs(executed, stored);
    if (height === opened.height && appHash !== opened.appHash) {
      return (
        `asked again for height ${height}, which it had executed before a crash, the application answered with ` +
        `hash ${appHash}, not ${opened.appHash}: it must repeat its last answer (docs/applications.md)`
      );
    }
    return undefined;
  }

  #persisted(blocks: readonly BlockResults[]): void {
    const { context, options } = this.#life;
    for (const block of blocks) {
      this.#stored = block.executed.height;
      const outcome = toldToCells(block);
      for (const listener of options.listeners) context.tell(listener, outcome);
      for (const server of options.servers) context.tell(server, block);
    }
    if (blocks.length > 0) this.#life.progressed();
    if (this.#end !== undefined) this.#fail(this.#end.code, this.#end.detail);
  }

  /** Whoever starts over finds stored what is on its way to the disk now, and tells nobody: it is told before. */
  #fail(code: FailureCode, detail: string): void {
    this.#end ??= { code, detail };
    if (this.#untold.isEmpty) this.#life.fail(code, detail);
  }

  #askStorage(): void {
    const replyTo = this.#life.context.self;
    const missing = this.#blocksTag === undefined ? this.#feed.missingBlocks() : undefined;
    if (missing !== undefined) {
      const tag = this.#life.nextTag();
      this.#blocksTag = tag;
      this.#toStorage({ type: 'blocks.requested', replyTo, tag, ...missing, bytesMax: BLOCKS_BYTES_MAX });
    }
    const digests = this.#feed.batchesToAsk();
    if (digests.length > 0) {
      this.#toStorage({ type: 'batches.requested', replyTo, tag: this.#life.nextTag(), digests });
    }
  }

  #toStorage(request: StorageRequest): void {
    this.#life.context.tell(this.#life.options.storage, request);
  }
}

/** What the evidence in the block says of validators; absent where it carries none (CS-14). */
const provenIn = (block: ReadyBlock, { setFor }: Life['options']): Pick<BlockResults, 'misbehavior'> =>
  block.evidence.length === 0 ? {} : { misbehavior: misbehaviorIn(block, setFor) };
