import { describe, expect, it } from 'vitest';
import { setup } from 'xstate';
import {
  child,
  createSystem,
  seededRandom,
  step,
  supervisor,
  types,
  virtualClock,
} from '../../src/actors/runtime/index.ts';
import { millis } from '../../src/base/units.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import type { Misbehavior } from '../../src/protocol/ports/application.ts';
import { GENESIS_TIME, height, world } from '../protocol/consensus/fixture.ts';
import { MemoryNode } from '../rpc/memory-node.ts';

/** Value of one line of Prometheus text. */
async function sampleOf(
  metrics: { readonly text: () => Promise<string> },
  name: string,
): Promise<number | undefined> {
  const line = (await metrics.text()).split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length));
}

const DOUBLE_VOTE: Misbehavior = {
  type: 'DUPLICATE_VOTE',
  validator: { address: world().addressAt(0), power: 1n },
  ...{ height: height(1), time: GENESIS_TIME, totalVotingPower: 4n },
};

describe('/metrics', () => {
  it('has every series from the start, at 0 where nothing happened', async () => {
    const metrics = createMetrics(new MemoryNode());
    for (const name of [
      'cometbft_consensus_height',
      'cometbft_consensus_total_txs',
      'cometbft_mempool_size',
      'cometbft_consensus_block_interval_seconds_count',
      'althing_blocks_committed_total',
      'althing_view_changes_total{reason="LeaderTimeout"}',
      'althing_view_changes_total{reason="ExplicitRequest"}',
      'althing_offences_total{type="DUPLICATE_VOTE"}',
      'althing_offences_total{type="HIDDEN_QC"}',
      'althing_rpc_calls_total{method="status",code="0"}',
      'althing_rpc_early_calls_total{what="held"}',
      'althing_rpc_early_calls_total{what="closed"}',
    ]) {
      expect([name, await sampleOf(metrics, name)]).toEqual([name, 0]);
    }
  });

  it("follows the node's state and events", async () => {
    const node = new MemoryNode();
    const metrics = createMetrics(node);
    await node.submit([Buffer.from('a=1')]);
    node.misbehavior = [DOUBLE_VOTE];
    await node.submit([Buffer.from('b=2')]);
    node.misbehavior = [];
    node.emitViewChange();
    node.hold = true;
    await node.submit([Buffer.from('c=3')]);
    metrics.observeCall({ method: 'block', code: -32603, duration: millis(12) });
    metrics.observeEarlyCall('held');
    expect(await sampleOf(metrics, 'cometbft_consensus_height')).toBe(2);
    expect(await sampleOf(metrics, 'althing_executed_height')).toBe(2);
    expect(await sampleOf(metrics, 'cometbft_p2p_peers')).toBe(3);
    expect(await sampleOf(metrics, 'cometbft_mempool_size')).toBe(1);
    expect(await sampleOf(metrics, 'cometbft_mempool_size_bytes')).toBe(3);
    expect(await sampleOf(metrics, 'cometbft_consensus_total_txs')).toBe(2);
    expect(await sampleOf(metrics, 'cometbft_consensus_block_interval_seconds_sum')).toBe(0.25);
    expect(await sampleOf(metrics, 'althing_view_changes_total{reason="LeaderTimeout"}')).toBe(1);
    expect(await sampleOf(metrics, 'althing_offences_total{type="DUPLICATE_VOTE"}')).toBe(1);
    expect(await sampleOf(metrics, 'althing_rpc_calls_total{method="block",code="-32603"}')).toBe(1);
    expect(await sampleOf(metrics, 'althing_rpc_early_calls_total{what="held"}')).toBe(1);
    expect(await sampleOf(metrics, 'althing_quorum_power')).toBe(27);
  });

  it('counts restarts by the place in the tree, and dead letters by reason, from 0 on (RT-8)', async () => {
    const fragile = setup({
      types: types<object, { readonly type: 'broke' | 'unwanted' }>(),
      actions: {
        break: step(() => {
          throw new Error('broken');
        }),
      },
    }).createMachine({
      context: {},
      initial: 'whole',
      states: { whole: { on: { broke: { actions: 'break' } } }, never: { on: { unwanted: 'whole' } } },
    });
    const clock = virtualClock();
    const system = createSystem({ name: 'node', clock, random: seededRandom(1) });
    const pool = supervisor({ intensity: 9, templates: [child('peer', fragile)] });
    system.start(
      child('node', supervisor({ intensity: 9, children: [child('a', fragile), child('pool', pool)] })),
    );
    clock.settle();
    for (const id of ['7', '8']) {
      system.ref('node/pool').tell({ type: 'child.start', template: 'peer', id });
    }
    clock.settle();
    const metrics = createMetrics(new MemoryNode(), system);
    const restartsOf = (cell: string) => sampleOf(metrics, `althing_cell_restarts_total{cell="${cell}"}`);
    const lostBy = (reason: string) => sampleOf(metrics, `althing_dead_letters_total{reason="${reason}"}`);
    expect([await restartsOf('node/a'), await restartsOf('node/pool/peer')]).toEqual([0, 0]);
    expect([await lostBy('unhandled'), await lostBy('poison')]).toEqual([0, 0]);
    for (const to of ['node/a', 'node/pool/7', 'node/pool/8', 'node/pool/8']) {
      system.ref(to).tell({ type: 'broke' });
      system.ref(to).tell({ type: 'unwanted' });
      clock.settle();
    }
    expect([await restartsOf('node/a'), await restartsOf('node/pool/peer')]).toEqual([1, 3]);
    expect([await lostBy('unhandled'), await lostBy('poison')]).toEqual([4, 4]);
    expect([...system.restarts().keys()].sort()).toEqual(['node/a', 'node/pool', 'node/pool/peer']);
  });

  it('shows who waits for outcomes, and who found no place to', async () => {
    const metrics = createMetrics(new MemoryNode());
    expect(await sampleOf(metrics, 'althing_outcomes_waiting_calls')).toBe(3);
    expect(await sampleOf(metrics, 'althing_outcomes_waiting_operations')).toBe(2_001);
    expect(await sampleOf(metrics, 'althing_outcomes_crowded_total')).toBe(7);
  });

  it('lets go of the node when stopped, and two nodes in one process do not mix', async () => {
    const [first, second] = [new MemoryNode(), new MemoryNode()];
    const [metrics, others] = [createMetrics(first), createMetrics(second)];
    metrics.stop();
    await first.submit([Buffer.from('a=1')]);
    expect(await sampleOf(metrics, 'althing_blocks_committed_total')).toBe(0);
    expect(await sampleOf(others, 'cometbft_consensus_height')).toBe(0);
  });
});
