/**
 * One simulated process's view of the shared virtual clock: kill it, and nothing of the process ever runs again.
 * Deterministic. Rule SM-1.
 */
import type { Clock, ClockTimer, Runner, VirtualClock } from '../actors/runtime/index.ts';

export interface ProcessClock extends Clock {
  /** As kill -9: timers and turns of the process are gone, at once. */
  kill(): void;
}

export function processClock(shared: VirtualClock): ProcessClock {
  const timers = new Set<ClockTimer>();
  const detachers = new Set<() => void>();
  let alive = true;
  /** Remembers a timer of this process until it fires. */
  const owned = (arm: (fire: () => void) => ClockTimer, fire: () => void): ClockTimer => {
    const timer = arm(() => {
      timers.delete(timer);
      if (alive) fire();
    });
    if (alive) timers.add(timer);
    else shared.cancel(timer);
    return timer;
  };
  return {
    now: () => shared.now(),
    wall: () => shared.wall(),
    schedule: (delayMs, fire) => owned((guarded) => shared.schedule(delayMs, guarded), fire),
    scheduleAt: (due, fire) => owned((guarded) => shared.scheduleAt(due, guarded), fire),
    cancel(timer) {
      timers.delete(timer);
      shared.cancel(timer);
    },
    attach(runner: Runner) {
      const detach = shared.attach(runner);
      detachers.add(detach);
      return () => {
        detachers.delete(detach);
        detach();
      };
    },
    wake: (runner) => {
      if (alive) shared.wake(runner);
    },
    kill() {
      alive = false;
      for (const detach of detachers) detach();
      for (const timer of timers) shared.cancel(timer);
      timers.clear();
    },
  };
}
