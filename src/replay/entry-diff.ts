/**
 * Where two records of one deterministic life part: runs of the same node, seed and tree are equal input by input until something reached one of
 * them alone. Pure. Rule RP-6, docs/journal.md.
 */
import { isDeepStrictEqual } from 'node:util';
import { canonicalText, type JournalEntry } from '../actors/runtime/index.ts';

export interface Parting {
  /** Entries that are equal. */
  readonly same: number;
  /** The first that are not; undefined where a run has no more. */
  readonly left: JournalEntry | undefined;
  readonly right: JournalEntry | undefined;
  /** What only one of them has, soon after: rather the cause than what it moved. */
  readonly alone: { readonly in: 'left' | 'right'; readonly entry: JournalEntry } | undefined;
}

/** So many entries after the parting are looked through for what one has alone. @unit entries @source some rounds of a small network */
const WINDOW = 512;

/** Undefined when they are equal to their ends. */
export function partingOf(left: Iterable<JournalEntry>, right: Iterable<JournalEntry>): Parting | undefined {
  const [ours, theirs] = [left[Symbol.iterator](), right[Symbol.iterator]()];
  for (let same = 0; ; same += 1) {
    const [one, other] = [ours.next(), theirs.next()];
    if (one.done === true && other.done === true) return undefined;
    if (one.done !== true && other.done !== true && isDeepStrictEqual(one.value, other.value)) continue;
    const lefts = one.done === true ? [] : [one.value, ...taken(ours, WINDOW)];
    const rights = other.done === true ? [] : [other.value, ...taken(theirs, WINDOW)];
    return { same, left: lefts[0], right: rights[0], alone: aloneOf(lefts, rights) };
  }
}

function taken(from: Iterator<JournalEntry>, count: number): readonly JournalEntry[] {
  const entries: JournalEntry[] = [];
  for (let next = from.next(); next.done !== true; next = from.next()) {
    entries.push(next.value);
    if (entries.length === count) break;
  }
  return entries;
}

/** The earliest message or timer that the other has not, whenever it came; what only moved in time is none. */
function aloneOf(left: readonly JournalEntry[], right: readonly JournalEntry[]): Parting['alone'] {
  const found = [
    { in: 'left' as const, entry: firstWithout(left, right) },
    { in: 'right' as const, entry: firstWithout(right, left) },
  ].flatMap(({ in: side, entry }) => (entry === undefined ? [] : [{ in: side, entry }]));
  const wallOf = ({ entry }: { readonly entry: JournalEntry }): number => ('wall' in entry ? entry.wall : 0);
  return found.sort((one, other) => wallOf(one) - wallOf(other))[0];
}

function firstWithout(
  among: readonly JournalEntry[],
  others: readonly JournalEntry[],
): JournalEntry | undefined {
  const there = new Map<string, number>();
  for (const entry of others) {
    const told = contentOf(entry);
    if (told !== undefined) there.set(told, (there.get(told) ?? 0) + 1);
  }
  return among.find((entry) => {
    const told = contentOf(entry);
    if (told === undefined) return false;
    const left = there.get(told) ?? 0;
    there.set(told, left - 1);
    return left === 0;
  });
}

/** What an input says, without when; undefined for what follows from inputs. */
function contentOf(entry: JournalEntry): string | undefined {
  if (entry.kind === 'message') return canonicalText([entry.from, entry.to, entry.lane, entry.message]);
  if (entry.kind === 'draw' || entry.kind === 'result' || entry.kind === 'digest') return undefined;
  const { seq: _seq, turn: _turn, now: _now, wall: _wall, ...rest } = entry;
  return canonicalText(rest);
}
