/** The program of a worker process of `althing simulate --jobs`: runs what its parent asks for, until it is told to finish. */
import { Coverage } from '../../simulation/coverage.ts';
import { runTask, type Task } from './task.ts';
import { playTwins, type TwinsRange } from './twins.ts';

/** What the parent says. */
export type Order =
  | { readonly kind: 'run'; readonly task: Task }
  | { readonly kind: 'twins'; readonly range: TwinsRange }
  | { readonly kind: 'finish' };

const coverage = process.argv.includes('--coverage') ? new Coverage() : undefined;

// Whoever asked is gone: nobody wants the answer.
process.on('disconnect', () => process.exit());

process.on('message', (order: Order) => {
  if (order.kind === 'run') {
    process.send?.(runTask(order.task, coverage));
    return;
  }
  if (order.kind === 'twins') {
    process.send?.(playTwins(order.range));
    return;
  }
  process.send?.(coverage?.report() ?? {}, () => process.disconnect());
});
