/**
 * What a client waits for the answer to a submission, and who may have how much of it: each time is what is left of the one above, so that
 * they fit whatever is changed here. Pure. Rules BR-1, BR-2, BR-8, BR-10, docs/protocol/bridge.md, "Times".
 */
import { type Millis, millis } from '../../base/units.ts';

/** A client counts a call as lost after so long. @source `callTimeoutMs` of `althing/client`; a test holds both together */
export const CLIENT_MS = millis(10_000);
/** There and back, between the client and its node. @source chosen: once around the earth, and one packet sent again */
const CLIENT_WAY_MS = 500;
/** A call that waited longer for its turn is refused (`rpc/turnstile.ts`). @source chosen: ten turns of 100 ms, which is a machine in need */
export const DOOR_MS = millis(1_000);
/** The gateway gives up a submission after so long: then the bridge itself failed. */
export const SUBMISSION_MS = millis(CLIENT_MS - CLIENT_WAY_MS - DOOR_MS);
/** From the gateway into the bridge's mailbox and back. @source chosen: two turns of an event loop in need */
const MAILBOX_MS = 250;
/** The bridge answers a submission within this, whoever is asked, and however long it waited in its queue. */
export const ANSWER_MS = millis(SUBMISSION_MS - MAILBOX_MS);

/**
 * Validators that one submission is handed to, one after the other. @source chosen: f + 1 of seven, so one of them is honest. With two, a check
 * could take 3.3 s; it takes milliseconds, and one that takes more than the 2 s that three leave is refused with certainty (NOT_CHECKED).
 */
export const HANDED_TO_MAX = 3;
/** Timers come late, and an open breaker says so by a message. */
const BETWEEN_MS = 100;
/** Whoever is asked for a judgement, the own mempool or another validator, answers within this, or counts as silent. */
export const JUDGEMENT_MS = millis(Math.floor(ANSWER_MS / HANDED_TO_MAX) - BETWEEN_MS);
/**
 * A node that is no validator waits so long for its own application, then hands over what it has not judged: what three judgements leave, so that
 * the slowest check costs one of them at the most. A check takes milliseconds.
 */
export const OWN_CHECK_MS = millis(ANSWER_MS - HANDED_TO_MAX * JUDGEMENT_MS);
/** What a judgement takes beside the check. @source a wide-area round trip 300 ms, a batch sealed 100 ms and durable 50 ms, a tick 25 ms, and mailboxes */
const AROUND_THE_CHECK_MS = 650;
/** The application judges a transaction within this, or nobody looked at it: so a validator whose application is slow is not silent. */
export const CHECK_MS: Millis = millis(JUDGEMENT_MS - AROUND_THE_CHECK_MS);

/** How often the queue is looked through for what waited too long. @source chosen: a pass over 10,000 submissions takes 1 ms */
export const QUEUE_GRAIN_MS = millis(250);
/** A submission waits in the queue of a partition so long: then one validator can still be asked. */
export const QUEUE_MS = millis(ANSWER_MS - JUDGEMENT_MS - QUEUE_GRAIN_MS);
