/**
 * The boundary actor before the application: opens it, finds its place in the chain, runs its blocks, and answers checks
 * and queries beside them. An application that throws or hangs is a state with a reason, from which the executor starts
 * over, one application at a time. Rules EX-1 to EX-6, docs/applications.md.
 */
import { type BoundaryContext, type BoundaryLogic, handler } from '../actors/runtime/index.ts';
import { declare } from '../machines/vocabulary/index.ts';
import type { ExecutedState } from '../protocol/chain/types.ts';
import { startPlan } from '../protocol/execution/plan.ts';
import type { Application } from '../protocol/ports/application.ts';
import type { ExecutionReply, ExecutionRequest } from '../protocol/ports/execution.ts';
import type { SnapshotOrder } from '../protocol/ports/snapshots.ts';
import type { Recovered, StorageReply, StorageRequest } from '../protocol/ports/storage.ts';
import { readAnswer, readGenesisState, readInfo } from './answer-shapes.ts';
import { BlockRunner, type FailureCode, type Place, type RunnerMessage } from './block-runner.ts';
import { type Call, Calls, type CallTimers } from './calls.ts';
import { EXECUTOR_TIMES, type ExecutorOptions, type ExecutorTimes } from './executor-options.ts';
import { answerQuestion, type Question, refuseQuestion } from './questions.ts';
import { SnapshotTaking } from './snapshot-taking.ts';

/** Checks and queries that wait for a start. Beyond: refused. @unit requests */
const HELD_MAX = 1_024;

type Private =
  | { readonly type: 'call.overdue'; readonly key: string }
  | { readonly type: 'start.due' }
  | Extract<RunnerMessage, { readonly type: 'work.due' | 'want.due' }>;

export type ExecutorMessage =
  | ExecutionRequest
  | SnapshotOrder
  | RunnerMessage
  | Extract<StorageReply, { readonly type: 'recovery.found' }>
  | Private;

/** Event types that the executor takes (RT-16); its own come from outside too. */
export const EXECUTOR_EVENTS = declare<ExecutorMessage>()(
  'blocks.committed',
  'check.requested',
  'query.requested',
  'snapshotChunk.wanted',
  'snapshot.released',
  'recovery.found',
  'blocks.found',
  'batches.found',
  'execution.persisted',
  'storage.failed',
  'batches.held',
  'batches.refused',
  'call.overdue',
  'start.due',
  'work.due',
  'want.due',
);

/** Logic of the cell `node/application`. */
export function executorLogic(options: ExecutorOptions): BoundaryLogic<undefined> {
  return handler<Executor, ExecutorMessage>({
    init: (context) => new Executor(options, context),
    receive: (message, { state }) => state.receive(message),
    terminate: ({ state }) => state.close(),
  });
}

type Phase =
  | { readonly status: 'opening' }
  | {
      readonly status: 'recovering';
      readonly application: Application;
      readonly opened: ExecutedState;
      readonly runsAhead: boolean;
      readonly tag: number;
    }
  /** `ready` once the deduplication window is known: before, questions wait. */
  | {
      readonly status: 'running';
      readonly application: Application;
      readonly runner: BlockRunner;
      readonly ready: boolean;
    }
  | { readonly status: 'failed'; readonly code: FailureCode; readonly detail: string }
  | { readonly status: 'closed' };

class Executor {
  readonly #options: ExecutorOptions;
  readonly #times: ExecutorTimes;
  readonly #context: BoundaryContext<undefined>;
  readonly #calls: Calls;
  readonly #snapshots: SnapshotTaking | undefined;
  #phase: Phase = { status: 'opening' };
  /** Counts starts: answers to an earlier life are passed over. */
  #life = 0;
  #tag = 0;
  #failures = 0;
  #opened: Application | undefined;
  /** Aborted when the life that it was made for ends. */
  #ending = new AbortController();
  #held: Question[] = [];
  /** The newest commit told since this start, for when the application runs: it is told once. */
  #news: Extract<ExecutionRequest, { readonly type: 'blocks.committed' }> | undefined;

