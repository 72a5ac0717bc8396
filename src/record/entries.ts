/** The entries of a journal as rows of fields, and back: what came, from whom, to whom, when. Pure. Rule RP-1, docs/journal.md. */
import type { JournalEntry } from '../actors/runtime/index.ts';
import { unpackValues, type ValuePacker } from './values.ts';

type Kind = JournalEntry['kind'];

/** The fields of each kind, in the order of its row, whose first is the kind's number. A number is never used again. */
const FIELDS = {
  message: [1, 'seq', 'turn', 'now', 'wall', 'from', 'to', 'lane', 'message'],
  timer: [2, 'seq', 'turn', 'now', 'wall', 'address', 'key'],
  started: [3, 'seq', 'turn', 'now', 'wall', 'address'],
  ended: [4, 'seq', 'turn', 'now', 'wall', 'address', 'reason'],
  stale: [5, 'seq', 'turn', 'now', 'wall', 'from', 'address', 'message'],
  lapsed: [6, 'seq', 'turn', 'now', 'wall', 'address'],
  open: [7, 'seq', 'turn', 'now', 'wall', 'address'],
  close: [8, 'seq', 'turn', 'now', 'wall', 'address'],
  draw: [9, 'turn', 'value'],
  result: [10, 'turn', 'name', 'value'],
  digest: [11, 'turn', 'address', 'digest'],
} as const satisfies { readonly [Of in Kind]: readonly [number, ...string[]] };

const KIND_BY_NUMBER = new Map<unknown, Kind>(
  (Object.keys(FIELDS) as Kind[]).map((kind) => [FIELDS[kind][0], kind]),
);

/** The body of a block. */
export const packEntries = (packer: ValuePacker, entries: readonly JournalEntry[]): Uint8Array =>
  packer.pack(entries.map(rowOf));

/** @throws Error where the bytes are no entries, which their CRC rules out but for another version's */
export const unpackEntries = (body: Uint8Array): readonly JournalEntry[] => unpackValues(body).map(entryOf);

function rowOf(entry: JournalEntry): readonly unknown[] {
  const [number, ...names] = FIELDS[entry.kind];
  const row: unknown[] = [number];
  for (const name of names) row.push(Reflect.get(entry, name));
  return row;
}

function entryOf(row: unknown): JournalEntry {
  const [number, ...values] = Array.isArray(row) ? row : [];
  const kind = KIND_BY_NUMBER.get(number);
  if (kind === undefined) throw new Error(`a journal of this version has no entry of kind ${String(number)}`);
  const [, ...names] = FIELDS[kind];
  if (names.length !== values.length)
    throw new Error(`an entry '${kind}' has ${names.length} fields, not ${values.length}`);
  // Gateway: written by `rowOf`, and not changed since.
  return { kind, ...Object.fromEntries(names.map((name, place) => [name, values[place]])) } as JournalEntry;
}
