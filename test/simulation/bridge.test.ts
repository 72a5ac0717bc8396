/** The bridge in the deterministic cluster: partitions, states that differ, and a bridge that starts anew. BR-1, BR-4, BR-10. */
import { describe, expect, it } from 'vitest';
import { ADDRESSES } from '../../src/actors/addresses.ts';
import { millis } from '../../src/base/units.ts';
import { isDiverged } from '../../src/machines/bridge/bridge.setup.ts';
import type { BridgeView } from '../../src/node/bridge-report.ts';
import { bridgeOf, treeOf } from '../../src/node/views.ts';
import { BRIDGE_DEFAULTS } from '../../src/protocol/bridge/config.ts';
import { QUEUE_GRAIN_MS, QUEUE_MS } from '../../src/protocol/bridge/times.ts';
import type { Admission } from '../../src/protocol/ports/mempool.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import type { ClusterOptions } from '../../src/simulation/cluster-options.ts';
import { heightOf } from './checkers/heights.ts';

const SECOND = 1_000;
/** Longer than any node takes to see that it is cut off. */
const LONG = 4 * BRIDGE_DEFAULTS.partitionTimeout;

const cluster = (options: Partial<ClusterOptions> = {}) =>
  new Cluster({ seed: 11, carry: 'codec', timeouts: { emptyBlockIntervalMs: millis(200) }, ...options });

function bridge(run: Cluster, index: number): BridgeView {
  const system = run.node(index).process?.system;
  const view = system === undefined ? undefined : bridgeOf(system);
  if (view === undefined) throw new Error(`the bridge of node ${index} is down`);
  return view;
}

const reaches = (run: Cluster) => run.nodes.map(({ index }) => bridge(run, index).reach);
const codesAt = (run: Cluster, index: number) => run.node(index).admitted.map(codeOf);
const codeOf = (one: Admission): string => (one.status === 'admitted' ? 'admitted' : one.code);
const heights = (run: Cluster): readonly number[] => run.nodes.map(({ index }) => run.height(index));

/** Virtual time until `holds`, at most `atMost`. @unit ms */
function timeUntil(run: Cluster, holds: () => boolean, atMost: number): number {
  const start = run.clock.now();
  while (!holds() && run.clock.now() - start < atMost) run.advance(10);
  return run.clock.now() - start;
}

