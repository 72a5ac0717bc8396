/** Validators come, go and change while the network runs: one epoch after the other. Rules CS-15, CS-16, CS-19. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ADDRESSES } from '../../src/actors/addresses.ts';
import type { System } from '../../src/actors/runtime/index.ts';
import { millis } from '../../src/base/units.ts';
import { epochOf } from '../../src/node/views.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import type { ClusterOptions } from '../../src/simulation/cluster-options.ts';
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

/** Which epoch each cell that holds one goes by. */
const epochsOfCells = (system: System): ReadonlyMap<string, number> =>
  new Map(
    Object.values(ADDRESSES).flatMap((address) => {
      const { context } = HOLDER.parse(system.ref(address).info()?.snapshot ?? {});
      const held = context?.epoch ?? context?.rules?.epoch ?? context?.setting?.epoch;
      // Chain-sync goes the way from the first epoch (SY-9).
      return held === undefined || address === ADDRESSES.chainSync ? [] : [[address, held.epoch] as const];
    }),
  );
const EPOCH = z.looseObject({ epoch: z.number() });
const HELD = z.looseObject({ epoch: EPOCH.optional() });
const HOLDER = z.looseObject({
  context: HELD.extend({ rules: HELD.optional(), setting: HELD.optional() }).optional().catch(undefined),
});

describe('validators that come and go', () => {
  it('an epoch ends after its length, and the chain goes on in the next (CS-16)', () => {
    const run = cluster({ validators: 4, epochLength: 5 });
    run.advance(20 * SECOND);
    run.finish();
    expect(run.checker.violations).toEqual([]);
    expect(Math.min(...heights(run))).toBeGreaterThan(60);
    expect(epochAt(run, 0)?.epoch).toBeGreaterThan(10);
  });

  it('epochs of three heights rest too when there is nothing to do (CS-10, CS-16)', () => {
    const run = cluster({ validators: 4, epochLength: 3, timeouts: { emptyBlockIntervalMs: millis(2_000) } });
    run.advance(60 * SECOND);
    run.finish();
    expect(run.checker.violations).toEqual([]);
    expect(epochAt(run, 0)?.epoch).toBeGreaterThan(5);
    expect(Math.max(...heights(run))).toBeLessThan(120);
  });

  it('all cells of nodes that start in a later epoch judge by that one (CS-14, CS-16)', () => {
    const run = cluster({ validators: 4, epochLength: 1_000 });
    run.advance(SECOND);
    run.submit(0, `val:${base64(run.updateOf(1, 0n).nodeKey)}!2`);
    run.advance(3 * SECOND);
    for (const { index } of run.nodes) {
      run.crash(index);
      run.start(index);
    }
    run.advance(5 * SECOND);
    expect(epochs(run)).toEqual([1, 1, 1, 1]);
    for (const { process } of run.nodes) {
      if (process === undefined) throw new Error('all are up');
      const stale = [...epochsOfCells(process.system)].filter(([, epoch]) => epoch !== 1);
      expect(stale).toEqual([]);
      expect(epochsOfCells(process.system).get(ADDRESSES.evidencePool)).toBe(1);
    }
    expect(run.checker.violations).toEqual([]);
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
