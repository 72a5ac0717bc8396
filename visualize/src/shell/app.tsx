/** The frame of the page: header, tabs, the chosen view, and the time bar below, which all views obey. */
import type { ReactNode } from 'react';
import { usePage } from '../feed/use-page.ts';
import { VIEW_CARDS } from '../views/views.ts';
import { Header } from './header.tsx';
import { TimeBar } from './time-bar.tsx';
import { useKeys } from './use-keys.ts';

export function App(): ReactNode {
  const chosen = usePage(({ selection }) => selection.view);
  useKeys();
  const card = VIEW_CARDS.find(({ id }) => id === chosen);
  return (
    <div className="app">
      <Header />
      <TimeBar />
      <main className="view" aria-label={card?.title}>
        {card === undefined ? null : <card.View key={card.id} />}
      </main>
    </div>
  );
}
