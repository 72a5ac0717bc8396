/** How components read the store: by a selector, and again only when what it gives has changed. */
import { createContext, use, useEffect, useRef, useSyncExternalStore } from 'react';
import type { CellName } from './model.ts';
import { type PageState, PageStore } from './store.ts';

export const StoreContext = createContext<PageStore>(new PageStore(() => undefined));

export const usePageStore = (): PageStore => use(StoreContext);

/** `selector` gives parts of the state as they are, or a plain value: what it makes anew each time would render each time. */
export function usePage<Part>(selector: (state: PageState) => Part): Part {
  const store = usePageStore();
  return useSyncExternalStore(store.subscribe, () => selector(store.get()));
}

/** As `usePage`, a few times a second: for lists and figures. */
export function usePaced<Part>(selector: (state: PageState) => Part): Part {
  const { paced } = usePageStore();
  return useSyncExternalStore(paced.subscribe, () => selector(paced.get()));
}

/** Calls once a frame at most, after the state changed: for canvases, which React does not draw. Not before the first change. */
export function useFrames(draw: (state: PageState) => void): void {
  const store = usePageStore();
  const latest = useRef(draw);
  useEffect(() => {
    latest.current = draw;
  });
  useEffect(() => store.subscribe(() => latest.current(store.get())), [store]);
}

/** Has the feed tell details of this cell while the component is shown. */
export function useWatched(cell: CellName | undefined): void {
  const store = usePageStore();
  const { node, address } = cell ?? {};
  useEffect(() => {
    if (node === undefined || address === undefined) return undefined;
    return store.watch([{ node, address }]);
  }, [store, node, address]);
}
