/**
 * The journal: what recording adds to a simulated network of four, what an entry takes on the disk, how fast a replay is that compares every
 * digest, how long a seek takes. Recorded and unrecorded runs take turns; figures are of processor time (RP-3, RP-4).
 * Run: npm run bench -- journal
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runsIn } from '../src/record/run-folder.ts';
import { entriesOf, isFlaw, RunReader } from '../src/record/run-reader.ts';
import { Player } from '../src/replay/player.ts';
import { REPLAYED_BY } from '../src/replay/replayed-by.ts';
import { WaypointsByRun } from '../src/replay/waypoints.ts';
import { Cluster } from '../src/simulation/cluster.ts';

const PAIRS = 5;
/** Of virtual time, with a hundred transactions each. */
const SECONDS = 30;
const SEEKS = 200;

/** @unit ms of this process's processor time */
function timed(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

function simulate(recordTo?: string): void {
  const cluster = new Cluster({ seed: 'journal', ...(recordTo === undefined ? {} : { recordTo }) });
  for (let step = 0; step < SECONDS * 10; step += 1) {
    const transactions = Array.from({ length: 10 }, (_, index) => `key${step}-${index}=${'v'.repeat(200)}`);
    cluster.submit(step % 4, ...transactions);
    cluster.advance(100);
  }
  cluster.finish();
}

const median = (values: readonly number[]): number =>
  [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0;
const fixed = (value: number, digits = 1): string => value.toFixed(digits);

const dir = mkdtempSync(join(tmpdir(), 'althing-bench-journal-'));
const [off, on]: [number[], number[]] = [[], []];
for (let pair = 0; pair <= PAIRS; pair += 1) {
  const without = timed(() => simulate());
  rmSync(dir, { recursive: true, force: true });
  const recorded = timed(() => simulate(dir));
  // The first pair warms up.
  if (pair === 0) continue;
  off.push(without);
  on.push(recorded);
}
const shares = on.map((value, index) => (100 * value) / (off[index] ?? value) - 100);
console.log(
  `recording: ${fixed(median(shares))} % more processor time (${shares.map((share) => fixed(share)).join(', ')})`,
);

const runs = runsIn(dir);
for (const path of runs) {
  const run = new RunReader(path);
  let entries = 0;
  const reading = timed(() => {
    for (const stretch of run.stretches)
      for (const block of stretch.entries) {
        const read = entriesOf(block);
        if (!isFlaw(read)) entries += read.length;
      }
  });
  const player = new Player(run, REPLAYED_BY);
  const took = timed(() => player.finish());
  const { processed } = player.system.counters();
  const words = [
    `${entries} entries, ${run.bytes} bytes: ${fixed(run.bytes / entries, 0)} bytes and ${fixed((1_000 * reading) / entries)} µs to read each`,
    `replay ${fixed(took, 0)} ms: ${fixed((1_000 * processed) / took, 0)} messages/s of a processor, ${fixed((1_000 * player.turn) / took, 0)} turns/s`,
    player.divergence() === undefined ? '0 divergences' : 'DIVERGED',
  ];
  console.log(`${run.opening.node.moniker}: ${words.join('; ')}`);
  run.close();
}

const [first = ''] = runs;
const run = new RunReader(first);
const player = new Player(run, { ...REPLAYED_BY, waypoints: new WaypointsByRun() });
player.finish();
const last = player.turn;
const seeks: number[] = [];
for (let seek = 0; seek < SEEKS; seek += 1) {
  const turn = (seek * 7_919) % last;
  const begun = performance.now();
  player.seek(turn);
  seeks.push(performance.now() - begun);
}
seeks.sort((left, right) => left - right);
const at = (share: number): string => fixed(seeks[Math.floor(share * (seeks.length - 1))] ?? 0);
console.log(`${SEEKS} seeks over ${last} turns: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, greatest ${at(1)} ms`);
run.close();
rmSync(dir, { recursive: true });
