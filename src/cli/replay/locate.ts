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

/** Those that overlap in time with the newest one, newest of each node: what was one network. */
export function newestOfEach(runs: readonly string[]): readonly string[] {
  const newest = new Map<string, { readonly dir: string; readonly startedAt: number }>();
  const chains = new Set<string>();
  for (const dir of runs) {
    const run = openRun(dir);
    const { node, startedAt, chain } = run.opening;
    run.close();
    chains.add(`${chain.id} (genesis ${chain.genesisHash.slice(0, 12)})`);
    const known = newest.get(node.id);
    if (known === undefined || known.startedAt < startedAt) newest.set(node.id, { dir, startedAt });
  }
  if (chains.size > 1)
    throw runtimeFailure(`the journals are of different chains: ${[...chains].join(', ')}; name one run`);
  return [...newest.values()].map(({ dir }) => dir);
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
