/**
 * Processor time that the bridge takes for an operation, from its submission through its admission to the block that carries it:
 * the chart alone, without runtime, mempool and network. 15,000 operations a second leave it 10 µs each. Run: node
 * bench/bridge.bench.ts. Set-up is outside the loops; each line is the median of 5 runs.
 */
import { millis, monotonic } from '../src/base/units.ts';
import { bridgeMachine } from '../src/machines/bridge/bridge.machine.ts';
import { probe } from '../src/machines/vocabulary/index.ts';
import { BRIDGE_DEFAULTS } from '../src/protocol/bridge/config.ts';
import { EMPTY_DEDUPLICATOR, see } from '../src/protocol/bridge/deduplicator.ts';
import { transactionHashOf } from '../src/protocol/chain/batch.ts';
import type { Admission } from '../src/protocol/ports/mempool.ts';
import { blockExecuted, ended, operation, stateAfter } from '../test/protocol/bridge/operations-of.ts';
import { height, world } from '../test/protocol/consensus/fixture.ts';
import { spentSince } from './processor.ts';

const RUNS = 5;
const OPERATIONS = 20_000;
/** Operations of one block. */
const BLOCK = 1_000;
const place = world();

function measure(name: string, prepare: () => () => void): void {
  const micros = Array.from({ length: RUNS }, () => {
    const work = prepare();
    globalThis.gc?.();
    const start = process.cpuUsage();
    work();
    return spentSince(start) / OPERATIONS;
  }).sort((left, right) => left - right);
  const [least, median, most] = [micros[0], micros[RUNS >> 1], micros[RUNS - 1]].map((value) =>
    value?.toFixed(2),
  );
  console.log(`${name.padEnd(72)} ${median?.padStart(7)} µs/operation (${least} to ${most})`);
}

function connected(config: Partial<typeof BRIDGE_DEFAULTS> = {}) {
  const chart = probe(bridgeMachine, {
    address: 'bridge',
    now: monotonic(0),
    input: {
      config: { ...BRIDGE_DEFAULTS, maxPendingOperations: 2 * OPERATIONS, ...config },
      self: place.addressAt(0),
      validators: place.epoch.set,
      batchTtlHeights: 1_000,
      deduplicationHeights: 1_000,
      ...{
        storage: 'storage',
        mempool: 'mempool',
        executor: 'executor',
        networkSync: 'network-sync',
        router: 'router',
        alarm: 'alarm',
        roundManager: 'round-manager',
      },
      listeners: ['listener'],
    },
  });
  const genesis = { base: height(0), height: height(0), id: place.epoch.rootQC.blockId };
  chart.send({ type: 'tip.found', tag: 0, ...genesis, executed: stateAfter(0) });
  for (const index of [1, 2, 3]) chart.send({ type: 'peer.connected', peer: place.addressAt(index) });
  return chart;
}
type Chart = ReturnType<typeof connected>;

const transactions = Array.from({ length: OPERATIONS }, (_, index) =>
  operation(`${'x'.repeat(230)}${index}`, 900),
);
const admissions = transactions.map(
  (one): Admission => ({ status: 'admitted', hash: transactionHashOf(one) }),
);
const executions = transactions.map((one) => ended(one));

const submit = (chart: Chart, from: number, count: number): void => {
  chart.send({
    type: 'operations.submitted',
    ...{ replyTo: 'client', tag: from, client: 'bench' },
    transactions: transactions.slice(from, from + count),
  });
};

/** Submitted `each` at a time, judged `lag` submissions later, committed in blocks. */
function live(each: number, lag: number): void {
  const chart = connected();
  let height = 0;
  const judge = (at: number): void => {
    const from = at * each;
    chart.send({
      type: 'transactions.admitted',
      tag: at + 1,
      admissions: admissions.slice(from, from + each),
    });
    const judged = from + each;
    if (judged % BLOCK !== 0) return;
    height += 1;
    chart.send(blockExecuted(stateAfter(height), ...executions.slice(judged - BLOCK, judged)));
  };
  const submissions = OPERATIONS / each;
  for (let at = 0; at < submissions + lag; at += 1) {
    if (at < submissions) submit(chart, at * each, each);
    if (at >= lag) judge(at - lag);
  }
  const { operations, submissions: left } = chart.snapshot.context;
  if (operations.counts.committed !== OPERATIONS || left.size > 0) throw new Error('not all of them ended');
}

for (const [each, lag] of [
  [1, 1],
  [1, 100],
  [1, 4_000],
  [20, 10],
  [200, 10],
] as const) {
  measure(
    `submitted ${each} at a time, ${each * lag} on their way, to the block`,
    () => () => live(each, lag),
  );
}

measure('refused, since a partition', () => {
  const chart = connected();
  chart.send({ type: 'peer.disconnected', peer: place.addressAt(1) });
  chart.send({ type: 'peer.disconnected', peer: place.addressAt(2) });
  return () => {
    for (let at = 0; at < OPERATIONS; at += 1) submit(chart, at, 1);
  };
});

measure('queued through a partition, one at a time, and taken after it', () => {
  const chart = connected({ whenPartitioned: 'queue' });
  chart.send({ type: 'peer.disconnected', peer: place.addressAt(1) });
  chart.send({ type: 'peer.disconnected', peer: place.addressAt(2) });
  return () => {
    for (let at = 0; at < OPERATIONS; at += 1) submit(chart, at, 1);
    chart.send({ type: 'peer.connected', peer: place.addressAt(1) });
  };
});

measure('a message of gossip noted in a full memory of 10,000 (a message, not an operation)', () => {
  const limits = { entries: 10_000, ttl: millis(300_000) };
  let memory = EMPTY_DEDUPLICATOR;
  const note = (at: number): void => {
    memory = see(memory, `peer/${at}`, monotonic(at), limits).deduplicator;
  };
  for (let at = 0; at < 10_000; at += 1) note(at);
  return () => {
    for (let at = 0; at < OPERATIONS; at += 1) note(10_000 + at);
  };
});
