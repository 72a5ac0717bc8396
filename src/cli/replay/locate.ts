/** Which recorded runs a user means by a path: a run, a journal of many, a node's home, the data of a network. Boundary: disk. docs/journal.md. */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { runsIn } from '../../record/run-folder.ts';
import { RunReader, RunUnreadable } from '../../record/run-reader.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { CommandFailure, runtimeFailure, usageFailure } from '../failure.ts';

/** @throws CommandFailure when there is none */
export function runsAt(path: string): readonly string[] {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw usageFailure(
      `${path}: give the folder of a run, of a journal, a node's home, or the data of a network`,
    );
  const runs = runsIn(path);
  if (runs.length === 0)
    throw runtimeFailure(
      `${path} holds no journal: a node writes one into its home unless [journal] record = "off"`,
    );
  return runs;
}

/**
 * The runs of each node that belong together: the newest one of each, and those before it that reach into the time of the others' newest.
 * @throws CommandFailure for journals of different chains
 */
export function sessionOf(runs: readonly string[]): readonly (readonly string[])[] {
  const found = runs.map((dir) => {
    const run = openRun(dir);
    const { node, startedAt, chain } = run.opening;
    const { endsAt } = run;
    run.close();
    return {
      dir,
      // Twins of a simulation have one id.
      node: `${node.id} ${node.moniker}`,
      startedAt,
      endsAt,
      chain: `${chain.id} (genesis ${chain.genesisHash.slice(0, 12)})`,
    };
  });
  const chains = [...new Set(found.map(({ chain }) => chain))];
  if (chains.length > 1)
    throw runtimeFailure(`the journals are of different chains: ${chains.join(', ')}; name one run`);
  const nodes = [...Map.groupBy(found, ({ node }) => node).values()];
  const newest = nodes.map((lives) => Math.max(...lives.map(({ startedAt }) => startedAt)));
  const since = Math.min(...newest);
  return nodes.map((lives, index) =>
    lives
      .filter(({ startedAt, endsAt }) => endsAt >= since || startedAt === newest[index])
      .map(({ dir }) => dir),
  );
}

/** @throws CommandFailure for what is no run, or none that this program reads */
export function openRun(dir: string): RunReader {
  try {
    return new RunReader(dir);
  } catch (error) {
    if (error instanceof RunUnreadable) throw new CommandFailure(error.message, EXIT_CODES.corruptStore);
    throw error;
  }
}

/** For readers: `node0 2026-11-23T02-48-06Z-3ebea2`. */
export const runLabel = ({ opening, dir }: RunReader): string => `${opening.node.moniker} ${basename(dir)}`;
