import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import { millis } from '../../src/base/units.ts';
import type { SyncStatus } from '../../src/protocol/sync/types.ts';
import { syncJson } from '../../src/rpc/sync-shape.ts';
import { MemoryNode } from './memory-node.ts';
import { startTestServer, type TestServer } from './server.ts';
import { heightOf, progressOf } from './sync-report.ts';

let rpc: TestServer;
beforeAll(async () => {
  rpc = await startTestServer();
});
beforeEach(() => {
  rpc.node.syncFacts = {};
  rpc.node.syncsRequested = 0;
  rpc.node.resyncs.length = 0;
  rpc.node.resyncOutcome = { status: 'running' };
});
afterAll(() => rpc.server.close());

const asked = async (): Promise<Record<string, unknown>> => (await rpc.call('althing_sync')).result ?? {};
const operator = { Authorization: 'Bearer secret-token' };
const order = async (method: string, params: object = {}): Promise<Record<string, unknown>> =>
  JSON.parse((await rpc.post({ jsonrpc: '2.0', id: 1, method, params }, operator)).text);

describe('althing_sync', () => {
  it('says how far the node is: heights as strings, milliseconds with microseconds, unknown as null', async () => {
    expect(await asked()).toMatchObject({
      activity: 'resting',
      status: { kind: 'InSync', gap: null, reason: null },
      health: '✅ In Sync: Height 12345 (consensus: 12345)',
      height: '12345',
      consensus_height: '12345',
      proved_height: '12345',
      supported_height: '12340',
      exact_height: null,
      progress: null,
      resync: null,
      alerts: [],
      last_check_age_ms: 3_200,
      last_error: null,
      tier1_ms: 12.5,
      tier2_ms: 820,
      tier3_ms: null,
      validation_ms: 7.25,
      counts: { checks: 9, catch_ups: 2, blocks_fetched: 1_000, blocks_rejected: 128, batches_retried: 3 },
    });
  });

  it('shows what each peer claims, whether it proved it, and what is thought of it', async () => {
    const [first, second, third] = Object(await asked()).peers;
    expect(first).toEqual({
      peer: expect.stringMatching(/^[0-9A-F]{40}$/),
      name: 'validator 1',
      power: '10',
      base: '1',
      height: '12345',
      is_proved: true,
      claim_age_ms: 1_500.25,
      latency_ms: 1.5,
      failures: 0,
      score: 0.875,
      consistent_uptime_ms: 21_600_000,
      is_trusted: true,
      removed_for_ms: null,
    });
    expect(second).toMatchObject({ height: '12346', is_proved: false, is_trusted: false });
    expect(third).toMatchObject({
      base: null,
      height: null,
      is_proved: false,
      claim_age_ms: null,
      latency_ms: null,
    });
    expect(third).toMatchObject({ failures: 3, removed_for_ms: 20_000 });
  });

  it('has every alert and error in its counts, and alerts with what to do', async () => {
    rpc.node.syncFacts = {
      alerts: [
        { alert: 'SyncStalled', detail: 'none for 60 s', remedy: 'look at the peers', age: millis(61_000) },
      ],
      lastError: { code: 'SyncGapTooLarge', gap: 2_000, detail: 'too far' },
    };
    const report = await asked();
    expect(report['alerts']).toEqual([
      { alert: 'SyncStalled', detail: 'none for 60 s', remedy: 'look at the peers', age_ms: 61_000 },
    ]);
    expect(report['last_error']).toEqual({ code: 'SyncGapTooLarge', gap: 2_000, detail: 'too far' });
    expect(report['alert_counts']).toMatchObject({ NoSyncPeers: 2, ForkDetected: 0 });
    expect(Object.keys(Object(report['alert_counts']))).toHaveLength(7);
    expect(report['error_counts']).toMatchObject({ Timeout: 4, BlockNotFound: 0 });
    expect(Object.keys(Object(report['error_counts']))).toHaveLength(6);
  });

  it('has the progress of a catching up (SY-11)', async () => {
    const [peer] = rpc.node.sync().peers;
    if (peer === undefined) throw new Error('the report has peers');
    rpc.node.syncFacts = { progress: progressOf({ peers: [peer.id] }) };
    expect((await asked())['progress']).toEqual({
      tier: 2,
      from: '2345',
      at: '8645',
      to: '12345',
      blocks_per_second: 5_120.4,
      remaining_ms: 722.6,
      elapsed_ms: 1_230.5,
      peers: [peer.id.toUpperCase()],
      snapshot: null,
    });
    rpc.node.syncFacts = {
      progress: progressOf({ snapshot: { height: heightOf(12_000), written: 3, chunks: 12 } }),
    };
    expect(Object((await asked())['progress']).snapshot).toEqual({ height: '12000', written: 3, chunks: 12 });
    rpc.node.syncFacts = { progress: progressOf({ remaining: undefined }) };
    expect(Object((await asked())['progress']).remaining_ms).toBeNull();
  });

  it.each<[SyncStatus, object]>([
    [
      { kind: 'SmallGap', gap: 3 },
      { kind: 'SmallGap', gap: 3, reason: null },
    ],
    [
      { kind: 'Critical', reason: 'Fork detected!' },
      { kind: 'Critical', gap: null, reason: 'Fork detected!' },
    ],
    [
      { kind: 'Unknown', reason: 'nobody' },
      { kind: 'Unknown', gap: null, reason: 'nobody' },
    ],
  ])('has one shape for every status: %j', (status, expected) => {
    expect(syncJson({ ...new MemoryNode().sync(), status })).toMatchObject({ status: expected });
  });

  it('can be asked by a browser or curl', async () => {
    expect(JSON.parse((await rpc.get('/althing_sync')).text).result.height).toBe('12345');
  });
});

