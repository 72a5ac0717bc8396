/** A message that a simulated cell dies of: no plain data, so a journal has a word for it. Pure. Rules SM-2, RP-1. */
import type { JournalEntry } from '../actors/runtime/index.ts';
import type { Message } from '../protocol/supervision/effect.ts';

/** What a cell dies of. */
export const POISON = 'poisoned by the scenario';

/** What a journal reads of it, and writes down. */
const READABLE: ReadonlySet<string | symbol> = new Set(['type', 'poison', 'constructor', 'hasOwnProperty']);

/** Every other field throws when it is read: as good as a bug that one input brings out. */
export const poison = (type: string): Message =>
  new Proxy<Message>(
    { type, poison: POISON },
    {
      get(message, field) {
        if (READABLE.has(field)) return Reflect.get(message, field);
        throw new Error(POISON);
      },
    },
  );

/** An entry of a journal as the cells of the recorded run met it. */
export function poisonedAgain(entry: JournalEntry): JournalEntry {
  if (entry.kind !== 'message' || Reflect.get(entry.message, 'poison') !== POISON) return entry;
  return { ...entry, message: poison(entry.message.type) };
}
