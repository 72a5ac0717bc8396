import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../src/observe/metrics.ts';
import { BRIDGE_COUNTS } from '../../src/rpc/bridge-port.ts';
import { IN_TROUBLE } from '../rpc/bridge-report.ts';
import { MemoryNode } from '../rpc/memory-node.ts';

/** All series of the bridge and their values, by name and labels. */
async function seriesOf(node: MemoryNode): Promise<ReadonlyMap<string, string>> {
  const lines = (await createMetrics(node).text())
    .split('\n')
    .filter((line) => /^althing_bridge_/.test(line));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice('althing_bridge_'.length, space), line.slice(space + 1)];
    }),
  );
}

describe('the metrics of the bridge (BR-9)', () => {
  it('are the report, one series for each count and state', async () => {
    const node = new MemoryNode();
    node.bridgeFacts = IN_TROUBLE;
    const series = await seriesOf(node);
    expect(Object.fromEntries(series)).toEqual({
      pending_operations: '9',
      overdue_operations: '1',
      healthy: '0',
      divergences: '1',
      open_breakers: '1',
      'reach{state="connecting"}': '0',
      'reach{state="connected"}': '0',
      'reach{state="partitioned"}': '1',
      ...Object.fromEntries(BRIDGE_COUNTS.map((what, index) => [`total{what="${what}"}`, String(index + 1)])),
    });
  });

  it('are there while the bridge is down: what is not known is NaN, a count 0', async () => {
    const node = new MemoryNode();
    node.bridgeIsDown = true;
    const series = await seriesOf(node);
    for (const name of [
      'pending_operations',
      'overdue_operations',
      'healthy',
      'divergences',
      'open_breakers',
    ])
      expect([name, series.get(name)]).toEqual([name, 'Nan']);
    expect(series.get('reach{state="connected"}')).toBe('0');
    for (const what of BRIDGE_COUNTS) expect(series.get(`total{what="${what}"}`)).toBe('0');
  });

  it('ask for no operation: those are sorted for people alone', async () => {
    const node = new MemoryNode();
    await seriesOf(node);
    expect(new Set(node.bridgeLimits)).toEqual(new Set([0]));
  });
});
