/** Token bucket on a clock that the caller reads. Pure. Rule TP-5, docs/protocol/transport.md. */
import { type Millis, type Monotonic, millis } from '../../base/units.ts';

export interface BucketRate {
  /** @unit tokens/s */
  readonly ratePerSecond: number;
  /** Most tokens held at once. */
  readonly burst: number;
}

export interface Bucket {
  readonly tokens: number;
  /** When `tokens` was right. */
  readonly at: Monotonic;
}

/** A full bucket. */
export const fullBucket = (rate: BucketRate, now: Monotonic): Bucket => ({ tokens: rate.burst, at: now });

/** What the bucket holds at `now`; a clock that steps back refills nothing. */
export function refilled(bucket: Bucket, rate: BucketRate, now: Monotonic): Bucket {
  if (now <= bucket.at) return bucket;
  const tokens = Math.min(rate.burst, bucket.tokens + ((now - bucket.at) * rate.ratePerSecond) / 1000);
  return { tokens, at: now };
}

export interface Taking {
  readonly bucket: Bucket;
  readonly taken: boolean;
}

/** Takes `cost` tokens, or none when there are fewer. */
export function takeTokens(bucket: Bucket, rate: BucketRate, now: Monotonic, cost = 1): Taking {
  const filled = refilled(bucket, rate, now);
  if (filled.tokens < cost) return { bucket: filled, taken: false };
  return { bucket: { tokens: filled.tokens - cost, at: filled.at }, taken: true };
}

export interface Debt {
  readonly bucket: Bucket;
  /** How long to rest until nothing is owed; 0 when nothing is. */
  readonly rest: Millis;
}

/** Takes `cost` tokens, those that are missing on credit: for costs that are known only once they have come. */
export function oweTokens(bucket: Bucket, rate: BucketRate, now: Monotonic, cost: number): Debt {
  const filled = refilled(bucket, rate, now);
  const tokens = filled.tokens - cost;
  const rest = tokens >= 0 ? 0 : Math.ceil((-tokens * 1000) / rate.ratePerSecond);
  return { bucket: { tokens, at: filled.at }, rest: millis(rest) };
}
