/** View 8: orders to the network, as far as its server permits: transactions, validators that stop or die, links that fail. */
import type { ReactNode } from 'react';
import './control.css';
import type { Control } from '../../../../src/observe/feed/feed.ts';
import { isRemote } from '../../feed/store.ts';
import { usePaced, usePage, usePageStore } from '../../feed/use-page.ts';
import { outcomeWords, wordsOf } from './orders.ts';
import { PartitionForm } from './partition-form.tsx';
import { SubmitForm } from './submit-form.tsx';
import { ValidatorTable } from './validator-table.tsx';

export type Give = (control: Control) => void;

export function ControlView(): ReactNode {
  const controls = usePage(({ hello }) => hello?.controls) ?? [];
  const isPlayed = usePage(({ hello }) => isRemote(hello?.run));
  const store = usePageStore();
  const orders = usePaced((state) => state.orders);
  const nodes = usePaced(({ newest }) => newest.nodes);
  const give: Give = (control) => void store.order(control);
  if (controls.length === 0) return <NoControl isPlayed={isPlayed} />;
  const may = new Set(controls);
  return (
    <div className="control">
      <div className="control-forms">
        {may.has('submit') ? <SubmitForm give={give} /> : null}
        <ValidatorTable may={may} give={give} />
        {may.has('partition') ? <PartitionForm give={give} /> : null}
      </div>
      <section className="orders" aria-label="Orders">
        <h2>Orders</h2>
        {orders.length === 0 ? (
          <p className="muted">What you order stands here, with what became of it.</p>
        ) : null}
        <ol>
          {orders.map(({ id, control, outcome }) => (
            <li key={id} className={outcome === undefined ? '' : outcome.isDone ? 'done' : 'refused'}>
              <b>{wordsOf(control, nodes)}</b>
              <span>{outcome === undefined ? 'on its way' : outcomeWords(outcome)}</span>
            </li>
          ))}
        </ol>
      </section>
    </div>
  );
}

function NoControl({ isPlayed }: { readonly isPlayed: boolean }): ReactNode {
  return (
    <div className="empty">
      {isPlayed ? (
        <p>This run is over: it can be looked at from every side, and not be changed.</p>
      ) : (
        <p>
          This page may only look. A network of this machine (<code>npm start</code>) may be controlled; a
          single node permits it by <code>inspector.allow_control</code> in its configuration.
        </p>
      )}
    </div>
  );
}
