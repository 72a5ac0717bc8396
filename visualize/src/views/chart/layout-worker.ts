/** Places one chart by ELK, apart from the page, which goes on drawing. Boundary: a worker's messages. */
import elkjs from 'elkjs/lib/elk.bundled.js';
import { layoutOf } from '../../../../src/observe/charts/layout.ts';
import type { Chart } from '../../../../src/observe/feed/feed.ts';
import type { WorkerAnswer } from './layouts.ts';

self.addEventListener('message', async ({ data }: MessageEvent<Chart>) => {
  const answer = (message: WorkerAnswer): void => self.postMessage(message);
  try {
    answer({ ok: true, layout: await layoutOf(data, new elkjs.default()) });
  } catch (error) {
    answer({ ok: false, detail: String(error) });
  }
});
