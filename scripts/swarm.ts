/** `npm run swarm -- FROM TO`: the cluster under drawn faults, one line for each violation, then a summary. */
import { runSwarm } from '../src/simulation/swarm.ts';

const [from = 1, to = 100] = process.argv.slice(2).map(Number);
if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from < 0 || to < from) {
  console.error('usage: npm run swarm -- FROM TO (whole numbers, FROM <= TO)');
  process.exit(2);
}
const started = performance.now();
const faults = new Map<string, number>();
let [violations, blocks, virtualMs, admitted] = [0, 0, 0, 0];
for (let seed = from; seed <= to; seed += 1) {
  const report = runSwarm({ seed });
  for (const { claim, detail } of report.violations.slice(0, 3))
    console.log(`seed ${seed}: ${claim}: ${detail}`);
  if (report.violations.length > 0) violations += 1;
  for (const [fault, count] of Object.entries(report.faults))
    faults.set(fault, (faults.get(fault) ?? 0) + count);
  blocks += report.height;
  virtualMs += report.virtualMs;
  admitted += report.admitted;
}
const seconds = (performance.now() - started) / 1_000;
console.log([...faults].map(([fault, count]) => `${fault} ${count}`).join(', '));
console.log(
  `${to - from + 1} seeds, ${violations} with violations, ${blocks} blocks, ${admitted} submissions answered, ` +
    `${(virtualMs / 3_600_000).toFixed(2)} virtual hours in ${seconds.toFixed(0)} s (${(virtualMs / 1_000 / seconds).toFixed(0)} × real time)`,
);
process.exitCode = violations > 0 ? 1 : 0;
