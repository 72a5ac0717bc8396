import { describe, expect, it } from 'vitest';
import { millis } from '../../src/base/units.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { MemoryNode } from '../rpc/memory-node.ts';

/** Value of one line of Prometheus text. */
async function sampleOf(
  metrics: { readonly text: () => Promise<string> },
  name: string,
): Promise<number | undefined> {
  const line = (await metrics.text()).split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length));
}

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
      'althing_rpc_calls_total{method="status",code="0"}',
    ]) {
      expect([name, await sampleOf(metrics, name)]).toEqual([name, 0]);
    }
  });

  it("follows the node's state and events", async () => {
    const node = new MemoryNode();
    const metrics = createMetrics(node);
    await node.submit([Buffer.from('a=1'), Buffer.from('b=2')]);
    node.emitViewChange();
    node.hold = true;
    await node.submit([Buffer.from('c=3')]);
    metrics.observeCall({ method: 'block', code: -32603, duration: millis(12) });
    expect(await sampleOf(metrics, 'cometbft_consensus_height')).toBe(2);
    expect(await sampleOf(metrics, 'althing_executed_height')).toBe(2);
    expect(await sampleOf(metrics, 'cometbft_p2p_peers')).toBe(3);
    expect(await sampleOf(metrics, 'cometbft_mempool_size')).toBe(1);
    expect(await sampleOf(metrics, 'cometbft_mempool_size_bytes')).toBe(3);
    expect(await sampleOf(metrics, 'cometbft_consensus_total_txs')).toBe(2);
    expect(await sampleOf(metrics, 'cometbft_consensus_block_interval_seconds_sum')).toBe(0.25);
    expect(await sampleOf(metrics, 'althing_view_changes_total{reason="LeaderTimeout"}')).toBe(1);
    expect(await sampleOf(metrics, 'althing_rpc_calls_total{method="block",code="-32603"}')).toBe(1);
    expect(await sampleOf(metrics, 'althing_quorum_power')).toBe(27);
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
