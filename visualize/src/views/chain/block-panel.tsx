/** The chosen block: header, batches, and transactions with their results, as a node answers. */
import { type ReactNode, useEffect, useState } from 'react';
import '../ends.css';
import type { BlockRow, NodeIndex } from '../../../../src/observe/feed/feed.ts';
import { usePage, usePageStore } from '../../feed/use-page.ts';
import { Plain } from '../plain.tsx';
import { byteCount, clockOf, count, nodeName, nodeOfId, shortId } from '../words.ts';
import { type ReadBlock, readBlockAnswer } from './read-block.ts';

interface PanelProps {
  readonly id: string;
  /** Absent: no node tells of it any more. */
  readonly block: BlockRow | undefined;
  readonly committedBy: readonly NodeIndex[];
  readonly onClose: () => void;
}

export function BlockPanel({ id, block, committedBy, onClose }: PanelProps): ReactNode {
  const store = usePageStore();
  const nodes = usePage(({ shown }) => shown.nodes);
  const asked = useBlock(block, committedBy[0]);
  return (
    <aside className="chain-panel" aria-label="The chosen block">
      <button type="button" className="ends-close" aria-label="Close" onClick={onClose}>
        ×
      </button>
      <h2>{block === undefined ? 'Block' : `Height ${count(block.height)}`}</h2>
      <p className="mono chain-id">{id}</p>
      {block === undefined ? (
        <p className="is-muted">No node that is watched tells of this block: it is too old for this page.</p>
      ) : (
        <dl className="chain-facts">
          <dt>round</dt>
          <dd>
            {block.round} of epoch {block.epoch}
          </dd>
          <dt>proposer</dt>
          <dd>{nodeName(nodes, nodeOfId(nodes, block.proposer) ?? block.proposer)}</dd>
          <dt>time</dt>
          <dd>{clockOf(block.time)}</dd>
          <dt>parent</dt>
          <dd>
            <button type="button" className="link mono" onClick={() => store.select({ block: block.parent })}>
              {shortId(block.parent)}
            </button>
          </dd>
          <dt>committed by</dt>
          <dd>
            {committedBy.length === 0
              ? 'nobody'
              : committedBy.map((node) => nodeName(nodes, node)).join(', ')}
          </dd>
        </dl>
      )}
      {committedBy.length === 0 ? null : (
        <button type="button" className="link" onClick={() => store.select({ view: 'verify', block: id })}>
          Verify its certificate on this page
        </button>
      )}
      {asked.answer === undefined ? (
        <p className="is-muted">{asked.words}</p>
      ) : (
        <Content answer={asked.answer} />
      )}
    </aside>
  );
}

/** Of a node that has committed it; once. */
function useBlock(block: BlockRow | undefined, node: NodeIndex | undefined): ReadBlock {
  const store = usePageStore();
  const [asked, setAsked] = useState<ReadBlock>({ answer: undefined, words: '' });
  const height = block?.height;
  useEffect(() => {
    if (height === undefined) return undefined;
    if (node === undefined) {
      setAsked({ answer: undefined, words: 'Not committed: its transactions have no results yet.' });
      return undefined;
    }
    let isOver = false;
    setAsked({ answer: undefined, words: 'Asking the node for its transactions…' });
    const settle = (next: ReadBlock): void => {
      if (!isOver) setAsked(next);
    };
    store.ask({ kind: 'block', node, height }).then(
      (raw) => settle(readBlockAnswer(raw)),
      (problem) =>
        settle({ answer: undefined, words: `The node does not show it: ${String(problem.message)}` }),
    );
    return () => {
      isOver = true;
    };
  }, [store, node, height]);
  return asked;
}

function Content({ answer }: { readonly answer: NonNullable<ReadBlock['answer']> }): ReactNode {
  const { header, batches, transactions, transactionsTotal } = answer;
  return (
    <>
      <details>
        <summary>Header</summary>
        <Plain value={header} />
      </details>
      <details>
        <summary>
          {count(batches.length)} {batches.length === 1 ? 'batch' : 'batches'}
        </summary>
        <ul className="chain-batches">
          {batches.map(({ digest, count: transactionsIn, bytes }) => (
            <li key={digest}>
              <code>{shortId(digest)}</code> {count(transactionsIn)} tx, {byteCount(bytes)}
            </li>
          ))}
        </ul>
      </details>
      <h3>
        {count(transactionsTotal)} {transactionsTotal === 1 ? 'transaction' : 'transactions'}
        {transactions.length < transactionsTotal ? `, the first ${transactions.length}` : ''}
      </h3>
      {transactionsTotal === 0 ? (
        <p className="is-muted">An empty block: leaders propose them so that what is below is committed.</p>
      ) : (
        <ol className="chain-transactions">
          {transactions.map(({ hash, shown, code, log }) => (
            <li key={hash}>
              <span className={code === undefined ? 'is-muted' : code === 0 ? 'is-good' : 'is-bad'}>
                {code === undefined ? 'waits' : code === 0 ? 'ok' : `code ${code}`}
              </span>
              <code title={hash}>{shown}</code>
              {log === undefined || log === '' ? null : <span className="is-muted">{log}</span>}
            </li>
          ))}
        </ol>
      )}
    </>
  );
}
