/**
 * One simulated process's view of the shared virtual clock: kill it, and nothing of the process ever runs again; pause
 * it, and all that comes waits, as under SIGSTOP. The machine's clocks may be wrong: its oscillator drives both, and the
 * wall clock is also set; timers follow the oscillator alone. Deterministic. Rules SM-1, SM-2.
 */
import type { Clock, ClockTimer, Runner, VirtualClock } from '../actors/runtime/index.ts';
import { invariant } from '../base/invariant.ts';
import { type Monotonic, monotonic, type WallTime, wallTime } from '../base/units.ts';

const PER_MILLION = 1_000_000;

/** What a machine counts time by: the monotonic clock of its processes, which it outlives. It never jumps. */
export class Oscillator {
  readonly #shared: Pick<Clock, 'now'>;
  /** The last change of its rate. @unit ms, ms, local ms in a shared one */
  #since: { readonly shared: number; readonly local: number; readonly rate: number };
  readonly #watchers = new Set<() => void>();

  /** @param driftPpm how much too fast it runs; above −1,000,000, or it would stand still. @unit parts per million */
  constructor(shared: Pick<Clock, 'now'>, driftPpm: number) {
    invariant(driftPpm > -PER_MILLION, 'an oscillator runs forward', { driftPpm });
    this.#shared = shared;
    this.#since = { shared: 0, local: 0, rate: 1 + driftPpm / PER_MILLION };
  }

  now(): Monotonic {
    return monotonic(this.#localAt(this.#shared.now()));
  }

  /** The shared time at which `now()` has come to `local`, by the present rate. @unit ms */
  sharedAt(local: number): number {
    const since = this.#since;
    let at = since.shared + (local - since.local) / since.rate;
    // Rounding may have made it a hair early; nudges grow, so that they end.
    for (let nudge = Number.EPSILON * Math.max(1, Math.abs(at)); this.#localAt(at) < local; nudge *= 2)
      at += nudge;
    return at;
  }

  /** From now on its rate is right. */
  correct(): void {
    if (this.#since.rate === 1) return;
    const shared = this.#shared.now();
    this.#since = { shared, local: this.#localAt(shared), rate: 1 };
    for (const changed of this.#watchers) changed();
  }

  /** Calls `changed` whenever its rate has changed; the result ends that. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => void this.#watchers.delete(changed);
  }

  #localAt(at: number): number {
    const { shared, local, rate } = this.#since;
    return local + (at - shared) * rate;
  }
}

/** A machine's wall clock; it outlives the process. */
export class WallClock {
  readonly oscillator: Oscillator;
  readonly #shared: Pick<Clock, 'now' | 'wall'>;
  #driftPpm: number;
  #offsetMs: number;

  /** @param error how wrong it is at the start. @unit ms, parts per million */
  constructor(shared: Pick<Clock, 'now' | 'wall'>, error: { offsetMs: number; driftPpm: number }) {
    this.oscillator = new Oscillator(shared, error.driftPpm);
    this.#shared = shared;
    this.#offsetMs = error.offsetMs;
    this.#driftPpm = error.driftPpm;
  }

  read(): WallTime {
    const drift = (this.#shared.now() * this.#driftPpm) / PER_MILLION;
    return wallTime(Math.floor(this.#shared.wall() + this.#offsetMs + drift));
  }

  /** From now on it is right, and so is the oscillator's rate. */
  correct(): void {
    this.#driftPpm = 0;
    this.#offsetMs = 0;
    this.oscillator.correct();
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

/** A timer of the process. */
interface OwnTimer {
  /** @unit ms of the machine's monotonic clock */
  readonly due: number;
  readonly fire: () => void;
  /** Undefined once it is due, though its process may be paused. */
  armed: ClockTimer | undefined;
}

/** Timers by the machine's monotonic clock, on the shared one. */
class OwnTimers {
  readonly #shared: Pick<Clock, 'scheduleAt' | 'cancel'>;
  readonly #oscillator: Oscillator;
  readonly #whenDue: (fire: () => void) => void;
  /** By what `arm` gave out, in the order of their arming. */
  readonly #timers = new Map<ClockTimer, OwnTimer>();
  readonly #unwatch: () => void;
  #hasEnded = false;

  /** @param whenDue fires, now or later */
  constructor(
    shared: Pick<Clock, 'scheduleAt' | 'cancel'>,
    oscillator: Oscillator,
    whenDue: (fire: () => void) => void,
  ) {
    this.#shared = shared;
    this.#oscillator = oscillator;
    this.#whenDue = whenDue;
    this.#unwatch = oscillator.watch(() => this.#rearm());
  }

  arm(due: number, fire: () => void): ClockTimer {
    const handle = this.#shared.scheduleAt(this.#oscillator.sharedAt(due), () => this.#isDue(handle));
    if (this.#hasEnded) this.#shared.cancel(handle);
    else this.#timers.set(handle, { due, fire, armed: handle });
    return handle;
  }

  cancel(handle: ClockTimer): void {
    const armed = this.#timers.get(handle)?.armed;
    this.#timers.delete(handle);
    if (armed !== undefined) this.#shared.cancel(armed);
  }

  /** None of them fires any more, nor any that is armed from now on. */
  end(): void {
    this.#hasEnded = true;
    this.#unwatch();
    for (const handle of [...this.#timers.keys()]) this.cancel(handle);
  }

  #isDue(handle: ClockTimer): void {
    const timer = this.#timers.get(handle);
    if (timer === undefined) return;
    timer.armed = undefined;
    // It stays among the timers meanwhile, so that `cancel` still finds it.
    this.#whenDue(() => {
      if (this.#timers.delete(handle)) timer.fire();
    });
  }

  /** The rate has changed. Equal deadlines keep their order. */
  #rearm(): void {
    for (const [handle, timer] of this.#timers) {
      if (timer.armed === undefined) continue;
      this.#shared.cancel(timer.armed);
      const at = this.#oscillator.sharedAt(timer.due);
      timer.armed = this.#shared.scheduleAt(at, () => this.#isDue(handle));
    }
  }
}

export function processClock(shared: VirtualClock, wall: WallClock): ProcessClock {
  const { oscillator } = wall;
  const detachers = new Set<() => void>();
  const runners = new Map<Runner, Runner>();
  let state: 'running' | 'paused' | 'dead' = 'running';
  let waiting: (() => void)[] = [];
  const timers = new OwnTimers(shared, oscillator, (fire) => {
    if (state === 'running') fire();
    else waiting.push(fire);
  });

  function whenRunning(work: () => void): boolean {
    if (state === 'running') work();
    else if (state === 'dead' || waiting.length >= WAITING_MAX) return false;
    else waiting.push(work);
    return true;
  }

  return {
    now: () => oscillator.now(),
    wall: () => wall.read(),
    schedule: (delayMs, fire) => timers.arm(oscillator.now() + Math.max(0, delayMs), fire),
    scheduleAt: (due, fire) => timers.arm(due, fire),
    cancel: (timer) => timers.cancel(timer),
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
      timers.end();
    },
  };
}
