/**
 * Rows in the order of their time, the newest at the end, bounded. Pure: adding gives another timeline, which shares what did not change,
 * so that an instant that is held for scrubbing costs what is new in it. Feeds of several nodes come a moment out of order: rows are sorted in.
 */

export interface Timed {
  readonly at: number;
}

export interface Timeline<Row extends Timed> {
  /** None empty; in order within and among each other. */
  readonly chunks: readonly (readonly Row[])[];
  readonly size: number;
  /** How many were let go, oldest first. */
  readonly forgotten: number;
}

/** Rows of a chunk: what one addition copies at most, and by how much a timeline may stay below its bound. @unit rows */
const CHUNK_ROWS = 512;

const EMPTY: Timeline<never> = { chunks: [], size: 0, forgotten: 0 };

export const emptyTimeline = (): Timeline<never> => EMPTY;

/** With these rows sorted in; beyond `sizeMax` the oldest chunks are let go. */
export function extend<Row extends Timed>(
  timeline: Timeline<Row>,
  rows: readonly Row[] | undefined,
  sizeMax: number,
): Timeline<Row> {
  if (rows === undefined || rows.length === 0) return timeline;
  const sorted = isSorted(rows) ? rows : rows.toSorted(byTime);
  const first = sorted[0]?.at ?? 0;
  const chunks = [...timeline.chunks];
  // What is newer than the first of the new ones is merged with them; mostly that is the last chunk or none.
  let tail: readonly Row[] = [];
  for (let last = chunks.at(-1); last !== undefined && mustMerge(last, first); last = chunks.at(-1)) {
    tail = tail.length === 0 ? last : [...last, ...tail];
    chunks.pop();
  }
  const merged = tail.length === 0 ? sorted : inOrder([...tail, ...sorted]);
  for (let from = 0; from < merged.length; from += CHUNK_ROWS)
    chunks.push(merged.slice(from, from + CHUNK_ROWS));
  return bounded(chunks, timeline.size + rows.length, timeline.forgotten, sizeMax);
}

const mustMerge = (last: readonly Timed[], first: number): boolean =>
  last.length < CHUNK_ROWS || (last.at(-1)?.at ?? 0) > first;

function bounded<Row extends Timed>(
  chunks: readonly (readonly Row[])[],
  size: number,
  forgotten: number,
  sizeMax: number,
): Timeline<Row> {
  let [dropped, gone] = [0, 0];
  while (size - gone > sizeMax && dropped < chunks.length) {
    gone += chunks[dropped]?.length ?? 0;
    dropped += 1;
  }
  return {
    chunks: dropped === 0 ? chunks : chunks.slice(dropped),
    size: size - gone,
    forgotten: forgotten + gone,
  };
}

/** The row at this place, 0 is the oldest. */
export function rowAt<Row extends Timed>(timeline: Timeline<Row>, place: number): Row | undefined {
  let from = 0;
  for (const chunk of timeline.chunks) {
    if (place < from + chunk.length) return chunk[place - from];
    from += chunk.length;
  }
  return undefined;
}

/** Place of the first row at or after this time; `size` when there is none. */
export function placeOf(timeline: Timeline<Timed>, at: number): number {
  let from = 0;
  for (const chunk of timeline.chunks) {
    if ((chunk.at(-1)?.at ?? 0) >= at) return from + lowerBound(chunk, at);
    from += chunk.length;
  }
  return from;
}

/** Calls for each row with `from <= at <= to`, oldest first, without allocation. */
export function forEachBetween<Row extends Timed>(
  timeline: Timeline<Row>,
  from: number,
  to: number,
  visit: (row: Row) => void,
): void {
  for (const chunk of timeline.chunks) {
    if ((chunk.at(-1)?.at ?? 0) < from) continue;
    if ((chunk[0]?.at ?? 0) > to) return;
    for (let place = lowerBound(chunk, from); place < chunk.length; place += 1) {
      const row = chunk[place];
      if (row === undefined || row.at > to) return;
      visit(row);
    }
  }
}

/** The newest `count` rows, newest first. */
export function newest<Row extends Timed>(timeline: Timeline<Row>, count: number): readonly Row[] {
  const found: Row[] = [];
  for (let chunk = timeline.chunks.length - 1; chunk >= 0; chunk -= 1) {
    const rows = timeline.chunks[chunk] ?? [];
    for (let place = rows.length - 1; place >= 0; place -= 1) {
      const row = rows[place];
      if (found.length >= count) return found;
      if (row !== undefined) found.push(row);
    }
  }
  return found;
}

export const firstOf = <Row extends Timed>(timeline: Timeline<Row>): Row | undefined =>
  timeline.chunks[0]?.[0];
export const lastOf = <Row extends Timed>(timeline: Timeline<Row>): Row | undefined =>
  timeline.chunks.at(-1)?.at(-1);

function lowerBound(rows: readonly Timed[], at: number): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle]?.at ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

const byTime = (left: Timed, right: Timed): number => left.at - right.at;

function isSorted(rows: readonly Timed[]): boolean {
  for (let place = 1; place < rows.length; place += 1) {
    if ((rows[place - 1]?.at ?? 0) > (rows[place]?.at ?? 0)) return false;
  }
  return true;
}

const inOrder = <Row extends Timed>(rows: readonly Row[]): readonly Row[] =>
  isSorted(rows) ? rows : rows.toSorted(byTime);
