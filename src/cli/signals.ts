/** SIGINT and SIGTERM: the first asks to stop, the second ends the process at once with 130 or 143. Boundary: the process. */
import { EXIT_CODES } from './exit-codes.ts';

/** A signal that is aborted when the process is asked to stop. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const ask = (name: 'SIGINT' | 'SIGTERM'): void => {
    if (controller.signal.aborted) {
      process.exit(name === 'SIGINT' ? EXIT_CODES.interrupted : EXIT_CODES.terminated);
    }
    controller.abort(name);
  };
  process.on('SIGINT', ask);
  process.on('SIGTERM', ask);
  return controller.signal;
}
