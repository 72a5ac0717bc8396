/**
 * More than a network can commit: four validators as they are configured by default, and clients in a process of their own that offer
 * 1, 2 and 10 times the peak and wait for nothing. What commits, what is refused and how, memory, and how soon all is as before.
 * Run: npm run bench -- overload [--seconds=60] [--factors=1,2,10] [--door=operations|raw] [--peak-seconds=30] [--peak=N]
 * [--batch=100] [--clients=16] [--lanes=8] [--window=10000] [--validators=4] [--set=section.key=value] [--cpu-prof=DIR] [--write]
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '../src/cli/bench/connection.ts';
import { circumstances } from '../src/cli/bench/machine.ts';
import { readValidator } from '../src/cli/bench/readings.ts';
import { percentile } from '../src/cli/bench/statistics.ts';
import { startBenchValidators } from '../src/cli/bench/validators.ts';
import { numberOf, wordOf } from './flags.ts';
import { DOORS } from './overload/bodies.ts';
import { Clients } from './overload/clients.ts';
import { Probes } from './overload/recovery.ts';
import { circumstanceLine, type Look, reportLines, type Step } from './overload/report.ts';

const seconds = numberOf('seconds', 60);
const peakSeconds = numberOf('peak-seconds', 30);
const factors = (wordOf('factors') ?? '1,2,10').split(',').map(Number);
const door = DOORS.find((one) => one === wordOf('door')) ?? 'operations';
const profiles = wordOf('cpu-prof');
const VALIDATORS = numberOf('validators', 4);
/** Under way in the closed loop: a quarter of what four validators may hold (BR-2), so that nothing is refused. @unit operations */
const WINDOW = numberOf('window', 10_000);
/** The best of so long in a row is the peak. @unit s */
const PEAK_HOLDS = Math.min(10, peakSeconds);
/** V8 compiles, batches fill. @unit s */
const WARM_UP = Math.min(10, peakSeconds);
const IDLE_SECONDS = Math.min(15, seconds);
/** Until all that was accepted is committed. @unit ms */
const DRAIN_MAX = 120_000;
const RESULTS = new URL('./results/overload.md', import.meta.url);

const at = circumstances(tmpdir());
const validators = await startBenchValidators(tmpdir(), VALIDATORS, {
  nodeFlags: profiles === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profiles],
  settings: process.argv.flatMap((one) => (one.startsWith('--set=') ? [one.slice(6)] : [])),
});
const clients = new Clients(validators.commits, {
  addresses: [...validators.rpcAddresses],
  door,
  clients: numberOf('clients', 16),
  lanes: numberOf('lanes', 8),
  batch: numberOf('batch', 100),
});
const probes = new Probes(
  validators.rpcAddresses.map((address) => new Connection(address, Number.POSITIVE_INFINITY)),
);
try {
  const peak = await Promise.race([findPeak(), validators.failed]);
  await drained();
  const idle = await probes.measure(IDLE_SECONDS * 1_000);
  const idleMedian = percentile(idle, 0.5) ?? Number.POSITIVE_INFINITY;
  console.log(`peak ${Math.round(peak)}/s, idle p50 ${Math.round(idleMedian)} ms`);
  const steps: Step[] = [];
  for (const factor of factors) {
    console.log(`${factor} times the peak for ${seconds} s …`);
    steps.push(await Promise.race([overload(factor, peak, idleMedian), validators.failed]));
  }
  const lines = reportLines({ door, peak, peakSeconds: PEAK_HOLDS, idleMedian, steps });
  console.log(`${circumstanceLine(at)}\n${lines.join('\n')}`);
  if (process.argv.includes('--write')) {
    writeFileSync(RESULTS, `# Overload\n\n${circumstanceLine(at)}\n\n${lines.join('\n')}\n`);
  }
  if (steps.some(({ sent, judged }) => sent.unanswered + judged.missing + judged.repeated > 0))
    process.exitCode = 1;
} finally {
  clients.close();
  await validators.stop();
  validators.remove();
}

/** A closed loop; the best PEAK_HOLDS seconds in a row. @unit operations/s */
async function findPeak(): Promise<number> {
  const given = wordOf('peak');
  const from = performance.now() + WARM_UP * 1_000;
  await clients.run({ kind: 'closed', window: WINDOW }, WARM_UP + peakSeconds);
  const to = from + peakSeconds * 1_000;
  let best = 0;
  for (let start = from; start + PEAK_HOLDS * 1_000 <= to; start += 1_000) {
    best = Math.max(best, operationsBetween(start, start + PEAK_HOLDS * 1_000) / PEAK_HOLDS);
  }
  return given === undefined ? best : Number(given);
}

async function overload(factor: number, peak: number, idleMedian: number): Promise<Step> {
  const from = performance.now();
  const heightBefore = validators.commits.height;
  const watching = watch();
  const [sent, recovery] = await Promise.all([
    clients.run({ kind: 'open', rate: factor * peak }, seconds),
    sleep(seconds * 1_000).then(() => probes.recover(idleMedian)),
  ]);
  const to = from + seconds * 1_000;
  const looks = await watching.stop(to);
  await drained();
  const blocks = validators.commits
    .between(from, Number.POSITIVE_INFINITY)
    .filter(({ height }) => height > heightBefore)
    .map(({ height, at: told }) => ({ height, at: performance.timeOrigin + told }));
  const judged = await clients.judge(blocks);
  return {
    factor,
    sent,
    judged,
    committedPerSecond: operationsBetween(from, to) / seconds,
    failedRounds: validators.commits.failedBetween(from, to).length,
    looks,
    recovery,
  };
}

function operationsBetween(from: number, to: number): number {
  return validators.commits.between(from, to).reduce((sum, { transactions }) => sum + transactions, 0);
}

/** Nothing is committed any more, since nothing is pending. */
async function drained(): Promise<void> {
  const until = performance.now() + DRAIN_MAX;
  for (let before = -1; before !== validators.commits.transactions && performance.now() < until; ) {
    before = validators.commits.transactions;
    await sleep(3_000);
  }
}

/** Each validator once a second, from now on. */
function watch(): { readonly stop: (to: number) => Promise<readonly (readonly Look[])[]> } {
  const stopping = new AbortController();
  const all = validators.rpcAddresses.map(async (address) => {
    const looks: Look[] = [];
    while (!stopping.signal.aborted) {
      const [reading] = await Promise.all([readValidator(address), sleep(1_000)]);
      if (reading !== undefined) looks.push({ ...reading, at: performance.now() });
    }
    return looks;
  });
  return {
    async stop(to) {
      stopping.abort();
      return (await Promise.all(all)).map((looks) => looks.filter(({ at: seen }) => seen <= to));
    },
  };
}
