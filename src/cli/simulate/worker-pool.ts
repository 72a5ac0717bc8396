/** Worker processes for simulated runs. Boundary. Rule SM-6. */
import { type ChildProcess, fork } from 'node:child_process';
import { extname, join } from 'node:path';
import type { ChartCoverage } from '../../simulation/coverage.ts';
import type { TwinsReport } from '../../simulation/twins/index.ts';
import { compileCacheFolder } from '../compile-cache.ts';
import { runtimeFailure } from '../failure.ts';
import type { Outcome, Worker } from './task.ts';
import type { TwinsRange } from './twins.ts';
import type { Order } from './worker-process.ts';

/** Compiled where this module is. */
const PROGRAM = join(import.meta.dirname, `worker-process${extname(import.meta.filename)}`);

/** Detached: a Ctrl-C is the parent's to hear, and whatever ends the parent ends it too. */
function launch(args: readonly string[]): ChildProcess {
  const child = fork(PROGRAM, args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, NODE_COMPILE_CACHE: compileCacheFolder() },
    detached: true,
  });
  const end = (): void => void child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  return child;
}

/** A worker in a process of its own, so that this one hears signals in the middle of a run. */
export function workerProcess(watches: boolean): Worker {
  const child = launch(watches ? ['--coverage'] : []);
  return {
    run: (task) => answerTo<Outcome>(child, { kind: 'run', task }),
    async finish() {
      const reached = await answerTo<Readonly<Record<string, ChartCoverage>>>(child, { kind: 'finish' });
      return watches ? reached : undefined;
    },
    end: () => void child.kill('SIGKILL'),
  };
}

/** A stretch of Twins scenarios, played in a process of its own that ends with it, or early when `stop` is aborted. */
export async function twinsProcess(range: TwinsRange, stop: AbortSignal): Promise<TwinsReport> {
  const child = launch([]);
  const order = { kind: 'stop' } satisfies Order;
  const pass = (): void => void child.send(order, () => undefined);
  if (stop.aborted) pass();
  stop.addEventListener('abort', pass);
  try {
    const report = await answerTo<TwinsReport>(child, { kind: 'twins', range });
    await answerTo(child, { kind: 'finish' });
    return report;
  } finally {
    stop.removeEventListener('abort', pass);
  }
}

/** One answer comes to each order; the child runs our own code, so what it says is taken as it is. */
function answerTo<Answer>(child: ChildProcess, order: Order): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      child.off('message', answered);
      child.off('exit', ended);
      act();
    };
    const answered = (answer: unknown): void => settle(() => resolve(answer as Answer));
    const ended = (code: number | null, signal: string | null): void =>
      settle(() => reject(runtimeFailure(`a worker process ended (${signal ?? `exit code ${code}`})`)));
    child.on('message', answered);
    child.on('exit', ended);
    // Of a child that has ended, or ends now, 'exit' tells; of one that ended before nothing would.
    if (child.connected) child.send(order, () => undefined);
    else ended(child.exitCode, child.signalCode);
  });
}

/** Gives each item to a worker that is free, in order; `done` is called in the order in which they end. */
export async function spread<Item>(
  items: Iterable<Item>,
  workers: readonly Worker[],
  work: (item: Item, worker: Worker) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  await Promise.all(
    workers.map(async (worker) => {
      for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
        await work(next.value, worker);
      }
    }),
  );
}
