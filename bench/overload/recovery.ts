/** Small clients beside the load: one transaction at fixed times, and when they are served as before again. Boundary: sockets, the clock. */
import type { Connection } from '../../src/cli/bench/connection.ts';
import { measureFinality } from '../../src/cli/bench/finality.ts';
import { percentile } from '../../src/cli/bench/statistics.ts';

/** @unit transactions/s */
const RATE = 20;
/** Probes of one look. @unit ms @source ten probes are a median */
const LOOK = 500;
/** Looks in a row whose medians together are judged. @unit looks */
const LOOKS = 2;
/** As before: at most so much over the idle median. */
const TOLERANCE = 1.2;
/** @unit ms @source all that validators may hold, at a tenth of the peak */
const RECOVERY_MAX = 120_000;

export interface Recovery {
  /** From the end of the load to the first probe of a second with a median as before. @unit ms; undefined: never */
  readonly after: number | undefined;
  /** Medians of each half second since the end; infinite where most were refused. @unit ms */
  readonly medians: readonly number[];
}

export class Probes {
  readonly #connections: readonly Connection[];
  #next = 9.2e11;

  constructor(connections: readonly Connection[]) {
    this.#connections = connections;
  }

  /** Latencies of a time, ascending; infinite for what was refused. @unit ms */
  async measure(durationMs: number): Promise<readonly number[]> {
    const firstNumber = this.#next;
    this.#next += Math.ceil((durationMs * RATE) / 1_000) + 1;
    const { latencies, failed } = await measureFinality({
      connections: this.#connections,
      rate: RATE,
      durationMs,
      firstNumber,
      signal: new AbortController().signal,
    });
    const refused = Array.from({ length: failed }, () => Number.POSITIVE_INFINITY);
    return [...latencies.toSorted((left, right) => left - right), ...refused];
  }

  /** From now on, until it is as before. */
  async recover(idleMedian: number): Promise<Recovery> {
    const begunAt = performance.now();
    const looks: { readonly at: number; readonly latencies: Promise<readonly number[]> }[] = [];
    const medians: number[] = [];
    let recent: readonly number[] = [];
    while (performance.now() - begunAt < RECOVERY_MAX) {
      // A look begins when its time has come, whether the one before is answered or not.
      looks.push({ at: performance.now() - begunAt, latencies: this.measure(LOOK) });
      await new Promise((resolve) => setTimeout(resolve, LOOK));
      for (let look = looks[medians.length]; look !== undefined; look = looks[medians.length]) {
        const latencies = await Promise.race([look.latencies, pending()]);
        if (latencies === undefined) break;
        medians.push(percentile(latencies, 0.5) ?? Number.POSITIVE_INFINITY);
        recent = medians.slice(-LOOKS);
        if (recent.length === LOOKS && recent.every((median) => median <= TOLERANCE * idleMedian))
          return { after: looks[medians.length - LOOKS]?.at, medians };
      }
    }
    return { after: undefined, medians };
  }
}

const pending = (): Promise<undefined> => new Promise((resolve) => setTimeout(() => resolve(undefined), 0));
