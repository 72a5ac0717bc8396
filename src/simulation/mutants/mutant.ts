/** A mutant: the production source with one rule broken, and where it must be noticed. Types. Rule SM-8. */
import type { TrialName } from './trials.ts';

/** Replaces a text that occurs exactly once in a file. */
export interface Patch {
  /** From the root of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  /** Lower-case words with dashes; no two are equal. */
  readonly name: string;
  /** The rule that it breaks. */
  readonly rule: string;
  readonly patches: readonly [Patch, ...Patch[]];
  /** Which runs it is put into. */
  readonly trial: TrialName;
  /** Changes of the trial itself (smaller numbers, say): the trial must be clean with these alone. */
  readonly setting?: readonly Patch[];
}
