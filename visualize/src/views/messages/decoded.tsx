/** What a message says, as the node that sent or took it decodes it; its bytes, and what led to it. */
import { type ReactNode, useEffect, useState } from 'react';
import { usePage, usePageStore } from '../../feed/use-page.ts';
import type { Flight } from '../diagram/flights.ts';
import { Plain } from '../plain.tsx';
import { byteCount, clockOf } from '../words.ts';
import { hexRows } from './hex-rows.ts';
import { type ReadMessage, readMessageAnswer } from './read-message.ts';

export function Decoded({ flight }: { readonly flight: Flight }): ReactNode {
  const { answer, words } = useMessage(flight);
  if (answer === undefined) return <p className="is-muted">{words}</p>;
  const { message, encoded, bytes, cause, journal } = answer;
  return (
    <>
      {cause === undefined ? null : <Cause cause={cause} />}
      <h3>Decoded</h3>
      <Plain value={message} />
      {encoded === undefined ? null : (
        <details>
          <summary>Bytes{bytes === undefined ? '' : `, ${byteCount(bytes)}`}</summary>
          <pre className="messages-hex">{hexRows(encoded).join('\n')}</pre>
        </details>
      )}
      {journal === undefined ? null : (
        <p className="is-muted">
          In the journal: <code>{journal.segment}</code> at byte <code>{journal.offset}</code>
        </p>
      )}
    </>
  );
}

function Cause({
  cause,
}: {
  readonly cause: NonNullable<NonNullable<ReadMessage['answer']>['cause']>;
}): ReactNode {
  const store = usePageStore();
  const node = usePage(({ selection }) => selection.node);
  return (
    <p>
      Because of <b>{cause.event}</b> in{' '}
      <button
        type="button"
        className="link"
        onClick={() => {
          store.seek(cause.at);
          store.select({ view: 'chart', node, cell: cause.cell });
        }}
      >
        {cause.cell}
      </button>{' '}
      <span className="is-muted">
        turn {cause.turn}, {clockOf(cause.at)}
      </span>
      {cause.wire === undefined ? null : (
        <>
          {', from '}
          <button type="button" className="link" onClick={() => store.select({ message: cause.wire })}>
            this message
          </button>
        </>
      )}
    </p>
  );
}

/** Who sent it knows what led to it; where only the receiver is watched, that one is asked. */
function useMessage({ sent, received }: Flight): ReadMessage {
  const store = usePageStore();
  const [read, setRead] = useState<ReadMessage>({ answer: undefined, words: '' });
  const { node, id } = sent ?? received ?? {};
  useEffect(() => {
    if (node === undefined || id === undefined) return undefined;
    let isOver = false;
    setRead({ answer: undefined, words: 'Asking the node…' });
    const settle = (next: ReadMessage): void => {
      if (!isOver) setRead(next);
    };
    store.ask({ kind: 'message', node, id }).then(
      (raw) => settle(readMessageAnswer(raw)),
      (problem) =>
        settle({ answer: undefined, words: `The node does not show it: ${String(problem.message)}` }),
    );
    return () => {
      isOver = true;
    };
  }, [store, node, id]);
  return read;
}
