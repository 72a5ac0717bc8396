import { describe, expect, it } from 'vitest';
import { millis } from '../../src/base/units.ts';
import { createMetrics, type NodeMetrics } from '../../src/observe/metrics.ts';
import { TIME_ALERTS } from '../../src/protocol/time/types.ts';
import { MemoryNode } from '../rpc/memory-node.ts';

/** All series of time and their values, by name and labels. */
async function seriesOf(metrics: NodeMetrics): Promise<ReadonlyMap<string, string>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line.startsWith('althing_time_'));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice('althing_time_'.length, space), line.slice(space + 1)];
    }),
  );
}

describe('the metrics of time', () => {
  it('are there from the start: unknown is NaN, an unknown error infinite, a count 0', async () => {
    const node = new MemoryNode();
    const { peers, servers } = node.time();
    const unheard = peers.map((peer) => ({ ...peer, offset: undefined, roundTripTime: undefined }));
    node.timeFacts = {
      state: 'starting',
      error: undefined,
      mayPropose: false,
      alerts: [],
      alertCounts: new Map(),
      history: [],
      peers: unheard,
      servers: servers.slice(1),
    };
    const series = await seriesOf(createMetrics(node));
    expect(series.get('error_bound_seconds')).toBe('+Inf');
    expect(series.get('may_propose')).toBe('0');
    expect(series.get('system_offset_seconds')).toBe('10.5');
    for (const alert of TIME_ALERTS) {
      expect([alert, series.get(`alert{alert="${alert}"}`)]).toEqual([alert, '0']);
      expect([alert, series.get(`alerts_total{alert="${alert}"}`)]).toEqual([alert, '0']);
    }
    for (const source of ['system', 'ntp', 'peers', 'hybrid'])
      expect(series.get(`updates_total{source="${source}"}`)).toBe('0');
    for (const outcome of ['slewed', 'stepped'])
      expect(series.get(`corrections_total{outcome="${outcome}"}`)).toBe('0');
    const states = ['starting', 'acquiring', 'synchronised', 'holdingOver'];
    expect(states.map((state) => series.get(`state{state="${state}"}`))).toEqual(['1', '0', '0', '0']);
    for (const { id } of peers) {
      expect(series.get(`peer_offset_seconds{peer="${id}"}`)).toBe('Nan');
      expect(series.get(`peer_round_trip_seconds{peer="${id}"}`)).toBe('Nan');
    }
    expect(series.get('ntp_offset_seconds{server="127.0.0.1:123"}')).toBe('Nan');
    expect(series.get('ntp_selected{server="127.0.0.1:123"}')).toBe('0');
  });

  it('are in seconds, with a label for each validator, server and alert', async () => {
    const node = new MemoryNode();
    const metrics = createMetrics(node);
    const [peer] = node.time().peers;
    const [server] = node.time().servers;
    if (peer === undefined || server === undefined) throw new Error('the report has them');
    node.timeFacts = { servers: [{ ...server, status: 'selected' }], error: millis(2.5), slewLeft: 40 };
    const series = await seriesOf(metrics);
    const expected = {
      error_bound_seconds: '0.0025',
      rate_ppm: '-12.34',
      slew_left_seconds: '0.04',
      may_propose: '1',
      'state{state="synchronised"}': '1',
      'alert{alert="ClockDriftCritical"}': '1',
      'alert{alert="HoldOver"}': '0',
      'alerts_total{alert="ClockDriftCritical"}': '2',
      [`peer_offset_seconds{peer="${peer.id}"}`]: '-0.00006',
      [`peer_round_trip_seconds{peer="${peer.id}"}`]: '0.001498',
      [`peer_reliability{peer="${peer.id}"}`]: '0.78',
      'ntp_offset_seconds{server="ntp.example"}': '5',
      'ntp_selected{server="ntp.example"}': '1',
    };
    for (const [name, value] of Object.entries(expected)) {
      expect(Number(series.get(name)), name).toBeCloseTo(Number(value), 12);
    }
  });

  it('count each update once, however often they are read, and go on with a history that begins anew', async () => {
    const node = new MemoryNode();
    const [stepped, slewed] = node.time().history;
    if (stepped === undefined || slewed === undefined) throw new Error('the report has them');
    const metrics = createMetrics(node);
    const counts = async () => {
      const series = await seriesOf(metrics);
      return ['updates_total{source="peers"}', 'updates_total{source="ntp"}']
        .concat(['corrections_total{outcome="stepped"}', 'corrections_total{outcome="slewed"}'])
        .map((name) => Number(series.get(name)));
    };
    node.timeFacts = { history: [stepped] };
    expect(await counts()).toEqual([1, 0, 1, 0]);
    expect(await counts()).toEqual([1, 0, 1, 0]);
    const byNtp = { ...slewed, by: 'ntp' } as const;
    node.timeFacts = { history: [stepped, slewed, byNtp] };
    expect(await counts()).toEqual([2, 1, 1, 2]);
    // The oldest has made room.
    const newest = { ...slewed };
    node.timeFacts = { history: [byNtp, newest] };
    expect(await counts()).toEqual([3, 1, 1, 3]);
    node.timeFacts = { history: [] };
    expect(await counts()).toEqual([3, 1, 1, 3]);
    node.timeFacts = { history: [{ ...stepped }] };
    expect(await counts()).toEqual([4, 1, 2, 3]);
  });
});
