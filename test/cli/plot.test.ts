import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Line, plot } from '../../src/cli/plot.ts';

const line = (mark: string, ...points: readonly (number | undefined)[]): Line => ({
  mark,
  label: mark,
  points,
});
const plain = (lines: readonly Line[], columns = 40): readonly string[] => plot(lines, columns, String);

/** The row that holds a mark, and the column of its first. */
function place(rows: readonly string[], mark: string): readonly [row: number, column: number] {
  const row = rows.findIndex((text) => text.slice(text.search(/[│┤]/) + 1).includes(mark));
  const text = rows[row] ?? '';
  return [row, text.slice(text.search(/[│┤]/) + 1).indexOf(mark)];
}

const rowOfLabel = (rows: readonly string[], label: string): number =>
  rows.findIndex((row) => row.trimStart().startsWith(`${label} ┤`));

describe('a plot of values over time', () => {
  it('puts seconds and parts of a millisecond on rows of their own, each at its tick', () => {
    const rows = plain([line('S', -10_000, -10_000), line('a', 10, 10), line('b', 0.1, 0.1)]);
    expect(place(rows, 'S')).toEqual([rowOfLabel(rows, '-10000'), 0]);
    expect(place(rows, 'a')).toEqual([rowOfLabel(rows, '10'), 0]);
    expect(place(rows, 'b')).toEqual([rowOfLabel(rows, '0.1'), 0]);
    expect(rowOfLabel(rows, '10')).toBeLessThan(rowOfLabel(rows, '0.1'));
    expect(rowOfLabel(rows, '0.1')).toBeLessThan(rowOfLabel(rows, '0'));
    expect(rowOfLabel(rows, '0')).toBeLessThan(rowOfLabel(rows, '-10000'));
  });

  it('goes from left to right, skips what is not known, and marks where lines meet', () => {
    const rows = plain([line('a', 0, undefined, 0), line('b', undefined, undefined, 0)]);
    expect(rows[rowOfLabel(rows, '0')]).toMatch(/┤a─\*─+$/);
  });

  it('squeezes more moments than columns, the last one kept in sight', () => {
    const points = Array.from({ length: 500 }, (_, index) => (index === 499 ? 0.1 : -0.1));
    const rows = plain([line('a', ...points)], 60);
    const [row, column] = place(rows, 'a');
    expect([row, rowOfLabel(rows, '0.1')]).toEqual([0, 0]);
    // 4 columns of labels, a space, the axis.
    expect(column).toBe(60 - 4 - 3 - 1);
  });

  it('is never wider than it may be, has every value in it, and zero in sight', () => {
    const value = fc.oneof(fc.double({ min: -1e12, max: 1e12, noNaN: true }), fc.constant(undefined));
    fc.assert(
      fc.property(
        fc.array(fc.array(value, { maxLength: 200 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 40, max: 200 }),
        (series, columns) => {
          const rows = plain(
            series.map((points, index) => line('abcde'[index] ?? '?', ...points)),
            columns,
          );
          for (const row of rows) expect(row.length).toBeLessThanOrEqual(columns);
          expect(rows.length).toBeLessThanOrEqual(19);
          expect(rowOfLabel(rows, '0')).toBeGreaterThan(0);
          const bodies = rows.map((row) => row.slice(row.search(/[│┤]/) + 1)).join('');
          for (const [index, points] of series.entries()) {
            const seen = bodies.includes('abcde'[index] ?? '?') || bodies.includes('*');
            expect(seen || points.every((point) => point === undefined)).toBe(true);
          }
        },
      ),
    );
  });

  it('is of no width below ten columns, and of nothing it is empty', () => {
    expect(plain([line('a', 0)], 1).some((row) => row.endsWith('┤a─────────'))).toBe(true);
    expect(plain([line('a')]).join('')).not.toMatch(/[a*]/);
  });
});
