/**
 * One measurement from start to end: validators up, finality at light load, throughput with probes in it, the pending
 * rest, a check that what was admitted is in the chain, validators down. Boundary.
 */
import { createHash } from 'node:crypto';
import { loadavg } from 'node:os';
import { z } from 'zod';
import { EXIT_CODES } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import type { LaunchOptions } from '../local-network/validator-process.ts';
import { pause } from '../pause.ts';
import { callRpc } from '../rpc-client.ts';
import { Connection } from './connection.ts';
import { type FinalityMeasured, measureFinality } from './finality.ts';
import { LoadTally, runLoad } from './load.ts';
import { OpenLoop, Saturation } from './pace.ts';
import { transactionOf } from './payload.ts';
import { type Reading, readValidator, useOf, watchSelf } from './readings.ts';
import type { BenchOptions, BenchRun, Finality, Throughput, Verification } from './result.ts';
import { summarise } from './statistics.ts';
import { type BenchValidators, startBenchValidators } from './validators.ts';

/** What a run tells beside its figures. */
export interface RunHooks {
  readonly signal: AbortSignal;
  readonly note: (line: string) => void;
  /** The time of the throughput measurement, in the system's monotonic clock. @unit µs */
  readonly measured: (from: number, to: number) => void;
}

/** Limits of the node that protect it from a single client, which the generator is; above them `options.settings`. */
export const BENCH_SETTINGS: readonly string[] = [
  'rpc.requests_per_second=10000000',
  'rpc.requests_burst=10000000',
  'rpc.batch_requests_max=10000',
  'rpc.body_bytes_max=67108864',
  'mempool.client_transactions_per_second=100000000',
  'mempool.client_transactions_burst=100000000',
];

/** Before the measured time, at the same load: V8 compiles, batches and windows fill. @unit s */
const WARM_UP_MAX = 5;
/** @unit s @source enough samples of 20/s for a 99th percentile */
const LIGHT_MAX = 30;
/** Between two looks at a validator; a look is a scrape of its metrics. @unit ms */
const READ_INTERVAL = 1_000;
/** For what is pending after the load. @unit ms */
const DRAIN_TIMEOUT = 30_000;
const SAMPLES_MAX = 50;
/** For all look-ups of samples together. @unit ms */
const LOOK_UP_TIMEOUT = 10_000;
/** First numbers of transactions: those of load begin at 0. */
const LIGHT_NUMBERS = 9e11;
const PROBE_NUMBERS = 9.1e11;

/** Throws CommandFailure when a validator ends, or when it is interrupted. */
export async function runBench(
  options: BenchOptions,
  nodeFlags: readonly string[],
  hooks: RunHooks,
): Promise<BenchRun> {
  const launch: LaunchOptions = { nodeFlags, settings: [...BENCH_SETTINGS, ...options.settings] };
  hooks.note(`starting ${options.validators} validators …`);
  const validators = await startBenchValidators(options.directory, options.validators, launch);
  const ending = new AbortController();
  const signal = AbortSignal.any([hooks.signal, ending.signal]);
  const loads = validators.rpcAddresses.map((address) => new Connection(address, options.lanes));
  const probes = validators.rpcAddresses.map((address) => new Connection(address, Number.POSITIVE_INFINITY));
  try {
    const measuring = measure(options, validators, loads, probes, { ...hooks, signal });
    const run = await Promise.race([measuring, validators.failed, interrupted(hooks.signal)]);
    return run;
  } finally {
    ending.abort();
    for (const connection of [...loads, ...probes]) connection.close();
    await validators.stop();
    validators.remove();
  }
}

async function measure(
  options: BenchOptions,
  validators: BenchValidators,
  loads: readonly Connection[],
  probes: readonly Connection[],
  hooks: RunHooks,
): Promise<BenchRun> {
  const { seconds, finalityRate: rate } = options;
  const { signal, note } = hooks;
  const lightSeconds = Math.min(seconds, LIGHT_MAX);
  note(`finality at ${rate} transactions/s for ${lightSeconds} s …`);
  const light = await measureFinality({
    connections: probes,
    rate,
    durationMs: lightSeconds * 1_000,
    firstNumber: LIGHT_NUMBERS,
    signal,
  });
  const before = validators.commits.transactions;
  const tally = new LoadTally();
  const stopLoad = new AbortController();
  const loading = load(options, validators, loads, tally, AbortSignal.any([signal, stopLoad.signal]));
  const warmUp = Math.min(WARM_UP_MAX, seconds / 2);
  note(
    `throughput at ${options.rate === 'max' ? 'saturation' : `${options.rate}/s`}: ${warmUp} s to warm up, then ${seconds} s …`,
  );
  await pause(warmUp * 1_000, signal);
  const readings = watch(validators.rpcAddresses);
  const measured = await measureThroughput(options, validators, probes, signal, hooks, () => {
    stopLoad.abort();
    return readings.stop();
  });
  const { used } = measured;
  await loading;
  note('waiting for what is pending …');
  const verification = await verify(validators, before, measured.probe, tally, signal);
  const committedMeasured = Math.max(1, measured.committed.committed);
  const cpuOf = (uses: readonly ({ readonly cpuSeconds: number } | undefined)[]): number =>
    uses.reduce((sum, use) => sum + (use?.cpuSeconds ?? Number.NaN), 0);
  return {
    throughput: { ...measured.committed, ...sentOf(tally), finality: finalityOf(rate, measured.probe) },
    light: finalityOf(rate, light),
    validators: used.validators,
    generator: used.generator,
    cpu_us_per_transaction: {
      validators: (cpuOf(used.validators) * 1e6) / committedMeasured,
      generator: (cpuOf([used.generator]) * 1e6) / committedMeasured,
    },
    verification,
    load_average: loadavg()[0] ?? 0,
  };
}

