/**
 * What is known of where an operation is, and what follows from an answer to its submission. Pure. BR-1: it ends once;
 * `rejected` is told only where no node can hold it, else the chain has the last word.
 */
import type { SubmissionAnswer } from './answers.ts';
import type { Outcome, WhenRefused } from './types.ts';

/** Endpoints by their index. */
export interface Course {
  /** Some node may hold it, or have executed it: then no refusal ends it (BR-1). */
  readonly isExposed: boolean;
  /** Those that accepted it. */
  readonly holders: ReadonlySet<number>;
  /** The newest one that could not take it. */
  readonly refusedBy: number | undefined;
}

export const NEW_COURSE: Course = { isExposed: false, holders: new Set(), refusedBy: undefined };
/** Of an operation that an earlier life of the client, or another one, may have submitted. */
export const EXPOSED_COURSE: Course = { ...NEW_COURSE, isExposed: true };

/** How one endpoint took one operation. `notTaken`: it surely did not get it. `lost`: nobody knows. */
export type Reception = SubmissionAnswer | { readonly status: 'notTaken' | 'lost' };

/** `send`: to another endpoint. `follow`: its end is known by the chain. */
export interface Ruling {
  readonly course: Course;
  readonly next: 'send' | 'follow' | Outcome;
}

/** @param whenRefused by a node that could take it later */
export function ruleOnReception(
  course: Course,
  endpoint: number,
  reception: Reception,
  whenRefused: WhenRefused,
): Ruling {
  switch (reception.status) {
    case 'accepted': {
      const holders = new Set([...course.holders, endpoint]);
      return { course: { ...course, isExposed: true, holders }, next: 'follow' };
    }
    case 'notTaken':
      return { course: { ...course, refusedBy: endpoint }, next: 'send' };
    case 'lost':
      return { course: { ...course, isExposed: true, refusedBy: endpoint }, next: 'send' };
    case 'refused': {
      const { code, log, retryable, mayBeHeld } = reception;
      const isExposed = course.isExposed || mayBeHeld;
      const known = { ...course, isExposed, refusedBy: endpoint };
      if (retryable && (isExposed || whenRefused === 'retry')) return { course: known, next: 'send' };
      // What some node may hold is not rejected by this one's word.
      if (isExposed) return { course: known, next: 'follow' };
      return { course: known, next: { status: 'rejected', code, reason: log } };
    }
  }
}

/** Where to send it: never to a holder, and to the one that refused it last only where there is no other. */
export function chooseFor({ holders, refusedBy }: Course, usable: readonly number[]): number | undefined {
  const open = usable.filter((endpoint) => !holders.has(endpoint));
  return open.find((endpoint) => endpoint !== refusedBy) ?? open[0];
}

/** True when all that accepted it are down: another node is to have it too. */
export const isOrphaned = ({ holders }: Course, isDown: (endpoint: number) => boolean): boolean =>
  holders.size > 0 && [...holders].every(isDown);
