/** A line for each node: what is so now. */
import type { ReactNode } from 'react';
import type { NodeCard, NodeHealth, NodeIndex } from '../../../../src/observe/feed/feed.ts';
import { byteCount, count, duration, nodeName } from '../words.ts';
import { clockWords, openBreakers, syncOf } from './sync-words.ts';

interface TableProps {
  readonly nodes: readonly NodeCard[];
  readonly health: ReadonlyMap<NodeIndex, NodeHealth>;
  readonly chosen: NodeIndex;
  readonly onChoose: (node: NodeIndex) => void;
}

const COLUMNS = [
  'node',
  'ready',
  'clock',
  'round',
  'sync',
  'loop lag',
  'reach',
  'breakers',
  'pending',
  'turns/s',
  'journal',
];

export function HealthTable({ nodes, health, chosen, onChoose }: TableProps): ReactNode {
  return (
    <div className="health-table">
      <table>
        <thead>
          <tr>
            {COLUMNS.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {nodes.map((node, place) => (
            <Line
              key={node.id}
              name={nodeName(nodes, place)}
              place={place}
              isUp={node.isUp}
              health={health.get(place)}
              isChosen={place === chosen}
              onChoose={onChoose}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface LineProps {
  readonly name: string;
  readonly place: NodeIndex;
  readonly isUp: boolean;
  readonly health: NodeHealth | undefined;
  readonly isChosen: boolean;
  readonly onChoose: (node: NodeIndex) => void;
}

function Line({ name, place, isUp, health, isChosen, onChoose }: LineProps): ReactNode {
  return (
    <tr data-chosen={isChosen}>
      <td>
        <button type="button" aria-pressed={isChosen} onClick={() => onChoose(place)}>
          <i className={`health-key is-node-${place % 8}`} data-dashed={place >= 8} />
          {name}
        </button>
      </td>
      {health === undefined || !isUp ? (
        <td colSpan={COLUMNS.length - 1} className={isUp ? 'is-muted' : 'is-bad'}>
          {isUp ? 'tells nothing yet' : 'down'}
        </td>
      ) : (
        <Cells health={health} />
      )}
    </tr>
  );
}

function Cells({ health }: { readonly health: NodeHealth }): ReactNode {
  const { isReady, reasons, clock, round, sync, loopLagMs, reach, pending, turnsPerSecond, journal } = health;
  const open = openBreakers(health);
  const progress = syncOf(sync);
  return (
    <>
      <td className={isReady ? 'is-good' : 'is-bad'} title={reasons.join('; ')}>
        {isReady ? 'yes' : (reasons[0] ?? 'no')}
      </td>
      <td title={clock.state}>{clockWords(clock)}</td>
      <td>{round.durationMs === undefined ? '' : duration(round.durationMs)}</td>
      <td>
        {progress.words}
        {progress.part === undefined ? null : (
          <progress value={progress.part} max={1} aria-label="Progress of sync" />
        )}
      </td>
      <td title={loopLagMs === undefined ? '' : `greatest ${duration(loopLagMs.max)}`}>
        {loopLagMs === undefined ? '' : `${duration(loopLagMs.p50)}, p99 ${duration(loopLagMs.p99)}`}
      </td>
      <td>{reach}</td>
      <td className={open.length > 0 ? 'is-warn' : 'is-muted'}>
        {open.length > 0 ? `${open.length} not closed` : 'closed'}
      </td>
      <td>{count(pending)}</td>
      <td>{turnsPerSecond === undefined ? '' : count(Math.round(turnsPerSecond))}</td>
      <td className={journal?.detail === 'lowered' ? 'is-warn' : 'is-muted'}>{journalWords(journal)}</td>
    </>
  );
}

/** "full" would read as a disk that has no room. */
function journalWords(journal: NodeHealth['journal']): string {
  if (journal === undefined) return '';
  if (journal.detail === 'off') return 'off';
  return `${byteCount(journal.bytes)}${journal.detail === 'lowered' ? ', less detail' : ''}`;
}
