/** Keys that work everywhere on the page. Boundary: the document's key events. */
import { useEffect } from 'react';
import { isRemote, type PageStore } from '../feed/store.ts';
import { usePageStore } from '../feed/use-page.ts';
import { VIEW_CARDS } from '../views/views.ts';
import { SPEEDS } from './time-bar.tsx';

export interface KeyActions {
  readonly find: () => void;
  readonly help: () => void;
}

export function useKeys(actions: KeyActions): void {
  const store = usePageStore();
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
      if (act(event, store, actions)) event.preventDefault();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [store, actions]);
}

/** A second on or back, with Shift. @unit ms */
const LEAP_MS = 1_000;

function act(event: KeyboardEvent, store: PageStore, { find, help }: KeyActions): boolean {
  const card = VIEW_CARDS[Number(event.key) - 1];
  if (card !== undefined) store.select({ view: card.id });
  else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight')
    move(store, event.key === 'ArrowLeft' ? -1 : 1, event.shiftKey);
  else if (event.key === 'Home') store.seek(store.get().time.from);
  else if (event.key === 'End') goToEnd(store);
  else if (event.key === ' ') return toggle(event, store);
  else if (event.key === '[' || event.key === ']') changeSpeed(store, event.key === '[' ? -1 : 1);
  else if (event.key === 'l' || event.key === 'L') store.goLive();
  else if (event.key === 't' || event.key === 'T') document.querySelector<HTMLElement>('.theme')?.click();
  else if (event.key === '/') find();
  else if (event.key === '?') help();
  else if (event.key === 'Escape') store.select({ cell: undefined, message: undefined, block: undefined });
  else return false;
  return true;
}

function move(store: PageStore, by: 1 | -1, isLeap: boolean): void {
  if (isLeap) store.seek(store.get().time.at + by * LEAP_MS);
  else store.step(by);
}

function goToEnd(store: PageStore): void {
  const { hello, time } = store.get();
  if (isRemote(hello?.run)) store.seek(time.to);
  else store.goLive();
}

/** A space on a button presses the button. */
function toggle({ target }: KeyboardEvent, store: PageStore): boolean {
  if (target instanceof HTMLElement && target.matches('button, summary, a, [role=row], [role=option]'))
    return false;
  const { isLive, isPlaying } = store.get().time;
  if (isLive || isPlaying) store.pause();
  else store.play();
  return true;
}

function changeSpeed(store: PageStore, by: 1 | -1): void {
  const place = SPEEDS.indexOf(store.get().time.speed);
  const speed = SPEEDS[place + by];
  if (place >= 0 && speed !== undefined) store.setSpeed(speed);
}

const isTyping = ({ target }: KeyboardEvent): boolean =>
  target instanceof HTMLElement && target.closest('input, textarea, select, dialog[open]') !== null;
