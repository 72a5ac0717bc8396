/** How far the messages of a recorded run have been read, where that is not as far as what is shown. Pure. */
import type { At, Run } from '../../../../src/observe/feed/feed.ts';

/** Undefined: they are read. @unit per cent of the run */
export function readPart(run: Run | undefined, at: At): number | undefined {
  if (run === undefined || run.kind === 'live' || run.readTo === undefined || run.readTo >= at)
    return undefined;
  return Math.floor(((run.readTo - run.from) * 100) / Math.max(1, run.to - run.from));
}