describe('a partition for longer than its timeout (BR-10)', () => {
  it('2 against 2: nobody takes operations, nothing is committed; healed within three round timeouts', () => {
    const run = cluster();
    run.advance(3 * SECOND);
    expect(reaches(run)).toEqual(['connected', 'connected', 'connected', 'connected']);
    run.partition([0, 1], [2, 3]);
    run.advance(SECOND);
    const before = run.checker.committedHeight;
    run.advance(LONG);
    expect(reaches(run)).toEqual(['partitioned', 'partitioned', 'partitioned', 'partitioned']);
    expect(run.checker.committedHeight).toBe(before);
    for (const { index } of run.nodes) run.submit(index, `cut${index}=off`);
    run.advance(100);
    expect(run.nodes.flatMap(({ index }) => codesAt(run, index))).toEqual(Array(4).fill('PARTITIONED'));
    const timeout = Math.max(...run.nodes.map(({ index }) => run.timeoutSeenBy(index)));
    run.heal();
    const healed = timeUntil(run, () => Math.min(...heights(run)) > before, 10 * timeout);
    expect(healed).toBeLessThanOrEqual(3 * timeout);
    run.advance(SECOND);
    expect(reaches(run)).toEqual(['connected', 'connected', 'connected', 'connected']);
    run.submit(0, 'after=wards');
    run.advance(3 * SECOND);
    expect(codesAt(run, 0)).toEqual(['PARTITIONED', 'admitted']);
    expect(bridge(run, 0).context.operations.counts).toMatchObject({ committed: 1, expired: 0, rejected: 1 });
    expect(run.lostTransactions()).toEqual([]);
    expect(run.checker.violations).toEqual([]);
  });

  it('3 against 1: the three go on, the one refuses, and has the same log when it is back', () => {
    const run = cluster();
    run.advance(2 * SECOND);
    run.partition([0, 1, 2], [3]);
    run.advance(LONG);
    expect(reaches(run)).toEqual(['connected', 'connected', 'connected', 'partitioned']);
    run.submit(0, 'three=go on');
    run.submit(3, 'one=waits');
    run.advance(2 * SECOND);
    expect([codesAt(run, 0), codesAt(run, 3)]).toEqual([['admitted'], ['PARTITIONED']]);
    expect(run.height(0)).toBeGreaterThan(run.height(3) + 20);
    const tip = run.height(0);
    run.heal();
    run.advance(10 * SECOND);
    expect(run.height(3)).toBeGreaterThanOrEqual(tip);
    expect(reaches(run)).toEqual(['connected', 'connected', 'connected', 'connected']);
    expect(bridge(run, 3).context.healedAfter).toBeGreaterThan(LONG / 2);
    expect(run.lostTransactions()).toEqual([]);
    expect(run.checker.violations).toEqual([]);
  });

  it('with a queue, what came meanwhile is committed after the healing, once', () => {
    const run = cluster({ bridge: { whenPartitioned: 'queue' } });
    run.advance(2 * SECOND);
    run.partition([0, 1], [2, 3]);
    run.advance(LONG);
    for (let each = 0; each < 20; each += 1) run.submit(each % 4, `name${each}=ada`);
    run.advance(SECOND);
    expect(run.nodes.map(({ index }) => bridge(run, index).context.queued)).toEqual([5, 5, 5, 5]);
    expect(run.nodes.flatMap(({ admitted }) => admitted)).toEqual([]);
    run.heal();
    run.advance(20 * SECOND);
    expect(run.nodes.flatMap(({ index }) => codesAt(run, index))).toEqual(Array(20).fill('admitted'));
    for (const { index } of run.nodes) {
      const { queued, operations } = bridge(run, index).context;
      expect([queued, operations.counts.committed, operations.pending.size]).toEqual([0, 5, 0]);
    }
    expect(run.lostTransactions()).toEqual([]);
  });

  it('with a queue, what waited for its time is refused with certainty, and is not executed after the healing', () => {
    const run = cluster({ bridge: { whenPartitioned: 'queue' } });
    run.advance(2 * SECOND);
    run.partition([0, 1], [2, 3]);
    run.advance(LONG);
    for (const { index } of run.nodes) run.submit(index, `early${index}=ada`);
    run.advance(QUEUE_MS - SECOND);
    run.submit(0, 'late=bob');
    expect(run.nodes.flatMap(({ admitted }) => admitted)).toEqual([]);
    run.advance(SECOND + 2 * QUEUE_GRAIN_MS);
    expect(run.nodes.map(({ index }) => codesAt(run, index))).toEqual(Array(4).fill(['PARTITIONED']));
    run.heal();
    run.advance(20 * SECOND);
    expect(run.nodes.map(({ index }) => codesAt(run, index))).toEqual([
      ['PARTITIONED', 'admitted'],
      ...Array(3).fill(['PARTITIONED']),
    ]);
    const committed = run.nodes.map(({ index }) => bridge(run, index).context.operations.counts.committed);
    expect(committed).toEqual([1, 0, 0, 0]);
    expect(run.lostTransactions()).toEqual([]);
  });
});

it.each([
  [4, [1]],
  [7, [1, 4]],
  [10, [0, 3, 6]],
] as const)(
  'of %i validators %j may be dead, and no other takes itself for cut off (BR-10)',
  (validators, dead) => {
    const run = new Cluster({ seed: 6, validators });
    run.advance(5 * SECOND);
    for (const index of dead) run.crash(index);
    run.advance(120 * SECOND);
    expect(run.checker.committedHeight).toBeGreaterThan(30);
    for (const { index, process } of run.nodes) {
      if (process !== undefined) expect(bridge(run, index).context.counts.partitions).toBe(0);
    }
  },
);

