/** Which applications are built in, for whoever only needs their names. Data. */

/** One more here, and one in built-in.ts. */
export const BUILT_IN_NAMES = ['kv', 'ledger', 'dice'] as const;

export type BuiltInName = (typeof BUILT_IN_NAMES)[number];

export const BUILT_IN_DEFAULT: BuiltInName = 'kv';

/** Those that come with a web page, which goes on through other nodes when its own fails. */
const NAMES_WITH_PAGE: readonly string[] = ['dice'] satisfies readonly BuiltInName[];

export const hasPage = (application: string): boolean => NAMES_WITH_PAGE.includes(application);

/** Those that learn their chain from its first block on, and keep it in their state; another one is given the genesis to be served. */
export const SERVABLE_NAMES = ['kv', 'dice'] as const satisfies readonly BuiltInName[];

export type ServableName = (typeof SERVABLE_NAMES)[number];

export const isServable = (name: BuiltInName): name is ServableName =>
  SERVABLE_NAMES.some((each) => each === name);
