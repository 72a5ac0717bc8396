/**
 * Hears how execution stands: keeps why it failed for `/readyz`, and writes it to the log. Boundary: the log.
 * Told directly, not by message: the application fails before the cell of the RPC is there.
 */
import type { ExecutionStanding } from '../application/executor-options.ts';
import type { NodeLog } from '../observe/log.ts';

type Log = Pick<ReturnType<NodeLog['of']>, 'info' | 'warn' | 'error'>;

/** Checks and queries without an answer come as fast as clients ask: one line in so long. @unit ms */
const UNANSWERED_PAUSE_MS = 1_000;
/** Blocks that wait for one answer longer are not executed, for whoever asks. @unit ms @source the time of a check, EXECUTOR_TIMES */
const SILENT_MS = 5_000;

export class ExecutionWatch {
  readonly #log: Log;
  readonly #now: () => number;
  #failure: string | undefined;
  #unansweredAt = Number.NEGATIVE_INFINITY;
  #unansweredSince = 0;
  #call: { readonly name: string; readonly askedAt: number } | undefined;

  /** `now`: any clock. @unit ms */
  constructor(log: Log, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  /** Why blocks are not executed; undefined while they are. A silence is told long before it is given up (EX-5). */
  get failure(): string | undefined {
    return this.#failure ?? this.#silence();
  }

  /** What blocks wait for the application to answer; undefined: for nothing any more. */
  wait(name: string | undefined): void {
    this.#call = name === undefined ? undefined : { name, askedAt: this.#now() };
  }

  report(standing: ExecutionStanding): void {
    switch (standing.status) {
      case 'failed': {
        const { code, detail } = standing;
        this.#failure = `${code}: ${detail}`;
        this.#log.error({ code, detail }, 'execution failed, and is tried again');
        return;
      }
      case 'running':
        if (this.#failure !== undefined) this.#log.info('execution goes on');
        this.#failure = undefined;
        return;
      case 'unanswered':
        this.#unanswered(standing.detail);
    }
  }

  #silence(): string | undefined {
    if (this.#call === undefined) return undefined;
    const waited = this.#now() - this.#call.askedAt;
    if (waited < SILENT_MS) return undefined;
    return `the application has not answered for ${Math.floor(waited / 1_000)} s (${this.#call.name})`;
  }

  #unanswered(detail: string): void {
    this.#unansweredSince += 1;
    if (this.#now() - this.#unansweredAt < UNANSWERED_PAUSE_MS) return;
    this.#log.warn({ detail, count: this.#unansweredSince }, 'the application did not answer');
    this.#unansweredAt = this.#now();
    this.#unansweredSince = 0;
  }
}
