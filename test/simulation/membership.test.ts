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

describe('validators that come and go', () => {
  it('an epoch ends after its length, and the chain goes on in the next (CS-16)', () => {
    const run = cluster({ validators: 4, members: 4, epochLength: 5 });
    run.advance(20 * SECOND);
    console.log(heights(run), run.nodes.map(({ index }) => epochAt(run, index)?.epoch), run.view(0)?.pacemaker);
    expect(run.checker.violations).toEqual([]);
    expect(epochAt(run, 0)?.epoch).toBeGreaterThan(3);
  });

  it('a node that follows becomes a validator, and votes', () => {
    const run = cluster();
    run.advance(5 * SECOND);
    console.log(heights(run));
    run.submit(0, joining(run, 4));
    run.advance(10 * SECOND);
    console.log(heights(run), run.nodes.map(({ index }) => epochAt(run, index)?.set.validators.length));
    expect(run.checker.violations).toEqual([]);
    expect(epochAt(run, 0)?.set.validators).toHaveLength(5);
    run.submit(1, leaving(run, 0));
    run.advance(10 * SECOND);
    console.log(heights(run), run.nodes.map(({ index }) => epochAt(run, index)?.set.validators.length));
  });
});
