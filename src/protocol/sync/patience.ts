/** How long the lowest piece of a download is waited for, and which answers are worth the wait. Pure. Rule SY-8, docs/protocol/sync.md. */
import { millis } from '../../base/units.ts';

/** What everything above waits for is asked of one more peer after so long, at the latest. @unit ms @source SY-8 */
export const HURRY_MS = millis(3_000);
/** An answer so long is not short, whatever it leaves out. @unit bytes @source a trickle of 88 kB/s is no attack on a chain of 2 KB blocks */
const AMPLE_BYTES = 262_144;

/** An answer that is neither all that was asked for nor long is worth no thanks. */
export const isAmple = (bytes: number, isAll: boolean): boolean => isAll || bytes >= AMPLE_BYTES;
