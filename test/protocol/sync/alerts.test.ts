import { describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import { SYNC_ALERT_NAMES, SYNC_ALERTS, stepSyncAlerts } from '../../../src/protocol/sync/alerts.ts';

const NONE = new Map();

describe('alerts about sync', () => {
  it('each is raised once and cleared once, with the time since which it stands (SY-11)', () => {
    const raised = stepSyncAlerts(NONE, new Map([['GapNotClosed', 'far']]), monotonic(5));
    expect(raised.raised).toEqual([{ alert: 'GapNotClosed', detail: 'far' }]);
    const stands = stepSyncAlerts(raised.standing, new Map([['GapNotClosed', 'nearer']]), monotonic(9));
    expect(stands).toMatchObject({ raised: [], cleared: [] });
    expect(stands.standing.get('GapNotClosed')).toEqual({ detail: 'nearer', since: 5 });
    const cleared = stepSyncAlerts(stands.standing, NONE, monotonic(12));
    expect(cleared).toMatchObject({ raised: [], cleared: ['GapNotClosed'] });
    expect(cleared.standing.size).toBe(0);
    const again = stepSyncAlerts(cleared.standing, new Map([['GapNotClosed', 'far']]), monotonic(20));
    expect(again.standing.get('GapNotClosed')?.since).toBe(20);
  });

  it('the gravest comes first, whatever the order in which they came', () => {
    const wanted = new Map([
      ['NoSyncPeers', 'a'],
      ['ForkDetected', 'b'],
    ] as const);
    expect(stepSyncAlerts(NONE, wanted, monotonic(0)).raised.map(({ alert }) => alert)).toEqual([
      'ForkDetected',
      'NoSyncPeers',
    ]);
  });

  it('every alert has a meaning, a remedy and a place in the order', () => {
    expect([...SYNC_ALERT_NAMES].sort()).toEqual(Object.keys(SYNC_ALERTS).sort());
    for (const { means, remedy } of Object.values(SYNC_ALERTS)) {
      expect(means.length).toBeGreaterThan(10);
      expect(remedy.length).toBeGreaterThan(10);
    }
  });
});
