/** The find field: type, choose by arrows, Enter leads there. */
import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from 'react';
import { usePageStore } from '../feed/use-page.ts';
import { type Found, find } from './finding.ts';

export function Finder({
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
    <dialog ref={dialog} className="finder" aria-label="Find" onClose={onClose}>
      {isOpen ? <Search onDone={onClose} /> : null}
    </dialog>
  );
}

function Search({ onDone }: { readonly onDone: () => void }): ReactNode {
  const store = usePageStore();
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const found = find(store.get().shown, text);
  const go = (one: Found | undefined): void => {
    if (one === undefined) return;
    store.select(one.leadsTo);
    onDone();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === 'Enter') go(found[chosen]);
    else if (by !== undefined) setChosen(Math.min(Math.max(chosen + by, 0), Math.max(0, found.length - 1)));
    else return;
    event.preventDefault();
  };
  return (
    <>
      <input
        role="combobox"
        aria-label="Find a cell, a node, a block or a message"
        aria-expanded={found.length > 0}
        aria-controls="found"
        aria-activedescendant={found.length > 0 ? `found-${chosen}` : undefined}
        placeholder="safety bravo, block 120, or the id of a message"
        autoComplete="off"
        spellCheck={false}
        value={text}
        onChange={({ target }) => {
          setText(target.value);
          setChosen(0);
        }}
        onKeyDown={onKeyDown}
      />
      <div id="found" role="listbox" aria-label="Found" className="found">
        {found.map((one, place) => (
          <div
            key={one.key}
            id={`found-${place}`}
            role="option"
            tabIndex={-1}
            aria-selected={place === chosen}
            ref={place === chosen ? (element) => element?.scrollIntoView({ block: 'nearest' }) : undefined}
            onPointerMove={() => setChosen(place)}
            onClick={() => go(one)}
            onKeyDown={onKeyDown}
          >
            <span className="what">{one.what}</span>
            <span className="title">{one.title}</span>
            <span className="detail">{one.detail}</span>
          </div>
        ))}
      </div>
      {found.length === 0 ? (
        <p className="empty">Nothing of that name is in this run at this instant.</p>
      ) : null}
    </>
  );
}
