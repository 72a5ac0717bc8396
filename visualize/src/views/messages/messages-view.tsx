/** View 6: every message between nodes, one a row, filtered; the chosen one decoded. The rows in sight alone are in the page. */
import { type ReactNode, useEffect, useRef, useState } from 'react';
import './messages.css';
import type { Model } from '../../feed/model.ts';
import { usePage, usePageStore } from '../../feed/use-page.ts';
import { FlightEnds } from '../diagram/ends-panel.tsx';
import type { Flight, FlightBook } from '../diagram/flights.ts';
import { Past } from '../diagram/past.ts';
import { count } from '../words.ts';
import { Decoded } from './decoded.tsx';
import { kindsOf, type MessageFilter, NO_FILTER, passes } from './filter.ts';
import { FilterBar } from './filter-bar.tsx';
import { MessageList } from './message-list.tsx';

/** The list is made anew so often at most: nobody reads faster. @unit ms */
const LIST_MS = 250;

export function MessagesView(): ReactNode {
  const store = usePageStore();
  const [past] = useState(() => new Past());
  const [filter, setFilter] = useState<MessageFilter>(NO_FILTER);
  const { rows, kinds } = useRows(past, filter);
  const message = usePage(({ selection }) => selection.message);
  const node = usePage(({ selection }) => selection.node);
  const chosen = message === undefined ? undefined : flightOf(past.book, message, node);
  return (
    <section className="messages">
      <FilterBar filter={filter} kinds={kinds} onChange={setFilter} />
      <p className="messages-count" aria-live="off">
        {rows.length === past.book.flights.length
          ? `${count(rows.length)} messages`
          : `${count(rows.length)} of ${count(past.book.flights.length)} messages`}
      </p>
      <MessageList
        rows={rows}
        book={past.book}
        chosen={chosen}
        onChoose={(flight) => store.select(selectionOf(flight))}
      />
      {chosen === undefined ? null : <Chosen flight={chosen} book={past.book} />}
    </section>
  );
}

function Chosen({ flight, book }: { readonly flight: Flight; readonly book: FlightBook }): ReactNode {
  const store = usePageStore();
  return (
    <aside className="ends messages-chosen" aria-label="The chosen message">
      <button
        type="button"
        className="ends-close"
        aria-label="Close"
        onClick={() => store.select({ message: undefined })}
      >
        ×
      </button>
      <FlightEnds end={{ flight, side: flight.received === undefined ? 'sent' : 'received' }} book={book} />
      <button type="button" className="link" onClick={() => store.select({ view: 'diagram' })}>
        In the space-time diagram
      </button>
      <Decoded flight={flight} />
    </aside>
  );
}

const selectionOf = ({ sent, received }: Flight) => {
  const event = received ?? sent;
  return {
    message: event?.id,
    node: event?.node,
    ...(event?.block === undefined ? {} : { block: event.block }),
  };
};

function flightOf(book: FlightBook, id: string, node: number | undefined): Flight | undefined {
  const isIt = ({ sent, received }: Flight): boolean => sent?.id === id || received?.id === id;
  return (
    book.flights.findLast((flight) => isIt(flight) && flight.to === node) ??
    book.flights.findLast((flight) => isIt(flight) && (node === undefined || flight.from === node))
  );
}

interface Rows {
  readonly rows: readonly Flight[];
  readonly kinds: readonly string[];
}

/** Oldest first. What is after the shown instant is not in the list: it has not happened yet. */
function useRows(past: Past, filter: MessageFilter): Rows {
  const store = usePageStore();
  const [rows, setRows] = useState<Rows>({ rows: [], kinds: [] });
  const seen = useRef<Model>(undefined);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    const make = (): void => {
      const { shown } = store.get();
      seen.current = shown;
      timer.current = undefined;
      past.learn(shown);
      const { flights } = past.book;
      const found = flights.filter(
        (flight) => flight.at <= shown.at && passes(flight, past.book.fateOf(flight), filter),
      );
      setRows({ rows: found, kinds: kindsOf(flights) });
    };
    make();
    // The newest model is always shown in the end, though none comes after it.
    const stop = store.subscribe(() => {
      if (seen.current !== store.get().shown) timer.current ??= setTimeout(make, LIST_MS);
    });
    return () => {
      stop();
      clearTimeout(timer.current);
      timer.current = undefined;
    };
  }, [store, past, filter]);
  return rows;
}
