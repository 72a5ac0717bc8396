/** Of a node at an instant, what has to do with a message: its consensus cells, and what the same turn did. Pure. */
import type { At, CellRow, NodeIndex, StepEvent } from '../../../../src/observe/feed/feed.ts';
import type { Cells } from '../../feed/model.ts';
import { forEachBetween, type Timeline } from '../../feed/timeline.ts';

/** In the order in which a message passes them. */
const OF_INTEREST = ['round-manager', 'view-change', 'safety'] as const;
/** Steps of a turn are at its instant, or a moment after. @unit ms */
const TURN_MS = 5;

export function cellsOfInterest(
  cells: Cells,
  node: NodeIndex,
  epoch: number | undefined,
  round: number | undefined,
): readonly CellRow[] {
  const own = `round/${epoch ?? 0}/${round}`;
  const rank = ({ address }: CellRow): number => {
    if (round !== undefined && address.endsWith(own)) return 0;
    const place = OF_INTEREST.findIndex((name) => address.endsWith(`/${name}`));
    return place < 0 ? -1 : place + 1;
  };
  return [...cells.values()]
    .filter((cell) => cell.node === node && rank(cell) >= 0)
    .toSorted((one, other) => rank(one) - rank(other));
}

export function stepsOfTurn(
  steps: Timeline<StepEvent>,
  node: NodeIndex,
  at: At,
  turn: number,
): readonly StepEvent[] {
  const found: StepEvent[] = [];
  forEachBetween(steps, at - TURN_MS, at + TURN_MS, (step) => {
    if (step.node === node && step.turn === turn) found.push(step);
  });
  return found;
}
