/** Which applications are built in, for whoever only needs their names. Data. */

/** One more here, and one in built-in.ts. */
export const BUILT_IN_NAMES = ['kv', 'ledger', 'dice'] as const;

export type BuiltInName = (typeof BUILT_IN_NAMES)[number];

export const BUILT_IN_DEFAULT: BuiltInName = 'kv';

/** Those whose rules need nothing of the chain: they can run in a process of their own. */
export const SERVABLE_NAMES = ['kv', 'dice'] as const satisfies readonly BuiltInName[];

export type ServableName = (typeof SERVABLE_NAMES)[number];
