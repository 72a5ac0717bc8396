import { describe, expect, it } from 'vitest';
import type { StepEvent } from '../../../../src/observe/feed/feed.ts';
import { emptyTimeline, extend } from '../../../../visualize/src/feed/timeline.ts';
import { Activity } from '../../../../visualize/src/views/diagram/activity.ts';
import { BUNDLES_MAX, Bundler, bundle } from '../../../../visualize/src/views/diagram/bundles.ts';
import { FlightBook } from '../../../../visualize/src/views/diagram/flights.ts';
import { distanceToSegment, flightAt, stepAt } from '../../../../visualize/src/views/diagram/hits.ts';
import { segmentOf } from '../../../../visualize/src/views/diagram/segments.ts';
import { type Direction, type End, endOf, travel } from '../../../../visualize/src/views/diagram/travel.ts';
import { type Viewport, xOf, yOf } from '../../../../visualize/src/views/diagram/viewport.ts';
import { type Family, FIRST_SHOWN } from '../../../../visualize/src/views/families.ts';
import { both, sent } from './messages.ts';

const VIEW: Viewport = { from: 0, spanMs: 1_000, width: 1_132, height: 656, scrollY: 0, lanes: 4 };

function book(): FlightBook {
  const made = new FlightBook();
  made.take([
    ...both({ id: 'a', from: 0, to: 1, sentAt: 100, receivedAt: 160, kind: 'Proposal' }),
    ...both({ id: 'b', from: 1, to: 2, sentAt: 170, receivedAt: 230 }),
    ...both({ id: 'c', from: 0, to: 2, sentAt: 300, receivedAt: 360, kind: 'Batch' }),
    sent({ id: 'lost', from: 2, to: 3, sentAt: 400 }),
  ]);
  return made;
}

describe('pointing', () => {
  it('finds the message whose arrow is under the pointer, and none beside it', () => {
    const flights = book();
    const y = (yOf(VIEW, 0) + yOf(VIEW, 1)) / 2;
    expect(flightAt(VIEW, flights, FIRST_SHOWN, xOf(VIEW, 130), y)?.sent?.id).toBe('a');
    expect(flightAt(VIEW, flights, FIRST_SHOWN, xOf(VIEW, 130) + 40, y)).toBeUndefined();
  });

  it('finds no message of a family that is hidden', () => {
    const y = (yOf(VIEW, 0) + yOf(VIEW, 1)) / 2;
    const shown = new Set<Family>(['vote']);
    expect(flightAt(VIEW, book(), shown, xOf(VIEW, 130), y)).toBeUndefined();
  });

  it('finds a lost message where it is drawn: on its way', () => {
    const flights = book();
    const lost = flights.flights.at(-1);
    const { fromX, toX, fromY, toY } = lost === undefined ? VIEW_NOWHERE : segmentOf(VIEW, lost, flights);
    expect(toY).toBeLessThan(yOf(VIEW, 3));
    const found = flightAt(VIEW, flights, FIRST_SHOWN, (fromX + toX) / 2, (fromY + toY) / 2);
    expect(found?.sent?.id).toBe('lost');
  });

  it('finds a step by its glyph, on its own lane alone', () => {
    const voted: StepEvent = { node: 1, at: 500, turn: 1, kind: 'voted', cell: 'consensus/safety' };
    const steps = extend(emptyTimeline(), [voted], 10);
    expect(stepAt(VIEW, steps, xOf(VIEW, 500) + 4, yOf(VIEW, 1) - 3)).toBe(voted);
    expect(stepAt(VIEW, steps, xOf(VIEW, 500), yOf(VIEW, 2))).toBeUndefined();
    expect(stepAt(VIEW, steps, xOf(VIEW, 500) + 30, yOf(VIEW, 1))).toBeUndefined();
  });

  it('measures to the nearest point of an arrow, not of its line', () => {
    expect(distanceToSegment(5, 3, 0, 0, 10, 0)).toBe(3);
    expect(distanceToSegment(14, 3, 0, 0, 10, 0)).toBe(5);
    expect(distanceToSegment(3, 4, 0, 0, 0, 0)).toBe(5);
  });
});

const VIEW_NOWHERE = { fromX: 0, toX: 0, fromY: 0, toY: 0 };

