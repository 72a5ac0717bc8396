/** What a run may break, as told by the checkers. Each claim has a module of its own. Types. Rules SM-4, SM-5. */

/** A claim that a run broke, with what is needed to see it. */
export interface Violation {
  readonly claim: string;
  readonly detail: string;
}

/** Where a checker says what it found. It never throws: the run goes on, and may break more. */
export type Report = (claim: string, detail: string) => void;
