import { describe, expect, it } from 'vitest';
import type { NodeHealth } from '../../../../src/observe/feed/feed.ts';
import { emptyTimeline, extend } from '../../../../visualize/src/feed/timeline.ts';
import {
  clockHigh,
  clockLow,
  clockOffset,
  columnsOf,
  hasValues,
  qcDelay,
  WINDOW_MS,
} from '../../../../visualize/src/views/health/series.ts';
import { clockWords, openBreakers, syncOf } from '../../../../visualize/src/views/health/sync-words.ts';
import { byteCount, count, duration } from '../../../../visualize/src/views/words.ts';

const health = (node: number, at: number, offsetMs: number, errorMs = 2): NodeHealth => ({
  ...{ node, at, isReady: true, reasons: [] },
  clock: { offsetMs, errorMs, state: 'synchronised', sources: [] },
  round: { timeoutMs: 1_000 },
  sync: { state: 'inSync', height: 7 },
  ...{ reach: 'connected', breakers: [], peers: 3, pending: 0 },
});

const timeline = (...rows: readonly NodeHealth[]) => extend(emptyTimeline(), rows, 8_000);

describe('columns of health', () => {
  it('have the nodes of one second beside each other, and nothing where a node was silent', () => {
    const rows = timeline(
      health(0, 10_010, 1),
      health(1, 10_400, 5),
      health(0, 11_020, 2),
      health(1, 12_000, 6),
    );
    expect(columnsOf(rows, 2, 12_000, clockOffset)).toEqual([
      [10, 11, 12],
      [1, 2, null],
      [5, null, 6],
    ]);
  });

  it('have the band of the chosen node behind them', () => {
    const rows = timeline(health(0, 10_000, 1), health(1, 10_000, 5, 3));
    const [, , , high, low] = columnsOf(rows, 2, 10_000, clockOffset, {
      node: 1,
      high: clockHigh,
      low: clockLow,
    });
    expect([high, low]).toEqual([[8], [2]]);
  });

  it('are bounded to the window, and know when nobody measured', () => {
    const rows = timeline(health(0, 1_000, 1), health(0, 1_000 + WINDOW_MS + 5_000, 2));
    const columns = columnsOf(rows, 1, 1_000 + WINDOW_MS + 5_000, clockOffset);
    expect(columns[1]).toEqual([2]);
    expect(hasValues(columns)).toBe(true);
    expect(hasValues(columnsOf(rows, 1, 400_000, qcDelay))).toBe(false);
  });

  it('take no row of a node that the run does not have', () => {
    expect(columnsOf(timeline(health(9, 1_000, 1)), 2, 1_000, clockOffset)).toEqual([[1], [null], [null]]);
  });
});

describe('health in words', () => {
  it('tells the progress of a sync with what is left, and its rest as one word', () => {
    expect(syncOf({ state: 'inSync', height: 7 })).toEqual({ words: 'inSync', part: undefined });
    expect(
      syncOf({ state: 'running', tier: 'BlockSync', height: 1_500, target: 6_000, etaMs: 4_200 }),
    ).toEqual({
      words: 'BlockSync: 1\u202f500 of 6\u202f000, 4.2 s left',
      part: 0.25,
    });
    expect(syncOf({ state: 'behind', height: 9, target: 10 }).part).toBe(0.9);
  });

  it('tells an offset with its sign and its error, where somebody knows that', () => {
    expect(clockWords({ ...health(0, 0, -1.5).clock, errorMs: 0.25 })).toBe('−1.5 ms ± 250 µs');
    const { errorMs: _, ...unknown } = health(0, 0, 3).clock;
    expect(clockWords(unknown)).toBe('+3 ms');
  });

  it('names the breakers that are not closed', () => {
    const breakers = ['closed', 'open', 'halfOpen'].map((state) => ({ peer: state, state }));
    expect(openBreakers({ ...health(0, 0, 0), breakers }).map(({ peer }) => peer)).toEqual([
      'open',
      'halfOpen',
    ]);
  });

  it('has three digits that count, and a unit that fits', () => {
    expect([0, 0.02, 1.234, 12.34, 123.4, 1_234, 61_000, 7_200_000, -3].map(duration)).toEqual([
      ...['0 ms', '20 µs', '1.23 ms', '12.3 ms', '123 ms', '1.23 s'],
      ...['1.02 min', '2 h', '-3 ms'],
    ]);
    expect([0, 1_023, 1_536, 5_242_880].map(byteCount)).toEqual(['0 B', '1023 B', '1.5 KiB', '5 MiB']);
    expect([7, 1_234, 1_234_567].map(count)).toEqual(['7', '1\u202f234', '1\u202f234\u202f567']);
  });
});
