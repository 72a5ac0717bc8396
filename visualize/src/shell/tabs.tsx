/** The views, by name and by key. */
import type { ReactNode } from 'react';
import { usePage, usePageStore } from '../feed/use-page.ts';
import { VIEW_CARDS } from '../views/views.ts';

export function Tabs(): ReactNode {
  const store = usePageStore();
  const chosen = usePage(({ selection }) => selection.view);
  return (
    <nav className="tabs" aria-label="Views">
      {VIEW_CARDS.map(({ id, title, hint }, place) => (
        <button
          key={id}
          type="button"
          title={hint}
          aria-current={chosen === id ? 'page' : undefined}
          onClick={() => store.select({ view: id })}
        >
          <span className="key">{place + 1}</span>
          {title}
        </button>
      ))}
    </nav>
  );
}
