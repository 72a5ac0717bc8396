/**
 * Time and the order of things: the real clock runs systems from the event loop, the virtual one only when advanced.
 * Boundary. Rule RT-14, docs/runtime.md.
 */
import { invariant } from '../../base/invariant.ts';
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
const TURNS_BEFORE_YIELD_MAX = 1_000;

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

  function fireDue(): void {
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

/** A clock that stands still until it is told to advance. Shared by the systems of a simulated cluster. */
export interface VirtualClock extends Clock {
  /** Runs all turns, then each deadline up to now + ms at its exact time, and all turns that follow from it (RT-14). */
  advance(ms: number): void;
  /** Runs all turns that need no time. */
  settle(): void;
  /** As `advance`, and lets promises of boundary actors resolve in between. */
  advanceAsync(ms: number): Promise<void>;
  /** The next deadline, if any. */
  nextDue(): Monotonic | undefined;
}

/** Rounds over all systems in one instant after which a virtual clock calls it a livelock. @unit rounds of 1,000 turns */
const ROUNDS_IN_AN_INSTANT_MAX = 100_000;

/** @param startWallMs what the wall clock shows at the start. @unit ms since 1970 */
export function virtualClock({ startWallMs = 0 }: { readonly startWallMs?: number } = {}): VirtualClock {
  const timers = new TimerHeap<ClockTimer>();
  const runners = new Set<Runner>();
  let sequence = 0;
  let time = 0;
  let advancing = false;

  function settle(): void {
    for (let rounds = 0, busy = true; busy; rounds += 1) {
      invariant(rounds < ROUNDS_IN_AN_INSTANT_MAX, 'turns end within an instant', { time });
      busy = false;
      for (const runner of runners) if (runner.run(TURNS_BEFORE_YIELD_MAX)) busy = true;
      // A later system may have given an earlier one something to do.
      if (!busy) for (const runner of runners) if (runner.run(0)) busy = true;
    }
  }

  function fireNext(limit: number): boolean {
    const first = timers.peek();
    if (first === undefined || first.due > limit) return false;
    timers.remove(first);
    time = Math.max(time, first.due);
    first.fire();
    return true;
  }

  function scheduleAt(due: number, fire: () => void): ClockTimer {
    sequence += 1;
    const timer = { due, sequence, index: -1, fire };
    timers.push(timer);
    return timer;
  }

  function enter(): void {
    invariant(!advancing, 'a virtual clock is advanced from outside the actors, and not twice at once');
    advancing = true;
  }

  return {
    now: () => monotonic(time),
    wall: () => wallTime(startWallMs + time),
    schedule: (delayMs, fire) => scheduleAt(time + Math.max(0, delayMs), fire),
    scheduleAt,
    cancel: (timer) => void timers.remove(timer),
    attach(runner) {
      runners.add(runner);
      return () => void runners.delete(runner);
    },
    wake: () => undefined,
    nextDue() {
      const first = timers.peek();
      return first === undefined ? undefined : monotonic(first.due);
    },
    settle() {
      enter();
      try {
        settle();
      } finally {
        advancing = false;
      }
    },
    advance(ms) {
      enter();
      try {
        const limit = time + ms;
        settle();
        while (fireNext(limit)) settle();
        time = limit;
      } finally {
        advancing = false;
      }
    },
    async advanceAsync(ms) {
      const limit = time + ms;
      const quiet = async (): Promise<void> => {
        for (let spare = 0; spare < MACROTASKS_FOR_PROMISES; spare += 1) {
          enter();
          try {
            settle();
          } finally {
            advancing = false;
          }
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      await quiet();
      while (fireNext(limit)) await quiet();
      time = limit;
    },
  };
}

/** Macrotasks in which a boundary actor's promises may settle before virtual time goes on. */
const MACROTASKS_FOR_PROMISES = 3;
