/** What stands beside a chart: the last event and why it led where it did, refusals, timers, context, and the transitions before. */
import { type ReactNode, useState } from 'react';
import type { CellRow, TransitionRow } from '../../../../src/observe/feed/feed.ts';
import type { WatchedCell } from '../../feed/model.ts';
import { newest } from '../../feed/timeline.ts';
import { usePaced, usePageStore } from '../../feed/use-page.ts';
import { clockTime, counted, milliseconds, nameOf } from '../../shell/words.ts';
import { Facts } from './facts.tsx';

export interface CellAsideProps {
  readonly row: CellRow;
  readonly watched: WatchedCell | undefined;
}

const PARTS = ['Last', 'History', 'Why not', 'Context'] as const;
type Part = (typeof PARTS)[number];

export function CellAside({ row, watched }: CellAsideProps): ReactNode {
  const [part, setPart] = useState<Part>('Last');
  const moniker = usePaced(({ shown }) => shown.nodes[row.node]?.moniker);
  const refusals = watched === undefined ? [] : newest(watched.transitions, 256).filter(isRefusal);
  return (
    <aside className="cell-aside" aria-label="The chosen cell">
      <header>
        <h2>
          {moniker} <span className="address">{row.address}</span>
        </h2>
        <p className="cell-facts">
          {row.kind}, {row.status}
          {row.restarts > 0 ? `, ${row.restarts} restarts` : ''} · {counted(row.processed)} taken
          {row.queued > 0 ? ` · ${counted(row.queued)} wait` : ''}
          {row.postponed > 0 ? ` · ${counted(row.postponed)} postponed` : ''}
        </p>
      </header>
      <div className="parts" role="tablist" aria-label="Of the cell">
        {PARTS.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            aria-selected={part === name}
            onClick={() => setPart(name)}
          >
            {name}
            {name === 'Why not' && refusals.length > 0 ? <b>{refusals.length}</b> : null}
          </button>
        ))}
      </div>
      <div
        className="part"
        role="tabpanel"
        aria-label={part}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by keys
        tabIndex={0}
      >
        {watched === undefined ? (
          <NotWatched row={row} />
        ) : (
          <PartOf part={part} watched={watched} refusals={refusals} />
        )}
      </div>
    </aside>
  );
}

/** Before the first detail came, or at an instant at which nobody watched this cell. */
function NotWatched({ row: { last } }: { readonly row: CellRow }): ReactNode {
  const nodes = usePaced(({ shown }) => shown.nodes);
  return (
    <>
      {last === undefined ? null : (
        <p>
          Last event: <code>{last.event}</code>
          {last.from === undefined ? '' : ` from ${nameOf(last.from, nodes)}`} at {clockTime(last.at)}.
        </p>
      )}
      <p className="muted">
        Its context and transitions are told only while it is watched: from now on, not for instants before.
      </p>
    </>
  );
}

interface PartOfProps {
  readonly part: Part;
  readonly watched: WatchedCell;
  readonly refusals: readonly TransitionRow[];
}

function PartOf({ part, watched, refusals }: PartOfProps): ReactNode {
  if (part === 'Last') return <Last watched={watched} />;
  if (part === 'Context') return <Facts value={watched.view} />;
  if (part === 'Why not') return <WhyNot refusals={refusals} />;
  return <Transitions rows={newest(watched.transitions, 80)} />;
}

