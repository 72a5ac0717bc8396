/** How long the event loop was blocked lately: the measure behind `/livez`. Boundary: the monotonic clock. */
import { type Millis, millis } from '../base/units.ts';

export interface LoopLag {
  /** The longest block within the last two intervals. */
  readonly read: () => Millis;
  readonly stop: () => void;
}

/** @unit ms @source a probe twice a second costs nothing */
const INTERVAL = 500;

/** Starts measuring; does not keep the process alive. */
export function measureLoopLag(): LoopLag {
  let expected = performance.now() + INTERVAL;
  let previous = 0;
  let latest = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    previous = latest;
    latest = Math.max(0, now - expected);
    expected = now + INTERVAL;
  }, INTERVAL);
  timer.unref();
  return {
    read: () => millis(Math.max(previous, latest, performance.now() - expected, 0)),
    stop: () => clearInterval(timer),
  };
}
