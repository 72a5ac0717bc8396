/** View 3: the block tree, how far each node has come on it, and the chosen block with its transactions. */
import { type ReactNode, useMemo, useState } from 'react';
import './chain.css';
import '../families.css';
import { usePage, usePageStore } from '../../feed/use-page.ts';
import { BlockBook } from './block-book.ts';
import { BlockPanel } from './block-panel.tsx';
import { ChainMap } from './chain-map.tsx';
import { ChainMark, MARK_LABELS, MARK_WORDS, MARKERS } from './chain-mark.tsx';
import { layoutOf } from './layout.ts';

/** Blocks of another chain are forgotten. */
export function ChainView(): ReactNode {
  const genesis = usePage(({ shown }) => shown.nodes[0]?.genesisHash);
  return <ChainOfRun key={genesis} />;
}

function ChainOfRun(): ReactNode {
  const store = usePageStore();
  const chains = usePage(({ shown }) => shown.chains);
  const chosen = usePage(({ selection }) => selection.block);
  // One for as long as the view is open: the rows of the model are the newest alone.
  const [book] = useState(() => new BlockBook());
  book.take(chains.values());
  const layout = useMemo(() => layoutOf(book.blocks, chains), [book, chains]);
  const placed = layout.blocks.find(({ block }) => block.id === chosen);
  const block = placed?.block ?? (chosen === undefined ? undefined : book.of(chosen));
  if (layout.heights.length === 0) return <p className="empty">{NOTHING}</p>;
  return (
    <section className="chain">
      <Fork heights={layout.forks} rounds={layout.splits} />
      <Legend />
      <ChainMap
        layout={layout}
        chosen={chosen}
        onChoose={(id) => store.select({ block: id === chosen ? undefined : id })}
      />
      {chosen === undefined ? (
        <p className="chain-hint">A press on a block shows its transactions and their results.</p>
      ) : null}
      {chosen === undefined ? null : (
        <BlockPanel
          key={chosen}
          id={chosen}
          block={block}
          committedBy={placed?.committedBy ?? []}
          onClose={() => store.select({ block: undefined })}
        />
      )}
    </section>
  );
}

const NOTHING =
  'No block yet. A block appears when a leader proposes it; it moves from proposed to certified, committed and executed.';

/** The one thing that a consensus must never do. */
function Fork({
  heights,
  rounds,
}: {
  readonly heights: readonly number[];
  readonly rounds: readonly number[];
}): ReactNode {
  if (heights.length + rounds.length === 0) return null;
  return (
    <p className="chain-fork" role="alert">
      <b>Fork.</b>{' '}
      {heights.length > 0
        ? `At height ${heights.join(', ')} nodes committed different blocks.`
        : `In round ${rounds.join(', ')} different blocks got a certificate; none of them is committed yet.`}{' '}
      Safety is broken: a third of the power or more signed both.
    </p>
  );
}

function Legend(): ReactNode {
  return (
    <ul className="chain-legend" aria-label="Legend">
      <li>
        <i className="chain-key is-committed" /> committed
      </li>
      <li>
        <i className="chain-key is-certified" /> certified by a QC
      </li>
      <li>
        <i className="chain-key is-proposed" /> proposed
      </li>
      <li>
        <i className="chain-key is-abandoned" /> abandoned: no QC, or none that the next leader knew
      </li>
      <li>
        <i className="chain-key is-forked" /> fork
      </li>
      {MARKERS.map((kind) => (
        <li key={kind} title={`${MARK_WORDS[kind]} which height, by node`}>
          <ChainMark kind={kind} /> {MARK_LABELS[kind]}
        </li>
      ))}
    </ul>
  );
}
