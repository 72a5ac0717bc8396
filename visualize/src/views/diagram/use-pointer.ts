/** Mouse, pen and finger on the diagram: drag pans, the wheel zooms at the pointer or scrolls lanes, a click chooses. Boundary: events. */
import { type RefObject, useEffect } from 'react';
import type { Screen } from './screen.ts';

/** A pointer that moved less has clicked. @unit px */
const CLICK_PX_MAX = 4;
/** Zoom for one pixel of the wheel: a notch of 100 is about a quarter. */
const ZOOM_PER_PX = 0.0022;

export function usePointer(host: RefObject<HTMLElement | null>, screen: Screen | undefined): void {
  useEffect(() => {
    const element = host.current;
    if (element === null || screen === undefined) return undefined;
    return attach(element, screen);
  }, [host, screen]);
}

function attach(element: HTMLElement, screen: Screen): () => void {
  let held:
    | { readonly x: number; readonly y: number; lastX: number; lastY: number; isDrag: boolean }
    | undefined;
  let frame = 0;
  const at = ({ clientX, clientY }: MouseEvent): { readonly x: number; readonly y: number } => {
    const { left, top } = element.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  };
  const down = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    const { x, y } = at(event);
    held = { x, y, lastX: x, lastY: y, isDrag: false };
    element.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent): void => {
    const { x, y } = at(event);
    if (held === undefined) {
      // The pointer may move a thousand times a second; what it points at is looked for once a frame.
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => screen.pointAt(x, y));
      return;
    }
    if (Math.hypot(x - held.x, y - held.y) > CLICK_PX_MAX) held.isDrag = true;
    if (!held.isDrag) return;
    element.classList.add('is-dragged');
    screen.panBy(x - held.lastX);
    screen.scrollBy(held.lastY - y);
    held.lastX = x;
    held.lastY = y;
  };
  const up = (event: PointerEvent): void => {
    const { x, y } = at(event);
    if (held !== undefined && !held.isDrag) screen.click(x, y);
    held = undefined;
    element.classList.remove('is-dragged');
  };
  const leave = (): void => {
    cancelAnimationFrame(frame);
    screen.leave();
  };
  const wheel = (event: WheelEvent): void => {
    event.preventDefault();
    if (event.shiftKey) screen.scrollBy(event.deltaY);
    else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) screen.panBy(-event.deltaX);
    else screen.zoomBy(Math.exp(event.deltaY * ZOOM_PER_PX), at(event).x);
  };
  const ending = new AbortController();
  const { signal } = ending;
  element.addEventListener('pointerdown', down, { signal });
  element.addEventListener('pointermove', move, { signal });
  element.addEventListener('pointerup', up, { signal });
  element.addEventListener('pointercancel', up, { signal });
  element.addEventListener('pointerleave', leave, { signal });
  element.addEventListener('wheel', wheel, { passive: false, signal });
  return () => {
    cancelAnimationFrame(frame);
    ending.abort();
  };
}
