/** What of a chart's picture is lit at an instant: active states, the transition last taken, what its guards said. Pure. */

import type { ChartLayout, Edge } from '../../../../src/observe/charts/layout.ts';
import type { CellRow, TransitionRow } from '../../../../src/observe/feed/feed.ts';
import type { WatchedCell } from '../../feed/model.ts';
import { newest } from '../../feed/timeline.ts';

export interface Lit {
  /** Innermost active states. */
  readonly active: ReadonlySet<string>;
  /** Those around them. */
  readonly around: ReadonlySet<string>;
  /** Transitions taken by the last event, as `transitionKey` names them. */
  readonly taken: ReadonlySet<string>;
  /** What the guards of the last event said, by the same key. */
  readonly guards: ReadonlyMap<string, boolean>;
  /** Of the newest that was seen. */
  readonly last: TransitionRow | undefined;
}

/** As `GuardRow.transition` is written. */
export const transitionKey = (source: string, on: string, index: number): string =>
  `${source} ${on} ${index}`;

export const NOTHING_LIT: Lit = {
  active: new Set(),
  around: new Set(),
  taken: new Set(),
  guards: new Map(),
  last: undefined,
};

export function litBy(layout: ChartLayout, row: CellRow, watched: WatchedCell | undefined): Lit {
  const active = new Set(row.states ?? []);
  const parents = new Map(layout.states.map(({ id, parent }) => [id, parent]));
  const around = new Set<string>();
  for (const id of active) {
    for (let up = parents.get(id); up !== undefined && !around.has(up); up = parents.get(up)) around.add(up);
  }
  const last = watched === undefined ? undefined : newest(watched.transitions, 1)[0];
  return {
    active,
    around,
    taken: new Set((last?.taken ?? []).map(({ source, on, index }) => transitionKey(source, on, index))),
    guards: new Map((last?.guards ?? []).map(({ transition, held }) => [transition, held])),
    last,
  };
}

export const isTaken = ({ source, transitions }: Edge, { taken }: Lit): boolean =>
  taken.size > 0 && transitions.some(({ on, index }) => taken.has(transitionKey(source, on, index)));

/** Two that light the same need not be drawn twice. */
export const sameLight = (one: Lit, other: Lit): boolean =>
  one.last?.turn === other.last?.turn &&
  one.last?.at === other.last?.at &&
  one.active.size === other.active.size &&
  [...one.active].every((id) => other.active.has(id));
