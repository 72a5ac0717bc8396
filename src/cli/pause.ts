/** Waiting that ends early. Boundary: the clock. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Ends at once when `signal` is aborted, and never rejects: who waits looks at the signal. @param ms time to wait */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);
