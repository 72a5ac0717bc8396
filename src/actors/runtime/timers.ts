/** Timers of cells: named ones, state timeouts, and the deadlines of stops. Each firing is an input. Rules RT-6, RT-12, RT-14. */
import type { Message } from '../../protocol/supervision/effect.ts';
import type { Cell, CellTimer } from './cell.ts';
import type { Core } from './core.ts';
import { deliver, lose } from './deliver.ts';
import { NOT_STAMPED } from './mailbox.ts';

/** The keys of the two kinds of timer, which never collide. */
export const namedKey = (key: string): string => `named/${key}`;
export const stateKey = (id: string): string => `state/${id}`;
export const KILL_KEY = 'kill';

/** Waits that are as good as none at all. @unit ms @source machines/supervisor: shutdown `infinity` */
const NEVER_MS = Number.MAX_SAFE_INTEGER;

/** Arms a timer, in place of the one with the same key (RT-12). */
export function startTimer(
  core: Core,
  cell: Cell,
  key: string,
  delayMs: number,
  message: Message,
  states?: readonly string[],
): void {
  cancelTimer(core, cell, key);
  const from = cell.isPure ? core.now : core.clock.now();
  armAt(core, cell, key, from + Math.max(0, delayMs), message, states);
}

/** Arms a timer for a known deadline, as a restore does (RT-12). */
export function armAt(
  core: Core,
  cell: Cell,
  key: string,
  due: number,
  message: Message,
  states?: readonly string[],
): void {
  const timer: CellTimer = {
    key,
    cell,
    incarnation: cell.incarnation,
    due,
    message,
    clockTimer: undefined,
    queued: undefined,
    states,
  };
  cell.timers ??= new Map();
  cell.timers.set(key, timer);
  if (states !== undefined) cell.stateBound += 1;
  if (isDriven(core, cell) && due < NEVER_MS) {
    timer.clockTimer = core.clock.scheduleAt(due, () => fireTimer(core, timer));
  }
}

/** In a replay the journal fires the timers of pure cells. */
function isDriven(core: Core, cell: Cell): boolean {
  return core.options.boundaries === 'run' && cell.status !== 'gone';
}

/** The deadline of a timer has come: its message joins the mailbox. */
export function fireTimer(core: Core, timer: CellTimer): void {
  const { cell, key, message } = timer;
  timer.clockTimer = undefined;
  if (cell.isPure) {
    core.takeInput();
    if (core.journal !== undefined) {
      core.record({ ...core.stamp(), kind: 'timer', address: cell.address, key });
    }
  }
  timer.queued = {
    message,
    from: undefined,
    fromIncarnation: 0,
    forIncarnation: timer.incarnation,
    timer,
    lane: 'supervision',
    queuedAt: NOT_STAMPED,
  };
  deliver(core, cell, timer.queued);
  core.wake();
}

/** Takes a timer back, and its message if that is queued. */
export function cancelTimer(core: Core, cell: Cell, key: string): void {
  const timer = cell.timers?.get(key);
  if (timer === undefined) return;
  forgetTimer(cell, timer);
  if (timer.clockTimer !== undefined) core.clock.cancel(timer.clockTimer);
  const { queued } = timer;
  if (queued === undefined) return;
  for (const envelope of cell.mailbox.removeWhere((other) => other === queued)) {
    lose(core, cell, envelope, 'cancelled');
  }
}

/** The timer's message is being handled. */
export function forgetTimer(cell: Cell, timer: CellTimer): void {
  if (cell.timers?.get(timer.key) !== timer) return;
  cell.timers.delete(timer.key);
  if (timer.states !== undefined) cell.stateBound -= 1;
}

/** An incarnation has ended: none of its timers fires any more (RT-6). Queued messages stay and turn out stale. */
export function cancelAllTimers(core: Core, cell: Cell): void {
  if (cell.timers === undefined) return;
  for (const timer of cell.timers.values()) {
    if (timer.clockTimer !== undefined) core.clock.cancel(timer.clockTimer);
  }
  cell.timers = undefined;
  cell.stateBound = 0;
}

/** RT-12: ends the delayed raises of states that have all been left. */
export function endStateTimers(core: Core, cell: Cell, active: readonly string[]): void {
  for (const timer of [...(cell.timers?.values() ?? [])]) {
    const { states } = timer;
    if (states !== undefined && !states.some((id) => active.includes(id))) cancelTimer(core, cell, timer.key);
  }
}
