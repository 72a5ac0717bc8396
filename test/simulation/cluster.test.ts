/** The deterministic cluster: real trees, in-memory hub, memory disks, virtual time. Rules CS-5, CS-11, CS-18, SM-1. */
import { describe, expect, it } from 'vitest';
import { millis } from '../../src/base/units.ts';
import { ROOT_ROUND } from '../../src/protocol/chain/ordinals.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import type { ClusterOptions } from '../../src/simulation/cluster-options.ts';
import { CALM } from '../../src/transport/hub.ts';

const SECOND = 1_000;

const cluster = (options: Partial<ClusterOptions> = {}) =>
  new Cluster({ seed: 7, timeouts: { emptyBlockIntervalMs: millis(200) }, ...options });

const heights = (of: Cluster): readonly number[] => of.nodes.map(({ index }) => of.height(index));

/** Index of the validator that leads the round in which `index` is. */
function leaderSeenBy(of: Cluster, index: number): number {
  const leader = of.leaderOf(of.view(index)?.pacemaker.round ?? ROOT_ROUND);
  return of.nodes.findIndex(({ address }) => address === leader);
}

describe('a calm cluster', () => {
  it.each([1, 2, 4, 7])(
    'of %i validators commits the same chain on all of them (CS-5, CS-18)',
    (validators) => {
      const run = cluster({ validators });
      run.advance(5 * SECOND);
      expect(Math.min(...heights(run))).toBeGreaterThan(10);
      expect(run.checker.violations).toEqual([]);
    },
  );

  it('commits what is submitted, and every node executes it once', () => {
    const run = cluster({ carry: 'codec' });
    run.advance(SECOND);
    for (let index = 0; index < 20; index += 1) run.submit(index % 4, `name${index}=ada`);
    run.advance(3 * SECOND);
    expect(run.nodes.flatMap(({ admitted }) => admitted)).toHaveLength(20);
    expect(run.lostTransactions()).toEqual([]);
    expect(run.checker.violations).toEqual([]);
  });

  it('runs the same seed twice to the same state (SM-1)', () => {
    const once = (): string => {
      const run = cluster({
        faults: { delayMin: millis(1), delayMean: millis(9), drop: 0.05, duplicate: 0.05, reorder: true },
      });
      run.submit(0, 'a=1');
      run.advance(10 * SECOND);
      return run.fingerprint();
    };
    expect(once()).toBe(once());
  });
});

describe('a cluster with dead validators', () => {
  it('goes on within two round timeouts when its leader dies (CS-6, CS-7)', () => {
    const run = cluster();
    run.advance(5 * SECOND);
    const dead = leaderSeenBy(run, 0);
    run.crash(dead);
    const before = run.checker.committedHeight;
    const live = run.nodes.find(({ index }) => index !== dead);
    const timeout = run.timeoutSeenBy(live?.index ?? 0);
    // A commit needs two certified rounds in a row after the failed one.
    run.advance(2 * timeout + 2 * 200 + 200);
    expect(run.checker.committedHeight).toBeGreaterThan(before);
  });

  it("commits nothing with two of four stopped, and again within three round timeouts of one's return", () => {
    const run = cluster();
    run.advance(3 * SECOND);
    run.crash(0);
    run.crash(1);
    run.advance(SECOND);
    const stopped = run.checker.committedHeight;
    run.advance(120 * SECOND);
    expect(run.checker.committedHeight).toBe(stopped);
    const timeout = run.timeoutSeenBy(2);
    run.start(0);
    run.advance(3 * timeout);
    expect(run.checker.committedHeight).toBeGreaterThan(stopped);
    expect(run.checker.violations).toEqual([]);
  });

  it('brings a validator that was down for a hundred blocks to the tip (CS-12)', () => {
    const run = cluster();
    run.advance(SECOND);
    run.crash(3);
    run.advance(120 * SECOND);
    const tip = run.checker.committedHeight;
    expect(tip).toBeGreaterThan(100);
    run.start(3);
    run.advance(10 * SECOND);
    expect(run.height(3)).toBeGreaterThanOrEqual(tip);
    expect(run.checker.violations).toEqual([]);
  });

  it('brings it there also when every answer takes longer than its wait (CS-12)', () => {
    const run = cluster();
    run.crash(3);
    run.advance(20 * SECOND);
    const tip = run.height(0);
    const slow = run.node(3).address;
    for (const { address } of run.nodes) {
      run.hub.setFaults({ ...CALM, delayMin: millis(2_000) }, { from: address, to: slow });
      run.hub.setFaults({ ...CALM, delayMin: millis(2_000) }, { from: slow, to: address });
    }
    run.start(3);
    run.advance(60 * SECOND);
    expect(tip).toBeGreaterThan(20);
    expect(run.height(3)).toBeGreaterThanOrEqual(tip);
    expect(run.checker.violations).toEqual([]);
  });

  it('survives the death of all at once (CS-1)', () => {
    const run = cluster();
    run.advance(3 * SECOND);
    for (const { index } of run.nodes) run.crash(index);
    const before = run.checker.committedHeight;
    for (const { index } of run.nodes) run.start(index);
    run.advance(10 * SECOND);
    expect(run.checker.committedHeight).toBeGreaterThan(before + 5);
    expect(run.checker.violations).toEqual([]);
  });
});

describe('a partitioned cluster', () => {
  it('commits on the side that has a quorum, on neither side of two halves, and on all when healed', () => {
    const run = cluster();
    run.advance(2 * SECOND);
    run.partition([0, 1, 2], [3]);
    run.advance(10 * SECOND);
    expect(run.height(0)).toBeGreaterThan(run.height(3) + 5);
    run.partition([0, 1], [2, 3]);
    run.advance(2 * SECOND);
    const halved = run.checker.committedHeight;
    run.advance(20 * SECOND);
    expect(run.checker.committedHeight).toBe(halved);
    run.heal();
    run.advance(30 * SECOND);
    expect(Math.min(...heights(run))).toBeGreaterThan(halved);
    expect(run.checker.violations).toEqual([]);
  });
});
