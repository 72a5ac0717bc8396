/** What is fuzzed: inputs are byte strings, a run ends in a named outcome, and everything else is a finding. Rule SM-11. */
import type { Mutation } from './mutate.ts';

export interface Target {
  readonly name: string;
  /** What a reader should know of it, in one line. */
  readonly what: string;
  /** Parts of the URLs of the scripts whose blocks count. */
  readonly covers: readonly string[];
  /** Beside the mutations of bytes: those that know the input's form. */
  readonly mutations: readonly Mutation[];
  /** Words that inputs are made of. */
  readonly dictionary: readonly Uint8Array[];
  /** Longest input made. @unit bytes */
  readonly bytesMax: number;
  /** Runs before memory is measured again. @unit runs */
  readonly window: number;
  /** How long what a run has rightfully left may stay: timers of sockets. Default 0. @unit ms */
  readonly settleMs?: number;
  readonly seeds: () => readonly Uint8Array[];
  readonly open: () => Promise<Subject>;
}

export interface Subject {
  /**
   * Runs one input; gives its outcome's name (`decoded Vote`, `refused SCHEMA`), the same for the same input. Throws when a
   * claim does not hold.
   */
  readonly run: (input: Uint8Array) => string | Promise<string>;
  /** Forgets what earlier inputs have rightfully left. */
  readonly reset?: () => void | Promise<void>;
  readonly close?: () => Promise<void>;
}

/** Fails the run when a claim does not hold. */
export function claim(holds: boolean, sentence: string): asserts holds {
  if (!holds) throw new BrokenClaim(sentence);
}

export class BrokenClaim extends Error {
  override readonly name = 'BrokenClaim';
}
