/** Runs of the load's generator as a page hears them. */
import type { Delta, Hello, Moment } from '../../../src/observe/feed/feed.ts';
import { type LoadOptions, LoadRun } from '../../../visualize/dev/load.ts';

export interface HeardRun {
  readonly hello: Hello;
  readonly moment: Moment;
  readonly deltas: readonly Delta[];
}

export function heard(ticks: number, options: Partial<LoadOptions> = {}): HeardRun {
  const run = new LoadRun(options);
  const [hello, moment] = [run.hello(), run.moment()];
  return { hello, moment, deltas: Array.from({ length: ticks }, () => run.advance(50)) };
}
