/** Where everything of a chart stands: made with the page for the node's own charts, by ELK in a worker for any other. Boundary: the worker. */

import type { ChartLayout } from '../../../../src/observe/charts/layout.ts';
import type { Chart, ChartHash } from '../../../../src/observe/feed/feed.ts';

/** Beyond, the one asked for longest ago is placed again. @unit layouts */
const KEPT_MAX = 64;

const placed = new Map<ChartHash, Promise<ChartLayout>>();

export function layoutFor(chart: Chart): Promise<ChartLayout> {
  const known = placed.get(chart.hash);
  if (known !== undefined) return known;
  const layout = place(chart);
  placed.set(chart.hash, layout);
  const [oldest] = placed.keys();
  if (placed.size > KEPT_MAX && oldest !== undefined) placed.delete(oldest);
  // What failed is tried again when it is asked for again.
  layout.catch(() => placed.delete(chart.hash));
  return layout;
}

async function place(chart: Chart): Promise<ChartLayout> {
  const { default: layouts } = await import('virtual:chart-layouts');
  return layouts[chart.hash] ?? placeInWorker(chart);
}

/** What the worker answers. */
export type WorkerAnswer =
  | { readonly ok: true; readonly layout: ChartLayout }
  | { readonly ok: false; readonly detail: string };

function placeInWorker(chart: Chart): Promise<ChartLayout> {
  const { promise, resolve, reject } = Promise.withResolvers<ChartLayout>();
  const worker = new Worker(new URL('./layout-worker.ts', import.meta.url), { type: 'module' });
  worker.addEventListener('message', ({ data }: MessageEvent<WorkerAnswer>) => {
    worker.terminate();
    if (data.ok) resolve(data.layout);
    else reject(new Error(data.detail));
  });
  worker.addEventListener('error', ({ message }) => {
    worker.terminate();
    reject(new Error(message));
  });
  worker.postMessage(chart);
  return promise;
}
