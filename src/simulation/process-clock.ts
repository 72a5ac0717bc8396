/**
 * One simulated process's view of the shared virtual clock: kill it, and nothing of the process ever runs again; pause
 * it, and all that comes waits, as under SIGSTOP. The wall clock is the machine's own and may be wrong; timers never
 * follow it. Deterministic. Rules SM-1, SM-2.
 */
import type { Clock, ClockTimer, Runner, VirtualClock } from '../actors/runtime/index.ts';
import { type WallTime, wallTime } from '../base/units.ts';

/** A machine's wall clock; it outlives the process. */
export class WallClock {
  readonly #shared: Pick<Clock, 'now' | 'wall'>;
  #driftPpm: number;
  #offsetMs: number;

  /** @param error how wrong it is at the start. @unit ms, parts per million */
  constructor(shared: Pick<Clock, 'now' | 'wall'>, error: { offsetMs: number; driftPpm: number }) {
    this.#shared = shared;
    this.#offsetMs = error.offsetMs;
    this.#driftPpm = error.driftPpm;
  }

  read(): WallTime {
    const drift = (this.#shared.now() * this.#driftPpm) / 1_000_000;
    return wallTime(Math.floor(this.#shared.wall() + this.#offsetMs + drift));
  }

  /** From now on it is right. */
  correct(): void {
    this.#driftPpm = 0;
    this.#offsetMs = 0;
  }

  /** Somebody sets the clock. @unit ms, forward when positive */
  step(ms: number): void {
    this.#offsetMs += ms;
  }
}

export interface ProcessClock extends Clock {
  /** As kill -9: timers and turns of the process are gone, at once. */
  kill(): void;
  /** As SIGSTOP: no turn runs, and timers that fire wait. */
  pause(): void;
  /** As SIGCONT: what waited happens now, in its order. */
  resume(): void;
  /** Does it now, or when the process goes on; false when the process is dead or too much waits already. */
  whenRunning(work: () => void): boolean;
}

/** Arrivals and timers that wait for a paused process; more are lost, as with a full socket buffer. @source chosen */
const WAITING_MAX = 65_536;

export function processClock(shared: VirtualClock, wall: WallClock): ProcessClock {
  const timers = new Set<ClockTimer>();
  const detachers = new Set<() => void>();
  const runners = new Map<Runner, Runner>();
  let state: 'running' | 'paused' | 'dead' = 'running';
  let waiting: (() => void)[] = [];

  function whenRunning(work: () => void): boolean {
    if (state === 'running') work();
    else if (state === 'dead' || waiting.length >= WAITING_MAX) return false;
    else waiting.push(work);
    return true;
  }

  /** Remembers a timer of this process until it fires. */
  const owned = (arm: (fire: () => void) => ClockTimer, fire: () => void): ClockTimer => {
    const timer = arm(() => {
      if (state === 'running') {
        timers.delete(timer);
        fire();
      } else if (state === 'paused') {
        // It stays among the timers meanwhile, so that `cancel` still finds it.
        waiting.push(() => {
          if (timers.delete(timer)) fire();
        });
      }
    });
    if (state === 'dead') shared.cancel(timer);
    else timers.add(timer);
    return timer;
  };

  return {
    now: () => shared.now(),
    wall: () => wall.read(),
    schedule: (delayMs, fire) => owned((guarded) => shared.schedule(delayMs, guarded), fire),
    scheduleAt: (due, fire) => owned((guarded) => shared.scheduleAt(due, guarded), fire),
    cancel(timer) {
      timers.delete(timer);
      shared.cancel(timer);
    },
    attach(runner: Runner) {
      const guarded: Runner = { run: (turnsMax) => state === 'running' && runner.run(turnsMax) };
      runners.set(runner, guarded);
      const detach = shared.attach(guarded);
      detachers.add(detach);
      return () => {
        runners.delete(runner);
        detachers.delete(detach);
        detach();
      };
    },
    wake(runner) {
      const guarded = runners.get(runner);
      if (guarded !== undefined) shared.wake(guarded);
    },
    whenRunning,
    pause() {
      if (state === 'running') state = 'paused';
    },
    resume() {
      if (state !== 'paused') return;
      state = 'running';
      const due = waiting;
      waiting = [];
      for (const work of due) work();
      // What was awake when it was paused has had its turn taken away.
      for (const guarded of runners.values()) shared.wake(guarded);
    },
    kill() {
      state = 'dead';
      waiting = [];
      runners.clear();
      for (const detach of detachers) detach();
      for (const timer of timers) shared.cancel(timer);
      timers.clear();
    },
  };
}
