import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  emptyTimeline,
  extend,
  firstOf,
  forEachBetween,
  lastOf,
  newest,
  placeOf,
  rowAt,
  type Timeline,
} from '../../../visualize/src/feed/timeline.ts';

interface Row {
  readonly at: number;
  readonly id: number;
}

const all = (timeline: Timeline<Row>): readonly Row[] => timeline.chunks.flat();
const batches = fc.array(fc.array(fc.nat(3_000), { maxLength: 700 }), { maxLength: 8 });

function built(times: readonly (readonly number[])[], sizeMax = 1_000_000): Timeline<Row> {
  let [timeline, id]: [Timeline<Row>, number] = [emptyTimeline(), 0];
  for (const batch of times) {
    timeline = extend(
      timeline,
      batch.map((at) => ({ at, id: id++ })),
      sizeMax,
    );
  }
  return timeline;
}

describe('a timeline', () => {
  it('holds every row in the order of time, however its batches come', () => {
    fc.assert(
      fc.property(batches, (times) => {
        const timeline = built(times);
        const held = all(timeline).map(({ at }) => at);
        expect(held).toEqual(times.flat().toSorted((left, right) => left - right));
        expect(timeline.size).toBe(held.length);
        expect(timeline.chunks.every(({ length }) => length > 0 && length <= 512)).toBe(true);
      }),
    );
  });

  it('lets the oldest chunks go beyond its bound, and counts them', () => {
    const timeline = built([Array.from({ length: 5_000 }, (_, at) => at)], 2_000);
    expect(timeline.size).toBeLessThanOrEqual(2_000);
    expect(timeline.size).toBeGreaterThan(2_000 - 512);
    expect(timeline.forgotten + timeline.size).toBe(5_000);
    expect(firstOf(timeline)?.at).toBe(timeline.forgotten);
    expect(lastOf(timeline)?.at).toBe(4_999);
  });

  it('leaves the timeline that it extends as it was', () => {
    const before = built([[1, 5, 9]]);
    const held = all(before);
    extend(before, [{ at: 3, id: 99 }], 10);
    expect(all(before)).toEqual(held);
  });

  it('finds the rows of a span, and the place of an instant', () => {
    fc.assert(
      fc.property(batches, fc.nat(3_000), fc.nat(3_000), (times, one, other) => {
        const timeline = built(times);
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        const found: Row[] = [];
        forEachBetween(timeline, from, to, (row) => found.push(row));
        expect(found).toEqual(all(timeline).filter(({ at }) => at >= from && at <= to));
        expect(placeOf(timeline, from)).toBe(all(timeline).filter(({ at }) => at < from).length);
        expect(rowAt(timeline, placeOf(timeline, from))).toBe(all(timeline).find(({ at }) => at >= from));
      }),
    );
  });

  it('gives the newest first', () => {
    expect(newest(built([[4, 1], [3]]), 2).map(({ at }) => at)).toEqual([4, 3]);
    expect(newest(built([]), 2)).toEqual([]);
  });
});
