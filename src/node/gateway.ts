/**
 * The cell `surface/rpc`: where calls from outside become messages, and answers become promises. Boundary.
 * All that it waits for is bounded in number and time, and ends exactly once.
 */
import { ADDRESSES } from '../actors/addresses.ts';
import { type BoundaryContext, type BoundaryLogic, handler, type Message } from '../actors/runtime/index.ts';
import type { Millis } from '../base/units.ts';
import type { FailedRound } from '../machines/consensus/view-change.setup.ts';
import { SUBMISSION_MS } from '../protocol/bridge/times.ts';
import { transactionHashOf } from '../protocol/chain/batch.ts';
import type { Digest, ExecutedState } from '../protocol/chain/types.ts';
import { isWithheld } from '../protocol/execution/outcome.ts';
import type { OperationsAnswered, OperationsExpired, OperationsSubmitted } from '../protocol/ports/bridge.ts';
import type { BlockResults, ExecutionReply } from '../protocol/ports/execution.ts';
import type { Admission } from '../protocol/ports/mempool.ts';
import type { ResyncEnded, SyncDone } from '../protocol/ports/sync.ts';
import type { QueryAnswer, QueryAsked, TransactionFate } from '../rpc/node-port.ts';
import type { Checkpoint, ResyncOutcome, SyncNowOutcome } from '../rpc/sync-port.ts';
import { SubmissionsOfATurn } from './submissions-of-a-turn.ts';

type GatewayMessage =
  | BlockResults
  | FailedRound
  | OperationsAnswered
  | OperationsExpired
  | Extract<ExecutionReply, { type: 'query.answered' | 'execution.failed' }>
  | SyncDone
  | ResyncEnded;

/** Event types that other cells may send (RT-16). */
export const GATEWAY_EVENTS = [
  'results.persisted',
  'round.failed',
  'operations.answered',
  'operations.expired',
  'query.answered',
  'execution.failed',
  'sync.done',
  'resync.ended',
] as const satisfies readonly GatewayMessage['type'][];

/**
 * Messages that wait for a cell's answer; further ones are not taken: QUEUE_FULL. Submissions of a client within a turn are one message, so
 * these are not the callers: `rpc/turnstile.ts` bounds those. @unit messages @source four times `rpc.connections_max`: a batch asks several
 */
const CALLS_MAX = 4_096;
/** Calls that wait for a commit; further ones fail at once. @unit calls */
const WAITERS_MAX = 65_536;
/** A cell answers within this, or the call fails. @unit ms @source twice what the application has for a query */
const ANSWER_TIMEOUT_MS = 10_000;
/** What an operator's call waits for the end of what it began; then it answers that it runs. @unit ms @source a small gap is closed by then */
const END_WAIT_MS = 5_000;

/** The node cannot take the call now. */
export class CallFailed extends Error {
  override readonly name: string = 'CallFailed';
}

/** The cell took it, and has not answered in time. */
class CallUnanswered extends CallFailed {
  readonly code = 'NOT_ANSWERED';

  get log(): string {
    return `${this.message}: it may have been taken`;
  }
}

/** The cell did not take it: its mailbox is full, or it is not there (BR-3). Nothing of it was done. */
class NotTaken extends CallFailed {
  readonly code: 'QUEUE_FULL' | 'CHANNEL_CLOSED';

  constructor(to: string, isFull: boolean) {
    super(isFull ? `Queue full: ${to} takes no more now` : `Channel closed: ${to} is not running`);
    this.code = isFull ? 'QUEUE_FULL' : 'CHANNEL_CLOSED';
  }

  get log(): string {
    return `${this.message}: try again later`;
  }
}

interface Call {
  readonly resolve: (message: GatewayMessage) => void;
  readonly reject: (failure: CallFailed) => void;
  readonly timeout: NodeJS.Timeout;
}

type Waiter = (fate: TransactionFate) => void;

