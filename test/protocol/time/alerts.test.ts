import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis } from '../../../src/base/units.ts';
import { type Alerts, driftAlerts, stepAlerts } from '../../../src/protocol/time/alerts.ts';
import { TIME_ALERTS, type TimeAlert } from '../../../src/protocol/time/types.ts';

const none: Alerts = new Map();
const standing = (...alerts: readonly TimeAlert[]): Alerts =>
  new Map(alerts.map((alert) => [alert, `${alert}!`]));

describe('standing alerts (TM-7)', () => {
  it('are raised once, when they begin, and cleared once, when they end', () => {
    const begun = stepAlerts(none, standing('HoldOver'));
    expect(begun).toEqual({
      raised: [{ alert: 'HoldOver', detail: 'HoldOver!' }],
      cleared: [],
      repeated: [],
      standing: standing('HoldOver'),
    });
    const lasting = stepAlerts(begun.standing, new Map([['HoldOver', 'for longer']]));
    expect(lasting).toMatchObject({ raised: [], cleared: [], repeated: [] });
    expect(lasting.standing.get('HoldOver')).toBe('for longer');
    const ended = stepAlerts(lasting.standing, none);
    expect(ended).toEqual({ raised: [], cleared: ['HoldOver'], repeated: [], standing: none });
    expect(stepAlerts(ended.standing, none).cleared).toEqual([]);
  });

  it('are repeated at every check from 5 s on, with the newest detail', () => {
    const lasting = standing('ClockDriftSevere', 'ClockDrift', 'TooFewPeers', 'ClockDriftCritical');
    const { repeated } = stepAlerts(lasting, new Map([...lasting, ['ClockDriftSevere', 'now 6 s']]));
    expect(repeated).toEqual([
      { alert: 'ClockDriftSevere', detail: 'now 6 s' },
      { alert: 'ClockDriftCritical', detail: 'ClockDriftCritical!' },
    ]);
  });

  it('count each alert’s beginnings and ends alike, whatever is wanted in between', () => {
    fc.assert(
      fc.property(fc.array(fc.subarray([...TIME_ALERTS])), (checks) => {
        let open = new Set<TimeAlert>();
        let now = none;
        for (const wanted of checks) {
          const step = stepAlerts(now, standing(...wanted));
          for (const { alert } of step.raised) expect(open.has(alert)).toBe(false);
          for (const alert of step.cleared) expect(open.has(alert)).toBe(true);
          for (const { alert } of step.repeated) expect(open.has(alert)).toBe(true);
          const cleared = new Set(step.cleared);
          open = new Set(
            [...open, ...step.raised.map(({ alert }) => alert)].filter((alert) => !cleared.has(alert)),
          );
          expect([...open].sort()).toEqual([...wanted].sort());
          now = step.standing;
        }
      }),
    );
  });

  it('come in one order, whoever found them first', () => {
    const [one, other] = [standing('HoldOver', 'ClockDrift'), standing('ClockDrift', 'HoldOver')];
    expect(stepAlerts(none, one).raised).toEqual(stepAlerts(none, other).raised);
    expect(stepAlerts(one, none).cleared).toEqual(stepAlerts(other, none).cleared);
  });
});

describe('drift of the system clock (TM-7)', () => {
  const alertsAt = (offset: number, threshold = 500) =>
    driftAlerts(offset, { driftThresholdMs: millis(threshold) }).map(([alert]) => alert);

  it.each([
    [0, []],
    [500, []],
    [500.1, ['ClockDrift']],
    [5_000, ['ClockDrift']],
    [5_000.1, ['ClockDriftSevere']],
    [10_000, ['ClockDriftSevere']],
    [10_000.1, ['ClockDriftCritical']],
  ])('is, %s ms off to either side, %j', (offset, expected) => {
    expect(alertsAt(offset)).toEqual(expected);
    expect(alertsAt(-offset)).toEqual(expected);
  });

  it('is severe beyond 5 s even where the threshold is higher', () => {
    expect(alertsAt(5_500, 6_000)).toEqual(['ClockDriftSevere']);
    expect(alertsAt(4_500, 6_000)).toEqual([]);
  });

  it('tells the value, the direction and the remedy', () => {
    const detailAt = (offset: number) => driftAlerts(offset, { driftThresholdMs: millis(500) })[0]?.[1];
    expect(detailAt(7_230)).toBe(
      "this machine's clock is 7.2 s ahead of adjusted time; set it, or run an NTP client",
    );
    expect(detailAt(-612.4)).toContain('is 612 ms behind adjusted time;');
  });
});
