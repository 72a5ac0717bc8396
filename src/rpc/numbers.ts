/** Measured numbers in the JSON of Althing's own methods: no finer than they are known, null where nothing is known. Pure. */

const MICROS_PER_MS = 1_000;

/** Milliseconds with microseconds; shares and rates to as many digits. */
export const rounded = (value: number): number => Math.round(value * MICROS_PER_MS) / MICROS_PER_MS;

export const roundedOrNull = (value: number | undefined): number | null =>
  value === undefined ? null : rounded(value);
