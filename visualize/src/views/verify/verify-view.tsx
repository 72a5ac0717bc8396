/** View 9: the page verifies a committed block itself, by the rules of the light client, and believes the node in nothing. */
import { type ReactNode, useEffect, useState } from 'react';
import './verify.css';
import '../families.css';
import { usePage, usePageStore } from '../../feed/use-page.ts';
import { count, duration, nodeName, shortId } from '../words.ts';
import { CheckList } from './check-list.tsx';
import { NOT_PROVEN, type Trusted } from './report.ts';
import type { Asked } from './run-verifier.ts';
import { Tamper } from './tamper.tsx';
import { TrustForm } from './trust-form.tsx';
import { useVerifier, type Work } from './use-verifier.ts';

export function VerifyView(): ReactNode {
  const isEmpty = usePage(({ shown }) => shown.nodes.length === 0);
  const [trusted, setTrusted] = useState<Trusted>();
  const { work, verify, tamper } = useVerifier();
  if (isEmpty) return <p className="empty">No node has told anything yet.</p>;
  return (
    <section className="verify">
      <div className="verify-main">
        <p className="verify-lead">
          A node says that a block is committed. This page checks the proof itself: hashes, quorum and one BLS
          signature, in this browser.
        </p>
        <AskForm isBusy={work.status === 'busy'} onAsk={(asked) => verify({ ...asked, trusted })} />
        <Outcome work={work} />
        {work.status === 'done' ? <Tamper work={work} onTamper={tamper} /> : null}
        {work.status === 'done' ? <CheckList report={work.verified.report} /> : null}
      </div>
      <aside className="verify-aside">
        <TrustForm trusted={trusted} onChange={setTrusted} />
        <h2>What this does not prove</h2>
        <ul className="verify-not">
          {NOT_PROVEN.map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      </aside>
    </section>
  );
}

interface AskProps {
  readonly isBusy: boolean;
  readonly onAsk: (asked: Omit<Asked, 'trusted'>) => void;
}

/** Which node is asked about which height: that of the block chosen in the chain view, else the newest. */
function AskForm({ isBusy, onAsk }: AskProps): ReactNode {
  const nodes = usePage(({ shown }) => shown.nodes);
  const chains = usePage(({ shown }) => shown.chains);
  const [node, setNode] = useState(0);
  const [typed, setTyped] = useState('');
  const chosen = useChosenBlock();
  const newest = chains.get(node)?.committed;
  const height = /^\d{1,15}$/.test(typed) ? Number(typed) : (chosen?.height ?? newest?.height);
  const block = height === chosen?.height ? chosen?.id : undefined;
  useEffect(() => setTyped(chosen === undefined ? '' : String(chosen.height)), [chosen]);
  return (
    <form
      className="verify-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (height !== undefined) onAsk({ node, height, block });
      }}
    >
      <label>
        Ask{' '}
        <select value={node} onChange={({ target }) => setNode(Number(target.value))}>
          {nodes.map(({ id }, place) => (
            <option key={id} value={place}>
              {nodeName(nodes, place)}
            </option>
          ))}
        </select>
      </label>
      <label>
        about height{' '}
        <input
          inputMode="numeric"
          size={10}
          value={typed}
          placeholder={newest === undefined ? '' : String(newest.height)}
          onChange={({ target }) => setTyped(target.value)}
        />
      </label>
      <button type="submit" className="verify-go" disabled={height === undefined || isBusy}>
        Verify
      </button>
      {block === undefined ? null : (
        <span className="is-muted">as block {shortId(block)} of the chain view</span>
      )}
    </form>
  );
}

/** Of the chain view, where the page still knows its height. */
function useChosenBlock(): { readonly id: string; readonly height: number } | undefined {
  const store = usePageStore();
  const id = usePage(({ selection }) => selection.block);
  const [chosen, setChosen] = useState<{ readonly id: string; readonly height: number }>();
  useEffect(() => {
    const { shown } = store.get();
    const rows = [...shown.chains.values()].flatMap(({ blocks }) => blocks);
    const height = rows.find((row) => row.id === id)?.height ?? stepHeight(store.get().shown.steps, id);
    setChosen(id === undefined || height === undefined ? undefined : { id, height });
  }, [store, id]);
  return chosen;
}

/** Steps name the block and its height too. */
function stepHeight(
  steps: { readonly chunks: readonly (readonly { readonly block?: string; readonly height?: number }[])[] },
  id: string | undefined,
): number | undefined {
  for (const chunk of steps.chunks) {
    const found = chunk.find(({ block, height }) => block === id && height !== undefined);
    if (found !== undefined) return found.height;
  }
  return undefined;
}

function Outcome({ work }: { readonly work: Work }): ReactNode {
  if (work.status === 'idle') return null;
  if (work.status === 'busy')
    return (
      <p className="verify-outcome is-busy" role="status">
        Verifying…
      </p>
    );
  if (work.status === 'failed')
    return (
      <p className="verify-outcome is-refused" role="status">
        {work.words}
      </p>
    );
  const { report, tookMs } = work.verified;
  const words = {
    proven: `Proven: height ${count(work.asked.height)} is committed.`,
    refused:
      work.tampered === undefined
        ? 'Refused: this proves nothing.'
        : 'Refused, as it must be: the proof was changed.',
    unverifiable: 'The structure holds; these signatures cannot be checked outside the simulation.',
  }[report.verdict];
  return (
    <p className={`verify-outcome is-${report.verdict}`} role="status">
      <b>{words}</b> <span>Checked here in {duration(tookMs)}.</span>
    </p>
  );
}
