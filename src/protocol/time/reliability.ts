/** How much a peer's answers count, by those before; a score is 0 to 1. Pure. Rule TM-4, docs/protocol/time.md. */

/** `failure`: a malformed or a contradicting answer. */
export type PollOutcome = 'success' | 'timeout' | 'failure';

/** The score of a peer that was never asked. @unit score @source seed 000, TM-4 */
export const RELIABILITY_START = 0.5;
/** A peer counts in an update from here on; one success reaches it. @unit score @source chosen: the rate of success */
const RELIABILITY_ADMITTED_MIN = 0.2;
/** The worst peer is asked so seldom, so that it can come back. @unit update intervals @source chosen */
export const POLL_EVERY_MAX = 8;

/** Of the way to the target, so much is gone with each outcome. @unit ratio @source seed 000, TM-4 */
const MOVES: Readonly<Record<PollOutcome, { readonly target: 0 | 1; readonly rate: number }>> = {
  success: { target: 1, rate: 0.2 },
  timeout: { target: 0, rate: 0.1 },
  failure: { target: 0, rate: 0.15 },
};

/** The score after one more poll: an exponential moving average. */
export function reliabilityAfter(score: number, outcome: PollOutcome): number {
  const { target, rate } = MOVES[outcome];
  return score + rate * (target - score);
}

/** Its answers count in an update. */
export const isAdmitted = (score: number): boolean => score >= RELIABILITY_ADMITTED_MIN;

/** Update intervals between two polls: 1 when admitted; doubled below, and again with each halving of the score. */
export function pollEvery(score: number): number {
  let every = 1;
  for (let bound = RELIABILITY_ADMITTED_MIN; score < bound && every < POLL_EVERY_MAX; bound /= 2) every *= 2;
  return every;
}
