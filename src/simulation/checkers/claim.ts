/** What a run may break, as told by the checkers. Each claim has a module of its own. Pure. Rules SM-4, SM-5. */

/** A claim that a run broke, with what is needed to see it. */
export interface Violation {
  readonly claim: string;
  readonly detail: string;
}

/** Where a checker says what it found. It never throws: the run goes on, and may break more. */
export type Report = (claim: string, detail: string) => void;

export const NOTHING_IS_THROWN = 'nothing is thrown';

/** Whatever is thrown outside of a cell. */
export const thrown = (error: unknown): Violation => ({
  claim: NOTHING_IS_THROWN,
  detail: error instanceof Error ? (error.stack ?? error.message) : String(error),
});
