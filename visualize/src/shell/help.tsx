/** Keys and the words of the page, for whoever presses ?. */
import { type ReactNode, useEffect, useRef } from 'react';
import './dialogs.css';
import { VIEW_CARDS } from '../views/views.ts';

const KEYS: readonly (readonly [string, string])[] = [
  ['1 … 9', 'the views'],
  ['space', 'pause, or play on'],
  ['← →', 'one step back or on; with Shift a second'],
  ['Home End', 'the oldest that is known, the newest'],
  ['[ ]', 'slower, faster'],
  ['L', 'back to live'],
  ['/', 'find a cell, a node or a block'],
  ['T', 'colours'],
  ['Esc', 'nothing chosen'],
];

const WORDS: readonly (readonly [string, string])[] = [
  ['cell', 'one running actor: a mailbox, a statechart and a snapshot. A node is a tree of them.'],
  ['boundary', 'a cell that touches the world: socket, disk, clock. All others are pure.'],
  ['turn', 'one message taken by one cell.'],
  ['round', 'a leader’s turn to propose a block.'],
  ['QC', 'quorum certificate: the votes of more than two thirds of the power, in one.'],
  ['locked', 'the block with the highest QC that this validator has voted on top of.'],
  [
    'marks',
    'on a lane: ▲ proposed, ● voted, ◆ formed a QC, ■ formed a TC, an hourglass timed out, ✓ committed, ○ executed.',
  ],
  ['dead letter', 'a message that nobody processed, with the reason.'],
  ['refusal', 'why something from outside was not accepted.'],
];

export function Help({
  isOpen,
  onClose,
}: {
  readonly isOpen: boolean;
  readonly onClose: () => void;
}): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  return (
    <dialog ref={dialog} className="help-dialog" aria-label="Help" onClose={onClose}>
      <div className="help-columns">
        <section>
          <h2>Views</h2>
          <dl>
            {VIEW_CARDS.map(({ id, title, hint }) => (
              <div key={id}>
                <dt>{title}</dt>
                <dd>{hint}</dd>
              </div>
            ))}
          </dl>
        </section>
        <section>
          <h2>Keys</h2>
          <dl className="keys">
            {KEYS.map(([key, does]) => (
              <div key={key}>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{does}</dd>
              </div>
            ))}
          </dl>
          <h2>Words</h2>
          <dl>
            {WORDS.map(([word, means]) => (
              <div key={word}>
                <dt>{word}</dt>
                <dd>{means}</dd>
              </div>
            ))}
          </dl>
        </section>
      </div>
      <form method="dialog">
        <button type="submit" className="button">
          Close
        </button>
      </form>
    </dialog>
  );
}
