/** Units of time. Durations are whole or fractional milliseconds; the unit is in the type. Pure. */
import type { Brand } from './brand.ts';

/** A duration. @unit ms */
export type Millis = Brand<number, 'Millis'>;

/** A point on a monotonic clock, counted from an arbitrary origin. @unit ms */
export type Monotonic = Brand<number, 'Monotonic'>;

/** A point on the wall clock: milliseconds since 1970-01-01T00:00:00Z. @unit ms */
export type WallTime = Brand<number, 'WallTime'>;

/** Names a literal as a duration in milliseconds. */
export const millis = (value: number): Millis => value as Millis;

/** Names a reading of a monotonic clock. */
export const monotonic = (value: number): Monotonic => value as Monotonic;

/** Names a reading of a wall clock. */
export const wallTime = (value: number): WallTime => value as WallTime;