describe('an application that is not the others’ (BR-4)', () => {
  const named = (run: Cluster, index: number) => run.node(index).divergences.map(({ by }) => by);
  /** Peers tell each other soon. */
  const talkative = (options: Partial<ClusterOptions> = {}): Cluster =>
    cluster({
      bridge: { stateSyncIntervalMax: millis(SECOND), stateSyncInterval: millis(SECOND) },
      ...options,
    });

  it('is named on its own node by a certificate and by the others by its word; it proposes no more, the three go on', () => {
    const run = talkative();
    run.node(1).faults.differFrom(10);
    run.advance(20 * SECOND);
    const own = run.node(1).divergences.find(({ evidence }) => evidence !== undefined);
    expect(own).toMatchObject({ height: 10, by: expect.stringMatching(/^the certificate of height \d+$/) });
    expect(isDiverged(bridge(run, 1).context)).toBe(true);
    for (const index of [0, 2, 3]) {
      expect(named(run, index)).toEqual([run.node(1).address]);
      expect(isDiverged(bridge(run, index).context)).toBe(false);
      expect(own?.ours).toBe(run.node(index).divergences[0]?.theirs);
    }
    expect(new Set(named(run, 1))).toEqual(
      new Set([own?.by, ...[0, 2, 3].map((index) => run.node(index).address)]),
    );
    const system = run.node(1).process?.system;
    expect(system && treeOf(system)?.isDiverged).toBe(true);
    const before = run.height(0);
    run.submit(1, 'refused=yes');
    run.submit(0, 'taken=yes');
    run.advance(20 * SECOND);
    expect([codesAt(run, 1), codesAt(run, 0)]).toEqual([['STATE_DIVERGED'], ['admitted']]);
    expect(run.height(0)).toBeGreaterThan(before + 10);
    expect(bridge(run, 0).context.operations.counts.committed).toBe(1);
    const proposers = new Set<string>();
    for (let height = before + 1; height <= run.height(0); height += 1) {
      const block = run.node(0).read((store) => store.blockAt(heightOf(height)));
      if (block?.status === 'found') proposers.add(block.value?.block.header.proposer ?? 'nobody');
    }
    expect(proposers).toEqual(new Set([0, 2, 3].map((index) => run.node(index).address)));
    // Each told once, though thousands of states differ.
    expect(run.node(0).divergences).toHaveLength(1);
  });

  it('2 against 2: each side names the other, nothing more is committed, nothing crashes', () => {
    const run = talkative();
    for (const index of [2, 3]) run.node(index).faults.differFrom(10);
    run.advance(30 * SECOND);
    const stuck = run.checker.committedHeight;
    for (const index of [0, 1]) {
      expect(new Set(named(run, index))).toEqual(new Set([2, 3].map((other) => run.node(other).address)));
    }
    for (const index of [2, 3]) {
      expect(new Set(named(run, index))).toEqual(new Set([0, 1].map((other) => run.node(other).address)));
    }
    run.advance(60 * SECOND);
    expect(run.checker.committedHeight).toBe(stuck);
    expect(reaches(run)).toEqual(['partitioned', 'partitioned', 'partitioned', 'partitioned']);
    for (const { process } of run.nodes) {
      expect([...(process?.system.restarts() ?? [])].filter(([, times]) => times > 0)).toEqual([]);
    }
  });
});

describe('a bridge that starts anew alone', () => {
  const crashBridge = (run: Cluster, index: number): void => {
    run.node(index).reach((system) => {
      system.ref(ADDRESSES.bridge).tell({ type: 'operations.submitted', replyTo: 'x', tag: 1 });
    });
    run.advance(1);
  };

  it('is connected again, takes operations, and loses nothing that was admitted', () => {
    const run = cluster();
    run.advance(5 * SECOND);
    run.submit(0, 'before=1');
    run.advance(20);
    crashBridge(run, 0);
    const system = run.node(0).process?.system;
    expect(system?.restarts().get(ADDRESSES.bridge)).toBe(1);
    run.submit(0, 'after=1');
    run.advance(LONG);
    expect(reaches(run)[0]).toBe('connected');
    expect(bridge(run, 0).context.operations.counts).toMatchObject({ expired: 0, rejected: 0 });
    expect(codesAt(run, 0)).toEqual(['admitted', 'admitted']);
    expect(run.lostTransactions()).toEqual([]);
    expect(run.checker.violations).toEqual([]);
  });

  it('loses no operation that its mempool took while it was down', () => {
    const run = cluster();
    run.advance(2 * SECOND);
    run.submit(0, 'taken=1');
    crashBridge(run, 0);
    run.advance(5 * SECOND);
    const found = run.nodes.map((node) => node.admitted.length);
    expect(run.lostTransactions()).toEqual([]);
    expect(found.reduce((sum, each) => sum + each)).toBeLessThanOrEqual(1);
    expect(bridge(run, 0).context.operations.pending.size).toBe(0);
  });
});

it('an application that throws is no dead letter at the bridge (RT-8)', () => {
  const run = cluster();
  const lost: string[] = [];
  run.node(0).process?.system.deadLetters.listen(({ to, reason, message }) => {
    if (to.startsWith(ADDRESSES.bridge)) lost.push(`${reason}: ${message.type}`);
  });
  run.advance(2 * SECOND);
  run.node(0).faults.crashApplication(1);
  run.advance(10 * SECOND);
  expect(run.height(0)).toBeGreaterThan(20);
  expect(lost).toEqual([]);
});
