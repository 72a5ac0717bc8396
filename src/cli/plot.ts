/**
 * Lines of text that plot values over time: linear near zero and by powers of ten beyond, so that seconds and microseconds
 * are readable in one picture. Marks tell the lines apart, colours help. Pure.
 */
import pc from 'picocolors';

export interface Line {
  /** One character. */
  readonly mark: string;
  readonly label: string;
  /** One for each moment; undefined: nothing is known of it. */
  readonly points: readonly (number | undefined)[];
}

/** Rows at least; one for each tick at the most. @unit rows @source with its legend it fits a terminal of 24 */
const ROWS_MIN = 13;
/** @unit columns */
const WIDTH_MIN = 10;
/** Linear up to here, where the values are not all far from it. @source below it the network is measured, not the clock. @unit as the values (ms) */
const LINEAR_MIN = 0.1;
/** Powers of ten to each side. @unit decades @source a row for each */
const DECADES_MAX = 8;
/** Drawn where several lines meet. */
const MEETING = '*';

/** @param columns that the whole may have. @param label of a value beside the axis */
export function plot(
  lines: readonly Line[],
  columns: number,
  label: (value: number) => string,
): readonly string[] {
  const values = lines.flatMap(({ points }) => points.filter((point) => point !== undefined));
  const scale = scaleOf(values);
  const ticks = Array.from({ length: scale.top - scale.bottom + 1 }, (_, index) => scale.top - index);
  const rows = Math.max(ROWS_MIN, ticks.length);
  const rowOf = (position: number): number =>
    Math.round(((scale.top - position) / (scale.top - scale.bottom)) * (rows - 1));
  const labels = new Map(ticks.map((tick) => [rowOf(tick), label(valueAt(tick, scale.linear))]));
  const gutter = Math.max(...[...labels.values()].map(({ length }) => length));
  const width = Math.max(WIDTH_MIN, columns - gutter - 3);
  const cells = drawn(lines, width, (value) => rowOf(positionOf(value, scale.linear)));
  const zero = rowOf(0);
  return Array.from({ length: rows }, (_, row) => {
    const text = labels.get(row);
    const axis = `${(text ?? '').padStart(gutter)} ${text === undefined ? '│' : '┤'}`;
    const background = row === zero ? '─' : ' ';
    const body = Array.from({ length: width }, (_, column) => {
      const marks = cells.get(row * width + column);
      if (marks === undefined) return background;
      const [only] = marks;
      return marks.size > 1 || only === undefined ? MEETING : paint(only, lines);
    });
    return `${pc.dim(axis)}${body.join('').trimEnd()}`;
  });
}

/** Which marks are in which cell, by row and column. */
function drawn(
  lines: readonly Line[],
  width: number,
  rowOf: (value: number) => number,
): ReadonlyMap<number, ReadonlySet<string>> {
  const cells = new Map<number, Set<string>>();
  for (const { mark, points } of lines) {
    // One column each while there is room, then several in one.
    const crowd = Math.max(1, points.length / width);
    for (const [index, point] of points.entries()) {
      if (point === undefined) continue;
      const cell = rowOf(point) * width + Math.floor(index / crowd);
      cells.set(cell, (cells.get(cell) ?? new Set()).add(mark));
    }
  }
  return cells;
}

interface Scale {
  /** Up to here the scale is linear: position 1. */
  readonly linear: number;
  readonly top: number;
  readonly bottom: number;
}

/** Whole positions around all values, zero among them. */
function scaleOf(values: readonly number[]): Scale {
  const highest = Math.max(0, ...values);
  const lowest = Math.min(0, ...values);
  const far = Math.max(highest, -lowest, LINEAR_MIN);
  const linear = Math.max(LINEAR_MIN, 10 ** (Math.ceil(Math.log10(far)) - DECADES_MAX));
  return {
    linear,
    top: Math.max(1, Math.ceil(positionOf(highest, linear))),
    bottom: Math.min(-1, Math.floor(positionOf(lowest, linear))),
  };
}

function positionOf(value: number, linear: number): number {
  const relative = Math.abs(value) / linear;
  const position = relative <= 1 ? relative : 1 + Math.log10(relative);
  return Math.sign(value) * position;
}

const valueAt = (position: number, linear: number): number =>
  Math.sign(position) * (position === 0 ? 0 : linear * 10 ** (Math.abs(position) - 1));

const COLOURS = [pc.cyan, pc.magenta, pc.green, pc.yellow, pc.blue, pc.red];

function paint(mark: string, lines: readonly Line[]): string {
  const index = lines.findIndex((line) => line.mark === mark);
  return (COLOURS[index % COLOURS.length] ?? pc.cyan)(mark);
}
