/** The frame of the page: header, views, the time bar that all views obey, and the chosen view. */
import { type ReactNode, useMemo, useState } from 'react';
import { usePage } from '../feed/use-page.ts';
import { VIEW_CARDS } from '../views/views.ts';
import { ConnectionNotice } from './connection-pill.tsx';
import { Finder } from './finder.tsx';
import { Header } from './header.tsx';
import { Help } from './help.tsx';
import { Tabs } from './tabs.tsx';
import { TimeBar } from './time-bar.tsx';
import { useKeys } from './use-keys.ts';

export function App(): ReactNode {
  const chosen = usePage(({ selection }) => selection.view);
  const [dialog, setDialog] = useState<'find' | 'help'>();
  const actions = useMemo(() => ({ find: () => setDialog('find'), help: () => setDialog('help') }), []);
  useKeys(actions);
  const card = VIEW_CARDS.find(({ id }) => id === chosen);
  const close = (): void => setDialog(undefined);
  return (
    <div className="app">
      <Header onFind={actions.find} onHelp={actions.help} />
      <Tabs />
      <TimeBar />
      <ConnectionNotice />
      <main className="view" aria-label={card?.title}>
        <h2 className="unseen">{card?.title}</h2>
        {card === undefined ? null : <card.View key={card.id} />}
      </main>
      <Finder isOpen={dialog === 'find'} onClose={close} />
      <Help isOpen={dialog === 'help'} onClose={close} />
    </div>
  );
}
