/** Batches of committed blocks that a validator missed, fetched over slow and lossy links, by a mempool that forgets. MP-9, EX-1. */
import { describe, expect, it } from 'vitest';
import { ADDRESSES } from '../../src/actors/addresses.ts';
import { millis } from '../../src/base/units.ts';
import { parseHeight } from '../../src/protocol/chain/parse.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import { CALM, type LinkFaults } from '../../src/transport/hub.ts';

const SECOND = 1_000;
const MISSING = 3;

const executed = (run: Cluster, index: number): number => {
  const recovered = run.node(index).process?.store.recover();
  return recovered?.status === 'found' ? recovered.value.executed.height : 0;
};

function batchesAt(run: Cluster, at: number): number {
  const height = parseHeight(at);
  const found = height === 'malformed' ? undefined : run.node(MISSING).process?.store.blockAt(height);
  return found?.status === 'found' ? (found.value?.block.header.batches.length ?? 0) : 0;
}

/** Validator 3 has blocks of several batches each, on its disk, and none of the batches. Its process is dead. */
function withoutBatches(): { readonly run: Cluster; readonly tip: number } {
  let reaches = false;
  const run: Cluster = new Cluster({
    seed: 11,
    timeouts: { emptyBlockIntervalMs: millis(200) },
    tamper: ({ to, message }) =>
      !reaches && message.kind === 'Batch' && to === run.node(MISSING).address ? 'drop' : 'pass',
  });
  run.advance(SECOND);
  run.crash(MISSING);
  for (let index = 0; index < 90; index += 1) {
    run.submit(index % 3, `name${index}=${'x'.repeat(200)}`);
    run.advance(5);
  }
  run.advance(5 * SECOND);
  const tip = executed(run, 0);
  run.start(MISSING);
  run.advance(10 * SECOND);
  const batches = Array.from({ length: run.height(MISSING) }, (_, at) => batchesAt(run, at + 1));
  expect(run.height(MISSING)).toBeGreaterThanOrEqual(tip);
  expect(Math.max(...batches)).toBeGreaterThan(2);
  expect(executed(run, MISSING)).toBeLessThan(tip);
  run.crash(MISSING);
  reaches = true;
  return { run, tip };
}

/** Links of validator 3, both ways. */
function setLinks(run: Cluster, faults: LinkFaults): void {
  const { address: missing } = run.node(MISSING);
  for (const { address } of run.nodes) {
    run.hub.setFaults(faults, { from: address, to: missing });
    run.hub.setFaults(faults, { from: missing, to: address });
  }
}

describe('a validator that missed batches', () => {
  it.each<[string, LinkFaults, number]>([
    ['next to the others', CALM, 5],
    ['2 s from the others', { ...CALM, delayMin: millis(2_000) }, 20],
    [
      '2 s to 6 s from the others, and a third is lost',
      { delayMin: millis(2_000), delayMean: millis(1_000), drop: 0.3, duplicate: 0.1, reorder: true },
      120,
    ],
  ])('executes them all when it is %s', (_, faults, seconds) => {
    const { run, tip } = withoutBatches();
    setLinks(run, faults);
    run.start(MISSING);
    run.advance(seconds * SECOND);
    expect(executed(run, MISSING)).toBeGreaterThanOrEqual(tip);
    expect(run.checker.violations).toEqual([]);
  });

  it('executes them all when its mempool breaks and forgets what it was asked for', () => {
    const { run, tip } = withoutBatches();
    setLinks(run, { ...CALM, delayMin: millis(2_000) });
    run.start(MISSING);
    const { system } = run.node(MISSING).process ?? {};
    const incarnation = () => system?.ref(ADDRESSES.mempool).info()?.incarnation ?? 0;
    run.advance(SECOND);
    const before = incarnation();
    // What no cell of this node sends: the chart throws, and its supervisor starts another.
    system?.ref(ADDRESSES.mempool).tell({ type: 'message.received' });
    run.advance(20 * SECOND);
    expect(incarnation()).toBeGreaterThan(before);
    expect(executed(run, MISSING)).toBeGreaterThanOrEqual(tip);
    expect(run.checker.violations).toEqual([]);
  });
});
