/** The program of a worker process of `althing simulate --jobs`: runs what its parent asks for, until it is told to finish. */
import { Coverage } from '../../simulation/coverage.ts';
import { runTask, type Task } from './task.ts';
import { playTwins, type TwinsRange } from './twins.ts';

/** What the parent says. */
export type Order =
  | { readonly kind: 'run'; readonly task: Task }
  | { readonly kind: 'twins'; readonly range: TwinsRange }
  /** Scenarios that are being played end early; no answer of its own. */
  | { readonly kind: 'stop' }
  | { readonly kind: 'finish' };

const coverage = process.argv.includes('--coverage') ? new Coverage() : undefined;

let stopped = false;

/** To a parent that may be gone. */
const tell = (answer: object): void => void process.send?.(answer, () => undefined);

// Whoever asked is gone: nobody wants the answer.
process.on('disconnect', () => process.exit());

process.on('message', (order: Order) => {
  if (order.kind === 'run') {
    tell(runTask(order.task, coverage));
    return;
  }
  if (order.kind === 'twins') {
    void playTwins(order.range, () => stopped).then(tell);
    return;
  }
  if (order.kind === 'stop') {
    stopped = true;
    return;
  }
  process.send?.(coverage?.report() ?? {}, () => process.disconnect());
});
