/** The charts that a replay has: those of a node, by their ids, and whether they are the recorded ones. Pure. Rule RP-1. */
import type { AnyStateMachine } from 'xstate';
import { type CellBlueprint, chartOf, chartsOf, type Rebuilt, rebuilt } from '../actors/runtime/index.ts';
import { NODE_MACHINES } from '../node/charts.ts';

export type Charts = ReadonlyMap<string, AnyStateMachine>;

/** Those of a node's tree. */
export const NODE_CHARTS: Charts = new Map(NODE_MACHINES.map((machine) => [machine.id, machine]));

/** A run that this program cannot repeat. The message is for the user. */
export class NotReplayable extends Error {
  override readonly name: string = 'NotReplayable';
}

/** A chart is not the one that the journal was recorded with: its replay would be of another program. */
export class ChartsDiffer extends NotReplayable {
  override readonly name = 'ChartsDiffer';
}

/** @throws ChartsDiffer naming each chart that differs */
export function checkCharts(blueprints: readonly CellBlueprint[], charts: Charts): void {
  const differing = [...chartsOf(blueprints)].flatMap(([id, recorded]) => {
    const own = charts.get(id);
    if (own === undefined) return [`${id} (not here)`];
    const hash = chartOf(own).hash;
    return hash === recorded ? [] : [`${id} (recorded ${recorded}, here ${hash})`];
  });
  if (differing.length > 0) {
    throw new ChartsDiffer(
      `it was recorded by other charts than this program's: ${differing.join(', ')}; replay it with the program that recorded it`,
    );
  }
}

/** The cells that a journal tells of, by this program. @throws NotReplayable naming what they want, and it has not got */
export function builtFrom(...given: Parameters<typeof rebuilt>): Rebuilt {
  try {
    return rebuilt(...given);
  } catch (error) {
    throw new NotReplayable(`its tree of cells cannot be built: ${wordsOf(error)}`);
  }
}

export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
