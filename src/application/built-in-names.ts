/** Which applications are built in, for whoever only needs their names. Data. */

/** One more here, and one in built-in.ts. */
export const BUILT_IN_NAMES = ['kv', 'ledger', 'dice'] as const;

export type BuiltInName = (typeof BUILT_IN_NAMES)[number];

export const BUILT_IN_DEFAULT: BuiltInName = 'kv';
