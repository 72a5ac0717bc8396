/** Which rows of a long list are in sight: all have one height, so that 20,000 cost as little as 40. Pure. */

export interface RowWindow {
  readonly first: number;
  /** One past the last. */
  readonly end: number;
  /** Of the first row. @unit px */
  readonly top: number;
}

/** Rows beyond each edge, so that a scroll of a frame shows no gap. */
const SPARE = 12;

export function windowOf(rows: number, rowPx: number, scrollTop: number, heightPx: number): RowWindow {
  const first = Math.max(0, Math.min(rows, Math.floor(scrollTop / rowPx)) - SPARE);
  const end = Math.min(rows, Math.ceil((scrollTop + heightPx) / rowPx) + SPARE);
  return { first, end: Math.max(first, end), top: first * rowPx };
}

/** Where to scroll so that this row is in sight; where it is, when it is already. */
export function scrollFor(row: number, rowPx: number, scrollTop: number, heightPx: number): number {
  const top = row * rowPx;
  if (top < scrollTop) return top;
  return top + rowPx > scrollTop + heightPx ? top + rowPx - heightPx : scrollTop;
}
