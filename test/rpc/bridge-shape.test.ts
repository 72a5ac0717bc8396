import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BRIDGE } from '../../src/cli/shapes.ts';
import { IN_TROUBLE, OTHER, PEER } from './bridge-report.ts';
import { startTestServer, type TestServer } from './server.ts';

let rpc: TestServer;
beforeEach(async () => {
  rpc = await startTestServer();
});
afterEach(() => rpc.server.close());

describe('althing_bridge (BR-9)', () => {
  it('answers in snake case: heights and powers are strings, milliseconds numbers, ids in upper case', async () => {
    rpc.node.bridgeFacts = IN_TROUBLE;
    const { result } = await rpc.call('althing_bridge');
    expect(BRIDGE.parse(result)).toEqual(result);
    expect(result).toMatchObject({
      reach: 'partitioned',
      partition: 'unreachable: validators with power 2 of 4 can be reached, 3 are needed',
      healed_after_ms: 1_235,
      healthy: false,
      reachable_power: '2',
      required_votes: '3',
      pending_operations: 9,
      max_pending_operations: 10,
      queued_submissions: 2,
      overdue_operations: 1,
      counts: {
        messages_processed: 1,
        failed_operations: 3,
        state_syncs_sent: 9,
        forgotten: 12,
        handed_again: 13,
        not_kept: 14,
        turned_away: 15,
      },
      divergences: [{ height: '7', ours: expect.stringMatching(/^[0-9A-F]{64}$/) }],
      breakers: [{ peer: PEER.toUpperCase(), state: 'open' }, { state: 'closed' }],
      missing: [
        { peer: OTHER.toUpperCase(), name: 'node2' },
        { peer: PEER.toUpperCase(), name: '' },
      ],
      state_sync: { height: '7', age_ms: 13, interval_ms: 10_000 },
      operations: [
        { bytes: 3, age_ms: 46, expires_at_height: '20', votes_received: '2', required_votes: '3' },
        { expires_at_height: '21', votes_received: null, required_votes: '3' },
      ],
    });
  });

  it('answers null for what is not known', async () => {
    const { result } = await rpc.call('althing_bridge');
    expect(result).toMatchObject({ partition: null, healed_after_ms: null, state_sync: { height: null } });
  });

  it.each([
    [{}, 30],
    [{ limit: '5' }, 5],
    [{ limit: '0' }, 30],
    [{ limit: '-7' }, 30],
    [{ limit: '1000000' }, 100],
  ])('shows within the bound of a page: %o asks for %i', async (params, asked) => {
    await rpc.call('althing_bridge', params);
    expect(rpc.node.bridgeLimits).toEqual([asked]);
  });

  it.each(['x', '1.5', '1e99'])('refuses the limit %s, which is no number of operations', async (limit) => {
    const { error } = await rpc.call('althing_bridge', { limit });
    expect(error?.code).toBe(-32602);
    expect(rpc.node.bridgeLimits).toEqual([]);
  });

  it('says so while its cell is down', async () => {
    rpc.node.bridgeIsDown = true;
    const { error } = await rpc.call('althing_bridge');
    expect(`${error?.message} ${error?.data}`).toContain('the bridge is down: ask again');
  });
});
