/**
 * Operations through the client, to a local network of real processes: how each ended, how long that took, and that all
 * validators agree on it. Run: npm run bench -- operations [--count=10000] [--pending=2000] [--kill]. `--kill`: a validator
 * is killed with kill -9 when half are submitted, and comes back before all is compared.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Outcome } from '../src/client/index.ts';
import { executionsOf } from '../test/cluster/support/executions.ts';
import { eventually } from '../test/cluster/support/local-network.ts';
import { Validators } from '../test/cluster/support/validators.ts';
import { numberOf } from './flags.ts';

const count = numberOf('count', 10_000);
const pendingMax = numberOf('pending', 2_000);
const kills = process.argv.includes('--kill');
const VALIDATORS = [0, 1, 2, 3];
const VICTIM = 1;
/** A validator that was away has caught up within. @unit ms */
const RETURN_MS_MAX = 120_000;

const validators = await Validators.create();
const { network } = validators;
const urlOf = (index: number): string => `http://${network.rpcOf(index)}`;
const client = connect({ endpoints: VALIDATORS.map(urlOf), pendingMax });
try {
  for (const index of VALIDATORS) validators.start(index);
  await eventually('all validators commit', 60_000, async () => {
    const heights = await Promise.all(VALIDATORS.map((index) => network.height(index)));
    return heights.every((height) => (height ?? 0) > 1) ? true : undefined;
  });
  const { outcomes, latencies, repeated, seconds } = await run();
  const counted = Object.groupBy([...outcomes.values()], ({ status }) => status);
  const tell = (status: Outcome['status']): string => `${counted[status]?.length ?? 0} ${status}`;
  console.log(
    `${count} operations${kills ? ', one of four validators killed in the middle' : ''}: ` +
      `${tell('committed')}, ${tell('expired')}, ${tell('rejected')}, ${count - outcomes.size} without an end, ` +
      `${repeated} with two; in ${seconds.toFixed(1)} s (${Math.round(count / seconds)} a second, ${pendingMax} pending at most)`,
  );
  const percentile = (share: number): number =>
    Math.round(latencies[Math.ceil(share * latencies.length) - 1] ?? 0);
  console.log(
    `from submit to the end: ${[0.5, 0.9, 0.99, 1].map((share) => `p${share * 100} ${percentile(share)} ms`).join(', ')}`,
  );
  if (!validators.runs(VICTIM)) validators.start(VICTIM);
  await verify(outcomes);
  if (outcomes.size < count || repeated > 0) process.exitCode = 1;
} finally {
  client.close();
  await validators.remove();
}

async function run() {
  const outcomes = new Map<string, Outcome>();
  const latencies: number[] = [];
  let repeated = 0;
  const ends: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let sequence = 0; sequence < count; sequence += 1) {
    const operation = await client.submit(`operation${sequence}=${sequence}`);
    const submittedAt = performance.now();
    ends.push(
      operation.outcome.then((outcome) => {
        if (outcomes.has(operation.id)) repeated += 1;
        outcomes.set(operation.id, outcome);
        latencies.push(performance.now() - submittedAt);
      }),
    );
    // A program that does nothing but submit lets no answer in.
    if (sequence % 100 === 99) await sleep(0);
    if (kills && sequence === Math.floor(count / 2)) void validators.kill(VICTIM);
  }
  await Promise.all(ends);
  latencies.sort((left, right) => left - right);
  return { outcomes, latencies, repeated, seconds: (performance.now() - startedAt) / 1_000 };
}

/** What is committed is so at one and the same place on every validator, and nothing else of it is executed anywhere. */
async function verify(outcomes: ReadonlyMap<string, Outcome>): Promise<void> {
  const top = Math.max(
    ...[...outcomes.values()].map((outcome) => ('height' in outcome ? outcome.height : 0)),
  );
  for (const index of VALIDATORS) {
    await eventually(`validator ${index} executes height ${top}`, RETURN_MS_MAX, async () =>
      ((await network.height(index)) ?? 0) > top ? true : undefined,
    );
    const found = await executionsOf(urlOf(index), top);
    const wrong = [...outcomes].filter(([id, outcome]) => {
      const expected = outcome.status === 'committed' ? `${outcome.height}/${outcome.index}` : '';
      return (found.get(id) ?? []).join(' ') !== expected;
    });
    console.log(
      `validator ${index}: ${outcomes.size - wrong.length} of ${outcomes.size} as told, ${wrong.length} otherwise`,
    );
    if (wrong.length > 0) process.exitCode = 1;
  }
}
