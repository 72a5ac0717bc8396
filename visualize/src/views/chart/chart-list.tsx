/** A chart without a picture: its states as a list in lists, the active ones lit, with what each handles. */
import type { ReactNode } from 'react';
import type { CellRow, Chart, ChartState } from '../../../../src/observe/feed/feed.ts';

export function ChartList({ chart, row }: { readonly chart: Chart; readonly row: CellRow }): ReactNode {
  const active = new Set(row.states ?? []);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by keys
    <div className="chart-list" tabIndex={0}>
      <p className="muted">
        The chart {chart.id} is of another version than this page, which has no picture of it: its states as a
        list.
      </p>
      <ul>
        <StateItem state={chart.root} active={active} />
      </ul>
    </div>
  );
}

interface StateItemProps {
  readonly state: ChartState;
  readonly active: ReadonlySet<string>;
}

function StateItem({ state, active }: StateItemProps): ReactNode {
  const { id, key, type, states, transitions } = state;
  return (
    <li>
      <span className={active.has(id) ? 'list-state active' : 'list-state'}>
        {key}
        {active.has(id) ? ' (active)' : type === 'parallel' || type === 'final' ? ` (${type})` : ''}
      </span>
      {transitions.map(({ on, index, guard, target }) => (
        <span key={`${on} ${index}`} className="list-transition">
          {on === '' ? 'at once' : on}
          {guard === undefined ? '' : ` [${guard}]`}
          {target.length === 0
            ? ''
            : ` → ${target.map((one) => one.slice(one.lastIndexOf('.') + 1)).join(', ')}`}
        </span>
      ))}
      {states.length === 0 ? null : (
        <ul>
          {states.map((inner) => (
            <StateItem key={inner.id} state={inner} active={active} />
          ))}
        </ul>
      )}
    </li>
  );
}
