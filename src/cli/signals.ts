/**
 * SIGINT and SIGTERM: the first asks to stop, the second ends the process at once with 130 or 143. Boundary: the process.
 * Under `npm start` the end of npm asks too: it passes signals to the shell between them only, which passes them to nobody.
 */
import { EXIT_CODES } from './exit-codes.ts';

/**
 * A signal that is aborted when the process is asked to stop.
 * @param until from its abort on, signals end the process at once: for work that cannot look
 */
export function stopSignal(until?: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const ask = (name: 'SIGINT' | 'SIGTERM'): void => {
    if (controller.signal.aborted) {
      process.exit(exitCodeOf(name));
    }
    controller.abort(name);
  };
  process.on('SIGINT', ask);
  process.on('SIGTERM', ask);
  until?.addEventListener('abort', () => {
    process.off('SIGINT', ask);
    process.off('SIGTERM', ask);
  });
  if (process.env['npm_lifecycle_event'] !== undefined) watchParent(() => controller.abort('npm ended'));
  return controller.signal;
}

/** How a program ends that was asked to stop before it was done. @param reason of the stop signal */
export const exitCodeOf = (reason: unknown): number =>
  reason === 'SIGTERM' ? EXIT_CODES.terminated : EXIT_CODES.interrupted;

/** @unit ms @source what a reader of a terminal notices */
const PARENT_CHECK_INTERVAL = 500;

function watchParent(gone: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    gone();
  }, PARENT_CHECK_INTERVAL);
  timer.unref();
}
