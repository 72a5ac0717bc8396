/** How a segment ends when nothing went wrong, and what a journal did not hold. Rules RP-1, RP-2, docs/journal.md. */
import { unpackValues, type ValuePacker } from './values.ts';

export interface Closing {
  /** `rotated`: another segment follows. `ended`: the process stopped in order. `paused`: the disk was too slow or too full, and what comes until the next segment is missing. */
  readonly reason: 'rotated' | 'ended' | 'paused';
  /** Pure turns that had ended: a replay runs to here. */
  readonly turn: number;
  /** @unit ms since 1970 */
  readonly at: number;
}

export const packClosing = (packer: ValuePacker, closing: Closing): Uint8Array => packer.pack([closing]);

/** Of a block whose CRC holds. */
export const unpackClosing = (body: Uint8Array): Closing => unpackValues(body)[0] as Closing;
