/** The statistics of a benchmark: ranks, medians, and that a stall cannot hide behind the requests it kept back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CommitBook, quorumOf } from '../../../src/cli/bench/commits.ts';
import { OpenLoop, Saturation } from '../../../src/cli/bench/pace.ts';
import { percentile, spreadOf, summarise } from '../../../src/cli/bench/statistics.ts';

describe('percentiles', () => {
  it('are values that were measured, by nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(percentile(values, 0.5)).toBe(50);
    expect(percentile(values, 0.99)).toBe(99);
    expect(percentile(values, 1)).toBe(100);
    expect(percentile([7], 0.01)).toBe(7);
    expect(percentile([], 0.5)).toBeUndefined();
  });

  it('leave at most the rest above them, whatever was measured', () => {
    const values = fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(values, fc.constantFrom(0.5, 0.9, 0.99), (measured, share) => {
        const sorted = measured.toSorted((left, right) => left - right);
        const found = percentile(sorted, share) ?? Number.NaN;
        expect(sorted).toContain(found);
        const above = sorted.filter((value) => value > found).length;
        expect(above).toBeLessThanOrEqual((1 - share) * sorted.length + 1e-9);
        const atLeast = sorted.filter((value) => value >= found).length;
        expect(atLeast).toBeGreaterThan((1 - share) * sorted.length - 1e-9);
      }),
    );
  });

  it('do not depend on the order of measurement', () => {
    expect(summarise([30, 10, 20])).toEqual({ samples: 3, p50: 20, p90: 30, p99: 30, max: 30 });
    expect(summarise([])).toBeUndefined();
  });

  it('of several runs become a median with its least and greatest', () => {
    expect(spreadOf([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5 });
    expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(spreadOf([])).toBeUndefined();
  });
});

describe('coordinated omission', () => {
  /** A server that answers within 1 ms, but for one stall of a second in which it answers nothing. */
  const answeredAt = (sentAt: number): number => (sentAt >= 1_000 && sentAt < 2_000 ? 2_000 : sentAt) + 1;

  it('is accounted for: a client held up by a stall reports what its requests should have seen', () => {
    const schedule = new OpenLoop(100, 0);
    const [fromSending, fromIntent]: [number[], number[]] = [[], []];
    let free = 0;
    for (let index = 0; index < 1_000; index += 1) {
      // One request at a time: during the stall none is sent, and afterwards all at once.
      const sentAt = Math.max(free, schedule.intendedAt(index));
      free = answeredAt(sentAt);
      fromSending.push(free - sentAt);
      fromIntent.push(free - schedule.intendedAt(index));
    }
    // 100 of 1,000 requests fell into the stall; counted from the sending, one did.
    expect(summarise(fromSending)?.p99).toBeLessThan(2);
    expect(summarise(fromIntent)?.p99).toBeGreaterThan(850);
    expect(fromIntent.filter((latency) => latency > 10).length).toBeGreaterThan(90);
  });

  it('cannot come back: what is due does not depend on answers', () => {
    const schedule = new OpenLoop(1_000, 50);
    expect(schedule.take(100, 40)).toBeUndefined();
    // 20 are due, fewer than a request holds, and the first is 19 ms late: they go.
    expect(schedule.take(100, 69)).toEqual({ count: 20, intendedAt: 50 });
    // A generator that was held up for a second finds the whole backlog, with its intended times.
    expect(schedule.backlog(1_069)).toBe(1_000);
    expect(schedule.take(100, 1_069)).toEqual({ count: 100, intendedAt: 70 });
    expect(schedule.take(100, 1_069)).toEqual({ count: 100, intendedAt: 170 });
  });

  it('sends all that is due and nothing else, at any rate', () => {
    const looks = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50_000 }), looks, (rate, steps) => {
        const schedule = new OpenLoop(rate, 0);
        let [now, sent] = [0, 0];
        for (const step of steps) {
          now += step;
          for (;;) {
            const portion = schedule.take(64, now);
            if (portion === undefined) break;
            expect(portion.intendedAt).toBeLessThanOrEqual(now);
            sent += portion.count;
          }
        }
        expect(sent + schedule.backlog(now)).toBe(Math.floor(now * (rate / 1_000)) + 1);
      }),
    );
  });
});

describe('saturation', () => {
  it('keeps the window full and never above', () => {
    let settled = 0;
    const pace = new Saturation(100, () => settled);
    expect(pace.take(60, 0)?.count).toBe(60);
    expect(pace.take(60, 0)).toBeUndefined();
    settled = 30;
    expect(pace.take(60, 5)).toEqual({ count: 60, intendedAt: 5 });
  });
});

describe('commits', () => {
  it('count at a height once a quorum of validators has told it, and once only', () => {
    const book = new CommitBook(quorumOf(4));
    for (const [validator, at] of [10, 20, 30, 40].entries()) book.observe(validator, 1, 500, at);
    book.observe(0, 2, 500, 50);
    expect(book.transactions).toBe(500);
    expect(book.between(0, 100)).toEqual([{ height: 1, transactions: 500, at: 30 }]);
    expect(book.between(31, 100)).toEqual([]);
  });

  it('need more than two thirds of the validators', () => {
    expect([1, 2, 3, 4, 7, 10].map(quorumOf)).toEqual([1, 2, 3, 3, 5, 7]);
  });
});
