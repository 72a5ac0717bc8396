/** What a breakpoint or a reader asks of a replayed node at an instant; read off the owners' snapshots. Pure reading. */
import type { System } from '../actors/runtime/index.ts';
import { treeOf, viewOf } from '../node/views.ts';

export interface Standing {
  readonly epoch: number;
  readonly round: number;
  /** Newest committed. */
  readonly height: number;
  readonly block: string;
}

/** Zeros before the cells have read what is durable. */
export function standingOf(system: System): Standing {
  const view = viewOf(system);
  const root = treeOf(system)?.tree.root;
  return {
    epoch: view?.pacemaker.epoch ?? 0,
    round: view?.pacemaker.round ?? 0,
    height: root?.height ?? 0,
    block: root?.id ?? '',
  };
}
