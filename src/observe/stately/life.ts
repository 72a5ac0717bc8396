/** How a cell without a chart of its own lives, as a chart: a reducer, a boundary actor. Pure data. Rules IN-3, RT-6, RT-17. */
import type { CellRow, Chart, ChartState } from '../feed/feed.ts';

const ID = 'cell';

const state = (
  key: CellRow['status'],
  description: string,
  ways: Readonly<Record<string, CellRow['status']>>,
): ChartState => ({
  id: `${ID}.${key}`,
  key,
  type: key === 'gone' ? 'final' : 'atomic',
  description,
  ...{ tags: [], entry: [], exit: [], states: [] },
  transitions: Object.entries(ways).map(([on, target]) => ({
    on,
    index: 0,
    target: [`${ID}.${target}`],
    actions: [],
    reenter: false,
  })),
});

export const LIFE_CHART: Chart = {
  // No machine has it: a hash has no letter beyond f.
  hash: 'life',
  id: ID,
  root: {
    id: ID,
    key: ID,
    type: 'compound',
    description: 'A cell that is no statechart: what is shown is how it lives.',
    initial: `${ID}.starting`,
    ...{ tags: [], entry: [], exit: [], transitions: [] },
    states: [
      state('starting', 'It has not said yet that it runs.', { started: 'running', ended: 'ending' }),
      state('running', 'It takes messages.', { ended: 'ending' }),
      state('ending', 'It waits for its children, or for its shutdown time.', { finished: 'down' }),
      state('down', 'Its supervisor decides: messages wait.', { restarted: 'starting', removed: 'gone' }),
      state('gone', 'Its address is free.', {}),
    ],
  },
};

export const lifeStates = (status: CellRow['status']): readonly string[] => [`${ID}.${status}`];
