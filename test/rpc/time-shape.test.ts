import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TIME_ALERTS } from '../../src/protocol/time/types.ts';
import { startTestServer, type TestServer } from './server.ts';

let rpc: TestServer;
beforeEach(async () => {
  rpc = await startTestServer();
});
afterEach(() => rpc.server.close());

describe('althing_time', () => {
  it('answers the report in snake case: milliseconds with microseconds, times RFC 3339, ids in upper case', async () => {
    const { result } = await rpc.call('althing_time');
    expect(result).toMatchObject({
      state: 'synchronised',
      source: 'hybrid',
      led_by: 'peers',
      adjusted_time: '2026-01-31T12:00:13.34Z',
      is_adjusted: true,
      system_time: '2026-01-31T12:00:23.84Z',
      system_offset_ms: 10_500,
      error_ms: 2.504,
      rate_ppm: -12.34,
      slew_left_ms: -0.25,
      updates: 4,
      last_update_age_ms: 3_340.2,
      may_propose: true,
      alerts: [{ alert: 'ClockDriftCritical', detail: "this machine's clock is 10.5 s ahead" }],
      findings: {
        peers: {
          status: 'agreed',
          lo_ms: -0.844,
          hi_ms: 0.724,
          low: [expect.stringMatching(/^[0-9A-F]{40}$/)],
        },
        ntp: { status: 'noMajority', candidates: 2, agreeing: 1 },
        conflict: false,
        peers_are_synchronised: true,
      },
    });
    expect(result?.['peers']).toHaveLength(3);
    expect(result?.['peers']).toContainEqual({
      peer: expect.stringMatching(/^[0-9A-F]{40}$/),
      name: expect.stringMatching(/^validator \d$/),
      offset_ms: 0.227,
      last_update_age_ms: 3_340.2,
      round_trip_ms: 1.15,
      reliability: 0.78,
      is_synchronised: true,
    });
  });

  it('counts every alert from 0 on', async () => {
    const { result } = await rpc.call('althing_time');
    const none = Object.fromEntries(TIME_ALERTS.map((alert) => [alert, 0]));
    expect(result?.['alert_counts']).toEqual({ ...none, ClockDriftCritical: 2 });
  });

  it('answers null for what is not known', async () => {
    rpc.node.timeFacts = {
      state: 'starting',
      ledBy: undefined,
      error: undefined,
      lastUpdateAge: undefined,
      findings: undefined,
    };
    const { text } = await rpc.post({ id: 1, method: 'althing_time' });
    const { result } = JSON.parse(text);
    expect(result).toMatchObject({
      state: 'starting',
      led_by: null,
      error_ms: null,
      last_update_age_ms: null,
      findings: null,
    });
    expect(result.peers[2]).toMatchObject({ offset_ms: null, round_trip_ms: null, last_update_age_ms: null });
    expect(result.servers[1]).toMatchObject({
      offset_ms: null,
      delay_ms: null,
      root_distance_ms: null,
      stratum: null,
    });
  });

  it('has findings without agreement with their powers as strings, and what NTP selected', async () => {
    rpc.node.timeFacts = {
      findings: {
        peers: { status: 'tooFewAnswers', power: 20n, needed: 27n },
        ntp: { status: 'selected', offset: 1.23456, error: 2, falsetickers: ['ntp.example'] },
        conflict: true,
        peersAreSynchronised: false,
      },
    };
    expect((await rpc.call('althing_time')).result?.['findings']).toEqual({
      peers: { status: 'tooFewAnswers', power: '20', needed: '27' },
      ntp: { status: 'selected', offset_ms: 1.235, error_ms: 2, falsetickers: ['ntp.example'] },
      conflict: true,
      peers_are_synchronised: false,
    });
  });

  it.each([
    [undefined, ['stepped', 'slewed']],
    ['1', ['slewed']],
    ['0', []],
    ['99', ['stepped', 'slewed']],
  ])('has the newest updates up to `history`: %s', async (history, outcomes) => {
    const { result } = await rpc.call('althing_time', history === undefined ? {} : { history });
    const updates = result?.['history'] as readonly { readonly outcome: string }[];
    expect(updates.map(({ outcome }) => outcome)).toEqual(outcomes);
  });

  it('has each update with what was found of the clocks', async () => {
    const { result } = await rpc.call('althing_time', { history: '1' });
    expect(result?.['history']).toEqual([
      {
        at: '2026-01-31T12:00:10Z',
        by: 'peers',
        outcome: 'slewed',
        correction_ms: 0,
        error_ms: 2.5,
        system_offset_ms: 10_500,
        peers: [
          { peer: expect.stringMatching(/^[0-9A-F]{40}$/), offset_ms: -0.06 },
          { peer: expect.stringMatching(/^[0-9A-F]{40}$/), offset_ms: 0.227 },
        ],
      },
    ]);
  });

  it('can be asked by a browser or curl, and refuses a history that is no number', async () => {
    expect(JSON.parse((await rpc.get('/althing_time?history=0')).text).result.history).toEqual([]);
    expect((await rpc.call('althing_time', { history: 'all' })).error).toMatchObject({ code: -32602 });
  });
});
