/** What carriers know of time: the runtime's clock, injected, so that tests and the simulator decide. Rule TP-5. */
import type { Clock } from '../actors/runtime/clock.ts';
import type { Millis } from '../base/units.ts';

export type CarrierClock = Pick<Clock, 'now' | 'schedule' | 'cancel'>;

/** Runs `action` once after `delay`; the returned function takes it back. */
export function after(clock: CarrierClock, delay: Millis, action: () => void): () => void {
  const timer = clock.schedule(delay, action);
  return () => clock.cancel(timer);
}