function Last({ watched }: { readonly watched: WatchedCell }): ReactNode {
  const nodes = usePaced(({ shown }) => shown.nodes);
  const [last] = newest(watched.transitions, 1);
  return (
    <>
      {last === undefined ? <p className="muted">It has taken nothing since it is watched.</p> : null}
      {last === undefined ? null : (
        <dl className="last">
          <dt>event</dt>
          <dd>
            <code>{last.event}</code>
            {last.from === undefined ? '' : ` from ${nameOf(last.from, nodes)}`}
          </dd>
          <dt>took</dt>
          <dd>{last.taken.length === 0 ? 'no transition: none was enabled' : <Taken row={last} />}</dd>
          {last.guards === undefined || last.guards.length === 0 ? null : (
            <>
              <dt>guards</dt>
              <dd>
                <Guards row={last} />
              </dd>
            </>
          )}
          {last.refused === undefined ? null : (
            <>
              <dt>refused</dt>
              <dd className="refused">
                <code>{last.refused.code}</code> {last.refused.detail}
              </dd>
            </>
          )}
          <dt>effects</dt>
          <dd>{last.effects.length === 0 ? 'none' : <Effects effects={last.effects} />}</dd>
        </dl>
      )}
      <h3>Timers</h3>
      {watched.timers.length === 0 ? <p className="muted">none armed</p> : null}
      <ul className="timers">
        {watched.timers.map(({ key, dueInMs }) => (
          <li key={key}>
            <code>{key}</code> <span>in {milliseconds(Math.max(0, dueInMs))}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

const Effects = ({ effects }: { readonly effects: readonly string[] }): ReactNode => (
  <ul>
    {countedRows(effects).map(([effect, count]) => (
      <li key={effect}>
        <code>{effect}</code>
        {count > 1 ? ` × ${count}` : ''}
      </li>
    ))}
  </ul>
);

function countedRows(rows: readonly string[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const row of rows) counts.set(row, (counts.get(row) ?? 0) + 1);
  return [...counts];
}

const lastKey = (id: string): string => id.slice(id.lastIndexOf('.') + 1);

function Taken({ row: { taken } }: { readonly row: TransitionRow }): ReactNode {
  return (
    <ul>
      {taken.map(({ source, target, on, index }) => (
        <li key={`${source} ${on} ${index}`}>
          <span className="from-state">{lastKey(source)}</span>{' '}
          {target.length === 0 ? 'stays' : <b>→ {target.map(lastKey).join(', ')}</b>}
          {on === '' ? <span className="muted"> at once</span> : null}
        </li>
      ))}
    </ul>
  );
}

function Guards({ row: { guards = [] } }: { readonly row: TransitionRow }): ReactNode {
  return (
    <ul>
      {guards.map(({ transition, guard, held }) => (
        <li key={`${transition} ${guard}`} className={held ? 'held' : 'not-held'}>
          <span aria-hidden="true">{held ? '✓' : '✗'}</span> {guard}
          <span className="unseen">{held ? ' held' : ' did not hold'}</span>
        </li>
      ))}
    </ul>
  );
}

const isRefusal = ({ refused, taken }: TransitionRow): boolean => refused !== undefined || taken.length === 0;

function WhyNot({ refusals }: { readonly refusals: readonly TransitionRow[] }): ReactNode {
  const store = usePageStore();
  if (refusals.length === 0) {
    return (
      <p className="muted">
        It refused nothing since it is watched. What it will refuse stands here with the code and every
        operand.
      </p>
    );
  }
  return (
    <ul className="transitions">
      {refusals.map(({ at, turn, event, refused }) => (
        <li key={`${at} ${turn}`}>
          <button type="button" onClick={() => store.seek(at)} title="Show this instant">
            <time>{clockTime(at)}</time>
            <code>{event}</code>
            <span className="refused">
              {refused === undefined ? (
                'no transition was enabled'
              ) : (
                <>
                  <code>{refused.code}</code> {refused.detail}
                </>
              )}
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function Transitions({ rows }: { readonly rows: readonly TransitionRow[] }): ReactNode {
  const store = usePageStore();
  return (
    <ul className="transitions">
      {rows.map((row) => (
        <li key={`${row.at} ${row.turn}`}>
          <button type="button" onClick={() => store.seek(row.at)} title="Show this instant">
            <time>{clockTime(row.at)}</time>
            <code>{row.event}</code>
            <span className="muted">{wordsOf(row)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function wordsOf({ taken, refused }: TransitionRow): string {
  if (refused !== undefined) return refused.code;
  const targets = taken.flatMap(({ target }) => target);
  if (targets.length > 0) return `→ ${[...new Set(targets.map(lastKey))].join(', ')}`;
  return taken.length === 0 ? 'nothing enabled' : 'stays';
}