describe('althing_sync_now', () => {
  it('is an operator command: without the token nothing is begun', async () => {
    expect((await rpc.call('althing_sync_now')).error).toBeDefined();
    expect((await rpc.get('/althing_sync_now')).status).not.toBe(200);
    expect(rpc.node.syncsRequested).toBe(0);
  });

  it('answers what became of it, or that it goes on', async () => {
    expect(await order('althing_sync_now')).toMatchObject({
      result: { status: 'done', sync: { kind: 'InSync' }, error: null },
    });
    rpc.node.syncOutcome = {
      status: 'done',
      sync: { kind: 'Unknown', reason: 'x' },
      error: { code: 'NoPeersAvailable', detail: 'nobody' },
    };
    expect(await order('althing_sync_now')).toMatchObject({
      result: { sync: { kind: 'Unknown' }, error: { code: 'NoPeersAvailable', gap: null, detail: 'nobody' } },
    });
    rpc.node.syncOutcome = { status: 'running' };
    expect(await order('althing_sync_now')).toMatchObject({ result: { status: 'running' } });
    expect(rpc.node.syncsRequested).toBe(3);
  });
});

describe('althing_resync', () => {
  const id = toHex(new Uint8Array(32).fill(0xab));

  it('is an operator command: without the token nothing is begun (SY-9)', async () => {
    expect((await rpc.call('althing_resync')).error).toBeDefined();
    expect((await rpc.get('/althing_resync')).status).not.toBe(200);
    expect(rpc.node.resyncs).toEqual([]);
  });

  it('begins one, with a checkpoint where one is given', async () => {
    expect(await order('althing_resync')).toMatchObject({ result: { status: 'running' } });
    await order('althing_resync', { height: '7', id: id.toUpperCase() });
    expect(rpc.node.resyncs).toEqual([undefined, { height: 7, id }]);
  });

  it('answers how it ended, where that is soon', async () => {
    rpc.node.resyncOutcome = { status: 'ready', height: heightOf(9) };
    expect(await order('althing_resync')).toMatchObject({ result: { status: 'ready', height: '9' } });
    rpc.node.resyncOutcome = {
      status: 'failed',
      error: { code: 'NoPeersAvailable', detail: 'none is trusted' },
    };
    expect(await order('althing_resync')).toMatchObject({
      result: { status: 'failed', error: { code: 'NoPeersAvailable', detail: 'none is trusted' } },
    });
  });

  it.each([
    [{ height: '7' }],
    [{ id }],
    [{ height: '0', id }],
    [{ height: '-1', id }],
    [{ height: '7', id: id.slice(2) }],
    [{ height: '7', id: 'xyz' }],
  ])('refuses the checkpoint %j, and begins nothing', async (params) => {
    expect(await order('althing_resync', params)).toMatchObject({ error: { code: -32602 } });
    expect(rpc.node.resyncs).toEqual([]);
  });
});
