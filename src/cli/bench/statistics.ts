/** What a list of measured numbers says: percentiles, medians, spreads. Pure. */

/** Of one run's latencies. @unit ms */
export interface LatencySummary {
  readonly samples: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** Of one figure over several runs, in the figure's own unit. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/**
 * The smallest value that at least `share` (0 to 1) of the values do not exceed: nearest rank, so always a value that
 * was measured. `sorted` ascends. Undefined when it is empty.
 */
export function percentile(sorted: readonly number[], share: number): number | undefined {
  const rank = Math.max(1, Math.ceil(Math.min(1, share) * sorted.length));
  return sorted[rank - 1];
}

/** Undefined when nothing was measured. */
export function summarise(latencies: readonly number[]): LatencySummary | undefined {
  const sorted = latencies.toSorted((left, right) => left - right);
  const max = sorted.at(-1);
  if (max === undefined) return undefined;
  const at = (share: number): number => percentile(sorted, share) ?? max;
  return { samples: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max };
}

/** Undefined when there is no value. The median of an even number of values is the mean of the middle two. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = values.toSorted((left, right) => left - right);
  const [min] = sorted;
  const max = sorted.at(-1);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (min === undefined || max === undefined || upper === undefined || lower === undefined) return undefined;
  return { median: (lower + upper) / 2, min, max };
}
