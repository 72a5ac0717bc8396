/** A benchmark's result for a reader: tables, and how far the figures can be trusted. Pure. */
import { table } from '../output.ts';
import type { ProcessUse } from './readings.ts';
import type { BenchResult, BenchRun } from './result.ts';
import { type LatencySummary, type Spread, spreadOf } from './statistics.ts';

/** Figures that are compared over runs and over time. */
const FIGURES: readonly {
  readonly key: string;
  readonly label: string;
  readonly read: (run: BenchRun) => number | undefined;
}[] = [
  {
    key: 'committed_per_second',
    label: 'committed transactions/s',
    read: ({ throughput }) => throughput.committed_per_second,
  },
  { key: 'blocks_per_second', label: 'blocks/s', read: ({ throughput }) => throughput.blocks_per_second },
  {
    key: 'transactions_per_block',
    label: 'transactions/block',
    read: ({ throughput }) => throughput.transactions_per_block,
  },
  {
    key: 'light_p50_ms',
    label: 'finality at light load, p50 ms',
    read: ({ light }) => light.latency_ms?.p50,
  },
  {
    key: 'light_p99_ms',
    label: 'finality at light load, p99 ms',
    read: ({ light }) => light.latency_ms?.p99,
  },
  {
    key: 'loaded_p50_ms',
    label: 'finality under the load, p50 ms',
    read: ({ throughput }) => throughput.finality.latency_ms?.p50,
  },
  {
    key: 'loaded_p99_ms',
    label: 'finality under the load, p99 ms',
    read: ({ throughput }) => throughput.finality.latency_ms?.p99,
  },
  {
    key: 'rss_mib_max',
    label: 'memory of the largest validator, MiB',
    read: ({ validators }) => highest(validators, ({ rssBytesMax }) => rssBytesMax / MEBIBYTE),
  },
  {
    key: 'lag_ms_p99',
    label: 'event-loop lag of the worst validator, p99 ms',
    read: ({ validators }) => highest(validators, ({ lagMsP99 }) => lagMsP99),
  },
  {
    key: 'cpu_us_per_transaction',
    label: 'processor time of all validators, µs/transaction',
    read: (run) => run.cpu_us_per_transaction.validators,
  },
];

const MEBIBYTE = 1_048_576;

/** Median, least and greatest of each figure; a figure that was not measured in any run is left out. */
export function summaryOf(runs: readonly BenchRun[]): Readonly<Record<string, Spread>> {
  return Object.fromEntries(
    FIGURES.flatMap(({ key, read }) => {
      const spread = spreadOf(runs.flatMap((run) => read(run) ?? []));
      return spread === undefined ? [] : [[key, spread]];
    }),
  );
}

export function reportLines({ circumstances, options, summary, runs }: BenchResult): readonly string[] {
  const { cpus, cpu_model, memory_bytes, load_average, durable_write_ms, commit, node, date } = circumstances;
  const write =
    durable_write_ms === undefined
      ? ''
      : `, durable write p50 ${short(durable_write_ms.p50)} p99 ${short(durable_write_ms.p99)} ms in ${options.directory}`;
  const load =
    options.rate === 'max' ? `saturating, ${options.window} under way` : `${options.rate}/s, open loop`;
  const last = runs.at(-1);
  return [
    `${options.validators} validators, transactions of ${options.transaction_bytes} bytes, ${load}; ${options.seconds} s, ${runs.length} run(s)`,
    `${cpus} × ${cpu_model}, ${Math.round(memory_bytes / 2 ** 30)} GiB, load before ${load_average.join(' ')}${write}; commit ${commit}, Node ${node}, ${date}`,
    '',
    ...table([
      ['figure', 'median', 'least', 'greatest'],
      ...FIGURES.flatMap(({ key, label }) => {
        const spread = summary[key];
        return spread === undefined ? [] : [[label, ...[spread.median, spread.min, spread.max].map(short)]];
      }),
    ]),
    ...(last === undefined ? [] : ['', 'the last run:', ...runLines(last)]),
  ];
}

function runLines(run: BenchRun): readonly string[] {
  const { throughput, light, verification, generator } = run;
  const { sent, admitted, refused, unknown, refusals, failed_rounds } = throughput;
  const failedRounds = Object.entries(failed_rounds).map(([reason, count]) => `${count} × ${reason}`);
  const reasons = Object.entries(refusals).map(([reason, count]) => `${count} × ${reason}`);
  const processes = [
    ...run.validators.map((use, index) => [`validator ${index}`, use] as const),
    ['load generator', generator] as const,
  ];
  return [
    ...table([
      ['process', 'memory MiB', 'processor s', 'lag p50 ms', 'lag p99 ms', 'lag max ms'],
      ...processes.map(([name, use]) => [name, ...useCells(use)]),
    ]),
    '',
    ...table([
      ['latency in ms', 'samples', 'p50', 'p90', 'p99', 'max'],
      ['finality, light load', ...latencyCells(light.latency_ms)],
      ['finality, this load', ...latencyCells(throughput.finality.latency_ms)],
      ['admission', ...latencyCells(throughput.admission_ms)],
    ]),
    '',
    `sent ${sent}, admitted ${admitted}, refused ${refused}, unanswered ${unknown}${reasons.length === 0 ? '' : ` (${reasons.join(', ')})`}`,
    `rounds that failed: ${failedRounds.length === 0 ? 'none' : failedRounds.join(', ')}`,
    `admitted with probes ${verification.admitted}, in blocks ${verification.committed}; ${verification.found} of ${verification.sampled} looked up were found`,
    ...[light, throughput.finality].flatMap(({ failed, failure }) =>
      failed === 0 ? [] : [`${failed} finality probes failed: ${failure}`],
    ),
  ];
}

const useCells = (use: ProcessUse | undefined): readonly string[] =>
  use === undefined
    ? ['?', '?', '?', '?', '?']
    : [use.rssBytesMax / MEBIBYTE, use.cpuSeconds, use.lagMsP50, use.lagMsP99, use.lagMsMax].map(short);

const latencyCells = (latency: LatencySummary | undefined): readonly string[] =>
  latency === undefined
    ? ['0', '-', '-', '-', '-']
    : [String(latency.samples), ...[latency.p50, latency.p90, latency.p99, latency.max].map(short)];

function highest(
  uses: readonly (ProcessUse | undefined)[],
  read: (use: ProcessUse) => number,
): number | undefined {
  const values = uses.flatMap((use) => (use === undefined ? [] : read(use)));
  return values.length === 0 ? undefined : Math.max(...values);
}

/** Three digits that count, or whole numbers. */
const short = (value: number): string =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
