/**
 * Tells the operator's log how the node catches up, while that takes long; alerts come by the alarm. Boundary: the log.
 * Rule SY-11, docs/operator-guide.md.
 */
import type { NodeLog } from '../observe/log.ts';
import type { SyncProgressReport, SyncReport } from '../rpc/sync-port.ts';

type Log = Pick<ReturnType<NodeLog['of']>, 'info'>;

/** Between two looks; what is over before the second is not told. @unit ms @source chosen */
const LOOK_INTERVAL_MS = 1_000;
/** Between two lines on the progress. @unit ms @source chosen: an hour's log is read in a minute */
const LINE_INTERVAL_MS = 10_000;

export class SyncWatch {
  readonly #log: Log;
  readonly #now: () => number;
  /** Since when something is seen in progress, and when it was told last. */
  #seen: { readonly last: SyncProgressReport; readonly toldAt: number | undefined } | undefined;

  /** `now`: any clock, in ms. */
  constructor(log: Log, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  /** One look; the returned function of `start` ends the looking. */
  look({ progress, height, health }: Pick<SyncReport, 'progress' | 'height' | 'health'>): void {
    const seen = this.#seen;
    if (progress === undefined) {
      this.#seen = undefined;
      if (seen?.toldAt !== undefined) this.#log.info({ tier: seen.last.tier, height }, `ended: ${health}`);
      return;
    }
    const now = this.#now();
    const isNew = seen === undefined || seen.last.tier !== progress.tier;
    const isDue = !isNew && (seen.toldAt === undefined || now - seen.toldAt >= LINE_INTERVAL_MS);
    if (isDue) this.#tell(progress);
    this.#seen = { last: progress, toldAt: isNew ? undefined : isDue ? now : seen.toldAt };
  }

  start(read: () => SyncReport): () => void {
    const timer = setInterval(() => this.#lookAt(read), LOOK_INTERVAL_MS);
    timer.unref();
    return () => clearInterval(timer);
  }

  #lookAt(read: () => SyncReport): void {
    let report: SyncReport;
    try {
      report = read();
    } catch {
      // A store that cannot be read says so itself, and ends the node if it must: StorageWatch.
      return;
    }
    this.look(report);
  }

  #tell({ tier, at, to, blocksPerSecond, remaining, peers, snapshot }: SyncProgressReport): void {
    if (snapshot !== undefined) {
      this.#log.info({ tier, ...snapshot, peers: peers.length }, 'restoring a snapshot of the application');
      return;
    }
    const left = remaining === undefined ? {} : { seconds_left: Math.ceil(remaining / 1_000) };
    const speed = Math.round(blocksPerSecond);
    this.#log.info(
      { tier, height: at, to, blocks_per_second: speed, ...left, peers: peers.length },
      tier === 3 ? 'downloading the whole chain' : 'catching up',
    );
  }
}
