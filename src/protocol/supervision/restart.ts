/** Which ends lead to a restart, which children it concerns, and how long it waits. Pure. Rules RT-2, RT-3, RT-4, RT-5. */
import { type Millis, type Monotonic, millis } from '../../base/units.ts';
import type { Backoff, RestartType, Strategy } from './child.ts';
import { type ExitReason, isOrderlyExit } from './effect.ts';

/** RT-2: permanent always, transient after an abnormal end, temporary never. */
export function deservesRestart(restart: RestartType, reason: ExitReason): boolean {
  switch (restart) {
    case 'permanent':
      return true;
    case 'transient':
      return !isOrderlyExit(reason);
    case 'temporary':
      return false;
  }
}

/** RT-3, RT-4: the ids that a failure concerns, in start order; stopped in reverse, started in order. */
export function concernedBy(strategy: Strategy, ids: readonly string[], failed: string): readonly string[] {
  switch (strategy) {
    case 'one_for_one':
      return ids.filter((id) => id === failed);
    case 'one_for_all':
      return ids;
    case 'rest_for_one': {
      const first = ids.indexOf(failed);
      return first < 0 ? [] : ids.slice(first);
    }
  }
}

/** RT-5: how many restarts in a row this one is, 0 for the first; health of `resetAfter` starts again at 0. */
export function nextAttempt(
  backoff: Backoff | undefined,
  attempt: number,
  startedAt: Monotonic | undefined,
  now: Monotonic,
): number {
  if (backoff === undefined) return 0;
  return startedAt !== undefined && now - startedAt >= backoff.resetAfter ? 0 : attempt;
}

/** RT-5: the wait before restart number `attempt` (0 is the first), within [min, max]. `draw` is in [0, 1). */
export function backoffDelay(backoff: Backoff | undefined, attempt: number, draw: number): Millis {
  if (backoff === undefined) return millis(0);
  const { min, max, factor, jitter } = backoff;
  const wait = Math.min(max, min * factor ** attempt);
  return millis(wait - (wait - min) * jitter * draw);
}
