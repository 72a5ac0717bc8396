/** A transaction, as `althing tx` takes it, to the validator that is chosen. */
import { type ReactNode, useState } from 'react';
import { usePaced } from '../../feed/use-page.ts';
import type { Give } from './control-view.tsx';

export function SubmitForm({ give }: { readonly give: Give }): ReactNode {
  const nodes = usePaced(({ newest }) => newest.nodes);
  const [text, setText] = useState('name=ada');
  const [node, setNode] = useState(0);
  const isUp = nodes[node]?.isUp !== false;
  return (
    <section className="card" aria-label="Submit a transaction">
      <h2>Submit a transaction</h2>
      <p className="muted">
        The key-value application takes <code>name=value</code>. The validator hands it on; all of them
        execute it in the same order.
      </p>
      <form
        className="submit-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() !== '') give({ kind: 'submit', node, transaction: text });
        }}
      >
        <input
          aria-label="Transaction"
          value={text}
          spellCheck={false}
          maxLength={4_096}
          onChange={({ target }) => setText(target.value)}
        />
        <select aria-label="Validator" value={node} onChange={({ target }) => setNode(Number(target.value))}>
          {nodes.map(({ id, moniker }, place) => (
            <option key={id} value={place}>
              to {moniker}
            </option>
          ))}
        </select>
        <button type="submit" className="button main" disabled={!isUp || text.trim() === ''}>
          Submit
        </button>
      </form>
      {isUp ? null : <p className="warn">This validator is down: choose another.</p>}
    </section>
  );
}
