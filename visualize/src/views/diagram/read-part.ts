/** Why the messages of an instant of a recorded run are not there: they are being read, or they cannot be. Pure. */
import type { At, Run } from '../../../../src/observe/feed/feed.ts';
import { clockOf } from '../words.ts';

/** Undefined: they are there. */
export function unreadWords(run: Run | undefined, at: At): string | undefined {
  if (run === undefined || run.kind === 'live' || run.readTo === undefined || run.readTo >= at)
    return undefined;
  const { from, to, readTo, readEnd } = run;
  if (readEnd !== undefined) return `Messages are known up to ${clockOf(readTo)}: ${readEnd}.`;
  const part = Math.floor(((readTo - from) * 100) / Math.max(1, to - from));
  return `The messages of this instant are being read: ${part} %.`;
}
