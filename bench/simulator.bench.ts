/**
 * The simulator: messages and bytes for each committed block by number of validators (an exact count, the same at every run), and
 * its speed against real time on one core. Run: node bench/simulator.bench.ts. Rule SM-7; docs/simulation.md.
 */

import type { RunPlan } from '../src/simulation/plan.ts';
import { type RunReport, runPlan } from '../src/simulation/run.ts';
import { planOf } from '../src/simulation/swarm.ts';
import { CALM } from '../src/transport/hub.ts';
import { spentSince } from './processor.ts';

/** @unit ms of virtual time */
const DURATION = 60_000;
const SIZES = [4, 16, 64, 100] as const;
const SPEED_RUNS = 5;
const SEEDS = 60;

/** Calm links, no fault, blocks once a second as configured by default. */
const calm = (validators: number, carry: RunPlan['carry'], durationMs: number): RunPlan => ({
  seed: 'bench',
  validators,
  twins: [],
  liars: [],
  clocks: [],
  lateStarts: [],
  signatures: 'keyed-hash',
  carry,
  links: CALM,
  timeouts: {},
  acts: [],
  durationMs,
  ending: { kind: 'stop' },
});

/** Processor time, whatever else the machine does. @unit s */
function timed(plans: readonly RunPlan[]): {
  readonly seconds: number;
  readonly reports: readonly RunReport[];
} {
  const start = process.cpuUsage();
  const reports = plans.map((plan) => runPlan(plan));
  return { seconds: spentSince(start) / 1_000_000, reports };
}

function speed(name: string, plans: readonly RunPlan[]): void {
  const ratios = Array.from({ length: SPEED_RUNS }, () => {
    const { seconds, reports } = timed(plans);
    return reports.reduce((sum, { virtualMs }) => sum + virtualMs, 0) / 1_000 / seconds;
  }).sort((left, right) => left - right);
  const [least = 0] = ratios;
  console.log(
    `| ${name} | ${ratios[SPEED_RUNS >> 1]?.toFixed(0)} × | ${least.toFixed(0)} to ${ratios.at(-1)?.toFixed(0)} × |`,
  );
}

console.log('| validators | messages/block | bytes/block | by kind |\n|---|---|---|---|');
for (const validators of SIZES) {
  const { reports } = timed([calm(validators, 'codec', DURATION)]);
  for (const { committedHeight, messages } of reports) {
    const kinds = Object.entries(messages.byKind).map(
      ([kind, count]) => `${kind} ${((count ?? 0) / committedHeight).toFixed(1)}`,
    );
    const [each, bytes] = [messages.links.sent / committedHeight, messages.links.bytes / committedHeight];
    console.log(
      `| ${validators} | ${each.toFixed(1)} | ${Math.round(bytes).toLocaleString('en')} | ${kinds.join(', ')} |`,
    );
  }
}

console.log('\n| virtual time ÷ processor time, n = 4 | median | spread |\n|---|---|---|');
speed('calm, a block a second', [calm(4, 'reference', 10 * DURATION)]);
speed(
  `the swarm's seeds 1 to ${SEEDS}`,
  Array.from({ length: SEEDS }, (_, index) => planOf(index + 1, { validators: 4 })),
);
