/**
 * What each refusal of a submission means for whoever submitted: the one owner of that. `althing_submit` tells it with every
 * refusal, clients keep no list of codes. Total by its type: a new code has to be entered. Pure. BR-1, docs/client.md.
 */
import type { Admission } from '../protocol/ports/mempool.ts';

/** `ALREADY_KNOWN` is told as accepted: its end is what the client asks for. */
export type RefusalCode = Exclude<Extract<Admission, { status: 'refused' }>['code'], 'ALREADY_KNOWN'>;

export interface RefusalMeaning {
  /** It says something about the bytes: the same ones are refused again. */
  readonly isFinal: boolean;
  /** The bytes may be here, or elsewhere by this node: the refusal is no end of the operation. */
  readonly mayBeHeld: boolean;
}

/** Refused before anything of it was kept: whether elsewhere, or later, is not known. */
const NOT_NOW: RefusalMeaning = { isFinal: false, mayBeHeld: false };
const NEVER: RefusalMeaning = { isFinal: true, mayBeHeld: false };
const NOT_KNOWN: RefusalMeaning = { isFinal: false, mayBeHeld: true };
/** Said before anybody looks whether it is here already, or executed: it is never taken again, and the chain alone tells its end. */
const PAST: RefusalMeaning = { isFinal: true, mayBeHeld: true };

export const REFUSALS: Readonly<Record<RefusalCode, RefusalMeaning>> = {
  // At the door of the bridge, or before it: the mempool never hears of it.
  QUEUE_FULL: NOT_NOW,
  CHANNEL_CLOSED: NOT_NOW,
  PARTITIONED: NOT_NOW,
  STATE_DIVERGED: NOT_NOW,
  EXPIRES_TOO_SOON: PAST,
  // By this node's height: one that is behind says so of what others take.
  EXPIRES_TOO_LATE: NOT_NOW,
  // Of several together; the caller makes smaller calls.
  TOO_MANY_TOGETHER: NOT_NOW,
  // Given only where it was sent to no validator.
  NOT_A_VALIDATOR: NOT_NOW,
  // By the mempool, before it takes anything, or after the check and with its room given back.
  MEMPOOL_FULL: NOT_NOW,
  RATE_LIMITED: NOT_NOW,
  SENDER_BUSY: NOT_NOW,
  NOT_CHECKED: NOT_NOW,
  EMPTY: NEVER,
  TOO_LARGE: NEVER,
  CHECK_FAILED: NEVER,
  // A batch that a failing disk took all the same comes back at the next start (MP-3).
  STORAGE_FAILED: NOT_KNOWN,
  NOT_ANSWERED: NOT_KNOWN,
};
