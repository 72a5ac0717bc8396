/**
 * Hears how execution stands: keeps why it failed for `/readyz`, and writes it to the log. Boundary: the log.
 * Told directly, not by message: the application fails before the cell of the RPC is there.
 */
import type { ExecutionStanding } from '../application/executor-options.ts';
import type { NodeLog } from '../observe/log.ts';

type Log = Pick<ReturnType<NodeLog['of']>, 'info' | 'warn' | 'error'>;

/** Checks and queries without an answer come as fast as clients ask: one line in so long. @unit ms */
const UNANSWERED_PAUSE_MS = 1_000;

export class ExecutionWatch {
  readonly #log: Log;
  readonly #now: () => number;
  #failure: string | undefined;
  #unansweredAt = Number.NEGATIVE_INFINITY;
  #unansweredSince = 0;

  /** `now`: any clock. @unit ms */
  constructor(log: Log, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  /** Why blocks are not executed; undefined while they are. */
  get failure(): string | undefined {
    return this.#failure;
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

  #unanswered(detail: string): void {
    this.#unansweredSince += 1;
    if (this.#now() - this.#unansweredAt < UNANSWERED_PAUSE_MS) return;
    this.#log.warn({ detail, count: this.#unansweredSince }, 'the application did not answer');
    this.#unansweredAt = this.#now();
    this.#unansweredSince = 0;
  }
}
