/** The rows in sight of a long list; it stays at its newest row while the reader is there. Arrow keys move the choice. */
import { type KeyboardEvent, type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import { usePage } from '../../feed/use-page.ts';
import { type Flight, type FlightBook, tookMsOf } from '../diagram/flights.ts';
import { FamilySample } from '../family-sample.tsx';
import { byteCount, clockOf, duration, nodeName, shortId } from '../words.ts';
import { scrollFor, windowOf } from './window.ts';

/** @unit px @source --row, theme.css */
const ROW_PX = 24;
/** Rows of a page of keys. */
const PAGE_ROWS = 20;

interface ListProps {
  readonly rows: readonly Flight[];
  readonly book: FlightBook;
  readonly chosen: Flight | undefined;
  readonly onChoose: (flight: Flight) => void;
}

export function MessageList({ rows, book, chosen, onChoose }: ListProps): ReactNode {
  const scroller = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const [view, setView] = useState({ top: 0, height: 600 });
  const count = rows.length;
  useLayoutEffect(() => {
    const { current } = scroller;
    if (current === null) return;
    if (isAtEnd.current && count >= 0) current.scrollTop = current.scrollHeight;
    setView(({ top, height }) => {
      const next = { top: current.scrollTop, height: current.clientHeight };
      return next.top === top && next.height === height ? { top, height } : next;
    });
  }, [count]);
  const onScroll = (): void => {
    const { current } = scroller;
    if (current === null) return;
    isAtEnd.current = current.scrollTop + current.clientHeight >= current.scrollHeight - ROW_PX;
    setView({ top: current.scrollTop, height: current.clientHeight });
  };
  const onKey = (event: KeyboardEvent): void => {
    const by = MOVES.get(event.key);
    const { current } = scroller;
    if (by === undefined || current === null) return;
    event.preventDefault();
    const place = chosen === undefined ? count : rows.indexOf(chosen);
    const next = Math.min(count - 1, Math.max(0, place + by));
    const flight = rows[next];
    if (flight === undefined) return;
    isAtEnd.current = false;
    current.scrollTop = scrollFor(next, ROW_PX, current.scrollTop, current.clientHeight - ROW_PX);
    onChoose(flight);
  };
  return (
    <section
      ref={scroller}
      className="messages-list"
      aria-label="Messages, oldest first; arrow keys move the choice"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls takes keys
      tabIndex={0}
      onScroll={onScroll}
      onKeyDown={onKey}
    >
      <Table rows={rows} book={book} chosen={chosen} onChoose={onChoose} view={view} />
      {count === 0 ? (
        <p className="messages-none">No message passes the filter, or none was sent yet.</p>
      ) : null}
    </section>
  );
}

interface TableProps extends ListProps {
  /** @unit px */
  readonly view: { readonly top: number; readonly height: number };
}

function Table({ rows, book, chosen, onChoose, view }: TableProps): ReactNode {
  const count = rows.length;
  const { first, end, top } = windowOf(count, ROW_PX, view.top, view.height);
  return (
    <table aria-rowcount={count + 1}>
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
        <Gap height={top} />
        {rows.slice(first, end).map((flight, place) => (
          <Row
            key={flight.key}
            flight={flight}
            place={first + place}
            fate={book.fateOf(flight)}
            isChosen={flight === chosen}
            onChoose={onChoose}
          />
        ))}
        <Gap height={(count - end) * ROW_PX} />
      </tbody>
    </table>
  );
}

/** In place of the rows that are out of sight. */
function Gap({ height }: { readonly height: number }): ReactNode {
  if (height <= 0) return null;
  return (
    <tr className="messages-gap">
      <td style={{ height }} />
    </tr>
  );
}

const COLUMNS = [
  'sent',
  'message',
  'from',
  'to',
  'round',
  'height',
  'block',
  'size',
  'took',
  'verdict',
] as const;

const MOVES: ReadonlyMap<string, number> = new Map([
  ['ArrowDown', 1],
  ['ArrowUp', -1],
  ['j', 1],
  ['k', -1],
  ['PageDown', PAGE_ROWS],
  ['PageUp', -PAGE_ROWS],
  ['Home', Number.NEGATIVE_INFINITY],
  ['End', Number.POSITIVE_INFINITY],
]);

interface RowProps {
  readonly flight: Flight;
  readonly place: number;
  readonly fate: ReturnType<FlightBook['fateOf']>;
  readonly isChosen: boolean;
  readonly onChoose: (flight: Flight) => void;
}

function Row({ flight, place, fate, isChosen, onChoose }: RowProps): ReactNode {
  const nodes = usePage(({ shown }) => shown.nodes);
  const event = flight.sent ?? flight.received;
  const took = tookMsOf(flight);
  return (
    <tr aria-rowindex={place + 2} data-chosen={isChosen}>
      <td>
        <button type="button" tabIndex={-1} aria-pressed={isChosen} onClick={() => onChoose(flight)}>
          {clockOf(flight.at)}
        </button>
      </td>
      <td>
        <FamilySample family={flight.family} /> {flight.kind}
      </td>
      <td>{nodeName(nodes, flight.from)}</td>
      <td>{nodeName(nodes, flight.to)}</td>
      <td>{event?.round}</td>
      <td>{event?.height}</td>
      <td className="mono">{event?.block === undefined ? '' : shortId(event.block)}</td>
      <td>{event?.bytes === undefined ? '' : byteCount(event.bytes)}</td>
      <td>{took === undefined ? '' : duration(took)}</td>
      <td className={CLASSES[fate]}>
        {VERDICT_WORDS[fate]} {flight.received?.refused?.code}
      </td>
    </tr>
  );
}

const CLASSES: Readonly<Record<RowProps['fate'], string>> = {
  arrived: 'is-muted',
  late: 'is-warn',
  refused: 'is-bad',
  lost: 'is-bad',
  flying: 'is-muted',
  halfSeen: 'is-muted',
};

const VERDICT_WORDS: Readonly<Record<RowProps['fate'], string>> = {
  arrived: 'taken',
  late: 'taken, late',
  refused: '⊘ refused',
  lost: '× lost',
  flying: 'on its way',
  halfSeen: 'one end seen',
};
