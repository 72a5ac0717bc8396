/** Run, views, nodes, connection, theme. */
import type { ReactNode } from 'react';
import { usePage, usePageStore } from '../feed/use-page.ts';
import { VIEW_CARDS } from '../views/views.ts';

export function Header(): ReactNode {
  const run = usePage(({ hello }) => hello?.run);
  return (
    <header className="header">
      <h1 className="brand">Althing</h1>
      <span className="run">{run?.title ?? ''}</span>
      <Tabs />
    </header>
  );
}

function Tabs(): ReactNode {
  const store = usePageStore();
  const chosen = usePage(({ selection }) => selection.view);
  return (
    <nav className="tabs" aria-label="Views">
      {VIEW_CARDS.map(({ id, title, hint }, place) => (
        <button
          key={id}
          type="button"
          title={`${hint} (${place + 1})`}
          aria-current={chosen === id ? 'page' : undefined}
          onClick={() => store.select({ view: id })}
        >
          {title}
        </button>
      ))}
    </nav>
  );
}
