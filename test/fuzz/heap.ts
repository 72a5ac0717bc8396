/** Memory after a forced collection, over equal windows of runs: what grows in every window is a leak. Rule SM-11. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Windows measured after the first, which warms up. */
const WINDOWS = 5;
/** Growth over all windows that is noise: tables that double, code that is compiled. @unit bytes */
const NOISE_BYTES = 192 * 1024;
/** Above it, and in every window, is growth. @unit bytes for each run */
const BYTES_PER_RUN_MAX = 16;

export interface HeapReading {
  /** After each window. @unit bytes */
  readonly after: readonly number[];
  /** @unit bytes */
  readonly perRun: number;
  readonly grows: boolean;
}

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Bytes held on and off the heap by what is still reachable. */
async function held(settleMs: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  // Finalizers and closed sockets let go a turn later.
  for (let turn = 0; turn < 3; turn += 1) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Runs windows of `runs` runs each and looks at what stays `settleMs` later. */
export async function measureHeap(
  runs: number,
  settleMs: number,
  window: () => Promise<void>,
): Promise<HeapReading> {
  const after: number[] = [];
  await window();
  for (let count = 0; count <= WINDOWS; count += 1) {
    if (count > 0) await window();
    after.push(await held(settleMs));
  }
  const growth = (after.at(-1) ?? 0) - (after[0] ?? 0);
  const perRun = growth / (WINDOWS * runs);
  const steps = after.slice(1).map((bytes, index) => bytes - (after[index] ?? 0));
  const steady = steps.filter((step) => step > 0).length >= WINDOWS - 1;
  return { after, perRun, grows: steady && growth > NOISE_BYTES && perRun > BYTES_PER_RUN_MAX };
}
