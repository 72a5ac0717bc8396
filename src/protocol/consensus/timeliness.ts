/** Whether a block's time fits the receiver's clock, and which time a leader gives its block. Pure. Rule TM-8. */
import { type Millis, millis, type WallTime, wallTime } from '../../base/units.ts';
import type { ProposalRefusal } from './refusals.ts';

export interface TimelinessConfig {
  /** How far two honest adjusted clocks may be apart. */
  readonly precisionMs: Millis;
  /** How long a proposal may travel. */
  readonly messageDelayMs: Millis;
}

/** @source CometBFT v1 SynchronyParams (proposer-based timestamps) */
export const TIMELINESS_DEFAULTS: TimelinessConfig = {
  precisionMs: millis(505),
  messageDelayMs: millis(15_000),
};
/** Greatest configurable PRECISION. @unit ms @source CometBFT v1 */
export const PRECISION_MS_MAX = millis(30_000);
/** Greatest message delay, however many rounds failed. @unit ms @source CometBFT v1 */
export const MESSAGE_DELAY_MS_MAX = millis(86_400_000);
/** The message delay grows by this for each round since the last commit. @unit ratio @source CometBFT v1 */
const DELAY_GROWTH = 1.1;

export type Timeliness =
  | { readonly status: 'timely' }
  /** Early by less than the message delay: look again at `until`. */
  | { readonly status: 'early'; readonly until: WallTime }
  | { readonly status: 'refused'; readonly refusal: ProposalRefusal };

/**
 * now >= t − PRECISION and receivedAt <= t + MSGDELAY·1.1^k + PRECISION, k = rounds since the last commit. Both clocks
 * are adjusted time; lateness is judged by the time of receipt, so parking for another reason makes nothing late.
 */
export function judgeTime(
  config: TimelinessConfig,
  query: {
    readonly time: WallTime;
    readonly receivedAt: WallTime;
    readonly now: WallTime;
    readonly roundsSinceCommit: number;
  },
): Timeliness {
  const { time, receivedAt, now, roundsSinceCommit } = query;
  const delay = Math.min(
    config.messageDelayMs * DELAY_GROWTH ** Math.max(0, roundsSinceCommit),
    MESSAGE_DELAY_MS_MAX,
  );
  const latest = wallTime(time + delay + config.precisionMs);
  if (receivedAt > latest) {
    return { status: 'refused', refusal: { code: 'TIME_TOO_LATE', time, now: receivedAt, limit: latest } };
  }
  const earliest = wallTime(time - config.precisionMs);
  if (now >= earliest) return { status: 'timely' };
  if (earliest - now < config.messageDelayMs) return { status: 'early', until: earliest };
  const limit = wallTime(now + config.precisionMs + config.messageDelayMs);
  return { status: 'refused', refusal: { code: 'TIME_TOO_EARLY', time, now, limit } };
}

/** A leader's block time: max(now, parent's time + 1 ms), and from when on it may be proposed (now >= t − PRECISION). */
export function blockTime(
  config: TimelinessConfig,
  now: WallTime,
  parentTime: WallTime,
): { readonly time: WallTime; readonly notBefore: WallTime } {
  const time = wallTime(Math.max(Math.floor(now), parentTime + 1));
  return { time, notBefore: wallTime(time - config.precisionMs) };
}