function load(
  { rate, batch, lanes, window }: BenchOptions,
  { commits }: BenchValidators,
  connections: readonly Connection[],
  tally: LoadTally,
  signal: AbortSignal,
): Promise<void> {
  const before = commits.transactions;
  const settled = (): number => commits.transactions - before + tally.refused + tally.unknown;
  const pace = rate === 'max' ? new Saturation(window, settled) : new OpenLoop(rate, performance.now());
  return runLoad({ connections, lanesPerValidator: lanes, batchMax: batch, pace, tally, signal });
}

type Committed = Omit<Throughput, keyof ReturnType<typeof sentOf> | 'finality'>;

async function measureThroughput(
  { seconds, finalityRate: rate }: BenchOptions,
  { commits }: BenchValidators,
  connections: readonly Connection[],
  signal: AbortSignal,
  { measured }: RunHooks,
  endLoad: () => Promise<Used>,
): Promise<{ readonly committed: Committed; readonly probe: FinalityMeasured; readonly used: Used }> {
  const from = performance.now();
  const fromSystem = monotonicMicroseconds();
  const probing = measureFinality({
    connections,
    rate,
    durationMs: seconds * 1_000,
    firstNumber: PROBE_NUMBERS,
    signal,
  });
  await pause(seconds * 1_000, signal);
  const to = performance.now();
  measured(fromSystem, monotonicMicroseconds());
  // Before the last probes are answered, which may take seconds: processor time is of the time whose commits count.
  const used = await endLoad();
  const probe = await probing;
  const blocks = commits.between(from, to);
  const committed = blocks.reduce((sum, { transactions }) => sum + transactions, 0);
  const took = (to - from) / 1_000;
  const filled = blocks.filter(({ transactions }) => transactions > 0).length;
  return {
    probe,
    used,
    committed: {
      seconds: took,
      committed,
      committed_per_second: committed / took,
      blocks: blocks.length,
      blocks_per_second: blocks.length / took,
      transactions_per_block: filled === 0 ? 0 : committed / filled,
      failed_rounds: countedBy(commits.failedBetween(from, to).map(({ reason }) => reason)),
    },
  };
}

const countedBy = (names: readonly string[]): Readonly<Record<string, number>> =>
  Object.fromEntries(
    [...new Set(names)].map((name) => [name, names.filter((other) => other === name).length]),
  );

const sentOf = (
  tally: LoadTally,
): Pick<Throughput, 'sent' | 'admitted' | 'refused' | 'unknown' | 'refusals' | 'admission_ms'> => ({
  sent: tally.sent,
  admitted: tally.admitted,
  refused: tally.refused,
  unknown: tally.unknown,
  refusals: Object.fromEntries(tally.reasons),
  admission_ms: summarise(tally.admissionLatencies),
});

const finalityOf = (rate: number, { latencies, failed, failure }: FinalityMeasured): Finality => ({
  rate,
  latency_ms: summarise(latencies),
  failed,
  failure,
});

const TX_FOUND = z.object({ hash: z.string(), height: z.string() });

/** Waits until all that was admitted is in blocks, then looks some of it up by hash. */
async function verify(
  { commits, rpcAddresses }: BenchValidators,
  before: number,
  probe: FinalityMeasured,
  tally: LoadTally,
  signal: AbortSignal,
): Promise<Verification> {
  const admitted = tally.admitted + probe.latencies.length;
  const until = performance.now() + DRAIN_TIMEOUT;
  while (commits.transactions - before < admitted && performance.now() < until) await pause(50, signal);
  const step = Math.max(1, Math.floor(tally.samples.length / SAMPLES_MAX));
  const numbers = tally.samples.filter((_, index) => index % step === 0).slice(0, SAMPLES_MAX);
  const looked = numbers.map((number, index) => isInChain(rpcAddresses[index % rpcAddresses.length], number));
  const late = pause(LOOK_UP_TIMEOUT, signal).then(() => false);
  const found = await Promise.all(looked.map((look) => Promise.race([look, late])));
  return {
    admitted,
    committed: commits.transactions - before,
    sampled: numbers.length,
    found: found.filter(Boolean).length,
  };
}

async function isInChain(rpcAddress: string | undefined, number: number): Promise<boolean> {
  const hash = createHash('sha256').update(transactionOf(number)).digest('base64');
  const target = { url: `http://${rpcAddress}`, token: undefined };
  return callRpc(target, 'tx', { hash }, TX_FOUND).then(
    () => true,
    () => false,
  );
}

interface Used {
  readonly validators: BenchRun['validators'];
  readonly generator: BenchRun['generator'];
}

/** Looks at all processes at once and then every second, until stopped. */
function watch(rpcAddresses: readonly string[]): { readonly stop: () => Promise<Used> } {
  const self = watchSelf();
  const own: Reading[] = [];
  const others = rpcAddresses.map((): Reading[] => []);
  let looking: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    own.push(self.read());
    const read = await Promise.all(rpcAddresses.map(readValidator));
    for (const [index, reading] of read.entries()) if (reading !== undefined) others[index]?.push(reading);
  };
  const next = (): void => {
    looking = looking.then(look);
  };
  next();
  const timer = setInterval(next, READ_INTERVAL);
  return {
    stop: async () => {
      clearInterval(timer);
      next();
      await looking;
      self.stop();
      return { validators: others.map(useOf), generator: useOf(own) };
    },
  };
}

const monotonicMicroseconds = (): number => Number(process.hrtime.bigint() / 1_000n);

function interrupted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const refuse = (): void =>
      reject(new CommandFailure('interrupted: nothing was measured', EXIT_CODES.interrupted));
    if (signal.aborted) refuse();
    signal.addEventListener('abort', refuse, { once: true });
  });
}
