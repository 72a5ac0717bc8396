/** Memory, processor time and event-loop lag of the validators, read from their `/metrics`; and of this process. Boundary. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** One look at a process. */
export interface Reading {
  readonly rssBytes: number;
  /** User and system time since its start. @unit s */
  readonly cpuSeconds: number;
  /** Since the reading before. @unit ms */
  readonly lagMsP50: number;
  readonly lagMsP99: number;
  readonly lagMsMax: number;
}

/** A process over a time: highest memory, processor time used, worst lags. */
export interface ProcessUse {
  readonly rssBytesMax: number;
  readonly cpuSeconds: number;
  /** Median of the readings' medians, and of their 99th percentiles. @unit ms */
  readonly lagMsP50: number;
  readonly lagMsP99: number;
  readonly lagMsMax: number;
}

/** The delay histogram of Node counts its own interval as delay. @unit ms @source prom-client's resolution */
const LAG_RESOLUTION = 10;
/** @unit ms */
const READ_TIMEOUT = 5_000;

/** Undefined when the validator does not answer in time. */
export async function readValidator(rpcAddress: string): Promise<Reading | undefined> {
  try {
    const signal = AbortSignal.timeout(READ_TIMEOUT);
    const response = await fetch(`http://${rpcAddress}/metrics`, { signal });
    return readingOf(await response.text());
  } catch {
    return undefined;
  }
}

/** The reading in a Prometheus text. Exported for tests. */
export function readingOf(text: string): Reading {
  const value = (name: string): number => {
    const match = new RegExp(`^${name}(?:\\{[^}]*\\})? ([^ \\n]+)`, 'm').exec(text);
    return match === null ? Number.NaN : Number(match[1]);
  };
  const lag = (name: string): number =>
    Math.max(0, value(`nodejs_eventloop_lag_${name}_seconds`) * 1_000 - LAG_RESOLUTION);
  return {
    rssBytes: value('process_resident_memory_bytes'),
    cpuSeconds: value('process_cpu_seconds_total'),
    lagMsP50: lag('p50'),
    lagMsP99: lag('p99'),
    lagMsMax: lag('max'),
  };
}

/** Undefined with fewer than two readings. */
export function useOf(readings: readonly Reading[]): ProcessUse | undefined {
  const [first] = readings;
  const last = readings.at(-1);
  if (first === undefined || last === undefined || readings.length < 2) return undefined;
  // The first reading's lags are of the time before.
  const during = readings.slice(1);
  const middle = (values: readonly number[]): number =>
    values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0;
  return {
    rssBytesMax: Math.max(...readings.map(({ rssBytes }) => rssBytes)),
    cpuSeconds: last.cpuSeconds - first.cpuSeconds,
    lagMsP50: middle(during.map(({ lagMsP50 }) => lagMsP50)),
    lagMsP99: middle(during.map(({ lagMsP99 }) => lagMsP99)),
    lagMsMax: Math.max(...during.map(({ lagMsMax }) => lagMsMax)),
  };
}

/** The same of this process: the load generator. */
export function watchSelf(): { readonly read: () => Reading; readonly stop: () => void } {
  const delay = monitorEventLoopDelay({ resolution: LAG_RESOLUTION });
  delay.enable();
  const lag = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - LAG_RESOLUTION);
  return {
    read: () => {
      const { user, system } = process.cpuUsage();
      const reading = {
        rssBytes: process.memoryUsage.rss(),
        cpuSeconds: (user + system) / 1e6,
        lagMsP50: lag(delay.percentile(50)),
        lagMsP99: lag(delay.percentile(99)),
        lagMsMax: lag(delay.max),
      };
      delay.reset();
      return reading;
    },
    stop: () => void delay.disable(),
  };
}
