/** The page's address: the token comes in by it and does not stay; what is selected stands in it, so that links work. Boundary: window. */
import { fragmentOf, placeOfFragment } from '../feed/selection.ts';
import type { PageStore } from '../feed/store.ts';

const TOKEN_KEY = 'althing.token';

/** Of the fragment (`#token=…`) or the query; else what this tab had. Taken out of the address, so that no link carries it. */
export function takeToken({ location, history, sessionStorage }: Window): string {
  const fragment = new URLSearchParams(location.hash.replace(/^#/, ''));
  const query = new URLSearchParams(location.search);
  const given = fragment.get('token') ?? query.get('token');
  if (given === null) return sessionStorage.getItem(TOKEN_KEY) ?? '';
  sessionStorage.setItem(TOKEN_KEY, given);
  fragment.delete('token');
  query.delete('token');
  // Slashes of a cell's address stay readable: they need no escape.
  const rest = [query, fragment].map((fields) => String(fields).replaceAll('%2F', '/'));
  history.replaceState(
    null,
    '',
    `${location.pathname}${rest[0] ? `?${rest[0]}` : ''}${rest[1] ? `#${rest[1]}` : ''}`,
  );
  return given;
}

/** @unit ms @source browsers refuse more than about 100 changes of the address in 30 s */
const WRITE_MS = 400;

export function keepInAddress(
  store: PageStore,
  { location, history, setTimeout, addEventListener }: Window,
): void {
  let written = location.hash;
  let isDue = false;
  store.goTo(placeOfFragment(location.hash));
  addEventListener('hashchange', () => {
    if (location.hash === written) return;
    written = location.hash;
    store.goTo(placeOfFragment(location.hash));
  });
  const write = (): void => {
    isDue = false;
    const { selection, time } = store.get();
    const fragment = fragmentOf({ selection, at: time.isLive ? undefined : Math.round(time.at) });
    if (fragment === written) return;
    written = fragment;
    history.replaceState(null, '', fragment === '' ? location.pathname + location.search : fragment);
  };
  store.subscribe(() => {
    if (isDue) return;
    isDue = true;
    setTimeout(write, WRITE_MS);
  });
}
