/** Keys that work everywhere on the page. Boundary: the document's key events. */
import { useEffect } from 'react';
import { usePageStore } from '../feed/use-page.ts';
import { VIEW_CARDS } from '../views/views.ts';

export function useKeys(): void {
  const store = usePageStore();
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
      const card = VIEW_CARDS[Number(event.key) - 1];
      if (card !== undefined) store.select({ view: card.id });
      else if (event.key === 'l' || event.key === 'L') store.goLive();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [store]);
}

const isTyping = ({ target }: KeyboardEvent): boolean =>
  target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]');
