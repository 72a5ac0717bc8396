/** Each validator with what may be done to it. What takes one away is asked for again, with what will follow. */
import { type ReactNode, useEffect, useRef, useState } from 'react';
import type { Control, NodeIndex } from '../../../../src/observe/feed/feed.ts';
import type { Model } from '../../feed/model.ts';
import { usePaced, usePage } from '../../feed/use-page.ts';
import { glanceAt } from '../../shell/node-state.ts';
import { counted } from '../../shell/words.ts';
import type { Give } from './control-view.tsx';
import { delayOf } from './orders.ts';
import { afterLosing, remainingPower } from './quorum.ts';

/** @unit ms @source from a good link to one that makes rounds time out */
const DELAYS: readonly number[] = [0, 20, 100, 500, 2_000];

interface Loss {
  readonly kind: 'stop' | 'kill';
  readonly node: NodeIndex;
}

export interface ValidatorTableProps {
  readonly may: ReadonlySet<Control['kind']>;
  readonly give: Give;
}

export function ValidatorTable({ may, give }: ValidatorTableProps): ReactNode {
  const model = usePaced(({ newest }) => newest);
  const [loss, setLoss] = useState<Loss>();
  const { power, quorum, isEnough } = remainingPower(model.nodes);
  return (
    <section className="card" aria-label="Validators">
      <h2>Validators</h2>
      <p className={isEnough ? 'muted' : 'warn'}>
        {isEnough
          ? 'Those that run have a quorum'
          : 'Those that run have no quorum, so no block is committed'}
        : power {String(power)}, needed {String(quorum)}.
      </p>
      <table className="validators">
        <thead>
          <tr>
            <th scope="col">Validator</th>
            <th scope="col">Height</th>
            <th scope="col">Power</th>
            {may.has('delay') ? <th scope="col">Delay of what it sends</th> : null}
            <th scope="col">Orders</th>
          </tr>
        </thead>
        <tbody>
          {model.nodes.map(({ id }, node) => (
            <ValidatorRow
              key={id}
              model={model}
              node={node}
              may={may}
              give={give}
              onLoss={(kind) => setLoss({ kind, node })}
            />
          ))}
        </tbody>
      </table>
      <Confirm
        loss={loss}
        moniker={loss === undefined ? '' : (model.nodes[loss.node]?.moniker ?? '')}
        follows={loss === undefined ? '' : afterLosing(model.nodes, loss.node)}
        onEnd={(isSure) => {
          if (isSure && loss !== undefined) give(loss);
          setLoss(undefined);
        }}
      />
    </section>
  );
}

interface RowProps extends ValidatorTableProps {
  readonly model: Model;
  readonly node: NodeIndex;
  readonly onLoss: (kind: Loss['kind']) => void;
}

function ValidatorRow({ model, node, may, give, onLoss }: RowProps): ReactNode {
  const { moniker, state, says, height } = glanceAt(model, node);
  const card = model.nodes[node];
  const isUp = card?.isUp === true;
  return (
    <tr className={state}>
      <th scope="row" title={says}>
        <i className="dot" /> {moniker}
      </th>
      <td>{isUp ? (height === undefined ? '–' : counted(height)) : 'down'}</td>
      <td>{card?.power}</td>
      {may.has('delay') ? (
        <td>
          <Delay
            moniker={moniker}
            node={node}
            isUp={isUp}
            onChange={(ms) => give({ kind: 'delay', node, ms })}
          />
        </td>
      ) : null}
      <td className="orders-of">
        {may.has('stop') ? (
          <button type="button" className="button" disabled={!isUp} onClick={() => onLoss('stop')}>
            Stop …
          </button>
        ) : null}
        {may.has('kill') ? (
          <button type="button" className="button danger" disabled={!isUp} onClick={() => onLoss('kill')}>
            Kill …
          </button>
        ) : null}
        {may.has('start') ? (
          <button
            type="button"
            className="button"
            disabled={isUp}
            onClick={() => give({ kind: 'start', node })}
          >
            Start
          </button>
        ) : null}
      </td>
    </tr>
  );
}

interface DelayProps {
  readonly moniker: string;
  readonly node: NodeIndex;
  readonly isUp: boolean;
  readonly onChange: (ms: number) => void;
}

function Delay({ moniker, node, isUp, onChange }: DelayProps): ReactNode {
  // What was ordered, also before this view was opened again.
  const delay = usePage(({ orders }) => delayOf(orders, node));
  return (
    <select
      aria-label={`Delay of ${moniker}`}
      disabled={!isUp}
      value={delay}
      onChange={({ target }) => onChange(Number(target.value))}
    >
      {DELAYS.map((ms) => (
        <option key={ms} value={ms}>
          {ms === 0 ? 'no delay' : `${ms} ms`}
        </option>
      ))}
    </select>
  );
}

interface ConfirmProps {
  readonly loss: Loss | undefined;
  readonly moniker: string;
  readonly follows: string;
  readonly onEnd: (isSure: boolean) => void;
}

const HOW: Readonly<Record<Loss['kind'], string>> = {
  stop: 'It says goodbye to its peers and closes its files.',
  kill: 'Its process ends at once, in the middle of what it does, as by kill\u00a0-9. What it had promised is on its disk.',
};

function Confirm({ loss, moniker, follows, onEnd }: ConfirmProps): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = loss !== undefined;
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  return (
    <dialog ref={dialog} className="confirm" aria-label="Confirm" onClose={() => onEnd(false)}>
      {loss === undefined ? null : (
        <>
          <h2>
            {loss.kind === 'kill' ? 'Kill' : 'Stop'} {moniker}?
          </h2>
          <p>{HOW[loss.kind]}</p>
          <p>{follows}</p>
          <div className="confirm-buttons">
            <button type="button" className="button" onClick={() => onEnd(false)}>
              Leave it
            </button>
            <button type="button" className="button danger" onClick={() => onEnd(true)}>
              {loss.kind === 'kill' ? 'Kill' : 'Stop'} {moniker}
            </button>
          </div>
        </>
      )}
    </dialog>
  );
}
