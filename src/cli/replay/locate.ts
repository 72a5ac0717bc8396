/** Which recorded runs a user means by a path: a run, a journal of many, a node's home, the data of a network. Boundary: disk. docs/journal.md. */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { runsIn } from '../../record/run-folder.ts';
import { type JournalFlaw, RunReader, RunUnreadable } from '../../record/run-reader.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { CommandFailure, messageOf, runtimeFailure, usageFailure } from '../failure.ts';

/** @throws CommandFailure when there is none */
export function runsAt(path: string): readonly string[] {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw usageFailure(
      `${path}: give the folder of a run, of a journal, a node's home, or the data of a network`,
    );
  const runs = readableRuns(path);
  if (runs.length === 0)
    throw runtimeFailure(
      `${path} holds no journal that you may read: a node writes one into its home unless [journal] record = "off"`,
    );
  return runs;
}

function readableRuns(path: string): readonly string[] {
  try {
    return runsIn(path);
  } catch (error) {
    throw runtimeFailure(`${path} cannot be read: ${messageOf(error)}`);
  }
}

/** The runs that a replay shows together. */
export interface Session {
  /** The runs of each node. */
  readonly nodes: readonly (readonly string[])[];
  /** Of runs that cannot be read at all, and are left out: the others are not worse for them. */
  readonly flaws: readonly JournalFlaw[];
}

/**
 * The runs of each node that belong together: the newest one of each, and those before it that reach into the time of the others' newest.
 * @throws CommandFailure for journals of different chains, or when none can be read
 */
export function sessionOf(runs: readonly string[]): Session {
  const opened = runs.map(toldOf);
  const found = opened.flatMap((one) => ('dir' in one ? [one] : []));
  const unread = opened.flatMap((one) => ('dir' in one ? [] : [one]));
  const [first] = unread;
  if (found.length === 0 && first !== undefined) throw unreadable(first);
  const chains = [...new Set(found.map(({ chain }) => chain))];
  if (chains.length > 1)
    throw runtimeFailure(`the journals are of different chains: ${chains.join(', ')}; name one run`);
  const nodes = [...Map.groupBy(found, ({ node }) => node).values()];
  const newest = nodes.map((lives) => Math.max(...lives.map(({ startedAt }) => startedAt)));
  const since = Math.min(...newest);
  return {
    nodes: nodes.map((lives, index) =>
      lives
        .filter(({ startedAt, endsAt }) => endsAt >= since || startedAt === newest[index])
        .map(({ dir }) => dir),
    ),
    flaws: unread.flatMap(({ flaws }) => flaws),
  };
}

/** What a session is chosen by. */
function toldOf(dir: string) {
  try {
    const run = new RunReader(dir);
    const { node, startedAt, chain } = run.opening;
    const { endsAt } = run;
    run.close();
    return {
      ...{ dir, startedAt, endsAt },
      // Twins of a simulation have one id.
      node: `${node.id} ${node.moniker}`,
      chain: `${chain.id} (genesis ${chain.genesisHash.slice(0, 12)})`,
    };
  } catch (error) {
    if (error instanceof RunUnreadable) return error;
    throw error;
  }
}

/** What no command can do anything with. */
export const unreadable = ({ message }: RunUnreadable): CommandFailure =>
  new CommandFailure(message, EXIT_CODES.corruptStore);

/** For readers: `node0 2026-11-23T02-48-06Z-3ebea2`. */
export const runLabel = ({ opening, dir }: RunReader): string => `${opening.node.moniker} ${basename(dir)}`;
