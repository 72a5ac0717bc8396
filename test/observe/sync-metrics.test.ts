import { describe, expect, it } from 'vitest';
import { millis } from '../../src/base/units.ts';
import { createMetrics, type NodeMetrics } from '../../src/observe/metrics.ts';
import { PEERS_MAX } from '../../src/observe/sync-metrics.ts';
import { parseAddress } from '../../src/protocol/chain/parse.ts';
import { SYNC_ALERT_NAMES } from '../../src/protocol/sync/alerts.ts';
import { SYNC_ERRORS, SYNC_STATUSES, type SyncPeer } from '../../src/rpc/sync-port.ts';
import { MemoryNode } from '../rpc/memory-node.ts';
import { heightOf, progressOf } from '../rpc/sync-report.ts';

/** All series of sync and their values, by name and labels. */
async function seriesOf(metrics: NodeMetrics): Promise<ReadonlyMap<string, string>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line.startsWith('althing_sync_'));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice('althing_sync_'.length, space), line.slice(space + 1)];
    }),
  );
}

describe('the metrics of sync (SY-13)', () => {
  it('are there from the start: unknown is NaN, a count 0, and nobody answering is never InSync (SY-2)', async () => {
    const node = new MemoryNode();
    const zero = Object.fromEntries(Object.keys(node.sync().counts).map((key) => [key, 0]));
    node.syncFacts = {
      activity: 'starting',
      status: { kind: 'Unknown', reason: 'nobody has answered' },
      consensusHeight: undefined,
      proved: undefined,
      lastCheckAge: undefined,
      durations: { 1: undefined, 2: undefined, 3: undefined },
      validation: undefined,
      counts: { ...node.sync().counts, ...zero },
      alertCounts: new Map(),
      errorCounts: new Map(),
    };
    const series = await seriesOf(createMetrics(node));
    const unknown = [
      'consensus_height',
      'proved_height',
      'gap',
      'validation_seconds',
      'last_check_age_seconds',
    ];
    for (const name of unknown.concat([1, 2, 3].map((tier) => `tier_seconds{tier="${tier}"}`)))
      expect([name, series.get(name)]).toEqual([name, 'Nan']);
    expect(series.get('height')).toBe('12345');
    expect(SYNC_STATUSES.map((status) => series.get(`status{status="${status}"}`))).toEqual([
      '0',
      '0',
      '0',
      '0',
      '0',
      '1',
    ]);
    expect(series.get('activity{activity="starting"}')).toBe('1');
    for (const alert of SYNC_ALERT_NAMES) {
      expect([alert, series.get(`alert{alert="${alert}"}`)]).toEqual([alert, '0']);
      expect([alert, series.get(`alerts_total{alert="${alert}"}`)]).toEqual([alert, '0']);
    }
    for (const code of SYNC_ERRORS) expect(series.get(`errors_total{code="${code}"}`)).toBe('0');
    for (const name of [
      'checks',
      'catch_ups',
      'resyncs',
      'forks_detected',
      'blocks_fetched',
      'blocks_rejected',
    ])
      expect([name, series.get(`${name}_total`)]).toEqual([name, '0']);
    expect([series.get('blocks_per_second'), series.get('blocks_remaining')]).toEqual(['0', '0']);
  });

  it('have own height against consensus height, latency by tier, validation time, and what came and was refused', async () => {
    const node = new MemoryNode();
    node.syncFacts = {
      status: { kind: 'LargeGap', gap: 655 },
      activity: 'catchingUp',
      consensusHeight: heightOf(13_000),
      progress: progressOf(),
      counts: { ...node.sync().counts, forks: 1 },
      alerts: [{ alert: 'SyncStalled', detail: 'no block for 60 s', remedy: 'look', age: millis(1) }],
    };
    const series = await seriesOf(createMetrics(node));
    const expected = {
      height: 12_345,
      consensus_height: 13_000,
      proved_height: 12_345,
      gap: 655,
      'status{status="LargeGap"}': 1,
      'status{status="InSync"}': 0,
      'activity{activity="catchingUp"}': 1,
      'activity{activity="resting"}': 0,
      'tier_seconds{tier="1"}': 0.0125,
      'tier_seconds{tier="2"}': 0.82,
      validation_seconds: 0.00725,
      last_check_age_seconds: 3.2000004,
      blocks_per_second: 5_120.4,
      blocks_remaining: 3_700,
      checks_total: 9,
      catch_ups_total: 2,
      forks_detected_total: 1,
      blocks_fetched_total: 1_000,
      blocks_rejected_total: 128,
      batches_retried_total: 3,
      fetched_bytes_total: 2_048_000,
      'alert{alert="SyncStalled"}': 1,
      'alerts_total{alert="NoSyncPeers"}': 2,
      'errors_total{code="Timeout"}': 4,
    };
    for (const [name, value] of Object.entries(expected))
      expect(Number(series.get(name)), name).toBeCloseTo(value, 9);
  });

  it('have the responsiveness of each peer', async () => {
    const node = new MemoryNode();
    const [first, , silent] = node.sync().peers;
    if (first === undefined || silent === undefined) throw new Error('the report has three');
    const series = await seriesOf(createMetrics(node));
    const of = (name: string, { id }: SyncPeer) => series.get(`peer_${name}{peer="${id}"}`);
    expect(Number(of('latency_seconds', first))).toBeCloseTo(0.0015004, 9);
    expect([of('height', first), of('failures', first), of('trusted', first)]).toEqual(['12345', '0', '1']);
    expect([of('latency_seconds', silent), of('height', silent)]).toEqual(['Nan', 'Nan']);
    expect([of('failures', silent), of('score', silent), of('trusted', silent)]).toEqual(['3', '0.2', '0']);
  });

  it('count what the cells have counted, however often they are read', async () => {
    const metrics = createMetrics(new MemoryNode());
    for (const _ of ['once', 'twice']) {
      const series = await seriesOf(metrics);
      expect(series.get('checks_total')).toBe('9');
      expect(series.get('alerts_total{alert="NoSyncPeers"}')).toBe('2');
      expect(series.get('errors_total{code="Timeout"}')).toBe('4');
    }
  });

  it('never go below 0 behind, where the own height is ahead of what is known', async () => {
    const node = new MemoryNode();
    node.syncFacts = { consensusHeight: heightOf(12_000) };
    expect((await seriesOf(createMetrics(node))).get('gap')).toBe('0');
  });

  it('let go of a peer that is gone, and show no more than PEERS_MAX, those of most power', async () => {
    const node = new MemoryNode();
    const [peer] = node.sync().peers;
    if (peer === undefined) throw new Error('the report has three');
    const many = Array.from({ length: PEERS_MAX + 1 }, (_, index): SyncPeer => {
      const id = parseAddress(index.toString(16).padStart(40, '0'));
      if (id === 'malformed') throw new Error('an address is an address');
      return { ...peer, id, power: BigInt(index) };
    });
    const metrics = createMetrics(node);
    node.syncFacts = { peers: many };
    const shown = (series: ReadonlyMap<string, string>): readonly string[] =>
      [...series.keys()].filter((name) => name.startsWith('peer_score'));
    const series = shown(await seriesOf(metrics));
    expect(series).toHaveLength(PEERS_MAX);
    expect(series).not.toContain(`peer_score{peer="${'0'.repeat(40)}"}`);
    node.syncFacts = { peers: [] };
    expect(shown(await seriesOf(metrics))).toEqual([]);
  });
});