describe('travelling by keys', () => {
  const flights = book();
  const go = (end: End | undefined, direction: Direction) =>
    end === undefined ? undefined : travel(flights, FIRST_SHOWN, end, direction);
  const place = (end: End | undefined) => end && [end.flight.sent?.id, end.side, endOf(end).node];
  const first: End | undefined = flights.flights[0] && { flight: flights.flights[0], side: 'sent' };

  it('goes along a message to its other end and back', () => {
    expect(place(go(first, 'across'))).toEqual(['a', 'received', 1]);
    expect(place(go(go(first, 'across'), 'across'))).toEqual(['a', 'sent', 0]);
    const lost = flights.flights.at(-1);
    expect(go(lost && { flight: lost, side: 'sent' }, 'across')).toBeUndefined();
  });

  it('goes along a lane from end to end, so that a cause is followed', () => {
    const arrived = go(first, 'across');
    expect(place(go(arrived, 'next'))).toEqual(['b', 'sent', 1]);
    expect(place(go(go(arrived, 'next'), 'across'))).toEqual(['b', 'received', 2]);
    expect(place(go(first, 'next'))).toEqual(['c', 'sent', 0]);
    expect(place(go(go(first, 'next'), 'previous'))).toEqual(['a', 'sent', 0]);
    expect(go(first, 'previous')).toBeUndefined();
  });

  it('passes every end of a lane once, also of messages at the same instant', () => {
    const same = new FlightBook();
    same.take(['x', 'y', 'z'].flatMap((id) => both({ id, from: 0, to: 1, sentAt: 50, receivedAt: 60 })));
    const passed: unknown[] = [];
    let end: End | undefined = same.flights[0] && { flight: same.flights[0], side: 'sent' };
    for (; end !== undefined; end = travel(same, FIRST_SHOWN, end, 'next')) passed.push(end.flight.sent?.id);
    expect(passed).toEqual(['x', 'y', 'z']);
  });
});

describe('bundles', () => {
  it('hold what begins together between the same lanes, with its number and the mean of its ends', () => {
    const bundler = new Bundler();
    bundle(bundler, (add) => add(0, 1, 2, 601, 640) && add(0, 1, 2, 603, 642) && add(1, 1, 2, 603, 642));
    expect(bundler.size).toBe(2);
    expect([bundler.count[0], bundler.fromX[0], bundler.toX[0]]).toEqual([2, 602, 641]);
    expect(bundler.count[1]).toBe(1);
  });

  it('are made of wider cells where there are too many, and lose no message', () => {
    const bundler = new Bundler();
    const isDone = bundle(bundler, (add) => {
      for (let place = 0; place < 2_000; place += 1)
        if (!add(0, (place >> 1) % 8, 9, place * 6, 40)) return false;
      return true;
    });
    expect([isDone, bundler.cellPx]).toEqual([true, 12]);
    expect(bundler.count.slice(0, bundler.size).reduce((sum, count) => sum + count, 0)).toBe(2_000);
  });

  it('are given up where a frame could not draw them', () => {
    const bundler = new Bundler();
    const isDone = bundle(bundler, (add) => {
      for (let place = 0; place < 20_000; place += 1)
        if (!add(place % 6, place % 16, 16, (place * 31) % 12_000, 40)) return false;
      return true;
    });
    expect(isDone).toBe(false);
    expect(bundler.size).toBe(BUNDLES_MAX);
  });

  it('start over with each frame', () => {
    const bundler = new Bundler();
    for (let frame = 0; frame < 3; frame += 1) bundle(bundler, (add) => add(0, 1, 2, 601, 640));
    expect([bundler.size, bundler.count[0]]).toEqual([1, 1]);
  });
});

describe('bars of activity', () => {
  it('count what each lane sent and received, by family, and know the greatest', () => {
    const activity = new Activity();
    activity.begin(4, 200);
    for (let times = 0; times < 3; times += 1) activity.add(1, 7, true, 0);
    activity.add(1, 7, true, 4);
    activity.add(1, 7, false, 4);
    activity.measure();
    expect([0, 4].map((family) => activity.of(1, 7, true, family))).toEqual([3, 1]);
    expect(activity.of(1, 7, false, 4)).toBe(1);
    expect(activity.most).toBe(4);
  });

  it('leave out what is not in sight, and start over with each frame', () => {
    const activity = new Activity();
    activity.begin(4, 200);
    activity.add(4, 7, true, 0);
    activity.add(1, -1, true, 0);
    activity.add(1, 200, true, 0);
    activity.add(3, 199, false, 9);
    activity.begin(4, 200);
    activity.measure();
    expect(activity.most).toBe(0);
  });
});
