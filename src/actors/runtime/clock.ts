/** What runs systems and fires their timers; the real clock does it from the event loop. Boundary. Rule RT-14, docs/runtime.md. */
import { type HeapTimer, TimerHeap } from '../../base/timer-heap.ts';
import { type Monotonic, monotonic, type WallTime, wallTime } from '../../base/units.ts';

/** Something with turns to run: a system. */
export interface Runner {
  /** Runs at most `turnsMax` turns; true when turns are left. */
  run(turnsMax: number): boolean;
}

/** An armed deadline. */
export interface ClockTimer extends HeapTimer {
  readonly fire: () => void;
}

export interface Clock {
  /** @unit ms */
  now(): Monotonic;
  /** @unit ms since 1970 */
  wall(): WallTime;
  /** Calls `fire` once after `delayMs`. Equal deadlines fire in the order in which they were scheduled. */
  schedule(delayMs: number, fire: () => void): ClockTimer;
  /** As `schedule`, at a point on the monotonic clock. */
  scheduleAt(due: number, fire: () => void): ClockTimer;
  cancel(timer: ClockTimer): void;
  /** Adds a system; the result takes it away. */
  attach(runner: Runner): () => void;
  /** The runner has turns to run. */
  wake(runner: Runner): void;
}

/** Turns that one system runs before the event loop gets its turn. @unit turns @source measured: about 2 ms */
export const TURNS_BEFORE_YIELD_MAX = 1_000;

/**
 * A timer that is so late was held up with the whole loop: what came in the meantime is read and given its turns first, or a stall
 * would look like the silence of everybody else. @unit ms @source chosen: above what a turn takes
 */
const HELD_UP = 20;

/** The longest wait that setTimeout takes. @unit ms @source Node.js timers: 2^31 − 1 */
const TIMEOUT_MS_MAX = 2_147_483_647;

/** The machine's clocks. Systems run in macrotasks, at most `TURNS_BEFORE_YIELD_MAX` turns in each. */
export function realClock(): Clock {
  const timers = new TimerHeap<ClockTimer>();
  const awake = new Set<Runner>();
  let sequence = 0;
  let timeout: NodeJS.Timeout | undefined;
  let timeoutDue = Number.POSITIVE_INFINITY;
  const now = (): Monotonic => monotonic(performance.now());

  function arm(): void {
    const first = timers.peek();
    if (first === undefined || first.due >= timeoutDue) return;
    clearTimeout(timeout);
    timeoutDue = first.due;
    timeout = setTimeout(fireDue, Math.min(TIMEOUT_MS_MAX, Math.max(0, Math.ceil(first.due - now()))));
  }

  /** Timers come before sockets in a turn of the event loop, and what sockets bring is worked off behind both. */
  function fireDue(): void {
    const late = now() - (timers.peek()?.due ?? Number.POSITIVE_INFINITY);
    if (late <= HELD_UP) fireNow();
    else setImmediate(() => setImmediate(fireNow));
  }

  function fireNow(): void {
    timeoutDue = Number.POSITIVE_INFINITY;
    const limit = now();
    for (let first = timers.peek(); first !== undefined && first.due <= limit; first = timers.peek()) {
      timers.remove(first);
      first.fire();
    }
    arm();
  }

  function scheduleAt(due: number, fire: () => void): ClockTimer {
    sequence += 1;
    const timer = { due, sequence, index: -1, fire };
    timers.push(timer);
    arm();
    return timer;
  }

  return {
    now,
    wall: () => wallTime(Date.now()),
    schedule: (delayMs, fire) => scheduleAt(now() + Math.max(0, delayMs), fire),
    scheduleAt,
    cancel(timer) {
      timers.remove(timer);
      if (timers.size === 0) {
        clearTimeout(timeout);
        timeoutDue = Number.POSITIVE_INFINITY;
      }
    },
    attach: (runner) => () => void awake.delete(runner),
    wake(runner) {
      if (awake.has(runner)) return;
      awake.add(runner);
      setImmediate(function runAwake() {
        if (!awake.has(runner)) return;
        if (runner.run(TURNS_BEFORE_YIELD_MAX)) setImmediate(runAwake);
        else awake.delete(runner);
      });
    },
  };
}
