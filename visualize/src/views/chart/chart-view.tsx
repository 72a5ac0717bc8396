/** The chart of the chosen cell. */
import type { ReactNode } from 'react';
import { cellKey, cellNameOf } from '../../feed/model.ts';
import { usePage, useWatched } from '../../feed/use-page.ts';

export function ChartView(): ReactNode {
  const key = usePage(({ selection: { node, cell } }) =>
    node === undefined || cell === undefined ? undefined : cellKey(node, cell),
  );
  useWatched(key === undefined ? undefined : cellNameOf(key));
  const states = usePage(({ shown }) => (key === undefined ? undefined : shown.cells.get(key)?.states));
  return <p className="empty">{states?.join(', ') ?? 'Choose a cell.'}</p>;
}
