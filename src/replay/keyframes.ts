/** Whether two keyframes are of the same state: a recorded one, and that of a replay. Pure. Rules RT-12, RP-4. */
import { type CellRecord, canonicalText, type Keyframe } from '../actors/runtime/index.ts';

/**
 * Timers are numbered in the order of arming by each clock for itself: among equal deadlines that order counts, the numbers do not. One that has
 * fired is a message in the mailbox: no clock holds it any more, so neither its number nor its deadline counts.
 */
function comparable({ timers, ...cell }: CellRecord): string {
  const armed = timers
    .filter(({ isQueued }) => !isQueued)
    .sort((left, right) => left.due - right.due || left.sequence - right.sequence)
    .map(({ sequence: _, ...timer }) => timer);
  const fired = new Set(
    timers.flatMap(({ sequence: _, due: __, ...timer }) => (timer.isQueued ? [timer] : [])),
  );
  return canonicalText([cell, armed, fired]);
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
