/** Where two nodes of one chain part: the first height at which they committed different blocks, and what made each commit its own. Rule RP-6. */
import type { Message, Transition } from '../actors/runtime/index.ts';
import { treeOf } from '../node/views.ts';
import type { RunReader } from '../record/run-reader.ts';
import { statePaths } from './breakpoint.ts';
import { Player, type ReplayedBy } from './player.ts';

/** A commit, and the step that made it. */
export interface Commit {
  readonly height: number;
  readonly block: string;
  readonly turn: number;
  /** @unit ms since 1970 */
  readonly at: number;
  readonly cell: string;
  readonly from: string | undefined;
  readonly event: Message;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

export type ChainDifference =
  | { readonly kind: 'same'; readonly from: number; readonly to: number }
  /** They committed nothing at one height. */
  | { readonly kind: 'apart' }
  | { readonly kind: 'fork'; readonly left: Commit; readonly right: Commit };

/** Newest commits of each that are compared. @unit heights @source memory: a few hundred bytes each */
const COMMITS_MAX = 262_144;

/** @throws ChartsDiffer; Error naming what this program has not got */
export function chainDifference(
  lefts: readonly RunReader[],
  rights: readonly RunReader[],
  by: ReplayedBy,
): ChainDifference {
  const [ours, theirs] = [lefts, rights].map((runs) => allCommits(runs, by));
  if (ours === undefined || theirs === undefined) return { kind: 'apart' };
  const shared = [...ours.keys()].filter((height) => theirs.has(height)).sort((one, other) => one - other);
  for (const height of shared) {
    const [one, other] = [ours.get(height), theirs.get(height)];
    if (one !== undefined && other !== undefined && one.block !== other.block)
      return { kind: 'fork', left: one, right: other };
  }
  const [from, to] = [shared[0], shared.at(-1)];
  return from === undefined || to === undefined ? { kind: 'apart' } : { kind: 'same', from, to };
}

/** Of all lives of a node, or of several nodes: the first commit of each height. */
function allCommits(runs: readonly RunReader[], by: ReplayedBy): ReadonlyMap<number, Commit> {
  const all = new Map<number, Commit>();
  for (const run of runs.toSorted((one, other) => one.opening.startedAt - other.opening.startedAt)) {
    for (const [height, commit] of commitsOf(run, by)) {
      if (!all.has(height)) all.set(height, commit);
      const [oldest] = all.keys();
      if (all.size > COMMITS_MAX && oldest !== undefined) all.delete(oldest);
    }
  }
  return all;
}

/** What a node committed, by height, as its round-manager's tree says after each of its steps. */
function commitsOf(run: RunReader, by: ReplayedBy): ReadonlyMap<number, Commit> {
  const commits = new Map<number, Commit>();
  const states = new Map<string, readonly string[]>();
  const player = new Player(run, {
    ...by,
    inspector: { transition: (transition) => note(transition) },
  });
  const note = (transition: Transition): void => {
    const { address, turn, from, event } = transition;
    if (!address.endsWith('/round-manager')) return;
    const after = statePaths(transition.snapshot);
    const before = states.get(address) ?? [];
    states.set(address, after);
    const root = treeOf(player.system)?.tree.root;
    if (root === undefined || commits.has(root.height)) return;
    const what = { height: root.height, block: root.id, turn, at: player.at };
    commits.set(root.height, { ...what, cell: address, from, event, before, after });
    commits.delete(root.height - COMMITS_MAX);
  };
  player.finish();
  return commits;
}
