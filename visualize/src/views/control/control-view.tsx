/** View 8: orders to the network, as far as its server permits: transactions, validators that stop or die, links that fail. */
import { type ReactNode, useRef, useState } from 'react';
import './control.css';
import type { Control } from '../../../../src/observe/feed/feed.ts';
import { isRemote } from '../../feed/store.ts';
import { usePaced, usePage, usePageStore } from '../../feed/use-page.ts';
import { milliseconds } from '../../shell/words.ts';
import { answerWords, ORDERS_MAX, type OrderRow, wordsOf } from './orders.ts';
import { PartitionForm } from './partition-form.tsx';
import { SubmitForm } from './submit-form.tsx';
import { ValidatorTable } from './validator-table.tsx';

export type Give = (control: Control) => void;

export function ControlView(): ReactNode {
  const controls = usePage(({ hello }) => hello?.controls) ?? [];
  const isPlayed = usePage(({ hello }) => isRemote(hello?.run));
  const { orders, give } = useOrders();
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
          {orders.map(({ id, words, outcome, detail, tookMs }) => (
            <li key={id} className={outcome.replaceAll(' ', '-')}>
              <b>{words}</b>
              <span>
                {outcome}
                {tookMs === undefined ? '' : ` after ${milliseconds(tookMs)}`}
                {detail === '' ? '' : `: ${detail}`}
              </span>
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
          single node permits it when it is started with <code>--allow-control</code>.
        </p>
      )}
    </div>
  );
}

function useOrders(): { readonly orders: readonly OrderRow[]; readonly give: Give } {
  const store = usePageStore();
  const nodes = usePaced(({ newest }) => newest.nodes);
  const [orders, setOrders] = useState<readonly OrderRow[]>([]);
  const lastId = useRef(0);
  const give: Give = (control) => {
    lastId.current += 1;
    const id = lastId.current;
    const since = performance.now();
    const row: OrderRow = {
      id,
      words: wordsOf(control, nodes),
      outcome: 'on its way',
      detail: '',
      tookMs: undefined,
    };
    const end = (outcome: OrderRow['outcome'], detail: string): void => {
      const tookMs = performance.now() - since;
      setOrders((held) => held.map((one) => (one.id === id ? { ...one, outcome, detail, tookMs } : one)));
    };
    setOrders((held) => [row, ...held].slice(0, ORDERS_MAX));
    store.order(control).then(
      (answer) => end('done', answerWords(answer)),
      (error: unknown) => end('refused', error instanceof Error ? error.message : String(error)),
    );
  };
  return { orders, give };
}
