/** How often a supervisor may restart before it gives up. Pure. Rule RT-1; source: add_restart in OTP's supervisor.erl. */
import type { Millis, Monotonic } from '../../base/units.ts';

/** The incidents that still count, and whether they are more than the intensity allows. */
export interface Incidents {
  readonly restarts: readonly Monotonic[];
  readonly exceeded: boolean;
}

/** Adds an incident at `now`: those at or after now − period stay (RT-1), and intensity + 1 of them are too many. */
export function countIncident(
  restarts: readonly Monotonic[],
  now: Monotonic,
  intensity: number,
  period: Millis,
): Incidents {
  const kept = [...restarts.filter((at) => at >= now - period), now];
  return { restarts: kept, exceeded: kept.length > intensity };
}
