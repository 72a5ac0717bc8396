/** Whether two keyframes are of the same state: a recorded one, and that of a replay. Pure. Rules RT-12, RP-4. */
import { type CellRecord, canonicalText, type Keyframe } from '../actors/runtime/index.ts';

/** Timers are numbered in the order of arming by each clock for itself: that order counts, the numbers do not. */
function comparable({ timers, ...cell }: CellRecord): string {
  const ordered = [...timers].sort((left, right) => left.sequence - right.sequence);
  return canonicalText([cell, ordered.map(({ sequence: _, ...timer }) => timer)]);
}

/** What differs first, in words; undefined when they are equal. Boundary actors' own mailboxes and lives are the recorded process' alone. */
export function differenceOf(recorded: Keyframe, replayed: Keyframe): string | undefined {
  if (recorded.turn !== replayed.turn) return `${replayed.turn} turns have ended, ${recorded.turn} had`;
  const found = new Map(replayed.cells.map((cell) => [cell.address, cell]));
  for (const cell of recorded.cells) {
    const other = found.get(cell.address);
    if (other === undefined) return `${cell.address} is not there`;
    found.delete(cell.address);
    if (cell.snapshot === undefined && other.snapshot === undefined) continue;
    const [was, is] = [comparable(cell), comparable(other)];
    if (was !== is) return `${cell.address}: ${parting(was, is)}`;
  }
  const [more] = found.keys();
  return more === undefined ? undefined : `${more} should not be there`;
}

/** @unit characters */
const AROUND = 60;

function parting(was: string, is: string): string {
  let place = 0;
  while (was[place] === is[place]) place += 1;
  const from = Math.max(0, place - AROUND);
  return `recorded …${was.slice(from, place + AROUND)}…, replayed …${is.slice(from, place + AROUND)}…`;
}
