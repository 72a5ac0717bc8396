/**
 * What is thought of a peer, over connections and restarts: a score, a removal, and since when it never contradicted itself
 * or us. Times are adjusted wall time. Pure. Rules SY-6, SY-9, docs/protocol/sync.md.
 */
import { type Millis, millis, type WallTime, wallTime } from '../../base/units.ts';
import type { Address } from '../chain/types.ts';
import type { SyncConfig } from './config.ts';
import type { Reputation } from './types.ts';

/** Of a peer of which nothing is known, and where every score goes as time passes. */
export const SCORE_START = 0.5;
/** Half of what a score is above or below SCORE_START fades in so long. @unit ms @source chosen */
export const SCORE_HALF_LIFE_MS = millis(1_800_000);
/** Of the way to 1, each good answer goes so much. @source chosen */
const GOOD_SHARE = 0.1;
/** What a failure leaves of a score. @source chosen: 3 failures make it a third */
const FAILURE_FACTOR = 0.7;
/** What a proven lie leaves of a score. @source chosen */
const LIE_FACTOR = 0.25;
/** Failures in a row after which a peer is removed for a time. @unit failures @source chosen */
export const FAILURES_MAX = 5;
/** The first removal; each further failure in a row doubles it, up to the longest. @unit ms @source as the bans of TP-6 */
export const REMOVED_MS_MIN = millis(60_000);
/** @unit ms */
export const REMOVED_MS_MAX = millis(3_600_000);
/** Reputations that are kept; above it the one that was seen least lately goes. @unit peers @source twice the largest set */
export const REPUTATIONS_MAX = 1_024;
/** A longer time between two looks at a connected peer is a pause, not uptime: the clock leapt, or this machine slept. @unit ms */
export const SEEN_EVERY_MS_MAX = millis(180_000);

export const newReputation = (peer: Address, now: WallTime): Reputation => ({
  peer,
  score: SCORE_START,
  at: now,
  consistentSince: now,
});

/** The score at `now`. 0, never asked, stays for as long as the removal lasts. */
export function scoreAt({ score, at, removedUntil }: Reputation, now: WallTime): number {
  const from = score === 0 ? Math.max(at, removedUntil ?? at) : at;
  if (now <= from) return score;
  return SCORE_START + (score - SCORE_START) * 0.5 ** ((now - from) / SCORE_HALF_LIFE_MS);
}

/** Not asked now, unless there is nobody else. */
export const isRemoved = ({ removedUntil }: Reputation, now: WallTime): boolean =>
  removedUntil !== undefined && now < removedUntil;

/** Caught in a contradiction, and not yet trusted again: never asked (SY-5). */
export const isDistrusted = (reputation: Reputation, now: WallTime): boolean =>
  isRemoved(reputation, now) && reputation.score === 0;

/**
 * How long the peer has been connected since it was last caught contradicting itself or us; pauses do not count. SY-9.
 * For a peer that is connected now. @unit ms
 */
export const consistentUptime = ({ consistentSince }: Reputation, now: WallTime): Millis =>
  millis(Math.max(0, now - consistentSince));

/** A connected peer, some time after it was last seen: that time counts, unless it is too long to be believed. */
export function seen(reputation: Reputation, now: WallTime): Reputation {
  const passed = now - reputation.at;
  return passed > SEEN_EVERY_MS_MAX ? resumed(reputation, now) : upToDate(reputation, now);
}

/** It is back after a pause, which does not count. What a clock that was ahead has kept, moves back with the clock. */
export function resumed(reputation: Reputation, now: WallTime): Reputation {
  const ahead = reputation.at - now;
  if (ahead > 0) return movedBack(reputation, ahead);
  const pause = Math.max(0, now - reputation.at);
  const consistentSince = wallTime(Math.min(now, reputation.consistentSince + pause));
  return { ...upToDate(reputation, now), consistentSince };
}

/** Else a removal of minutes, by a clock years ahead, would last for years. */
function movedBack({ removedUntil, ...rest }: Reputation, ahead: number): Reputation {
  const at = wallTime(rest.at - ahead);
  const consistentSince = wallTime(Math.min(at, rest.consistentSince));
  const moved = { ...rest, at, consistentSince };
  return removedUntil === undefined ? moved : { ...moved, removedUntil: wallTime(removedUntil - ahead) };
}

/** It gave something that proved good: it is removed no more. */
export function praised(reputation: Reputation, now: WallTime): Reputation {
  if (isDistrusted(reputation, now)) return reputation;
  const { removedUntil: _, ...rest } = upToDate(reputation, now);
  return { ...rest, score: rest.score + (1 - rest.score) * GOOD_SHARE };
}

/** It did not answer, or had nothing; `failures` in a row, this one too. */
export function failed(reputation: Reputation, failures: number, now: WallTime): Reputation {
  const next = upToDate(reputation, now);
  if (isDistrusted(reputation, now)) return next;
  const lower: Reputation = { ...next, score: next.score * FAILURE_FACTOR };
  return failures < FAILURES_MAX ? lower : removed(lower, removalOf(failures), now);
}

/** What it gave was refused by a rule: one lie, and its uptime begins anew. */
export function lied(reputation: Reputation, failures: number, now: WallTime): Reputation {
  const next = upToDate(reputation, now);
  if (isDistrusted(reputation, now)) return { ...next, consistentSince: now };
  const score = next.score * LIE_FACTOR;
  return { ...removed({ ...next, score }, removalOf(failures), now), consistentSince: now };
}

/** Its chain is not ours, or not one chain: not asked before it has earned trust anew (bug "re-sync from the peer that caused the fork"). */
export const contradicted = (
  reputation: Reputation,
  now: WallTime,
  { tier3TrustTime }: Pick<SyncConfig, 'tier3TrustTime'>,
): Reputation => ({
  ...removed({ ...upToDate(reputation, now), score: 0 }, tier3TrustTime, now),
  consistentSince: now,
});

/** How long a peer is removed after so many failures in a row. @unit ms */
export const removalOf = (failures: number): Millis =>
  millis(Math.min(REMOVED_MS_MAX, REMOVED_MS_MIN * 2 ** Math.min(32, Math.max(0, failures - FAILURES_MAX))));

const removed = (reputation: Reputation, time: Millis, now: WallTime): Reputation => ({
  ...reputation,
  removedUntil: wallTime(Math.max(reputation.removedUntil ?? 0, now + time)),
});

/** A clock that stepped back moves nothing. */
const upToDate = (reputation: Reputation, now: WallTime): Reputation =>
  now <= reputation.at ? reputation : { ...reputation, score: scoreAt(reputation, now), at: now };
