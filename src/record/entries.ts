/** The entries of a journal as rows of fields, and back: what came, from whom, to whom, when. Pure. Rule RP-1, docs/journal.md. */
import type { JournalEntry } from '../actors/runtime/index.ts';
import { AT_MAX } from './blocks.ts';
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

/** As a `message`, but what came is what came with an earlier entry of the block, at that place. Told to several cells, it is written once. */
const SAME_MESSAGE = 12;

/** The body of a block. */
export function packEntries(packer: ValuePacker, entries: readonly JournalEntry[]): Uint8Array {
  const places = new Map<unknown, number>();
  return packer.pack(
    entries.map((entry, place) => {
      const row = rowOf(entry);
      if (entry.kind !== 'message') return row;
      const before = places.get(entry.message);
      if (before === undefined) {
        places.set(entry.message, place);
        return row;
      }
      row[0] = SAME_MESSAGE;
      row[row.length - 1] = before;
      return row;
    }),
  );
}

/** @throws Error where the bytes are no entries, which their CRC rules out but for another version's */
export function unpackEntries(body: Uint8Array): readonly JournalEntry[] {
  const entries: JournalEntry[] = [];
  for (const row of unpackValues(body)) {
    const [number, ...values] = Array.isArray(row) ? row : [];
    if (number !== SAME_MESSAGE) {
      entries.push(entryOf(number, values));
      continue;
    }
    const before = entries[Number(values.pop())];
    if (before?.kind !== 'message') throw new Error('an entry repeats a message that is not there');
    entries.push(entryOf(FIELDS.message[0], [...values, before.message]));
  }
  return entries;
}

function rowOf(entry: JournalEntry): unknown[] {
  const [number, ...names] = FIELDS[entry.kind];
  const row: unknown[] = [number];
  for (const name of names) row.push(Reflect.get(entry, name));
  return row;
}

function entryOf(number: unknown, values: readonly unknown[]): JournalEntry {
  const kind = KIND_BY_NUMBER.get(number);
  if (kind === undefined) throw new Error(`a journal of this version has no entry of kind ${String(number)}`);
  const [, ...names] = FIELDS[kind];
  if (names.length !== values.length)
    throw new Error(`an entry '${kind}' has ${names.length} fields, not ${values.length}`);
  const entry: Record<string, unknown> = { kind };
  for (const [place, name] of names.entries()) entry[name] = values[place];
  const { turn, wall = 0, message = NO_MESSAGE } = entry;
  if (!isWithin(turn, Number.MAX_SAFE_INTEGER) || !isWithin(wall, AT_MAX) || !isMessage(message))
    throw new Error(`an entry '${kind}' has no turn, time or message that can be`);
  // Gateway: as `rowOf` writes it.
  return entry as JournalEntry;
}

const NO_MESSAGE = { type: '' };

const isWithin = (value: unknown, max: number): boolean =>
  typeof value === 'number' && Math.abs(value) <= max;

const isMessage = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
