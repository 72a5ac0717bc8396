/** Validators come, go and change while the network runs: one epoch after the other. Rules CS-15, CS-16, CS-19. */
import { describe, expect, it } from 'vitest';
import { millis } from '../../src/base/units.ts';
import { epochOf } from '../../src/node/views.ts';
import { Cluster, type ClusterOptions } from '../../src/simulation/cluster.ts';
import { membersKv } from '../../src/simulation/replicated.ts';

const SECOND = 1_000;

const cluster = (options: Partial<ClusterOptions> = {}) =>
  new Cluster({
    seed: 7,
    validators: 7,
    members: 4,
    application: membersKv,
    timeouts: { emptyBlockIntervalMs: millis(200) },
    ...options,
  });

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** What an operator would send to bring a node in. */
function joining(of: Cluster, index: number, power = 1n): string {
  const { nodeKey, consensusKey, possessionProof } = of.updateOf(index, power);
  return `val:${base64(nodeKey)}!${base64(consensusKey)}!${base64(possessionProof)}!${power}`;
}

const leaving = (of: Cluster, index: number): string => `val:${base64(of.updateOf(index, 0n).nodeKey)}!0`;

const epochAt = (of: Cluster, index: number) => {
  const system = of.node(index).process?.system;
  return system === undefined ? undefined : epochOf(system);
};

const heights = (of: Cluster): readonly number[] => of.nodes.map(({ index }) => of.height(index));

const epochs = (of: Cluster): readonly (number | undefined)[] =>
  of.nodes.map(({ index }) => epochAt(of, index)?.epoch);
const sizes = (of: Cluster): readonly (number | undefined)[] =>
  of.nodes.map(({ index }) => epochAt(of, index)?.set.validators.length);

describe('validators that come and go', () => {
  it('an epoch ends after its length, and the chain goes on in the next (CS-16)', () => {
    const run = cluster({ validators: 4, epochLength: 5 });
    run.advance(20 * SECOND);
    run.finish();
    expect(run.checker.violations).toEqual([]);
    expect(Math.min(...heights(run))).toBeGreaterThan(60);
    expect(epochAt(run, 0)?.epoch).toBeGreaterThan(10);
  });

  it('leaders are drawn by stake from a seed of the epoch before, and dead ones are passed over (CS-15, CS-17)', () => {
    const leadership = { leaderSchedule: 'stake_weighted', leaderReputation: true, vrf: true } as const;
    const run = cluster({ validators: 4, epochLength: 20, leadership });
    run.advance(2 * SECOND);
    run.crash(3);
    run.advance(40 * SECOND);
    run.start(3);
    run.advance(5 * SECOND);
    run.finish();
    expect(run.checker.violations).toEqual([]);
    const { newest } = run.epochs;
    expect(newest?.epoch).toBeGreaterThan(3);
    const seeds = [0, 1, 2, 3].map((epoch) => run.epochs.of(epoch)?.descriptor.seed);
    expect(new Set(seeds).size).toBe(4);
    const passed = [1, 2, 3, 4].map((epoch) => run.epochs.of(epoch)?.descriptor.passedOver);
    expect(passed).toContainEqual([run.node(3).address]);
  });

  it('from 4 to 7 to 4 while transactions flow: none is lost, and whoever has left follows (CS-16, CS-19)', () => {
    const run = cluster({ carry: 'codec' });
    run.advance(SECOND);
    let sent = 0;
    const flow = (seconds: number): void => {
      for (let tick = 0; tick < seconds * 10; tick += 1) {
        run.submit(tick % 7, `name${sent}=ada`);
        sent += 1;
        run.advance(100);
      }
    };
    flow(2);
    for (const index of [4, 5, 6]) {
      run.submit(0, joining(run, index));
      flow(2);
    }
    expect(sizes(run)).toEqual([7, 7, 7, 7, 7, 7, 7]);
    for (const index of [0, 1, 2]) {
      run.submit(6, leaving(run, index));
      flow(2);
    }
    flow(3);
    // Whoever was handed one by a node that follows, and has left, answers no more: that is known after a while.
    run.advance(20 * SECOND);
    run.finish();
    expect(sizes(run)).toEqual([4, 4, 4, 4, 4, 4, 4]);
    expect(new Set(epochs(run))).toEqual(new Set([6]));
    expect(run.lostTransactions()).toEqual([]);
    // Asked again after its validator had left, one may have been committed before.
    const answers = run.nodes.flatMap(({ admitted }) => admitted);
    const codes = answers.map((one) => (one.status === 'admitted' ? 'admitted' : one.code));
    expect(answers).toHaveLength(sent + 6);
    expect(codes.filter((code) => code !== 'admitted' && code !== 'ALREADY_KNOWN')).toEqual([]);
    expect(run.checker.violations).toEqual([]);
  });
});
