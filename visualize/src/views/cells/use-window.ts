/** Which rows of a long list are in sight. Boundary: the scrolled element. */
import { type RefObject, useEffect, useState } from 'react';

export interface Window {
  readonly first: number;
  /** One beyond. */
  readonly last: number;
}

/** Rows made beyond both ends, so that a fast wheel shows none missing. @unit rows */
const SPARE_ROWS = 8;

export function useWindow(scroller: RefObject<HTMLElement | null>, rowPx: number, rows: number): Window {
  const [place, setPlace] = useState({ top: 0, height: 600 });
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return undefined;
    const measure = (): void => {
      const top = Math.floor(element.scrollTop / rowPx);
      const height = element.clientHeight;
      setPlace((held) => (held.top === top && held.height === height ? held : { top, height }));
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener('scroll', measure, { passive: true });
    measure();
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', measure);
    };
  }, [scroller, rowPx]);
  const first = Math.max(0, place.top - SPARE_ROWS);
  return { first, last: Math.min(rows, place.top + Math.ceil(place.height / rowPx) + SPARE_ROWS) };
}
