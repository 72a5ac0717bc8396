/** How long to wait before dialing again. Pure; the random draw comes from the caller. Rule TP-2. */
import { type Millis, millis } from '../../base/units.ts';

export interface DialBackoff {
  readonly min: Millis;
  readonly max: Millis;
  readonly factor: number;
  /** Share of the wait that the draw may add or take away. 0 to 1 */
  readonly jitter: number;
}

/** @unit ms @source a restarted neighbour listens again within a second; one that is gone is asked twice a minute */
export const DIAL_BACKOFF: DialBackoff = { min: millis(200), max: millis(30_000), factor: 2, jitter: 0.3 };

/**
 * Wait before attempt `failures + 1`, within [min·(1−jitter), max]. `lasting`: the refusal will not go away by
 * itself, so the longest wait applies at once. `draw` is uniform in [0, 1).
 */
export function dialDelay(
  failures: number,
  lasting: boolean,
  draw: number,
  backoff: DialBackoff = DIAL_BACKOFF,
): Millis {
  const exponent = Math.min(Math.max(failures - 1, 0), 64);
  const planned = lasting ? backoff.max : Math.min(backoff.max, backoff.min * backoff.factor ** exponent);
  const spread = planned * backoff.jitter * (2 * draw - 1);
  return millis(Math.min(backoff.max, Math.max(1, Math.round(planned + spread))));
}
