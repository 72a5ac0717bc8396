/**
 * Hears what the store refused: writes it to the log, and ends the node when the device failed. Boundary: the log.
 * What a failed sync left behind is trusted again only after a start, which syncs what it finds (ADR 0003, docs/storage.md).
 */
import type { NodeLog } from '../observe/log.ts';
import type { StorageFailure } from '../storage/storage-actor.ts';

type Log = Pick<ReturnType<NodeLog['of']>, 'warn' | 'error'>;

/** A refused request may come again as fast as peers ask: one line in so long. @unit ms */
const REPEATED_PAUSE_MS = 1_000;

const REMEDIES = {
  FULL: 'make room on that disk, then start the node again',
  IO: 'check that disk, then start the node again',
} as const;

export class StorageWatch {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #deviceFailed: (detail: string) => void;
  #warnedAt = Number.NEGATIVE_INFINITY;

  /** `now`: any clock, in ms. `deviceFailed` is told in words; it ends the node. */
  constructor(log: Log, now: () => number, deviceFailed: (detail: string) => void) {
    this.#log = log;
    this.#now = now;
    this.#deviceFailed = deviceFailed;
  }

  report({ code, request, detail }: StorageFailure): void {
    if (code === 'FULL' || code === 'IO') {
      this.#log.error({ code, request, detail }, 'the device failed');
      this.#deviceFailed(`${detail}: ${REMEDIES[code]}; nothing was signed or told that is not on the disk`);
      return;
    }
    if (this.#now() - this.#warnedAt < REPEATED_PAUSE_MS) return;
    this.#warnedAt = this.#now();
    this.#log.warn({ code, request, detail }, 'the store refused a request');
  }
}
