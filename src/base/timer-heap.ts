/** Timers in the order (due, sequence): equal deadlines fire in the order in which they were armed. Mutable, deterministic. */

/** One armed timer; `sequence` breaks ties, `index` is its place in the heap or -1 when it is not armed. */
export interface HeapTimer {
  readonly due: number;
  readonly sequence: number;
  index: number;
}

/** A binary heap that knows where each timer is, so that cancelling is O(log n) and leaves nothing behind. */
export class TimerHeap<Timer extends HeapTimer> {
  readonly #timers: Timer[] = [];

  get size(): number {
    return this.#timers.length;
  }

  /** The next timer to fire, left in place. */
  peek(): Timer | undefined {
    return this.#timers[0];
  }

  push(timer: Timer): void {
    timer.index = this.#timers.length;
    this.#timers.push(timer);
    this.#raise(timer.index);
  }

  /** Takes the next timer to fire. */
  pop(): Timer | undefined {
    const first = this.#timers[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** Takes a timer out; false when it is not armed here. */
  remove(timer: Timer): boolean {
    const { index } = timer;
    if (index < 0 || this.#timers[index] !== timer) return false;
    const last = this.#timers.pop();
    timer.index = -1;
    if (last === undefined || last === timer) return true;
    this.#timers[index] = last;
    last.index = index;
    this.#raise(index);
    this.#sink(last.index);
    return true;
  }

  #raise(start: number): void {
    let index = start;
    const timer = this.#timers[index];
    if (timer === undefined) return;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = this.#timers[above];
      if (parent === undefined || !isBefore(timer, parent)) break;
      this.#place(parent, index);
      index = above;
    }
    this.#place(timer, index);
  }

  #sink(start: number): void {
    let index = start;
    const timer = this.#timers[index];
    if (timer === undefined) return;
    for (;;) {
      const left = this.#timers[2 * index + 1];
      if (left === undefined) break;
      const right = this.#timers[2 * index + 2];
      const child = right !== undefined && isBefore(right, left) ? right : left;
      if (!isBefore(child, timer)) break;
      const below = child.index;
      this.#place(child, index);
      index = below;
    }
    this.#place(timer, index);
  }

  #place(timer: Timer, index: number): void {
    this.#timers[index] = timer;
    timer.index = index;
  }
}

function isBefore(left: HeapTimer, right: HeapTimer): boolean {
  return left.due < right.due || (left.due === right.due && left.sequence < right.sequence);
}
