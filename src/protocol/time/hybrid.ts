/** NTP within what the peers agree on; updates against what was known. Pure. Rules TM-4, TM-5, docs/protocol/time.md. */
import { clampInto } from './midpoint.ts';
import type { Estimate, OffsetInterval } from './types.ts';

export type Combined =
  | (Estimate & {
      readonly status: 'estimated';
      /** NTP and the peers are disjoint: `TimeSourceConflict`. */
      readonly conflict: boolean;
    })
  | { readonly status: 'none' };

export interface Sources {
  readonly ntp: { readonly offset: number; readonly error: number } | undefined;
  readonly peers:
    | { readonly interval: OffsetInterval; readonly offset: number; readonly error: number }
    | undefined;
  /** Without it they show their system clocks. */
  readonly peersAreSynchronised: boolean;
}

/** `by` is `hybrid` only where both sources were used. */
export function combine({ ntp, peers, peersAreSynchronised }: Sources): Combined {
  if (ntp === undefined) return peers === undefined ? { status: 'none' } : agreeing('peers', peers);
  if (peers === undefined) return agreeing('ntp', ntp);
  // A cold start: system clocks neither bind NTP nor contradict it.
  if (!peersAreSynchronised) return agreeing('ntp', ntp);
  // TM-5: a wrong NTP server must not lead this node away from the others, nor stop it. At the edge of what they agree on
  // most servers together lead all nodes back to them, should the peers have drifted off; a few are trimmed away.
  const { interval } = peers;
  const offset = clampInto(ntp.offset, interval);
  const conflict = !meet(around(ntp.offset, ntp.error), interval);
  // One of the two is wrong: where they conflict, the peers are believed.
  const error = conflict ? interval.hi - interval.lo : ntp.error + Math.abs(offset - ntp.offset);
  return { ...agreeing('hybrid', { offset, error }), conflict };
}

/** TM-4: an update that has no offset in common with this node's own error bound is to be rejected. */
export const withinOldBound = (update: OffsetInterval, ownOffset: number, ownError: number): boolean =>
  meet(update, around(ownOffset, ownError));

/** An error bound after so long without an update: this clock drifts, and so does what it is measured by. @unit ms */
export const grownError = (error: number, ageMs: number, driftPpmMax: number): number =>
  error + (2 * driftPpmMax * Math.max(0, ageMs)) / PER_MILLION;

const PER_MILLION = 1_000_000;

const agreeing = (
  by: Estimate['by'],
  { offset, error }: { readonly offset: number; readonly error: number },
) => ({ status: 'estimated', offset, error, by, conflict: false }) as const;

const around = (offset: number, error: number): OffsetInterval => ({
  lo: offset - error,
  hi: offset + error,
});

/** Closed intervals: to touch is to meet. */
const meet = (left: OffsetInterval, right: OffsetInterval): boolean =>
  left.lo <= right.hi && right.lo <= left.hi;
