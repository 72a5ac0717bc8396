/** Where a message that one run has and the other has not was sent: the turn of its sender, in that node's journal of either run. Deterministic. Rule RP-6. */
import type { JournalEntry } from '../actors/runtime/index.ts';
import { MessageMemory } from '../node/feed/messages.ts';
import { toldOf } from '../node/feed/told.ts';
import { concernsWire, labelOf, readWire } from '../node/feed/wire.ts';
import { RunReader, RunUnreadable } from '../record/run-reader.ts';
import { Player, type ReplayedBy } from './player.ts';

export interface Sending {
  /** The run of its sender. */
  readonly dir: string;
  readonly turn: number;
  /** @unit ms since 1970 */
  readonly at: number;
  /** Who asked the router to send it. */
  readonly cell: string;
}

export interface Trail {
  /** Node id of the sender. */
  readonly sender: string;
  /** In the run that has the message, and in the other: `no journal` where its sender's is not there. */
  readonly there: Sending | 'not sent' | 'no journal';
  readonly other: Sending | 'not sent' | 'no journal';
}

/** What was sent, as both ends see it. */
interface Sought {
  readonly id: string;
  readonly sender: string;
  readonly receiver: string;
}

/**
 * Undefined for what is no message of another node.
 * @param run that has it @param there runs beside it @param other those that it was compared with @throws NotReplayable
 */
export function trailOf(
  { entry, run }: { readonly entry: JournalEntry; readonly run: string },
  there: readonly string[],
  other: readonly string[],
  by: ReplayedBy,
): Trail | undefined {
  const told = entry.kind === 'message' ? toldOf(entry.message) : undefined;
  if (told?.type !== 'message.received' || entry.kind !== 'message') return undefined;
  const reader = new RunReader(run);
  const receiver = reader.opening.node.id;
  reader.close();
  const sought = { id: labelOf(told.message).id, sender: told.from, receiver };
  return {
    sender: told.from,
    there: sendingIn(there, sought, entry.wall, by),
    other: sendingIn(other, sought, entry.wall, by),
  };
}

/** The last time that it was sent until then; a node sends some again. */
function sendingIn(
  dirs: readonly string[],
  sought: Sought,
  until: number,
  by: ReplayedBy,
): Sending | 'not sent' | 'no journal' {
  let found: Sending | 'not sent' | 'no journal' = 'no journal';
  for (const dir of dirs) {
    const run = readerOf(dir);
    if (run === undefined) continue;
    try {
      const { node, startedAt, redacted } = run.opening;
      if (node.id !== sought.sender || startedAt > until || redacted === true) continue;
      const last = lastSending(run, sought, until, by);
      if (last !== undefined) found = last;
      else if (found === 'no journal') found = 'not sent';
    } finally {
      run.close();
    }
  }
  return found;
}

/** Undefined for one that cannot be read: whoever compared has told of it. */
function readerOf(dir: string): RunReader | undefined {
  try {
    return new RunReader(dir);
  } catch (error) {
    if (error instanceof RunUnreadable) return undefined;
    throw error;
  }
}

function lastSending(run: RunReader, sought: Sought, until: number, by: ReplayedBy): Sending | undefined {
  let last: Sending | undefined;
  const memory = new MessageMemory();
  const player = new Player(run, {
    ...by,
    inspector: {
      transition: (transition) => {
        const { address, event, turn, wall: at, from = address } = transition;
        if (!concernsWire(address, event.type)) return;
        readWire(
          transition,
          {
            hasRoomFor: () => true,
            step: () => undefined,
            wire: ({ id, direction, peer }) => {
              if (direction === 'sent' && id === sought.id && peer === sought.receiver)
                last = { dir: run.dir, turn, at, cell: from };
            },
          },
          memory,
        );
      },
    },
  });
  player.advanceTime(until);
  return last;
}
