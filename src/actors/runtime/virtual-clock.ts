/**
 * A clock that stands still until it is told to advance; the systems of a simulated cluster share one.
 * Deterministic: timers fire by (due, sequence), systems take turns in the order in which they were attached. Rule RT-14.
 */
import { invariant } from '../../base/invariant.ts';
import { TimerHeap } from '../../base/timer-heap.ts';
import { type Monotonic, monotonic, type WallTime, wallTime } from '../../base/units.ts';
import { type Clock, type ClockTimer, type Runner, TURNS_BEFORE_YIELD_MAX } from './clock.ts';

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

/** Rounds over all systems in one instant after which it is a livelock. @unit rounds of 1,000 turns */
const ROUNDS_IN_AN_INSTANT_MAX = 100_000;
/** Timers that fire at one instant, after which it does not end. @unit timers @source 100 nodes send each other 10^4 at once */
const TIMERS_IN_AN_INSTANT_MAX = 1_000_000;

/** Macrotasks in which a boundary actor's promises may settle before virtual time goes on. */
const MACROTASKS_FOR_PROMISES = 3;

/** @param startWallMs what the wall clock shows at the start. @unit ms since 1970 */
export function virtualClock({ startWallMs = 0 }: { readonly startWallMs?: number } = {}): VirtualClock {
  const timeline = new Timeline();
  return {
    now: () => monotonic(timeline.now),
    wall: (): WallTime => wallTime(startWallMs + timeline.now),
    schedule: (delayMs, fire) => timeline.arm(timeline.now + Math.max(0, delayMs), fire),
    scheduleAt: (due, fire) => timeline.arm(due, fire),
    cancel: (timer) => void timeline.timers.remove(timer),
    attach: (runner) => timeline.attach(runner),
    wake: (runner) => timeline.wake(runner),
    nextDue() {
      const first = timeline.timers.peek();
      return first === undefined ? undefined : monotonic(first.due);
    },
    settle: () => timeline.alone(() => timeline.settle()),
    advance(ms) {
      timeline.alone(() => {
        const limit = timeline.now + ms;
        timeline.settle();
        while (timeline.fireNext(limit)) timeline.settle();
        timeline.now = limit;
      });
    },
    async advanceAsync(ms) {
      const limit = timeline.now + ms;
      await timeline.settleAsync();
      while (timeline.fireNext(limit)) await timeline.settleAsync();
      timeline.now = limit;
    },
  };
}

/** A runner's place. */
interface Seat {
  readonly runner: Runner;
  isAwake: boolean;
}

class Timeline {
  readonly timers = new TimerHeap<ClockTimer>();
  /** In the order in which they were attached. */
  readonly #seats: Seat[] = [];
  readonly #seatOf = new Map<Runner, Seat>();
  #awake = 0;
  now = 0;
  /** Whose turn it is after the present one. */
  #next = 0;
  #sequence = 0;
  #isRunning = false;
  /** Timers that have fired at `now`. */
  #fired = 0;

  arm(due: number, fire: () => void): ClockTimer {
    this.#sequence += 1;
    const timer = { due, sequence: this.#sequence, index: -1, fire };
    this.timers.push(timer);
    return timer;
  }

  /** Fires the next timer that is due by `limit`, at its own time. */
  fireNext(limit: number): boolean {
    const first = this.timers.peek();
    if (first === undefined || first.due > limit) return false;
    this.timers.remove(first);
    this.#fired = first.due > this.now ? 0 : this.#fired + 1;
    invariant(this.#fired < TIMERS_IN_AN_INSTANT_MAX, 'timers end within an instant', { now: this.now });
    this.now = Math.max(this.now, first.due);
    first.fire();
    return true;
  }

  attach(runner: Runner): () => void {
    const seat: Seat = { runner, isAwake: false };
    this.#seats.push(seat);
    this.#seatOf.set(runner, seat);
    this.wake(runner);
    return () => {
      if (seat.isAwake) this.#sleep(seat);
      this.#seatOf.delete(runner);
      const place = this.#seats.indexOf(seat);
      if (place < 0) return;
      this.#seats.splice(place, 1);
      if (place < this.#next) this.#next -= 1;
    };
  }

  wake(runner: Runner): void {
    const seat = this.#seatOf.get(runner);
    if (seat === undefined || seat.isAwake) return;
    seat.isAwake = true;
    this.#awake += 1;
  }

  /** Whoever is awake takes turns, in order, until nobody is. */
  settle(): void {
    for (let rounds = 0; this.#awake > 0; rounds += 1) {
      invariant(rounds < ROUNDS_IN_AN_INSTANT_MAX, 'turns end within an instant', { now: this.now });
      for (this.#next = 0; this.#next < this.#seats.length && this.#awake > 0; ) {
        const seat = this.#seats[this.#next];
        this.#next += 1;
        if (seat?.isAwake !== true) continue;
        this.#sleep(seat);
        if (seat.runner.run(TURNS_BEFORE_YIELD_MAX)) this.wake(seat.runner);
      }
    }
  }

  #sleep(seat: Seat): void {
    seat.isAwake = false;
    this.#awake -= 1;
  }

  async settleAsync(): Promise<void> {
    for (let spare = 0; spare < MACROTASKS_FOR_PROMISES; spare += 1) {
      this.alone(() => this.settle());
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Runs `work`, in which nothing may advance the clock again. */
  alone(work: () => void): void {
    invariant(!this.#isRunning, 'a virtual clock is advanced from outside the actors, and not twice at once');
    this.#isRunning = true;
    try {
      work();
    } finally {
      this.#isRunning = false;
    }
  }
}