  constructor(options: ExecutorOptions, context: BoundaryContext<undefined>) {
    this.#options = options;
    this.#times = { ...EXECUTOR_TIMES, ...options.times };
    this.#context = context;
    const timers: CallTimers = {
      start: (key, delay) => context.startTimer(key, delay, { type: 'call.overdue', key }),
      cancel: (key) => context.cancelTimer(key),
    };
    this.#calls = new Calls(timers, options.waiting);
    const { snapshots } = options;
    this.#snapshots =
      snapshots &&
      new SnapshotTaking({
        intervalHeights: snapshots.intervalHeights,
        stepMax: this.#times.finalizeMax,
        calls: this.#calls,
        tell: (news) => context.tell(snapshots.keeper, news),
      });
    this.#start();
  }

  receive(message: ExecutorMessage): void {
    switch (message.type) {
      case 'check.requested':
      case 'query.requested':
        this.#ask(message);
        return;
      case 'snapshotChunk.wanted':
      case 'snapshot.released':
        this.#snapshots?.receive(message);
        return;
      case 'call.overdue':
        this.#calls.expire(message.key);
        return;
      case 'start.due':
        if (this.#phase.status === 'failed') this.#start();
        return;
      case 'recovery.found':
        this.#recovered(message.tag, message.recovered);
        return;
      default:
        if (this.#phase.status === 'running') {
          this.#phase.runner.receive(message);
          return;
        }
        if (message.type === 'blocks.committed') this.#news = message;
        if (message.type === 'storage.failed' && this.#isRecovering(message.tag)) {
          this.#fail('STORAGE_FAILED', `${message.request}: ${message.code}: ${message.detail}`);
        }
    }
  }

  close(): void | Promise<void> {
    this.#phase = { status: 'closed' };
    this.#calls.abandon();
    this.#snapshots?.lose('the node stops');
    this.#ending.abort();
    return this.#opened?.close?.();
  }

  /** Opens the application and asks it where it stands. */
  #start(): void {
    this.#life += 1;
    this.#news = undefined;
    this.#phase = { status: 'opening' };
    const { openMax } = this.#times;
    this.#call({
      name: 'opening the application',
      limit: openMax,
      run: () => this.#reopen(),
      done: (application) => {
        this.#opened = application;
        this.#call({
          name: 'info',
          limit: openMax,
          run: () => readAnswer(application.info(), readInfo),
          done: ({ executed: opened, runsAhead = false }) => {
            const tag = this.#nextTag();
            this.#phase = { status: 'recovering', application, opened, runsAhead, tag };
            const request: StorageRequest = { type: 'recovery.requested', replyTo: this.#context.self, tag };
            this.#context.tell(this.#options.storage, request);
          },
        });
      },
    });
  }

  /** The last one is closed before another is opened. */
  #reopen(): Application | Promise<Application> {
    const last = this.#opened;
    this.#opened = undefined;
    this.#ending = new AbortController();
    const { signal } = this.#ending;
    const open = () => this.#options.openApplication(signal);
    const closing = last?.close?.();
    const opening = closing instanceof Promise ? closing.then(open) : open();
    return opening instanceof Promise ? opening.then((application) => this.#keep(application)) : opening;
  }

  /** One that opens when it has been given up is closed like any other: before the next, or with this cell. */
  #keep(application: Application): Application | Promise<Application> {
    this.#opened = application;
    if (this.#phase.status !== 'closed') return application;
    const closing = application.close?.();
    return closing instanceof Promise ? closing.then(() => application) : application;
  }

  /** EX-4: from where application, results and chain stand, to the first block that it gets. */
  #recovered(tag: number, recovered: Recovered): void {
    if (this.#phase.status !== 'recovering' || this.#phase.tag !== tag) return;
    const { application, opened, runsAhead } = this.#phase;
    const stored = recovered.executed;
    const committedHeight = recovered.committed?.block.header.height ?? stored.height;
    const plan = startPlan({ application: opened, stored, committedHeight });
    if (plan.status === 'impossible') {
      this.#fail('APPLICATION_FAILED', plan.detail);
      return;
    }
    const below = opened.height > stored.height ? stored : opened;
    if (!plan.initialises) {
      this.#run(application, { stored, opened, below, committedHeight, runsAhead });
      return;
    }
    this.#call({
      name: 'initChain',
      limit: this.#times.openMax,
      run: () => readAnswer(application.initChain(this.#options.genesis), readGenesisState),
      done: ({ appHash }) => {
        const genesis = { height: opened.height, appHash };
        this.#run(application, { stored, opened: genesis, below: genesis, committedHeight, runsAhead });
      },
    });
  }

  #run(application: Application, place: Place): void {
    const life = this.#life;
    const nothingToExecute = place.committedHeight <= place.stored.height;
    const runner = new BlockRunner(
      {
        number: life,
        options: this.#options,
        times: this.#times,
        context: this.#context,
        calls: this.#calls,
        application,
        snapshots: this.#snapshots,
        nextTag: () => this.#nextTag(),
        fail: (code, detail) => {
          if (life === this.#life) this.#fail(code, detail);
        },
        ready: () => {
          if (life !== this.#life || this.#phase.status !== 'running') return;
          this.#phase = { ...this.#phase, ready: true };
          // After a failure only a block shows that it is over.
          if (this.#failures === 0 || nothingToExecute) this.#options.report?.({ status: 'running' });
          for (const question of this.#held.splice(0)) this.#ask(question);
        },
        progressed: () => {
          this.#failures = 0;
          this.#options.report?.({ status: 'running' });
        },
      },
      place,
    );
    this.#phase = { status: 'running', application, runner, ready: false };
    runner.begin();
    // What lies below the news is asked of storage.
    if (this.#news !== undefined && this.#phase.runner === runner) runner.receive(this.#news);
  }

  #ask(question: Question): void {
    const phase = this.#phase;
    if (phase.status === 'failed') {
      refuseQuestion(this.#context, question, phase.code, phase.detail);
      return;
    }
    if (phase.status === 'running' && phase.ready) {
      const { application, runner } = phase;
      answerQuestion(
        {
          application,
          calls: this.#calls,
          times: this.#times,
          context: this.#context,
          report: this.#options.report,
          knows: (hash) => runner.knows(hash),
          height: runner.executed.height,
        },
        question,
      );
      return;
    }
    if (this.#held.length < HELD_MAX) this.#held.push(question);
    else {
      const detail = `${HELD_MAX} requests wait for the application to start`;
      refuseQuestion(this.#context, question, 'APPLICATION_FAILED', detail);
    }
  }

  /** EX-5: a state, told to everybody, from which the executor starts over after a pause. */
  #fail(code: FailureCode, detail: string): void {
    if (this.#phase.status === 'failed' || this.#phase.status === 'closed') return;
    this.#phase = { status: 'failed', code, detail };
    this.#life += 1;
    this.#calls.abandon();
    this.#snapshots?.lose(detail);
    this.#ending.abort();
    const failed: ExecutionReply = { type: 'execution.failed', tag: 0, code, detail };
    this.#options.report?.({ status: 'failed', code, detail });
    for (const listener of this.#options.listeners) this.#context.tell(listener, failed);
    for (const question of this.#held.splice(0)) refuseQuestion(this.#context, question, code, detail);
    const { retryMin, retryMax } = this.#times;
    const pause = Math.min(retryMax, retryMin * 2 ** this.#failures);
    this.#failures += 1;
    const retry = () => {
      if (this.#phase.status === 'failed') this.#context.startTimer('start', pause, { type: 'start.due' });
    };
    // Two lives of one application never overlap: what hangs must end first.
    const hanging = this.#calls.hanging();
    if (hanging === undefined) retry();
    else hanging.then(retry, retry);
  }

  /** Of this life: what comes of it later concerns nobody. */
  #call<Value>({ done, ...call }: Omit<Call<Value>, 'failed'>): void {
    const life = this.#life;
    const mine = () => life === this.#life && this.#phase.status !== 'closed';
    this.#calls.hold({
      ...call,
      done: (value) => (mine() ? done(value) : undefined),
      failed: (detail) => (mine() ? this.#fail('APPLICATION_FAILED', detail) : undefined),
    });
  }

  #isRecovering(tag: number): boolean {
    return this.#phase.status === 'recovering' && this.#phase.tag === tag;
  }

  #nextTag(): number {
    this.#tag += 1;
    return this.#tag;
  }
}