/** One node's calls from outside. Lives as long as the node; the cell behind it may be restarted. */
export class Gateway {
  readonly #calls = new Map<number, Call>();
  readonly #waiters = new Map<Digest, Set<Waiter>>();
  readonly #listeners = new Set<(event: BlockResults | FailedRound) => void>();
  readonly #submissions = new SubmissionsOfATurn((transactions, client) =>
    this.#submitAll(transactions, client),
  );
  #executed: ExecutedState | undefined;
  #resynced: ResyncOutcome | undefined;
  #waiting = 0;
  #tag = 0;
  #cell: BoundaryContext<undefined> | undefined;

  /** State after the newest block whose execution was told; undefined before the first since the start. */
  get executed(): ExecutedState | undefined {
    return this.#executed;
  }

  /** How the newest download of the whole chain ended; undefined from an order on until then. */
  get resynced(): ResyncOutcome | undefined {
    return this.#resynced;
  }

  /** The logic of the cell. */
  logic(): BoundaryLogic<undefined> {
    return handler<undefined, GatewayMessage>({
      init: (context) => {
        this.#cell = context;
        return undefined;
      },
      receive: (message) => this.#receive(message),
      terminate: () => this.#close('the node is stopping'),
    });
  }

  /** One admission for each transaction: by way of the bridge, which is the one way in (BR-1). Rejects with CallFailed. */
  submit(transactions: readonly Uint8Array[], client: string): Promise<readonly Admission[]> {
    return this.#submissions.submit(transactions, client);
  }

  async #submitAll(transactions: readonly Uint8Array[], client: string): Promise<readonly Admission[]> {
    const request: Omit<OperationsSubmitted, 'replyTo' | 'tag'> = {
      type: 'operations.submitted',
      client,
      transactions,
    };
    const answer = await this.#call(ADDRESSES.bridge, request, SUBMISSION_MS).catch((failure: unknown) => {
      if (failure instanceof NotTaken || failure instanceof CallUnanswered) return failure;
      throw failure;
    });
    if (answer instanceof NotTaken || answer instanceof CallUnanswered) {
      const { code, log } = answer;
      return transactions.map((transaction): Admission => {
        return { status: 'refused', hash: transactionHashOf(transaction), code, log };
      });
    }
    if (answer.type === 'operations.answered') return answer.admissions;
    throw new CallFailed('the bridge did not answer the submission');
  }

  async query({ path, data, height, prove }: QueryAsked): Promise<QueryAnswer> {
    const at = { ...(height === undefined ? {} : { height }), ...(prove === true ? { prove } : {}) };
    const answer = await this.#call(ADDRESSES.executor, { type: 'query.requested', path, data, ...at });
    if (answer.type === 'query.answered') return { status: 'answered', result: answer.result };
    const detail = answer.type === 'execution.failed' ? answer.detail : 'the application did not answer';
    return { status: 'failed', detail };
  }

  /** Orders a check of this node against its peers. */
  async syncNow(): Promise<SyncNowOutcome> {
    const answer = await this.#begin(ADDRESSES.syncCoordinator, { type: 'sync.manualRequested' });
    if (answer?.type !== 'sync.done') return { status: 'running' };
    const { status, error } = answer;
    return { status: 'done', sync: status, ...(error === undefined ? {} : { error }) };
  }

  /** Orders the download of the whole chain (SY-9). */
  async resync(checkpoint?: Checkpoint): Promise<ResyncOutcome> {
    this.#resynced = undefined;
    const at = checkpoint === undefined ? {} : { checkpoint };
    const answer = await this.#begin(ADDRESSES.networkSync, { type: 'resync.requested', ...at });
    return answer?.type === 'resync.ended' ? answer.outcome : { status: 'running' };
  }

  /** The fate of a transaction from now on; the past is in the store. */
  waitFor(hash: Digest, timeout: Millis): Promise<TransactionFate> {
    if (this.#waiting >= WAITERS_MAX) return Promise.resolve({ status: 'timeout' });
    this.#waiting += 1;
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(hash) ?? new Set();
      this.#waiters.set(hash, waiters);
      const end: Waiter = (fate) => {
        if (!waiters.delete(end)) return;
        clearTimeout(timer);
        this.#waiting -= 1;
        if (waiters.size === 0 && this.#waiters.get(hash) === waiters) this.#waiters.delete(hash);
        resolve(fate);
      };
      waiters.add(end);
      const timer = setTimeout(() => end({ status: 'timeout' }), timeout);
    });
  }

  /** The returned function ends it. */
  listen(listener: (event: BlockResults | FailedRound) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Tells a cell something that has no answer. */
  tell(to: string, message: Message): void {
    this.#cell?.tell(to, message);
  }

  /** Undefined: it goes on, beyond what a caller waits for. */
  async #begin(to: string, request: Message): Promise<GatewayMessage | undefined> {
    try {
      return await this.#call(to, request, END_WAIT_MS);
    } catch (failure) {
      if (failure instanceof CallUnanswered) return undefined;
      throw failure;
    }
  }

  #call(to: string, request: Message, timeoutMs = ANSWER_TIMEOUT_MS): Promise<GatewayMessage> {
    const cell = this.#cell;
    if (cell === undefined) return Promise.reject(new CallFailed('the node is not running'));
    if (this.#calls.size >= CALLS_MAX) return Promise.reject(new NotTaken(to, true));
    this.#tag += 1;
    const tag = this.#tag;
    return new Promise((resolve, reject) => {
      const expire = (): void => {
        this.#calls.delete(tag);
        reject(new CallUnanswered(`no answer from ${to} within ${timeoutMs} ms`));
      };
      this.#calls.set(tag, { resolve, reject, timeout: setTimeout(expire, timeoutMs) });
      const outcome = cell.tell(to, { ...request, replyTo: cell.self, tag });
      if (outcome !== 'accepted') this.#take(tag)?.reject(new NotTaken(to, outcome === 'full'));
    });
  }

  #fail(tag: number, detail: string): void {
    const call = this.#take(tag);
    call?.reject(new CallFailed(detail));
  }

  #take(tag: number): Call | undefined {
    const call = this.#calls.get(tag);
    this.#calls.delete(tag);
    clearTimeout(call?.timeout);
    return call;
  }

  #receive(message: GatewayMessage): void {
    switch (message.type) {
      case 'results.persisted':
        this.#executed = message.executed;
        this.#settleExecuted(message);
        for (const listener of this.#listeners) listener(message);
        return;
      case 'round.failed':
        for (const listener of this.#listeners) listener(message);
        return;
      case 'operations.expired':
        for (const hash of message.ids) this.#settle(hash, { status: 'expired', height: message.height });
        return;
      case 'resync.ended':
        this.#resynced = message.outcome;
        this.#take(message.tag)?.resolve(message);
        return;
      default:
        this.#take(message.tag)?.resolve(message);
    }
  }

  #settleExecuted({ transactions, executed: { height } }: BlockResults): void {
    if (this.#waiters.size === 0) return;
    for (const { hash, index, result } of transactions) {
      // What the application did not get is no commit: the bridge, or the first appearance, tells its end (EX-7).
      if (isWithheld(result)) continue;
      this.#settle(hash, { status: 'committed', height, index, result });
    }
  }

  #settle(hash: Digest, fate: TransactionFate): void {
    for (const waiter of [...(this.#waiters.get(hash) ?? [])]) waiter(fate);
  }

  #close(detail: string): void {
    this.#cell = undefined;
    for (const tag of [...this.#calls.keys()]) this.#fail(tag, detail);
    for (const hash of [...this.#waiters.keys()]) this.#settle(hash, { status: 'timeout' });
  }
}
