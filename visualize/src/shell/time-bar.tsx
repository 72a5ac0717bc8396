/** The instant that all views show. */
import { type ReactNode, useRef } from 'react';
import { useFrames, usePage, usePageStore } from '../feed/use-page.ts';

export function TimeBar(): ReactNode {
  const store = usePageStore();
  const isLive = usePage(({ time }) => time.isLive);
  const clock = useRef<HTMLTimeElement>(null);
  useFrames(({ time }) => {
    if (clock.current !== null) clock.current.textContent = new Date(time.at).toISOString();
  });
  return (
    <div className="time-bar">
      <button type="button" onClick={() => (isLive ? store.pause() : store.goLive())}>
        {isLive ? 'Pause' : 'Live'}
      </button>
      <time ref={clock} />
    </div>
  );
}
