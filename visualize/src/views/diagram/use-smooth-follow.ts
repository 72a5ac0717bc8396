/** While the diagram follows a live run it moves with each frame, not in steps of the feed. Boundary: frames; none when motion is unwanted. */
import { useEffect } from 'react';
import { usePage, usePageStore } from '../../feed/use-page.ts';
import type { Screen } from './screen.ts';

export function useSmoothFollow(screen: Screen | undefined): void {
  const store = usePageStore();
  const isLive = usePage(({ time }) => time.isLive);
  const isOpen = usePage(({ connection }) => connection.status === 'open');
  useEffect(() => {
    if (screen === undefined || !isLive || !isOpen) return undefined;
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return undefined;
    let frame = 0;
    const next = (now: number): void => {
      frame = requestAnimationFrame(next);
      screen.flow(store.get().shown.at, now);
    };
    frame = requestAnimationFrame(next);
    return () => cancelAnimationFrame(frame);
  }, [screen, store, isLive, isOpen]);
}
