import { describe, expect, it } from 'vitest';
import {
  child,
  createSystem,
  handler,
  type Message,
  seededRandom,
  supervisor,
  virtualClock,
} from '../../src/actors/runtime/index.ts';
import { millis, monotonic, type WallTime, wallTime } from '../../src/base/units.ts';
import type { ClockLooked, ClockRequest } from '../../src/protocol/ports/time.ts';
import { AdjustedClock } from '../../src/time/adjusted-clock.ts';
import { type AlertsChanged, CLOCK_EVENTS, type ClockOptions, clockLogic } from '../../src/time/clock.ts';

const START = 1_000_000;

function harness(changed: Partial<ClockOptions> = {}, hold: () => void = () => undefined) {
  const timeline = virtualClock({ startWallMs: START });
  /** How wrong the system clock is. */
  const error = { ms: 0 };
  const wall = (): WallTime => {
    hold();
    return wallTime(timeline.wall() + error.ms);
  };
  const adjusted = new AdjustedClock({ now: () => timeline.now(), wall });
  const reports: AlertsChanged[] = [];
  const heard: { readonly by: string; readonly looked: ClockLooked }[] = [];
  const listener = (by: string) =>
    handler<undefined, ClockLooked>({
      init: () => undefined,
      receive(looked) {
        heard.push({ by, looked });
      },
    });
  const logic = clockLogic({ adjusted, wall, report: (change) => reports.push(change), ...changed });
  const system = createSystem({ name: 'test', clock: timeline, random: seededRandom('clock') });
  const children = [
    child('first', listener('first')),
    child('second', listener('second')),
    child('clock', logic, { publicEvents: CLOCK_EVENTS }),
  ];
  system.start(child('node', supervisor({ intensity: 0, children })));
  timeline.settle();
  const tell = (request: ClockRequest | Message): void => {
    system.ref('node/clock').tell(request);
    timeline.settle();
  };
  const watch = (replyTo: string, intervalMs: number): void =>
    tell({ type: 'clock.watchRequested', replyTo: `node/${replyTo}`, intervalMs: millis(intervalMs) });
  return { timeline, error, adjusted, reports, heard, system, tell, watch };
}

describe('the clock (TM-1, TM-6, TM-7)', () => {
  it('shows nothing until it is asked, then looks at once and again every interval', () => {
    const { timeline, heard, watch } = harness();
    timeline.advance(10_000);
    expect(heard).toEqual([]);
    watch('first', 300);
    timeline.advance(1_000);
    expect(heard.map(({ looked }) => looked.at)).toEqual([10_000, 10_300, 10_600, 10_900]);
  });

  it('reads all clocks together: monotonic, system and adjusted', () => {
    const { timeline, error, heard, tell, watch } = harness();
    watch('first', 100);
    error.ms = 777;
    tell({
      type: 'clock.disciplined',
      discipline: { at: monotonic(0), time: wallTime(START + 5_000), ratePpm: 100, slewMs: 0 },
      isFirst: true,
    });
    timeline.advance(100);
    expect(heard.map(({ looked }) => looked)).toEqual([
      { type: 'clock.looked', at: 0, systemTime: START, adjustedTime: START, isAdjusted: false },
      {
        type: 'clock.looked',
        at: 100,
        systemTime: START + 877,
        adjustedTime: START + 5_100.01,
        isAdjusted: true,
      },
    ]);
  });

  it('lets a later request replace the former: asker and interval', () => {
    const { timeline, heard, watch } = harness();
    watch('first', 100);
    timeline.advance(250);
    watch('second', 1_000);
    timeline.advance(2_000);
    expect(heard.map(({ by, looked }) => [by, looked.at])).toEqual([
      ['first', 0],
      ['first', 100],
      ['first', 200],
      ['second', 250],
      ['second', 1_250],
      ['second', 2_250],
    ]);
  });

  it('applies a first discipline that is behind, and a later one only as fast as time passes (TM-6)', () => {
    const { timeline, adjusted, tell } = harness();
    adjusted.read();
    const set = (time: number, isFirst: boolean): void =>
      tell({
        type: 'clock.disciplined',
        discipline: { at: timeline.now(), time: wallTime(time), ratePpm: 0, slewMs: 0 },
        isFirst,
      });
    set(500_000, true);
    expect(adjusted.read()).toBe(500_000);
    set(499_000, false);
    expect(adjusted.read()).toBe(500_000);
    timeline.advance(1_500);
    expect(adjusted.read()).toBe(500_500);
  });

  it('hands alerts to the log, all of them and as they came (TM-7)', () => {
    const { reports, tell, heard } = harness();
    const change: AlertsChanged = {
      type: 'alerts.changed',
      raised: [{ alert: 'NoMajority', detail: '2 servers, 1 agreeing' }],
      cleared: ['HoldOver'],
      repeated: [{ alert: 'ClockDriftSevere', detail: '7 s ahead' }],
    };
    tell(change);
    tell({ ...change, raised: [] });
    expect(reports).toEqual([change, { ...change, raised: [] }]);
    expect(heard).toEqual([]);
  });

  it('is not made to look by others: its own timer is no public event (RT-16)', () => {
    const { heard, system, tell, watch } = harness();
    watch('first', 1_000);
    tell({ type: 'look.due' });
    expect(heard).toHaveLength(1);
    expect(system.deadLetters.counts().get('event_not_public')).toBe(1);
  });

  it('looks no more once it has stopped', async () => {
    const { timeline, heard, watch, system } = harness();
    watch('first', 100);
    const stopped = system.stop();
    await timeline.advanceAsync(1_000);
    await stopped;
    expect(heard).toHaveLength(1);
    expect(timeline.nextDue()).toBeUndefined();
  });
});

describe('the clock on a machine that is held up (TM-1)', () => {
  /** Shows the clock logic a monotonic clock that jumps between two readings, as when a process is stopped there. */
  function heldUp(jumps: readonly number[]) {
    const timeline = virtualClock({ startWallMs: START });
    let passed = 0;
    let reading = 0;
    const clock = { ...timeline, now: () => monotonic(timeline.now() + passed) };
    const wall = (): WallTime => {
      const seen = wallTime(START + timeline.now() + passed);
      passed += jumps[reading] ?? 0;
      reading += 1;
      return seen;
    };
    const looks: ClockLooked[] = [];
    const sink = handler<undefined, ClockLooked>({
      init: () => undefined,
      receive(looked) {
        looks.push(looked);
      },
    });
    const adjusted = { read: () => wallTime(0), discipline: () => undefined, isAdjusted: false };
    const logic = clockLogic({ adjusted, wall, report: () => undefined });
    const system = createSystem({ name: 'test', clock, random: seededRandom('held') });
    const children = [child('sink', sink), child('clock', logic)];
    system.start(child('node', supervisor({ intensity: 0, children })));
    timeline.settle();
    const question = { replyTo: 'node/sink', intervalMs: millis(100) };
    system.ref('node/clock').tell({ type: 'clock.watchRequested', ...question });
    timeline.settle();
    const [look] = looks;
    if (look === undefined) throw new Error('no look');
    return { apart: look.systemTime - START - look.at, readings: reading };
  }

  it('reads again after a reading that took long, which would look like a step', () => {
    expect(heldUp([400, 0])).toEqual({ apart: 0, readings: 2 });
  });

  it('reads once when that was quick', () => {
    expect(heldUp([0.5]).readings).toBe(1);
  });

  it('settles for the shortest reading when all are long', () => {
    expect(heldUp([400, 8, 300, 90, 0, 0])).toEqual({ apart: -4, readings: 4 });
  });
});
